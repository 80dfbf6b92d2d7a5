"""The examples are tests of somebody else: ``test_examples`` runs them as their owner would."""

collect_ignore = ["examples"]

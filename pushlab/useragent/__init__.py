"""The user agents: real browsers that are started and driven, and one written in Python."""

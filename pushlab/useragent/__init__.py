"""The user agents: real browsers, which are started and driven, and one written in Python."""

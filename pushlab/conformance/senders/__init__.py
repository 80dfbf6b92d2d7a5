"""The forms in which a sender is examined: a command, an app over HTTP, a person by hand."""

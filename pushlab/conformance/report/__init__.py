"""What was found, as text in a terminal, as lines of JSON, and as JUnit's XML."""

"""Group ``answers``."""

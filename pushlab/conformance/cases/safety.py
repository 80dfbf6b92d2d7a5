"""Group ``safety``."""

"""Group ``many``."""

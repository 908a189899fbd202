"""Properties of the console."""

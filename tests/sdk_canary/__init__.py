"""Tells what a release of the anthropic or openai SDK brings that nobody here has looked at: see `__main__`."""

"""Calls: who calls whom, by which line, what became of it, and what was said."""

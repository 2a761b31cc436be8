"""Telephone exchanges: all that knows a provider. What comes out are facts, what goes in are commands."""

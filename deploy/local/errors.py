"""What stops the runtime, said to the person at the screen."""


class Refusal(Exception):
    """One clear sentence: what is wrong, with the value, and what to do next. Never a traceback."""

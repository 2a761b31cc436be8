"""Where an unexpected exception was raised, for logs that must not quote personal data."""

import traceback


def place_of(error: BaseException) -> str:
    """`TypeName at file.py:line`, without the error's text."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} at {place}"

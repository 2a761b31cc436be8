"""What the person who typed `make run` sees: one line per step, more when a step takes long."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

FIRST_SIGN_S = 2.0
NEXT_SIGN_S = 3.0


def say(line: str) -> None:
    """Print one line now. A closed terminal does not stop the installation."""
    try:
        print(line, flush=True)
    except OSError:
        # The terminal went away (SIGHUP follows or was ignored by nohup): nobody is left to tell.
        sys.stdout = open("/dev/null", "w")  # noqa: SIM115  (lives as long as the process)


@asynccontextmanager
async def step(title: str) -> AsyncIterator[None]:
    """Say how long `title` took, and from two seconds on, while it runs, that it still does."""
    began = time.monotonic()
    signs = asyncio.create_task(_signs_of_life(title, began))
    try:
        yield
    finally:
        signs.cancel()
    say(f"  {title}: done in {time.monotonic() - began:.1f} s")


async def _signs_of_life(title: str, began: float) -> None:
    await asyncio.sleep(FIRST_SIGN_S)  # what is done by then needs no sign; ended by cancellation
    while True:
        say(f"  {title} ... {time.monotonic() - began:.0f} s")
        await asyncio.sleep(NEXT_SIGN_S)  # the pace of signs

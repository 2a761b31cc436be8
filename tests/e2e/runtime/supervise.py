"""The real supervisor with stand-ins for the application: started as a program by the tests.

Everything but the list of application processes and the migration is what `make run` does.
"""

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

from deploy.local import __main__ as runtime
from deploy.local import application
from deploy.local.children import Child
from deploy.local.installation import Installation
from deploy.local.servers import Endpoints
from deploy.local.settings import Settings
from deploy.local.supervisor import supervise

STAND_IN = Path(__file__).with_name("stand_in.py")


def children(settings: Settings, installation: Installation, endpoints: Endpoints) -> list[Child]:
    """The real list, each with a small server in place of `-m chassis --target=all`."""
    return [
        replace(child, argv=(sys.executable, str(STAND_IN)))
        for child in application.processes(settings, installation, endpoints)
    ]


async def nothing_to_migrate(installation: Installation, endpoints: Endpoints) -> None:
    """The tests of the runtime bring no services."""


if __name__ == "__main__":
    if sys.argv[1] == "run":
        settings = Settings.from_environment(os.environ)
        sys.exit(
            runtime.guarded(lambda: asyncio.run(supervise(settings, children, nothing_to_migrate)))
        )
    sys.exit(runtime.main(sys.argv[1:]))

"""`python -m deploy.local run | migrate | demo | backup | restore | status` (see the Makefile)."""

import argparse
import asyncio
import errno
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from deploy.local import application, checks, restore, screen
from deploy.local.backup import backup
from deploy.local.children import Identity
from deploy.local.errors import Refusal
from deploy.local.files import read_json
from deploy.local.installation import in_use, opened, reading
from deploy.local.settings import Settings
from deploy.local.supervisor import end_leftovers, supervise
from deploy.local.temporary import running_endpoints, servers_of

NOT_RUNNING_EXIT = 3


def main(arguments: list[str]) -> int:
    """Run one verb; the exit code."""
    options = _parser().parse_args(arguments)

    def work() -> int:
        settings = Settings.from_environment(os.environ)
        if options.verb == "status":
            return status(settings)
        asyncio.run(_work(options, settings))
        return 0

    return guarded(work)


def guarded(work: Callable[[], int]) -> int:
    """Do the work; the exit code. Every expected trouble is one sentence on standard error."""
    os.umask(0o077)  # what we and the application create is the owner's alone
    try:
        return work()
    except Refusal as refusal:
        print(f"\nakrab: {refusal}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        print(f"\nakrab: {_disk_sentence(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nakrab: interrupted; nothing was left half done.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("run", help="start everything and keep it running until Ctrl-C")
    verbs.add_parser("migrate", help="bring the databases to this version")
    verbs.add_parser("demo", help="make the demo company in the running installation")
    verbs.add_parser("status", help="say what runs where")
    saving = verbs.add_parser("backup", help="write everything to one file")
    saving.add_argument("--to", type=Path)
    loading = verbs.add_parser("restore", help="make a data directory out of a backup")
    loading.add_argument("--from", dest="source", type=Path, required=True)
    loading.add_argument("--force", action="store_true", help="move an existing one aside")
    return parser


def _work(options: argparse.Namespace, settings: Settings) -> Coroutine[Any, Any, object]:
    match options.verb:
        case "run":
            return supervise(settings)
        case "migrate":
            return migrate(settings)
        case "demo":
            return demo(settings)
        case "backup":
            return backup(settings, options.to)
        case _:
            return restore.restore(settings, options.source, force=options.force)


async def migrate(settings: Settings) -> None:
    """Migrate the databases of an installation that does not run (a start does it as well)."""
    checks.disk(settings.data)
    with opened(settings) as installation:
        await end_leftovers(settings)
        async with servers_of(installation) as endpoints, screen.step("Preparing the databases"):
            await application.migrate(installation, endpoints)


async def demo(settings: Settings) -> None:
    """Make the demo company in the installation that runs with these settings."""
    endpoints = running_endpoints(settings)
    if endpoints is None:
        raise Refusal("Akrab does not run: start it with `make run` first, then `make demo`.")
    await application.create_demo(reading(settings), endpoints)


def status(settings: Settings) -> int:
    """Print what runs where; 0 when it runs, 3 when not."""
    if not in_use(settings.data) or not settings.run_file.exists():
        print(f"Akrab does not run with {settings.data}.")
        return NOT_RUNNING_EXIT
    content = read_json(settings.run_file)
    print(f"Akrab runs at {content['http']} (gRPC {content['grpc']}, data {settings.data})")
    for name, one in content["pids"].items():
        alive = Identity(one["pid"], one["started"]).alive()
        print(f"  {name:14} process {one['pid']:>7}  {'runs' if alive else 'is being restarted'}")
    return 0


def _disk_sentence(error: OSError) -> str:
    place = error.filename or "the data directory"
    if error.errno == errno.EACCES:
        return f"{place} may not be written by you: choose another place with CRM_DATA_DIR=."
    if error.errno == errno.EROFS:
        return f"{place} is on a read-only disk: choose another place with CRM_DATA_DIR=."
    return f"The disk is full ({place}): free some space and try again. Nothing was lost."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

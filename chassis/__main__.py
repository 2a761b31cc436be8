"""`python -m chassis --target=contacts,deals` serves; `migrate`, `reindex`, `index-custom`, `dead-letters` are the operator's."""

import argparse
import asyncio
import gc
import sys
from collections.abc import Sequence

import uvloop

from chassis import service as services
from chassis import settings as settings_
from chassis.events import dead_letters
from chassis.kit import custom_index, reindex
from chassis.process import serve
from chassis.settings import SettingError, Settings

NEWER_DATABASE = 3  # exit code of migrate
# By default 5 ms: so long would each answer to the event loop wait for a thread that is busy (an import's, a document's).
_SWITCH_S = 0.0005


def main(arguments: Sequence[str] | None = None) -> int:
    """The program. Returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m chassis", description=__doc__)
    parser.add_argument(
        "--target", help="services to serve, divided by commas; all = every one and the gateway"
    )
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("migrate", help="bring every service's database to this program's version")
    again = commands.add_parser(
        "reindex", help="compute columns and JSON of a resource anew, while it is in use"
    )
    again.add_argument("resource", help="service.table")
    index = commands.add_parser(
        "index-custom", help="make lists in the order of a tenant's own field fast, while in use"
    )
    index.add_argument("resource", help="service.table")
    index.add_argument("tenant", help="the tenant's id")
    index.add_argument("key", help="the field's key")
    index.add_argument("--drop", action="store_true", help="drop the field's indexes instead")
    letters = commands.add_parser("dead-letters", help="events that could not be processed")
    letters.add_argument("rest", nargs=argparse.REMAINDER)
    given = parser.parse_args(arguments)
    try:
        settings = settings_.read(Settings)
        if given.command == "migrate":
            return _migrate(settings)
        if given.command == "reindex":
            return asyncio.run(reindex.command(settings, given.resource))
        if given.command == "index-custom":
            return asyncio.run(
                custom_index.command(
                    settings, given.resource, given.tenant, given.key, drops=given.drop
                )
            )
        if given.command == "dead-letters":
            return asyncio.run(dead_letters.command(settings.nats_url, given.rest))
        if not given.target:
            parser.error("--target is required: a service, several divided by commas, or all")
        names = services.names() if given.target == "all" else given.target.split(",")
        if unknown := sorted(set(names) - set(services.names())):
            parser.error(
                f"unknown target {', '.join(unknown)}; known are {', '.join(services.names())}"
            )
        sys.setswitchinterval(_SWITCH_S)
        uvloop.run(serve(settings, _loaded(names)))
    except (SettingError, OSError) as error:
        return _refused(error)
    except ExceptionGroup as group:  # what goes wrong while serving comes in a group
        expected, other = group.split((SettingError, OSError))
        if expected is None or other is not None:
            raise
        return _refused(expected)
    return 0


# Objects made before the collector looks for cycles, and how often it looks at older ones. At Python's 700 the search took a
# quarter of the application's CPU in the run of an import; the most memory is the same (B10).
_GARBAGE = (20_000, 20, 20)


def _loaded(names: Sequence[str]) -> list[services.Service]:
    """The manifests of these services, with all that they import."""
    # Imports leave little garbage and 200,000 objects that live as long as the process: looking through them again and again is
    # a fifth of the imports' time, and later stops the process for a tenth of a second each time.
    gc.disable()
    try:
        return [services.load(name) for name in names]
    finally:
        gc.freeze()
        gc.set_threshold(*_GARBAGE)
        gc.enable()


def _refused(error: Exception) -> int:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    print(f"akrab: {error}", file=sys.stderr)
    return 2


def _migrate(settings: Settings) -> int:
    from chassis.db import migrate  # Alembic: a tenth of all imports, and serving needs none of it

    for name in services.names():
        service = services.load(name)
        if service.metadata is None:
            continue
        asyncio.run(migrate.provision(settings, name))
        try:
            migrate.upgrade(settings, service)
        except migrate.NewerDatabase as error:
            print(f"akrab: {error}", file=sys.stderr)
            return NEWER_DATABASE
    return 0


if __name__ == "__main__":
    sys.exit(main())

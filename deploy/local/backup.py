"""`make backup`: one file that holds everything, taken while people work, or while nothing runs.

The cut. Services have a database each, and events travel between them through NATS, so copies taken
one after the other would not fit together: an event could be missing (published and consumed after
one copy, before the other), or speak of a record that is in no copy. So:

1. Streams are saved with the positions of their consumers. A consumer acknowledges after its
   commit, hence all it has acknowledged here is in the databases below.
2. For a few milliseconds every service's outbox is locked: no event is added, none is removed, so
   no service finishes a write that others hear of. Within that moment a snapshot of every database
   is opened and the newest sequence of every stream noted.
3. At leisure: the databases as of their snapshots; the messages between 1 and the noted sequence;
   the files.

What was published later is not in the file, nor is the write behind it. What was written but not
yet published is in an outbox and goes out after the restore. What arrives twice is met by inboxes
and Nats-Msg-Id.
"""

import asyncio
import errno
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from deploy.local import erasures, postgres, screen, statehash, streams
from deploy.local.children import Child, run_to_end
from deploy.local.errors import Refusal
from deploy.local.files import last_line
from deploy.local.installation import locked
from deploy.local.servers import Endpoints
from deploy.local.settings import CHECKOUT, Settings, akrab_version
from deploy.local.statehash import TableState
from deploy.local.temporary import endpoints_of

FORMAT = 1
LOCK_WAIT_S = 10
_NOT_COPIED = {
    "postgres",
    "nats",
    "nats.conf",
    "logs",
    "lock",
    "backup.lock",
    "run.json",
    "data-version",
    "backups",
}
"""Of the data directory: made anew by a restore, or saved by other means."""


@dataclass(slots=True)
class Cut:
    """One moment in all databases: a connection each, whose transaction stays at that moment."""

    connections: dict[str, asyncpg.Connection]
    snapshots: dict[str, str]
    sequences: dict[str, int]


async def backup(settings: Settings, to: Path | None) -> Path:
    """Write the installation to one file (mode 0600) and answer where; raises Refusal."""
    target = to or CHECKOUT / "backups" / f"akrab-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar"
    target = target.absolute()
    if target.exists():
        raise Refusal(f"{target} exists: choose another name with TO=.")
    if not (settings.data / "data-version").exists():
        raise Refusal(f"{settings.data} holds no Akrab data: nothing to back up.")
    with locked(
        settings.data / "backup.lock", f"A backup of {settings.data} is already being made"
    ):
        for abandoned in settings.data.glob(".backup-*"):
            shutil.rmtree(abandoned)
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=settings.data) as name:
            folder = Path(name)
            async with endpoints_of(settings) as endpoints:
                manifest = await _collect(settings, endpoints, folder)
            async with screen.step(f"Writing {target}"):
                await asyncio.to_thread(_pack, folder, target, manifest)
                await asyncio.to_thread(erasures.unite, target.parent, [settings.data])
    tables = sum(len(one) for one in manifest["databases"].values())
    screen.say(f"\nBacked up {tables} tables to {target}")
    screen.say(
        f"State hash {manifest['state_hash']}. The file holds all data and keys: keep it safe."
    )
    return target


async def _collect(settings: Settings, endpoints: Endpoints, folder: Path) -> dict[str, Any]:
    for part in ("streams", "databases", "files"):
        (folder / part).mkdir()
    await asyncio.to_thread(_link_files, settings.data, folder / "files")
    async with streams.connected(endpoints.nats) as nats:
        async with screen.step("Saving streams"):
            saved = {
                name: await streams.save(nats, name, folder / "streams")
                for name in await streams.last_sequences(nats)
            }
        async with _cut(endpoints, lambda: streams.last_sequences(nats)) as cut:
            # Files that came since the first look; those that went since are kept by the first.
            await asyncio.to_thread(_link_files, settings.data, folder / "files")
            async with screen.step("Saving new messages"):
                for name, last in cut.sequences.items():
                    first = saved[name] + 1 if name in saved else 1
                    if name not in saved:
                        await streams.save(nats, name, folder / "streams")
                    elif first <= last:
                        await streams.save_tail(nats, name, folder / "streams", first, last)
            states = await _save_databases(settings, endpoints, cut, folder / "databases")
    return {
        "format": FORMAT,
        "akrab": akrab_version(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "state_hash": statehash.overall(states),
        "databases": {
            database: {name: asdict(state) for name, state in tables.items()}
            for database, tables in states.items()
        },
        "streams": sorted(cut.sequences),
    }


async def database_names(url: str) -> list[str]:
    """The databases of the services (`crm_...`) on the server at `url`."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            r"SELECT datname FROM pg_database WHERE datname LIKE 'crm\_%' ORDER BY datname"
        )
    finally:
        await connection.close()
    return [row[0] for row in rows]


@asynccontextmanager
async def _cut(endpoints: Endpoints, sequences: Any) -> AsyncIterator[Cut]:
    """Open the cut; it lasts until the end of the block."""
    async with AsyncExitStack() as stack:
        async with AsyncExitStack() as moment:
            names = await database_names(endpoints.postgres)
            for name in names:
                await _hold_outbox(await _connection(moment, endpoints.postgres, name), name)
            connections = {
                name: await _connection(stack, endpoints.postgres, name) for name in names
            }
            snapshots = {}
            for name, connection in connections.items():
                await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                snapshots[name] = await connection.fetchval("SELECT pg_export_snapshot()")
            cut = Cut(connections, snapshots, await sequences())
        yield cut


async def _connection(stack: AsyncExitStack, url: str, database: str) -> asyncpg.Connection:
    connection: asyncpg.Connection = await asyncpg.connect(url, database=database)
    stack.push_async_callback(connection.close)
    return connection


async def _hold_outbox(connection: asyncpg.Connection, database: str) -> None:
    """Let nobody add to or take from the outbox until the connection closes."""
    tables = statehash.outbox_names(await statehash.table_names(connection))
    await connection.execute(f"SET lock_timeout = '{LOCK_WAIT_S}s'; BEGIN")
    for table in tables:
        try:
            # SHARE: readers go on, writers wait for us and we for those that already write.
            await connection.execute(f"LOCK TABLE {table} IN SHARE MODE")
        except asyncpg.LockNotAvailableError:
            raise Refusal(
                f"A write in {database} did not end within {LOCK_WAIT_S} s: try the backup again."
            ) from None


async def _save_databases(
    settings: Settings, endpoints: Endpoints, cut: Cut, folder: Path
) -> dict[str, dict[str, TableState]]:
    states = {}
    for name, snapshot in cut.snapshots.items():
        async with screen.step(f"Saving {name}"):
            states[name] = await statehash.table_states(cut.connections[name])
            await run_tool(
                settings, endpoints.postgres, "pg_dump", "--format=custom",
                f"--snapshot={snapshot}", f"--dbname={name}", f"--file={folder / name}.dump",
            )  # fmt: skip
    await run_tool(
        settings, endpoints.postgres, "pg_dumpall",
        "--globals-only", f"--file={folder / 'globals.sql'}",
    )  # fmt: skip
    return states


async def run_tool(settings: Settings, url: str, tool: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs against `url`; raises Refusal with its last words."""
    log = settings.logs / f"{tool}.log"
    log.unlink(missing_ok=True)
    code = await run_to_end(
        Child(
            name=tool,
            argv=(postgres.program(tool), *arguments),
            env=postgres.client_environment(url),
            log=log,
        )
    )
    if code != 0:
        reason = last_line(log, "error:", "FATAL", "ERROR") or f"exit code {code}"
        raise Refusal(f"{tool} failed: {reason} (log: {log}).")


def _link_files(data: Path, folder: Path) -> None:
    """Bring the data directory's own files into `folder`, folders by hard link (no space, no time).

    A stored file is never changed, only added and removed, so a link is as good as a copy.
    """
    for entry in data.iterdir():
        if entry.name in _NOT_COPIED or entry.name.startswith("."):
            continue
        if entry.is_dir():
            for path in entry.rglob("*"):
                if path.is_file():
                    _link(path, folder / path.relative_to(data))
        else:
            shutil.copyfile(entry, folder / entry.name)


def _link(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    # Linked by the first look, or removed since the listing (then the first look has it).
    with suppress(FileExistsError, FileNotFoundError):
        try:
            os.link(source, place)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
                raise
            shutil.copyfile(source, place)  # another disk, or one without hard links


def _pack(folder: Path, target: Path, manifest: dict[str, Any]) -> None:
    """Write the tar beside its place, then rename it: a file of that name is always complete."""
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with open(draft, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            with tarfile.open(fileobj=file, mode="w") as tar:
                tar.add(folder / "manifest.json", "manifest.json")
                for path in sorted(folder.rglob("*")):
                    if path.is_file() and path.name != "manifest.json":
                        tar.add(path, str(path.relative_to(folder)), recursive=False)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)

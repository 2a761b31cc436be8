"""`make restore FROM=file`: a new data directory out of a backup, compared with it before use.

Everything is made in a draft folder beside the data directory; only when every table's hash equals
the one written at the backup's moment does it take the data directory's place. Whatever fails
before leaves what was there as it was.
"""

# ruff: noqa: ASYNC240  (a command of its own: nothing waits while it looks at files)

import asyncio
import json
import os
import re
import shutil
import tarfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from deploy.local import backup, checks, erasures, installation, screen, statehash, streams
from deploy.local.errors import Refusal
from deploy.local.files import read_json, write_private_json
from deploy.local.installation import Remembered, locked, opened
from deploy.local.servers import Endpoints
from deploy.local.settings import Settings, akrab_version
from deploy.local.statehash import TableState
from deploy.local.temporary import servers_of

_ROLE = re.compile(r"^(CREATE|ALTER) ROLE (\S+?)[; ]")
"""What pg_dumpall writes for a role; names like ours are never quoted."""


async def restore(settings: Settings, source: Path, *, force: bool) -> None:
    """Make `settings.data` out of the backup `source`; an existing one is moved aside if `force`.

    Raises Refusal, and leaves everything as it was, external servers too, when anything is in the way or not equal.
    """
    manifest = await asyncio.to_thread(_manifest, source)
    data = settings.data
    checks.disk(data, checks.NEEDED_BYTES + source.stat().st_size * 3)
    occupied = data.exists() and any(True for _ in data.iterdir())
    if occupied and not force:
        raise Refusal(
            f"{data} is not empty: restore elsewhere with CRM_DATA_DIR=, or move it aside with FORCE=1."
        )
    draft = data.with_name(f".{data.name}.restoring")
    with ExitStack() as held:
        if occupied:
            held.enter_context(locked(data / "lock", f"Akrab runs with {data}"))
        if draft.exists():
            shutil.rmtree(draft)
        draft.mkdir(mode=0o700, parents=True)
        try:
            await _fill(replace(settings, data=draft), source, manifest)
            came = erasures.unite(draft, [source.absolute().parent, data])
        except BaseException:
            shutil.rmtree(draft)
            raise
        if occupied:
            aside = data.with_name(f"{data.name}.before-restore-{datetime.now(UTC):%Y%m%d-%H%M%S}")
            data.rename(aside)
            screen.say(f"  What was there is now in {aside}")
        elif data.exists():
            data.rmdir()
        draft.rename(data)
    if came:
        screen.say(f"  {came} erasures are newer than the backup: the next start does them again")
    screen.say(f"\nRestored to {data}: state hash equal ({manifest['state_hash']})")


async def _fill(draft: Settings, source: Path, manifest: Mapping[str, Any]) -> None:
    unpacked = draft.data / ".unpacked"
    async with screen.step(f"Reading {source}"):
        try:
            await asyncio.to_thread(_unpack, source, unpacked)
        except tarfile.TarError:
            raise Refusal(f"{source} is damaged: it was not copied completely.") from None
    for entry in (unpacked / "files").iterdir():
        entry.rename(draft.data / entry.name)
    # Ports and the state of the database files are this machine's, not the backup's.
    demo = read_json(draft.data / "installation.json").get("demo", "none")
    write_private_json(draft.data / "installation.json", asdict(Remembered(demo=demo)))
    write_private_json(
        draft.data / "data-version", {"format": installation.FORMAT, "akrab": akrab_version()}
    )
    with opened(draft) as made:
        async with servers_of(made) as endpoints, _all_or_nothing(draft, endpoints, manifest):
            await _load_databases(draft, endpoints, unpacked / "databases", manifest)
            await _load_streams(endpoints, unpacked / "streams", manifest)
            await _compare(endpoints, manifest)
    await asyncio.to_thread(shutil.rmtree, unpacked)


@asynccontextmanager
async def _all_or_nothing(
    settings: Settings, endpoints: Endpoints, manifest: Mapping[str, Any]
) -> AsyncIterator[None]:
    """Refuse servers that hold something of ours; whatever fails inside, external ones are left as they were found.

    Embedded ones are in the draft folder, which goes as a whole.
    """
    if present := await backup.database_names(endpoints.postgres):
        raise Refusal(
            f"The PostgreSQL server already has {', '.join(present)}: restore into an empty one."
        )
    async with streams.connected(endpoints.nats) as nats:
        if there := sorted(set(await streams.last_sequences(nats)) & set(manifest["streams"])):
            raise Refusal(
                f"The NATS server already has {', '.join(there)}: restore into an empty one."
            )
    roles = await _roles(endpoints.postgres)
    try:
        yield
    except BaseException:
        if settings.postgres_url:
            await _drop_databases(endpoints.postgres, manifest["databases"], keep=roles)
        if settings.nats_url:
            async with streams.connected(endpoints.nats) as nats:
                await streams.remove(nats, manifest["streams"])
        raise


async def _roles(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        return {row[0] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
    finally:
        await connection.close()


async def _drop_databases(url: str, names: Iterable[str], *, keep: set[str]) -> None:
    """Take back what a failed restore has made: these databases, and every role that is not to be kept."""
    made = sorted(await _roles(url) - keep)
    connection = await asyncpg.connect(url)
    try:
        for name in names:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        for role in made:
            await connection.execute(f'DROP ROLE "{role}"')
    finally:
        await connection.close()


async def _load_databases(
    settings: Settings, endpoints: Endpoints, folder: Path, manifest: Mapping[str, Any]
) -> None:
    await _keep_missing_roles(endpoints.postgres, folder / "globals.sql")
    await backup.run_tool(
        settings, endpoints.postgres, "psql", "--no-psqlrc", "--quiet",
        "--set=ON_ERROR_STOP=1", "--dbname=postgres", f"--file={folder / 'globals.sql'}",
    )  # fmt: skip
    for name in manifest["databases"]:
        async with screen.step(f"Restoring {name}"):
            await backup.run_tool(
                settings, endpoints.postgres, "pg_restore", "--create", "--exit-on-error",
                "--jobs=2", "--dbname=postgres", str(folder / f"{name}.dump"),
            )  # fmt: skip


async def _keep_missing_roles(url: str, path: Path) -> None:
    """Take out of pg_dumpall's file what would create a role again or change the one we use."""
    connection = await asyncpg.connect(url)
    try:
        present = {row[0] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
        ourselves = await connection.fetchval("SELECT current_user")
    finally:
        await connection.close()
    lines = []
    for line in path.read_text().splitlines():
        role = _ROLE.match(line)
        if role and (role[2] in present if role[1] == "CREATE" else role[2] == ourselves):
            continue
        lines.append(line)
    path.write_text("\n".join(lines) + "\n")


async def _load_streams(endpoints: Endpoints, folder: Path, manifest: Mapping[str, Any]) -> None:
    async with streams.connected(endpoints.nats) as nats, screen.step("Restoring streams"):
        for name in manifest["streams"]:
            await streams.load(nats, name, folder)


async def _compare(endpoints: Endpoints, manifest: Mapping[str, Any]) -> None:
    """Raise Refusal naming the tables that are not as they were at the backup's moment."""
    wanted = {
        database: {name: TableState(**state) for name, state in tables.items()}
        for database, tables in manifest["databases"].items()
    }
    found = {}
    async with screen.step("Comparing every table with the backup"):
        for database in await backup.database_names(endpoints.postgres):
            connection = await asyncpg.connect(endpoints.postgres, database=database)
            try:
                found[database] = await statehash.table_states(connection)
            finally:
                await connection.close()
    different = statehash.differences(wanted, found)
    if different or statehash.overall(found) != manifest["state_hash"]:
        raise Refusal(
            f"State hash NOT equal, nothing was put in place: {'; '.join(different) or 'the manifest'}."
        )


def _manifest(source: Path) -> dict[str, Any]:
    try:
        with tarfile.open(source, "r:") as tar:
            file = tar.extractfile("manifest.json")
            content: dict[str, Any] = json.load(file) if file else {}
    except FileNotFoundError:
        raise Refusal(f"{source} does not exist: name a backup with FROM=.") from None
    except (tarfile.TarError, KeyError, ValueError):
        raise Refusal(f"{source} is not an Akrab backup, or a damaged one.") from None
    if content.get("format", 0) > backup.FORMAT:
        raise Refusal(
            f"{source} was made by Akrab {content.get('akrab')}, newer than this one "
            f"({akrab_version()}): restore with that version or a later one."
        )
    return content


def _unpack(source: Path, folder: Path) -> None:
    """Write the tar's regular files under `folder`, for us only; no name may lead out of it."""
    folder.mkdir(mode=0o700)
    folder = folder.resolve()
    with tarfile.open(source, "r:") as tar:
        for member in tar:
            place = (folder / member.name).resolve()
            first = (folder / member.linkname).resolve()
            inside = place.is_relative_to(folder) and first.is_relative_to(folder)
            if not inside or not (member.isfile() or member.islnk()):
                raise Refusal(f"{source} holds {member.name!r}, which no backup of ours does.")
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if member.islnk():  # stored files share their content by hard links
                os.link(first, place)
                continue
            content = tar.extractfile(member)
            assert content is not None
            with open(place, "xb") as file:
                shutil.copyfileobj(content, file, 1024 * 1024)
            place.chmod(0o600)

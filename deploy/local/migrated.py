"""Whether the databases are still as this program's migration left them: then a start does without one.

A migration is a process that imports as much as the application itself, for about a third of a start. What it left is noted in
`migrated.json`: a digest of all that a migration reads, which PostgreSQL it was, and each database's version. Whatever differs
at the next start (a newer program, another secret, restored or foreign databases) makes it migrate as if nothing was noted.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import asyncpg

from chassis.db.names import database_of
from deploy.local.files import write_private_json
from deploy.local.settings import CHECKOUT

NOTE = "migrated.json"
_READ = ("chassis/db/*.py", "chassis/settings.py", "services/*/migrations/**/*.*")
_COMPILED = ".pyc"
_CONNECT_S = 5.0
_UNREADABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


async def is_current(data: Path, admin_url: str, secret: str, checkout: Path = CHECKOUT) -> bool:
    """True if a migration would change nothing; False also where that cannot be told."""
    try:
        noted = json.loads((data / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    try:
        return bool(noted == await _state(admin_url, secret, checkout))
    except _UNREADABLE:
        return False


async def note(data: Path, admin_url: str, secret: str, checkout: Path = CHECKOUT) -> None:
    """Remember how the databases are, after a migration; without a note the next start migrates again."""
    try:
        write_private_json(data / NOTE, await _state(admin_url, secret, checkout))
    except _UNREADABLE:
        forget(data)


def forget(data: Path) -> None:
    """Before a migration: one that ends half-way leaves no note."""
    (data / NOTE).unlink(missing_ok=True)


async def _state(admin_url: str, secret: str, checkout: Path) -> dict[str, Any]:
    server = ""
    versions = {}
    for name in _databases(checkout):
        connection = await asyncpg.connect(
            f"{admin_url.rpartition('/')[0]}/{name}", timeout=_CONNECT_S
        )
        try:
            server = str(
                await connection.fetchval("SELECT system_identifier FROM pg_control_system()")
            )
            rows = await connection.fetch("SELECT version_num FROM alembic_version ORDER BY 1")
            versions[name] = [row["version_num"] for row in rows]
        finally:
            await connection.close()
    return {"program": _program(secret, checkout), "server": server, "versions": versions}


def _databases(checkout: Path) -> list[str]:
    return sorted(database_of(path.parent.name) for path in checkout.glob("services/*/migrations"))


def _program(secret: str, checkout: Path) -> str:
    """A digest of the migrations, of the code that carries them out, and of the secret that passwords of roles come from."""
    digest = hashlib.sha256(secret.encode())
    for pattern in _READ:
        for path in sorted(checkout.glob(pattern)):
            if path.is_file() and path.suffix != _COMPILED:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"\0{path.relative_to(checkout)}\0{content}".encode())
    return digest.hexdigest()

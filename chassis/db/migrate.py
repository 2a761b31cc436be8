"""Makes databases and roles, and runs each service's own Alembic migrations with its owner role."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from chassis.db.names import database_of, roles_of
from chassis.service import Service
from chassis.settings import Settings

ROOT = Path(__file__).parent.parent.parent
EXTENSIONS = ("pg_trgm", "btree_gin")
_LOG_FUNCTIONS = ("pg_catalog.pg_switch_wal()", "pg_catalog.pg_ls_waldir()")


class NewerDatabase(Exception):
    """The database was migrated by a newer version of this program; nothing was touched."""


async def provision(settings: Settings, service: str) -> None:
    """Creates the service's database, roles and extensions where they are absent, and sets the derived passwords."""
    admin = await asyncpg.connect(settings.admin_url("postgres"), timeout=15)
    database, (owner, *others) = database_of(service), roles_of(service)
    try:
        # One migrating process at a time, whatever the orchestrator starts.
        await admin.execute("SELECT pg_advisory_lock(hashtext('akrab-migrate'))")
        for role in (owner, *others):
            password = settings.derived(f"role:{role}").hex()
            if not await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                with contextlib.suppress(asyncpg.DuplicateObjectError):
                    await admin.execute(f'CREATE ROLE "{role}" LOGIN')
            await admin.execute(f"ALTER ROLE \"{role}\" PASSWORD '{password}'")
        if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
            await admin.execute(f'CREATE DATABASE "{database}" OWNER "{owner}" TEMPLATE template0')
            await admin.execute(f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC')
            for role in others:
                await admin.execute(f'GRANT CONNECT ON DATABASE "{database}" TO "{role}"')
        await _let_maintain(admin, roles_of(service)[2])
    finally:
        await admin.close()
    inside = await asyncpg.connect(settings.admin_url(database), timeout=15)
    try:
        for extension in EXTENSIONS:
            await inside.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
        await inside.execute(f'ALTER SCHEMA public OWNER TO "{owner}"')
        await inside.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        for role in others:
            await inside.execute(f'GRANT USAGE ON SCHEMA public TO "{role}"')
        for function in _LOG_FUNCTIONS:
            with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
                await inside.execute(f'GRANT EXECUTE ON FUNCTION {function} TO "{others[-1]}"')
    finally:
        await inside.close()


async def _let_maintain(admin: asyncpg.Connection, role: str) -> None:
    """After an erasure the background role rewrites tables and log (chassis.db.cleaning); it reads no row by these rights.

    An administrator who is no superuser may not hand them on: then a certificate names what remains.
    """
    for right in ("pg_maintain", "pg_checkpoint"):
        with contextlib.suppress(
            asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedObjectError
        ):  # pg_maintain came with PostgreSQL 17
            await admin.execute(f'GRANT {right} TO "{role}"')


def upgrade(settings: Settings, service: Service) -> None:
    """Migrates the service's database to this program's newest version; NewerDatabase if it is ahead of it."""
    owner = roles_of(service.name)[0]
    url = settings.database_url(database_of(service.name), owner).replace(
        "postgresql://", "postgresql+asyncpg://"
    )
    config = Config()
    config.set_main_option("script_location", str(ROOT / "services" / service.name / "migrations"))
    config.attributes["url"] = url
    config.attributes["roles"] = roles_of(service.name)
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    config.attributes["check"] = lambda current: refuse_newer(service.name, current, known)
    command.upgrade(config, "head")


def refuse_newer(service: str, current: Sequence[str], known: set[str]) -> None:
    """Raises NewerDatabase if the database is at a revision that this program does not know."""
    if ahead := set(current) - known:
        raise NewerDatabase(
            f"the database of {service} is at version {', '.join(ahead)}, which this program does not know: it was used by"
            " a newer version; start that version, nothing was changed"
        )

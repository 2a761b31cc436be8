"""The body of every service's migrations/env.py: run the service's migrations as its owner role, all in one transaction."""

import asyncio
from pathlib import Path

from alembic import context
from sqlalchemy import pool
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine


def run() -> None:
    """Called by Alembic through env.py."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(_run())
        return
    raise RuntimeError("migrations run outside an event loop")


async def _run() -> None:
    engine = create_async_engine(context.config.attributes["url"], poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
        await connection.commit()
    await engine.dispose()


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, transaction_per_migration=True)
    context.config.attributes["check"](context.get_context().get_current_heads())
    with context.begin_transaction():
        context.run_migrations()


def execute(statements: list[str]) -> None:
    """Runs DDL in a migration; {role} and {background} are the roles of the database at hand."""
    from alembic import op

    _, role, background = context.config.attributes["roles"]
    for statement in statements:
        op.execute(statement.replace("{role}", role).replace("{background}", background))


def execute_file(migration: str) -> None:
    """Runs the SQL file beside a migration (pass its `__file__`): statements that end with a semicolon at a line's end."""
    text = Path(migration).with_suffix(".sql").read_text()
    execute([statement for statement in text.split(";\n") if statement.strip()])

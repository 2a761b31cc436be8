"""Migrations make exactly the tables that the stores declare, and a newer database is left alone."""

import asyncio
import subprocess
import sys

import pytest

from chassis import service as services
from chassis.db import migrate
from chassis.testing import servers
from chassis.testing.installation import test_settings as settings_of_tests
from tools import ddl

NAMES = [name for name in services.names() if services.load(name).metadata is not None]

# Everything that a migration could get wrong: columns, indexes, constraints, policies, views, rights.
_PICTURE = """
SELECT 'column', table_name, column_name, data_type || is_nullable || coalesce(column_default, '')
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'policy', tablename, policyname, qual FROM pg_policies
UNION ALL SELECT 'security', relname, relrowsecurity::text, '' FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT 'view', viewname, '', definition FROM pg_views WHERE schemaname = 'public'
UNION ALL SELECT 'grant', table_name, grantee, privilege_type FROM information_schema.role_table_grants
WHERE table_schema = 'public' AND grantee LIKE 'crm_%'
"""


async def picture(database: str) -> set[tuple[str, ...]]:
    connection = await migrate.asyncpg.connect(servers.postgres_url(database))
    try:
        rows = await connection.fetch(_PICTURE)
    finally:
        await connection.close()
    return {tuple(row) for row in rows if not any("alembic_version" in str(part) for part in row)}


@pytest.mark.large
@pytest.mark.parametrize("name", NAMES)
async def test_migrations_make_what_the_stores_declare(name: str) -> None:
    settings = settings_of_tests()
    await migrate.provision(settings, name)
    await asyncio.to_thread(migrate.upgrade, settings, services.load(name))
    declared = servers.create_database()
    owner, role, background = migrate.roles_of(name)
    servers.run_sql("CREATE EXTENSION pg_trgm; CREATE EXTENSION btree_gin", declared)
    text = ddl.statements(name).replace("{role}", role).replace("{background}", background)
    servers.run_sql(
        f'GRANT ALL ON SCHEMA public TO "{owner}"; SET ROLE "{owner}"; {text}', declared
    )

    migrated = await picture(migrate.database_of(name))

    wanted = await picture(declared)
    assert migrated - wanted == set()
    assert wanted - migrated == set()


async def test_a_database_of_a_newer_program_is_left_alone() -> None:
    name = NAMES[0]
    settings = settings_of_tests()
    await migrate.provision(settings, name)
    await asyncio.to_thread(migrate.upgrade, settings, services.load(name))
    service = services.load(name)

    with pytest.raises(migrate.NewerDatabase, match="99990101_0001"):
        migrate.refuse_newer(service.name, ["99990101_0001"], {"20261123_0001"})


@pytest.mark.large
def test_a_program_without_settings_says_which_one_is_missing() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "chassis", "migrate"],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2
    assert "CRM_POSTGRES_URL is not set" in ended.stderr

"""Lists in the order of a tenant's own field read an index once the operator has made it, for this tenant only."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from chassis.db.names import database_of, roles_of
from chassis.db.pool import connect
from chassis.kit import custom_index
from chassis.testing.installation import Installation, Tenant
from services.contacts import store
from tests.service.kit.support import Desk
from tests.service.kit.test_list_plans import Crowd, crowd, indexes  # noqa: F401

_MADE = "SELECT indexname FROM pg_indexes WHERE tablename = 'contacts' AND indexname ~ '_by_[0-9a-f]{16}$'"


@pytest.fixture
async def owner(crm: Installation) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the role that owns the tables."""
    raw = await connect(
        crm.process.settings.database_url(database_of("contacts"), roles_of("contacts")[0])
    )
    yield raw
    await raw.close()


async def names(crm: Installation, tenant: Tenant, key: str) -> set[str]:
    """Those of the field's two indexes that are there."""
    wanted = set(custom_index._indexes(store.contacts, tenant.id, key, ""))
    return wanted & {row["indexname"] for row in await crm.rows("contacts", _MADE)}


@pytest.mark.large
@pytest.mark.parametrize("key", ["size", "shoe"])
async def test_a_page_in_the_order_of_the_field_reads_its_index(
    crowd: Crowd,  # noqa: F811
    owner: asyncpg.Connection,
    key: str,
) -> None:
    await custom_index.make(owner, store.contacts, crowd.tenant.id, key)
    plain, owned = sorted(await names(crowd.crm, crowd.tenant, key))
    assert plain.startswith("ix_contacts_by_")

    for order in (f"custom.{key}", f"custom.{key} desc"):
        found = await crowd.plan("all", order_by=order)
        assert indexes(found) == {plain}, found
        assert "Sort" not in found, found
        for scope in ("own", "team"):
            found = await crowd.plan(scope, order_by=order)
            assert owned in indexes(found), found
    await custom_index.drop(owner, store.contacts, crowd.tenant.id, key)


async def test_indexes_are_made_once_mended_and_dropped(
    crm: Installation, tenant: Tenant, desk: Desk, owner: asyncpg.Connection
) -> None:
    await desk.custom_field("budget", "DECIMAL", filterable=True)
    plain, _ = sorted(custom_index._indexes(store.contacts, tenant.id, "budget", ""))
    # What a killed try leaves behind: an index that is not valid.
    await owner.execute(f"CREATE INDEX {plain} ON contacts (id) WHERE tenant_id = '{tenant.id}'")
    await crm.rows(
        "contacts", "UPDATE pg_index SET indisvalid = false WHERE indexrelid = $1::regclass", plain
    )

    for _ in range(2):
        await custom_index.make(owner, store.contacts, tenant.id, "budget")

    made = await crm.rows("contacts", "SELECT indexdef FROM pg_indexes WHERE indexname = $1", plain)
    assert "jsonb_extract_path_text" in made[0]["indexdef"]
    assert len(await names(crm, tenant, "budget")) == 2
    await custom_index.drop(owner, store.contacts, tenant.id, "budget")
    assert await names(crm, tenant, "budget") == set()


@pytest.mark.parametrize(
    ("resource", "key", "told"),
    [
        (store.contacts, "unicorn", "no filterable custom field 'unicorn'; they have shoe"),
        (store.contacts, "secret", "no filterable custom field 'secret'; they have shoe"),
        (store.sources, "shoe", "sources have no custom fields"),
    ],
)
async def test_what_lists_cannot_sort_by_is_refused_by_name(
    crm: Installation, tenant: Tenant, desk: Desk, owner: asyncpg.Connection,
    resource: Any, key: str, told: str,
) -> None:  # fmt: skip
    await desk.custom_field("shoe", filterable=True)
    await desk.custom_field("secret")
    before = await crm.rows("contacts", _MADE)

    with pytest.raises(custom_index.NoSuchField, match=told):
        await custom_index.make(owner, resource, tenant.id, key)
    assert await crm.rows("contacts", _MADE) == before


async def test_the_command_says_what_it_did_and_refuses_a_tenant_that_is_no_id(
    crm: Installation, tenant: Tenant, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    await desk.custom_field("floor", "NUMBER", filterable=True)
    asked = crm.process.settings, "contacts.contacts"

    assert await custom_index.command(*asked, tenant.id, "floor", drops=False) == 0
    assert len(await names(crm, tenant, "floor")) == 2
    assert await custom_index.command(*asked, tenant.id, "floor", drops=True) == 0
    assert await names(crm, tenant, "floor") == set()
    assert capsys.readouterr().out.splitlines() == [
        "contacts.contacts: custom.floor is indexed",
        "contacts.contacts: custom.floor has no index any more",
    ]
    for wrong in ((*asked, "'; DROP TABLE contacts", "floor"), (asked[0], "contacts.nothing", tenant.id, "floor")):  # fmt: skip
        assert await custom_index.command(*wrong, drops=False) == 2
        assert capsys.readouterr().err.startswith("akrab: ")

"""Lists use their indexes at size, as the service's own role sees the tables (PERFORMANCE.md section 1)."""

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from chassis import contracts
from chassis.call import Actor, Call, Cause
from chassis.db import Statement
from chassis.kit import listing
from chassis.rights import Rights
from chassis.testing.installation import Installation, Tenant
from chassis.tx import Draws, Tx
from crm.contacts.v1 import contact_pb2 as pb
from services.contacts import store
from tests.service.kit.support import Desk

pytestmark = pytest.mark.large

SIZE, OTHERS = 20_000, 1_000

_FILL = """
INSERT INTO contacts
SELECT copy.* FROM contacts c CROSS JOIN generate_series(1, $2) AS n
CROSS JOIN LATERAL jsonb_populate_record(c, jsonb_build_object(
    'id', gen_random_uuid(), 'create_time', now() - n * interval '1 minute', 'update_time', now() - n * interval '7 seconds',
    'owner_id', ($3::uuid[])[1 + n % cardinality($3::uuid[])], 'name_key', md5(n::text), 'name_search', 'person ' || md5(n::text),
    'search', 'person ' || md5(n::text) || ' 48' || (600000000 + n), 'search_open', 'person ' || md5(n::text),
    'phone_digits', jsonb_build_array('48' || (600000000 + n)), 'email_addresses', jsonb_build_array('p' || n || '@example.pl'),
    'custom', jsonb_build_object('shoe', (n % 5000)::text, 'size', n)
)) AS copy WHERE c.id = $1
"""


class Explaining(Tx):
    """A transaction that asks for the plan of a list instead of its rows."""

    plan = ""

    async def fetch(self, statement: Statement, **values: Any) -> list[asyncpg.Record]:
        if "key0" not in statement.sql:
            return await super().fetch(statement, **values)
        rows = await self.run_sql(
            f"EXPLAIN {statement.sql}", statement.arguments(values, self.tenant), "fetch"
        )
        self.plan = "\n".join(row[0] for row in rows)
        return []


class Crowd:
    """A tenant of 20,000 contacts among five others, and a viewer of each scope in it."""

    def __init__(self, crm: Installation, tenant: Tenant, people: Sequence[str]) -> None:
        self.crm, self.tenant, self.people = crm, tenant, people

    def tx(self, scope: str) -> Explaining:
        runtime = self.crm.process.runtimes["contacts"]
        (service,) = [
            s for s in contracts.services() if s.full_name == "crm.contacts.v1.ContactsService"
        ]
        method = contracts.method_of(service.methods_by_name["ListContacts"])
        people = self.crm.process.directory.of(self.tenant.id)
        user = self.people[0]
        rights = Rights(people, user, [{"object": "contact", "action": "read", "scope": scope}])
        return Explaining(
            runtime, tenant=self.tenant.id, actor=Actor("user", user, user), cause=Cause("rpc"), draws=Draws(runtime.clock.now()),
            rights=rights, call=Call(method, {}), read_only=True,
        )  # fmt: skip

    async def plan(self, scope: str, **asked: Any) -> str:
        """The plan of the list statement for a caller with this scope."""
        tx = self.tx(scope)
        try:
            await tx.runtime.schemas.load(tx)
            await listing.answer(
                tx, store.contacts, pb.ListContactsRequest(**asked), tx.runtime.page_tokens
            )
        finally:
            await tx.abort()
        return tx.plan


@pytest.fixture(scope="module")
async def crowd(crm: Installation) -> Crowd:
    tenants = [await crm.tenant() for _ in range(6)]
    department = await tenants[0].department()
    team = [(await tenants[0].person(department_id=department)).id for _ in range(5)]
    others = [(await tenants[0].person()).id for _ in range(45)]
    for number, tenant in enumerate(tenants):
        desk = Desk(tenant, tenant.admin)
        made = await desk.create("Template")
        if number == 0:
            await desk.custom_field("shoe", filterable=True)
            await desk.custom_field("size", "NUMBER", filterable=True)
        await crm.rows(
            "contacts", _FILL, made.id, SIZE if number == 0 else OTHERS, [*team, *others]
        )
    await crm.rows("contacts", "ANALYZE contacts")
    return Crowd(crm, tenants[0], team)


def indexes(plan: str) -> set[str]:
    """The indexes that a plan reads."""
    return set(re.findall(r"Index (?:Only )?Scan (?:Backward )?using (\w+)", plan)) | set(
        re.findall(r"Bitmap Index Scan on (\w+)", plan)
    )


def check(plan: str, index: str, *, sorts: bool) -> None:
    """The plan reads this index and no whole table; without `sorts` the index gives the order too."""
    assert index in indexes(plan), plan
    assert "Seq Scan on contacts" not in plan, plan
    assert sorts or "Sort" not in plan, plan


SORTS = [
    ("display_name", "name_key"), ("display_name desc", "name_key"), ("create_time", "create_time"),
    ("create_time desc", "create_time"), ("update_time desc", "update_time"), ("", "create_time"),
]  # fmt: skip


@pytest.mark.parametrize("order", SORTS, ids=lambda order: order[0] or "default")
async def test_each_sort_reads_its_index_in_every_scope(
    crowd: Crowd, order: tuple[str, str]
) -> None:
    order_by, column = order

    check(await crowd.plan("all", order_by=order_by), f"ix_contacts_{column}", sorts=False)
    for scope in ("own", "team", "subtree"):
        plan = await crowd.plan(scope, order_by=order_by)
        check(plan, f"ix_contacts_owner_{column}", sorts=True)
        assert "ix_contacts_followers" in indexes(plan), plan


@pytest.mark.parametrize("order", SORTS[:3], ids=lambda order: order[0])
async def test_later_page_begins_in_the_index(crowd: Crowd, order: tuple[str, str]) -> None:
    tx = crowd.tx("all")
    request = pb.ListContactsRequest(order_by=order[0], page_size=50)
    query = listing.checked(tx, store.contacts, request, tx.runtime.page_tokens)
    value = "8" * 32 if order[1] == "name_key" else tx.now
    last = {"key0": value, "id": crowd.people[0]}
    token = listing.next_token(tx.runtime.page_tokens, query, last)

    plan = await crowd.plan("all", order_by=order[0], page_size=50, page_token=token)

    check(plan, f"ix_contacts_{order[1]}", sorts=False)
    assert re.search(r"Index Cond: .*(ROW|>|<)", plan), plan


@pytest.mark.parametrize("scope", ["own", "team"])
@pytest.mark.parametrize("order", ["next_contact_date desc", "facts.open_deal_value desc"])
async def test_later_page_among_equal_values_walks_nobody_elses_order(
    crowd: Crowd, scope: str, order: str
) -> None:
    """Nearly everybody has the same value; what is followed was once looked for along the order of the whole company."""
    tx = crowd.tx("all")
    request = pb.ListContactsRequest(order_by=order, page_size=50)
    query = listing.checked(tx, store.contacts, request, tx.runtime.page_tokens)
    column = store.contacts.fields[order.split()[0]].order_column
    (row,) = await crowd.crm.rows(
        "contacts", f"SELECT {column} AS key0, id FROM contacts WHERE tenant_id = $1 ORDER BY id OFFSET 500 LIMIT 1", UUID(crowd.tenant.id)
    )  # fmt: skip
    token = listing.next_token(tx.runtime.page_tokens, query, dict(row))

    plan = await crowd.plan(scope, order_by=order, page_size=50, page_token=token)

    assert f"ix_contacts_{column}" not in indexes(plan), plan
    assert "ix_contacts_followers" in indexes(plan), plan


@pytest.mark.parametrize("scope", ["own", "team", "all"])
@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({"q": "cfcd208495d565ef"}, "ix_contacts_search"), ({"q": "600 012 345"}, "ix_contacts_search"),
        ({"filter": 'phones:"48600012345"'}, "ix_contacts_keys"), ({"filter": 'emails:"p77@example.pl"'}, "ix_contacts_keys"),
        ({"filter": 'custom.shoe = "77"'}, "ix_contacts_custom"), ({"filter": "custom.size = 77"}, "ix_contacts_custom"),
    ],
    ids=lambda value: str(value),
)  # fmt: skip
async def test_search_and_exact_look_ups_read_their_index(
    crowd: Crowd, scope: str, asked: dict[str, str], index: str
) -> None:
    plan = await crowd.plan(scope, **asked)

    if scope != "all" and any(name.startswith("ix_contacts_owner_") for name in indexes(plan)):
        index = next(
            name for name in indexes(plan) if name.startswith("ix_contacts_owner_")
        )  # few rows: read them all
    check(plan, index, sorts=True)


async def test_short_search_reads_the_prefix_index(crowd: Crowd) -> None:
    plan = await crowd.plan("all", q="zz")

    assert "Seq Scan on contacts" not in plan, plan
    assert indexes(plan) & {"ix_contacts_search_prefix", "ix_contacts_create_time"}, plan


async def test_check_fails_where_a_list_would_read_the_table_instead_of_the_view(
    crowd: Crowd,
) -> None:
    """Under the row-level policy LIKE is not leakproof, and the trigram index is out of reach: the trap this test is for."""
    tx = crowd.tx("all")

    class OnTable(Explaining):
        async def fetch(self, statement: Statement, **values: Any) -> list[asyncpg.Record]:
            sql = statement.sql.replace("contacts_of_tenant", "contacts")
            rows = await self.run_sql(
                f"EXPLAIN {sql}", statement.arguments(values, self.tenant), "fetch"
            )
            self.plan = "\n".join(row[0] for row in rows)
            return []

    tx.__class__ = OnTable
    try:
        request = pb.ListContactsRequest(q="cfcd208495d565ef")
        await listing.answer(tx, store.contacts, request, tx.runtime.page_tokens)
    finally:
        await tx.abort()

    with pytest.raises(AssertionError):
        check(tx.plan, "ix_contacts_search", sorts=True)

"""Lists by facts, and what segments ask, use their indexes at size, as the service's role sees the tables."""

from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from chassis.call import Cause
from chassis.db import Statement
from chassis.keys import uuid7
from chassis.kit import counting
from chassis.rights import Rights
from chassis.testing import servers
from services.contacts import segments, store
from services.contacts.store import card_facts
from services.contacts.store import segments as stored
from tests.service.contacts.test_plans import _insert, plan
from tests.service.contacts.world import World
from tests.service.kit.test_list_plans import Crowd, indexes

pytestmark = pytest.mark.large

SORTS = ("last_contact_time", "last_in_time", "last_out_time", "last_request_time", "open_requests")  # fmt: skip
TOUCHES = {
    "facts.first_touch.utm_campaign = c7": "ix_contacts_first_touch",
    "facts.first_touch.utm_source = s7 AND facts.first_touch.utm_medium = none": "ix_contacts_first_touch",
    "facts.last_touch.utm_campaign = c7 OR facts.last_touch.utm_campaign = c8": "ix_contacts_last_touch",
    "facts.last_touch.click_ids:x7": "ix_contacts_last_touch_clicks",
}


@pytest_asyncio.fixture
async def crowded(world: World) -> World:
    """A tenant with 20,000 contacts with facts, requests, members and timeline rows, and another one like it beside."""
    raw = await asyncpg.connect(servers.postgres_url("crm_contacts"))
    try:
        for tenant_id in (world.tenant.id, uuid7()):
            await _fill(raw, tenant_id)
        await raw.execute("ANALYZE")
    finally:
        await raw.close()
    return world


async def _fill(raw: asyncpg.Connection, tenant_id: str) -> None:
    owner = "md5((n % 500)::text)::uuid"
    await _insert(raw, tenant_id, "contacts", {
        "owner_id": owner, "fact_last_contact_time": "now() - n * interval '1 hour'", "fact_open_requests": "n % 5",
        "fact_last_purchase_time": "now() - n * interval '1 day'", "fact_revenue": "n", "id": "md5(n::text)::uuid",
        **{f"fact_last_{n}_time": "now() - n * interval '1 hour'" for n in ("in", "out", "request")},
        **{f"fact_{t}_touch_time": "CASE WHEN n % 4 = 0 THEN now() ELSE '1970-01-01 00:00:00+00' END" for t in ("first", "last")},
        **{f"fact_{t}_touch_utm_campaign": "CASE WHEN n % 4 = 0 THEN 'c' || n % 900 ELSE '' END" for t in ("first", "last")},
        **{f"fact_{t}_touch_utm_source": "CASE WHEN n % 4 = 0 THEN 's' || n % 900 ELSE '' END" for t in ("first", "last")},
        "fact_last_touch_click_ids": "CASE WHEN n % 4 = 0 THEN ARRAY['gclid', 'x' || n, 'gclid/x' || n] ELSE '{}'::text[] END",
    })  # fmt: skip
    await _insert(
        raw,
        tenant_id,
        "requests",
        {"contact_id": "md5(n::text)::uuid", "company_id": owner, "state": "2"},
    )
    await _insert(
        raw,
        tenant_id,
        "segment_members",
        {"segment_id": "md5((n % 20)::text)::uuid", "party_id": "md5(n::text)::uuid"},
    )
    await _insert(
        raw, tenant_id, "card_items", {"contact_id": "md5(n::text)::uuid", "company_id": owner}
    )
    await _insert(raw, tenant_id, "timeline", {
        "party_id": "md5(n::text)::uuid", "event_id": "gen_random_uuid()", "first": "true", "type": "'crm.contacts.v1.RequestReceived'",
    })  # fmt: skip


async def test_lists_and_segments_by_a_fact_read_its_index(crowded: World) -> None:
    crowd = Crowd(crowded.running, crowded.tenant, [crowded.tenant.admin.id])
    for scope, owner in (("all", ""), ("own", "owner_")):
        for fact in SORTS:
            for order in (f"facts.{fact}", f"facts.{fact} desc"):
                found = await crowd.plan(scope, order_by=order)

                assert f"ix_contacts_{owner}fact_{fact}" in indexes(found), found
                assert "Seq Scan on contacts" not in found, found
    found = await crowd.plan(
        "all", filter="facts.last_contact_time > now-1d", order_by="facts.last_contact_time"
    )
    assert indexes(found) == {"ix_contacts_fact_last_contact_time"}, found

    plans: list[str] = []

    async def count(tx: Any) -> None:
        compiled = (await segments.selection(tx, "contact")).compiled(
            "facts.last_contact_time > now-1d"
        )
        statement, values = counting.matching_ids(store.contacts, compiled, Rights.of_system())
        plans.append(await plan(crowded, Statement(statement), **values))

    runtime = crowded.running.process.runtimes["contacts"]
    await runtime.run_system(crowded.tenant.id, Cause("event", uuid7()), count)
    # Which index depends on how many were in touch since yesterday, in all companies of this database.
    assert "Seq Scan" not in plans[0], plans[0]


async def test_what_brought_somebody_is_found_by_an_index_of_those_whom_something_brought(
    crowded: World,
) -> None:
    crowd = Crowd(crowded.running, crowded.tenant, [crowded.tenant.admin.id])
    for asked, index in TOUCHES.items():
        found = await crowd.plan("all", filter=asked)

        assert index in indexes(found), found
        assert "Seq Scan" not in found, found


async def test_no_statement_of_facts_and_segments_reads_a_whole_table(crowded: World) -> None:
    rows = await crowded.running.rows(
        "contacts",
        "SELECT id FROM contacts WHERE tenant_id = $1 ORDER BY id LIMIT 3",
        crowded.tenant.id,
    )
    ids = [str(row["id"]) for row in rows]
    page = {"after": ids[0], "page_limit": 500}
    spam = {"open_states": card_facts.OPEN, "spam": 1}
    statements: dict[str, tuple[Any, dict[str, Any], str]] = {
        "lock": (card_facts._LOCK["contact"], {"ids": ids}, "contacts_pkey"),
        "page": (card_facts._PAGE["contact"], page, "contacts_pkey"),
        "requests": (card_facts._COUNT["contact"], {"ids": ids, **spam}, "ix_requests_contact"),
        "requests of firms": (
            card_facts._COUNT["company"],
            {"ids": ids, **spam},
            "ix_requests_company",
        ),
        "arrivals": (card_facts._TOUCHED, {"ids": ids}, "requests_pkey"),
        "touches": (
            card_facts._LAST_TOUCHES,
            {"ids": ids, "types": ["crm.contacts.v1.RequestReceived"]},
            "ix_timeline_party",
        ),
        "items": (card_facts._ITEMS["contact"], {"ids": ids}, "ix_card_items_contact"),
        "items of firms": (card_facts._ITEMS["company"], {"ids": ids}, "ix_card_items_company"),
        "seen": (stored._SEEN["contact", True], {"ids": ids}, "contacts_pkey"),
        "memberships": (stored._OF_PARTIES, {"ids": ids}, "ix_segment_members_party"),
        "members": (stored._PAGE, {"segment_id": ids[0], **page}, "segment_members_pkey"),
    }
    for name, (statement, values, index) in statements.items():
        found = await plan(crowded, statement, **values)
        assert "Seq Scan" not in found, f"{name}:\n{found}"
        assert index in found or "_pkey" in found, f"{name}:\n{found}"

"""M7: no RPC and no statement of a service tells anything of another tenant. Generated from the descriptors."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from chassis import contracts, errors, service
from chassis.db.migrate import database_of
from chassis.handlers import reads
from chassis.keys import uuid7
from chassis.rpc.channel import InProcessChannel
from chassis.rpc.endpoint import endpoints_of
from chassis.testing import servers
from chassis.testing.installation import Installation, installation
from chassis.tx import Tx
from crm.contacts.v1 import label_pb2
from crm.deals.v1 import deal_pb2, order_pb2
from crm.tasks.v1 import task_pb2
from crm.telephony.v1 import call_messages_pb2
from tests.contract import isolation, isolation_records, isolation_slots
from tests.contract.descriptors import compiled, methods
from tests.contract.isolation_samples import NO_RECORDS
from tests.service.identity.conftest import sign_up

SERVICES = [name for name in service.names() if name != "gateway"]
OWN_RECORDS_ABOUT = ("GetContactDeals", "GetContactTasks", "GetContactCalls")
"""RPCs that answer with the caller's own records that name a contact, as a filter of their lists would. Whether there is such a
contact their service does not know, and records of ours that name another company's are made by the comparisons themselves."""
WITH_IDS = {
    m.full_name: m
    for m in methods()
    if not contracts.method_of(m).public
    and any(isolation_slots.slots(m.input_type))
    and m.name not in OWN_RECORDS_ABOUT
}
PLUMBING = {"outbox", "inbox", "timers", "operations", "answers"}


@dataclass
class World:
    """Two companies in one installation."""

    crm: Installation
    ours: isolation.Company
    theirs: isolation.Company


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRM_SIGNUP", "1")
        async with installation(SERVICES, past=False) as crm:
            companies = []
            for _ in range(2):
                made = await sign_up(crm)
                company = isolation.Company(crm, made.id, made.admin.token)
                await isolation.populate(company)
                await isolation_records.add(company)
                companies.append(company)
            yield World(crm, *companies)


@pytest.mark.parametrize("name", sorted(WITH_IDS))
async def test_foreign_id_answers_exactly_like_a_random_one(world: World, name: str) -> None:
    assert await isolation.differences(world.ours, world.theirs.records, WITH_IDS[name]) == []


async def test_records_about_another_company_s_contact_are_the_caller_s_own(world: World) -> None:
    rpcs = {m.name: m for m in methods()}
    contact = world.theirs.records["contact"]
    deal = deal_pb2.CreateDealRequest(deal=deal_pb2.Deal(title="Windows", contact_id=contact))
    call = call_messages_pb2.UpdateCallRequest(update_mask={"paths": ["contact_id"]})
    call.call.id, call.call.contact_id = world.theirs.records["call"], contact
    task = task_pb2.CreateTaskRequest(task={"subject": "Call", "link": {"contact_id": contact}})
    await world.theirs.call(rpcs["CreateDeal"], deal)
    await world.theirs.call(rpcs["CreateTask"], task)
    await world.theirs.call(rpcs["UpdateCall"], call)

    for name in OWN_RECORDS_ABOUT:
        request = contracts.method_of(rpcs[name]).input(contact_id=contact)
        theirs, ours = (
            {record.id for _, listed in answer.ListFields() for record in listed}
            for answer in (
                await world.theirs.call(rpcs[name], request),
                await world.ours.call(rpcs[name], request),
            )
        )
        assert theirs, name
        assert not theirs & ours, name


async def test_another_company_s_order_answers_exactly_like_one_that_nobody_sent(
    world: World,
) -> None:
    """Orders are known by the shop's own numbers, which other companies may guess."""
    rpcs = {m.name: m for m in methods() if m.containing_service.name == "OrdersService"}
    getting, putting = rpcs["GetOrder"], rpcs["PutOrder"]
    shop = deal_pb2.ShopOrder(system="woo", id="1001")
    item = order_pb2.OrderItem(name="Window", quantity="1", unit_price="100")

    async def told(number: str) -> str:
        request = order_pb2.GetOrderRequest(system=shop.system, id=number)
        with pytest.raises(errors.NotFound) as refused:
            await world.ours.call(getting, request)
        return f"{refused.value.reason} {refused.value.message} {refused.value.metadata}"

    order = order_pb2.PutOrderRequest(order=shop, currency="PLN", items=[item])
    theirs: Any = await world.theirs.call(putting, order)
    asked, random = await told("1001"), await told("1002")
    ours: Any = await world.ours.call(putting, order)

    assert asked == random.replace("1002", "1001")
    assert ours.deal_id != theirs.deal_id


_ANSWER_NOTHING = (
    "SegmentContains", "ListImportRows", "ListProjectTasks", "ListSalesFacts", "GetForecast", "GetQuoteLink", "GetQuoteProof",
    "GetRecordAccess", "GetConnectionStatus",
)  # fmt: skip
"""One asks of a contact or company too, the other's import has not been planned, the new project has no task, nothing was sold
yet, no deal is in the new pipeline, the quote is a draft, which has no page and no answer, identity keeps no contacts, and nobody
speaks with an exchange out of use."""


async def test_own_ids_do_answer(world: World) -> None:
    """Otherwise the comparison above would compare refusals of something else."""
    compared = 0
    for method, slot in (
        (m, slot) for m in WITH_IDS.values() for slot in isolation_slots.slots(m.input_type)
    ):
        own = world.ours.records.get(
            isolation_slots.key_of(isolation_slots.kind_of(slot, method), method)
        )
        if own is None or contracts.method_of(method).writes or slot.name not in ("id", "ids"):
            continue
        if method.name in _ANSWER_NOTHING:
            continue
        answer = await world.ours.call(method, world.ours.request(method, slot, own))
        assert answer.ByteSize(), method.full_name
        assert not getattr(answer, "missing_ids", ()), method.full_name
        compared += 1
    assert compared > 30


async def test_lists_hold_nothing_of_anybody_else(world: World) -> None:
    foreign = {
        id for kind, id in world.theirs.records.items() if not kind.startswith(isolation.SPARE)
    }
    for method in methods():
        if (
            not contracts.method_of(method).writes
            and not contracts.method_of(method).public
            and method.name.startswith("List")
        ):
            if any(slot.name == "id" for slot in isolation_slots.slots(method.input_type)):
                continue
            answer = await world.ours.call(method, world.ours.build(method.input_type))
            listed = getattr(answer, answer.DESCRIPTOR.fields[0].name)
            assert not foreign & {
                getattr(each, "id", getattr(each, "object_id", "")) for each in listed
            }, method.full_name


async def test_every_reference_was_given_a_record_of_the_other_company(world: World) -> None:
    """Otherwise an id that nobody has is compared with another one."""
    named = {
        f"{method.full_name}.{slot.name}": isolation_slots.key_of(
            isolation_slots.kind_of(slot, method), method
        )
        for method in WITH_IDS.values()
        for slot in isolation_slots.slots(method.input_type)
    }
    lacking = {name: kind for name, kind in named.items() if kind not in world.theirs.records}

    assert {name: kind for name, kind in lacking.items() if kind not in NO_RECORDS} == {}
    assert set(lacking.values()) == NO_RECORDS.keys()


def test_every_field_that_names_a_record_is_declared_so() -> None:
    unmarked = [name for m in methods() for name in isolation_slots.unmarked(m.input_type)]

    assert unmarked == []


# -- the test itself is tested ------------------------------------------------------------------------


async def test_rpc_without_a_guard_is_found(world: World) -> None:
    """A body that looks the label up by its id alone, with a role that no policy holds back."""
    rpcs = service.load("contacts").servicers[0]

    class Unguarded(rpcs):  # type: ignore[valid-type,misc]
        @reads
        async def GetLabel(self, request: label_pb2.GetLabelRequest, tx: Tx) -> label_pb2.Label:
            raw = await asyncpg.connect(servers.postgres_url(database_of("contacts")))
            try:
                doc = await raw.fetchval("SELECT doc FROM labels WHERE id = $1", request.id)
            finally:
                await raw.close()
            if doc is None:
                raise self.runtime.resources["crm.contacts.v1.Label"].not_found(request.id)
            return label_pb2.Label.FromString(doc)

    method = WITH_IDS["crm.contacts.v1.ContactsService.GetLabel"]
    endpoints = endpoints_of(world.crm.process.runtimes["contacts"], Unguarded)
    leaky: Any = SimpleNamespace(local=InProcessChannel(endpoints))

    found = await isolation.differences(
        replace(world.ours, crm=leaky), world.theirs.records, method
    )

    assert len(found) == 1
    assert "GetLabel.id: another tenant's label gives" in found[0]


def test_rpc_whose_id_is_not_declared_is_found() -> None:
    _, file = compiled(
        "isolation_sample.proto",
        """
        syntax = "proto3";
        package crm.isolation_sample.v1;
        import "crm/options/v1/options.proto";
        message PeekRequest {
          string id = 1 [(crm.options.v1.rules) = { required: true, format: FORMAT_UUID }];
          string request_id = 2;
          repeated string contact_ids = 3;
          Part part = 4;
        }
        message Part { string company_id = 1; }
        """,
    )

    assert list(isolation_slots.unmarked(file.message_types_by_name["PeekRequest"])) == [
        "crm.isolation_sample.v1.PeekRequest.contact_ids", "crm.isolation_sample.v1.Part.company_id",
    ]  # fmt: skip


# -- statements, as the service's role ------------------------------------------------------------------


@pytest.fixture(params=SERVICES)
async def as_service(
    world: World, request: pytest.FixtureRequest
) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the service's own role in which our tenant is set."""
    raw = await asyncpg.connect(world.crm.process.runtimes[request.param].database_url)
    await raw.execute("SELECT set_config('app.tenant', $1, false)", world.ours.id)
    yield raw
    await raw.close()


async def relations(raw: asyncpg.Connection) -> dict[str, bool]:
    """Every table and view with a tenant_id, and whether it is a view or under row-level security."""
    rows = await raw.fetch(
        "SELECT c.relname, c.relkind = 'v' OR c.relrowsecurity AS guarded FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') AND a.attname = 'tenant_id'"
    )
    return {row["relname"]: row["guarded"] for row in rows}


async def test_tables_and_views_show_nothing_of_another_tenant(
    world: World, as_service: asyncpg.Connection
) -> None:
    guarded = [name for name, is_guarded in (await relations(as_service)).items() if is_guarded]
    seen = 0
    for name in guarded:
        seen += await as_service.fetchval(f"SELECT count(*) FROM {name}")
        assert (
            await as_service.fetchval(
                f"SELECT count(*) FROM {name} WHERE tenant_id <> $1", world.ours.id
            )
            == 0
        ), name
    assert seen > 10

    await as_service.execute("SELECT set_config('app.tenant', '', false)")
    for name in guarded:
        assert await as_service.fetchval(f"SELECT count(*) FROM {name}") == 0, name


async def test_only_the_plumbing_is_without_a_policy(
    world: World, as_service: asyncpg.Connection
) -> None:
    bare = {name for name, is_guarded in (await relations(as_service)).items() if not is_guarded}
    declared = {
        table.name
        for name in SERVICES
        for table in (service.load(name).metadata or SimpleNamespace(tables={})).tables.values()
        if table.info.get("global")
    }

    assert bare <= PLUMBING | declared


async def test_nothing_can_be_written_for_another_tenant(
    world: World, as_service: asyncpg.Connection
) -> None:
    for name, is_guarded in (await relations(as_service)).items():
        if not is_guarded or name.endswith("_of_tenant"):
            continue
        assert (
            await as_service.execute(f"DELETE FROM {name} WHERE tenant_id = '{world.theirs.id}'")
            == "DELETE 0"
        )
        row = await as_service.fetchrow(f"SELECT * FROM {name} LIMIT 1")
        if row is None:
            continue
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await as_service.execute(f"UPDATE {name} SET tenant_id = '{world.theirs.id}'")
        keys = [key for key in dict(row) if key != "tenant_id"]
        values = ", ".join(f"'{uuid7()}'" if key == "id" else f"x.{key}" for key in keys)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await as_service.execute(
                f"INSERT INTO {name} (tenant_id, {', '.join(keys)})"
                f" OVERRIDING SYSTEM VALUE SELECT '{world.theirs.id}', {values} FROM {name} x LIMIT 1"
            )


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE mine (a int)", "CREATE TEMPORARY TABLE mine (a int)", "CREATE VIEW mine AS SELECT 1", "SELECT * FROM outbox",
     "DELETE FROM outbox", "CREATE SCHEMA mine", "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
     "TRUNCATE answers", "DELETE FROM answers", "SET ROLE postgres", "CREATE EXTENSION hstore",
     "COPY answers TO PROGRAM 'cat'"],
)  # fmt: skip
async def test_service_role_may_not(as_service: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_service.execute(statement)


def test_every_rpc_with_ids_is_compared_but_for_those_that_say_why_not() -> None:
    signed_in = [m for m in methods() if not contracts.method_of(m).public]
    named = [m for m in signed_in if any(isolation_slots.slots(m.input_type))]

    assert {m.name for m in named if m.full_name not in WITH_IDS} == set(OWN_RECORDS_ABOUT)
    assert len(WITH_IDS) > 90

"""A card joins the answers of many RPCs in few calls: whoever asks, each part is what its own RPC answers him."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest

from chassis import codec, contracts, keys
from chassis.call import Cause
from chassis.contracts import method_named
from chassis.keys import uuid7
from chassis.settling import settled
from chassis.testing.installation import EVERYTHING, Person, Tenant
from chassis.tx import Tx
from crm.contacts.v1 import (
    agreement_pb2,
    company_pb2,
    contact_pb2,
    events_pb2,
    note_events_pb2,
    note_pb2,
    request_pb2,
)
from crm.deals.v1 import deal_pb2, invoice_pb2, pipeline_pb2, quote_pb2
from crm.tasks.v1 import task_pb2
from crm.telephony.v1 import call_pb2
from crm.telephony.v1 import events_pb2 as telephony_events
from services.contacts import store as contacts
from services.deals import store as deals
from services.tasks import store as tasks
from services.telephony import store as telephony
from tests.service.gateway.conftest import Crm, running

SERVICES = ("identity", "contacts", "deals", "tasks", "telephony", "gateway")
OBJECTS = (
    "contact", "company", "request", "note", "agreement", "consent", "deal", "quote", "invoice", "pipeline", "task", "call",
)  # fmt: skip
MANY = 22  # more than a card shows of each
_TOLD: dict[Any, Any] = {
    request_pb2.Request: events_pb2.RequestReceived,
    agreement_pb2.Agreement: note_events_pb2.AgreementMade,
    call_pb2.Call: telephony_events.CallRinging,
}
JOINED = {
    "/crm.contacts.v1.ContactsService/GetContactOverview": "id",
    "/crm.deals.v1.DealsService/GetContactDeals": "contact_id",
    "/crm.tasks.v1.TasksService/GetContactTasks": "contact_id",
    "/crm.telephony.v1.CallsService/GetContactCalls": "contact_id",
}


@dataclass
class Customer:
    """Somebody of whom every part of the card has something, some of it others', with the colleagues who look."""

    crm: Crm
    tenant: Tenant
    owner: Person
    id: str
    company_id: str
    pipeline_id: str

    async def card(self, token: str) -> dict[str, Any]:
        async with self.crm.client(token) as http:
            answer = await http.get(f"/v1/contacts/{self.id}/card")
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

    async def alone(self, token: str) -> dict[str, Any]:
        """Every part from its own RPC, as a card would be put together of them."""
        of, page = f'contact_id = "{self.id}"', "pageSize=20"
        lists = {
            "timeline": (f"/v1/contacts/{self.id}/timeline?{page}", "entries"),
            "requests": (f"/v1/requests?{page}&filter={of} AND state != CLOSED AND state != LINKED", "requests"),
            "openDeals": (f'/v1/deals?{page}&filter=party_ids:"{self.id}" AND state = OPEN', "deals"),
            "openQuotes": (f"/v1/quotes?{page}&orderBy=valid_until&filter={of} AND state = SENT", "quotes"),
            "openInvoices": (
                f"/v1/invoices?{page}&orderBy=instalments.due_date&filter={of} AND (state = ISSUED OR state = PARTLY_PAID)", "invoices",
            ),
            "openTasks": (f"/v1/tasks?{page}&orderBy=due_time&filter={of} AND state = OPEN", "tasks"),
            "notes": (f"/v1/notes?{page}&filter={of} AND pinned = true", "notes"),
            "agreements": (f"/v1/agreements?{page}&filter={of} AND state = OPEN", "agreements"),
            "calls": (f"/v1/calls?{page}&orderBy=start_time desc&filter={of}", "calls"),
            "missedCalls": (f"/v1/calls?{page}&orderBy=start_time&filter={of} AND missed_state = OPEN", "calls"),
            "consents": (f"/v1/consentStates:batchGet?contactIds={self.id}", "contacts"),
        }  # fmt: skip
        async with self.crm.client(token) as http:
            contact = await _got(http, f"/v1/contacts/{self.id}")
            found: dict[str, Any] = {"contact": contact, "unavailable": []}
            if contact and "companyId" in contact:
                found["company"] = await _got(http, f"/v1/companies/{contact['companyId']}")
            found["facts"] = await _got(http, f"/v1/contacts/{self.id}/facts")
            for name, (path, key) in lists.items():
                found[name] = (await _got(http, path) or {}).get(key, [])
            said = found["consents"]
            found["consents"] = said[0].get("states", []) if said else []
            ids = {deal["pipelineId"] for deal in found["openDeals"] if "pipelineId" in deal}
            pipelines = [await _got(http, f"/v1/pipelines/{id}") for id in sorted(ids)]
            found["pipelines"] = [each for each in pipelines if each]
        return {name: part for name, part in found.items() if part is not None}


async def _got(http: httpx.AsyncClient, path: str) -> dict[str, Any] | None:
    answer = await http.get(path)
    assert answer.status_code in (200, 403, 404, 422), answer.text
    return dict(answer.json()) if answer.status_code == 200 else None


@pytest.fixture(scope="module")
async def customer() -> AsyncIterator[Customer]:
    async with running(SERVICES) as crm:
        tenant = await crm.installation.tenant()
        owner, other = await tenant.person(EVERYTHING), await tenant.person(EVERYTHING)
        made = Customer(crm, tenant, owner, uuid7(), uuid7(), uuid7())
        runtimes = crm.installation.process.runtimes

        async def seed(tx: Tx) -> None:
            for resource, message in _records(made, tx.runtime.service.name, other.id):
                resource.save(tx, message)
                if event := _TOLD.get(type(message)):
                    tx.emit(event(**{resource.object: message}))

        for service in ("contacts", "deals", "tasks", "telephony"):
            await runtimes[service].run_system(tenant.id, Cause("setup"), seed)
        async with crm.client(tenant.admin.token) as http:
            await _agree(http, made.id)
        await settled(
            crm.installation.process, 60
        )  # two looks are compared: nothing may change between them
        yield made


async def _agree(http: httpx.AsyncClient, id: str) -> None:
    purpose = await http.post("/v1/consentPurposes", json={"key": "news", "name": "News"})
    assert purpose.status_code == 200, purpose.text
    said = {
        "purpose": "news",
        "channel": "CONSENT_CHANNEL_EMAIL",
        "source": "CONSENT_SOURCE_HAND",
        "proof": "said so",
    }
    answer = await http.post(f"/v1/contacts/{id}/consents", json=said)
    assert answer.status_code == 200, answer.text


def _records(customer: Customer, service: str, other: str) -> list[tuple[Any, Any]]:
    """What the service keeps of him; of every list more than is shown, and half of it another colleague's."""
    whom, mine = customer.id, {"owner_id": customer.owner.id}
    found: list[tuple[Any, Any]] = []

    def some(resource: Any, message: Any, **values: Any) -> None:
        for at in range(MANY):
            owner = {"owner_id": other if at % 2 else customer.owner.id}
            found.append((resource, message(id=uuid7(), contact_id=whom, **owner, **values)))

    if service == "contacts":
        found += [
            (contacts.companies, company_pb2.Company(id=customer.company_id, name="Okna", **mine)),
            (contacts.contacts, contact_pb2.Contact(
                id=whom, display_name="Ana", company_id=customer.company_id, phones=[{"number": "+48600100200"}], **mine)),
        ]  # fmt: skip
        some(contacts.requests, request_pb2.Request, state="STATE_NEW", text="How much?")
        some(contacts.notes, note_pb2.Note, pinned=True, text="Likes oak")
        some(
            contacts.agreements, agreement_pb2.Agreement, state="STATE_OPEN", subject="Call",
            date={"year": 2030, "month": 1, "day": 2},
        )  # fmt: skip
    elif service == "deals":
        found.append(
            (
                deals.pipelines,
                pipeline_pb2.Pipeline(id=customer.pipeline_id, key="sales", name="Sales"),
            )
        )
        some(
            deals.deals,
            deal_pb2.Deal,
            state="STATE_OPEN",
            pipeline_id=customer.pipeline_id,
            amount="10",
            currency="PLN",
        )
        for at in range(MANY):
            quote = quote_pb2.Quote(
                id=uuid7(),
                contact_id=whom,
                deal_id=uuid7(),
                number=f"Q{at}",
                state="STATE_SENT",
                **mine,
            )
            found.append((deals.quotes, quote))
        some(deals.invoices, invoice_pb2.Invoice, state="STATE_ISSUED", currency="PLN")
    elif service == "tasks":
        for at in range(3):
            found.append(
                (
                    tasks.tasks,
                    task_pb2.Task(
                        id=uuid7(),
                        subject=f"Call {at}",
                        state="STATE_OPEN",
                        contact_id=whom,
                        link={"contact_id": whom},
                        **mine,
                    ),
                )
            )
    else:
        some(
            telephony.calls.calls,
            call_pb2.Call,
            number="+48600100200",
            missed_state="MISSED_STATE_OPEN",
        )
    return found


def _all_but(*objects: str) -> list[dict[str, str]]:
    return [{"object": o, "action": "read", "scope": "all"} for o in OBJECTS if o not in objects]


async def test_of_everything_the_first_twenty_are_shown(customer: Customer) -> None:
    card = await customer.card(customer.owner.token)

    lists = (
        "requests",
        "notes",
        "agreements",
        "openDeals",
        "openQuotes",
        "openInvoices",
        "calls",
        "missedCalls",
    )
    assert {name: len(card[name]) for name in lists} == dict.fromkeys(lists, 20)
    assert (len(card["pipelines"]), len(card["consents"])) == (1, 1)
    assert len(card["openTasks"]) >= 3  # and what the requests let somebody do
    assert (card["contact"]["id"], card["company"]["id"]) == (customer.id, customer.company_id)
    assert card["facts"]["contactId"] == customer.id
    assert card == await customer.alone(customer.owner.token)


@pytest.mark.parametrize("object", [name for name in OBJECTS if name != "contact"])
async def test_a_part_without_its_right_is_left_out_and_no_other(
    customer: Customer, object: str
) -> None:
    reader = await customer.tenant.person(_all_but(object))

    card = await customer.card(reader.token)

    assert card == await customer.alone(reader.token)
    assert card != await customer.card(customer.owner.token)


@pytest.mark.parametrize("scope", ["own", "team", "all"])
async def test_every_part_keeps_the_scope_of_its_own_right(customer: Customer, scope: str) -> None:
    grants = [{"object": o, "action": "read", "scope": scope} for o in OBJECTS if o != "contact"]
    grants.append({"object": "contact", "action": "read", "scope": "all"})
    reader = await customer.tenant.person(grants)

    card = await customer.card(reader.token)

    assert card == await customer.alone(reader.token)
    assert bool(card["openDeals"]) == (scope == "all")
    assert bool(card["openQuotes"]) == (scope == "all")


@pytest.mark.parametrize(
    "hidden",
    ["contact.company_id", "contact.phones", "company.name", "deal.contact_id", "deal.pipeline_id", "deal.amount", "quote.contact_id",
     "invoice.instalments", "note.pinned", "request.state", "agreement.subject", "call.number", "call.start_time", "task.due_time"],
)  # fmt: skip
async def test_hidden_fields_are_hidden_in_every_part(customer: Customer, hidden: str) -> None:
    reader = await customer.tenant.person(_all_but(), hidden=[hidden])

    card = await customer.card(reader.token)

    assert card == await customer.alone(reader.token)


@pytest.mark.parametrize(
    "methods",
    [["/crm.contacts.v1.ContactsService/*"], ["/crm.contacts.v1.ContactsService/GetContact", "/crm.deals.v1.QuotesService/ListQuotes"],
     ["/crm.contacts.v1.ContactsService/GetContact", "/crm.deals.v1.DealsService/*", "/crm.telephony.v1.CallsService/ListCalls"], ["*"]],
    ids=["contacts", "quotes", "deals and calls", "all"],
)  # fmt: skip
async def test_a_program_limited_to_methods_gets_their_parts(
    customer: Customer, methods: list[str]
) -> None:
    token = await _program(customer, methods, None)

    assert await customer.card(token) == await customer.alone(token)


async def test_a_program_that_reads_few_fields_gets_those_of_every_part(customer: Customer) -> None:
    readable = {"contact": ["display_name"], "deal": ["title"], "call": ["contact_id", "number"]}
    token = await _program(customer, ["*"], readable)

    card = await customer.card(token)

    assert card == await customer.alone(token)
    assert "company" not in card


async def test_a_program_that_may_not_get_the_contact_is_refused_the_card(
    customer: Customer,
) -> None:
    parts = ["/crm.contacts.v1.NotesService/ListNotes", "/crm.deals.v1.DealsService/ListDeals"]
    async with customer.crm.client(await _program(customer, parts, None)) as http:
        answer = await http.get(f"/v1/contacts/{customer.id}/card")
        assert (answer.status_code, answer.json()["reason"]) == (403, "METHOD_NOT_GRANTED")


async def _program(
    customer: Customer, methods: list[str], readable: dict[str, list[str]] | None
) -> str:
    id = uuid7()
    token, digest = keys.new_api_token(customer.tenant.id, id)
    entry = {"hash": digest, "user_id": customer.owner.id, "methods": methods, "grants": None}
    if readable is not None:
        entry["readable"] = readable
    await customer.tenant.put("token", id, entry)
    return token


@pytest.mark.parametrize("method", JOINED, ids=lambda name: name.rpartition("/")[2])
@pytest.mark.parametrize(
    "hidden", [[], ["contact.phones", "deal.amount", "call.number"]], ids=["all", "hidden"]
)
async def test_messages_say_what_json_says(
    customer: Customer, method: str, hidden: list[str]
) -> None:
    reader = await customer.tenant.person(_all_but(), hidden=hidden)
    known = method_named(method)
    request = known.input(**{JOINED[method]: customer.id}).SerializeToString()
    local, who = customer.crm.installation.local, {"authorization": f"Bearer {reader.token}"}

    message, _ = await local.unary(method, request, who)
    text, told = await local.unary(method, request, who | {"crm-accept": "json"})

    assert told["crm-content"] == "json"
    filled = {name: part for name, part in orjson.loads(text).items() if part}
    assert orjson.loads(codec.to_json(known.output.FromString(message))) == filled


def test_an_rpc_joins_only_rpcs_of_its_own_service_that_read() -> None:
    joining = [
        known for service in contracts.services() for method in service.methods
        if (known := contracts.method_of(method)).permission.joins
    ]  # fmt: skip

    assert {known.full_name for known in joining} == set(JOINED)
    for known in joining:
        parts = [method_named(name) for name in known.permission.joins]
        assert {part.service for part in parts} == {known.service}
        assert not any(part.writes or part.public for part in parts)
        assert not known.writes

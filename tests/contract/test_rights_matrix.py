"""U16, U17: object x action x scope, over every way to a record, against a brute force that shares nothing with the code.

The rule: a scope reaches the records of its owners (own: oneself; team: one's department; subtree: and the departments below);
a record that nobody owns lies in its department's queue and is reached through the department; followers may read. Who may not
read a record is told that it is not there.
"""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import errors
from chassis.call import Cause
from chassis.keys import uuid7
from chassis.testing.installation import Installation, Person, Tenant, installation
from chassis.tx import Tx
from crm.contacts.v1 import company_pb2, contact_pb2, events_pb2, request_pb2
from crm.contacts.v1 import contacts_service_pb2_grpc as grpc
from crm.contacts.v1 import request_verbs_pb2 as verbs
from crm.deals.v1 import deal_pb2, invoice_pb2, payment_pb2, quote_pb2
from crm.deals.v1.deals_service_pb2_grpc import DealsServiceStub
from crm.deals.v1.invoices_service_pb2_grpc import InvoicesServiceStub
from crm.deals.v1.payments_service_pb2_grpc import PaymentsServiceStub
from crm.deals.v1.quotes_service_pb2_grpc import QuotesServiceStub
from crm.tasks.v1 import task_pb2
from crm.tasks.v1.tasks_service_pb2_grpc import TasksServiceStub
from crm.telephony.v1 import call_messages_pb2, call_pb2, recording_pb2
from crm.telephony.v1 import events_pb2 as call_events
from crm.telephony.v1.calls_service_pb2_grpc import CallsServiceStub
from crm.telephony.v1.recordings_service_pb2_grpc import RecordingsServiceStub
from services.contacts import store
from services.deals import store as deals_store
from services.tasks import store as tasks_store
from services.telephony import store as telephony_store

SCOPES = (None, "own", "team", "subtree", "all")


@dataclass(frozen=True)
class Kind:
    """One object and how it is called."""

    object: str
    message: Any
    resource: Any
    module: Any
    plural: str
    service: str = "contacts"
    changed: str = "department_id"
    """A field that an update may name."""
    removable: bool = True
    """Whether there is a Delete."""
    erasable: bool = False
    """Whether something else needs the right to delete."""
    needs: tuple[str, ...] = ()
    """Texts without which no row is kept, or no second one."""

    def request(self, verb: str, **fields: Any) -> tuple[str, Any]:
        """(RPC name, request) of a standard method."""
        name = self.message.DESCRIPTOR.name
        many = self.plural[0].upper() + self.plural[1:]
        rpc = {
            "List": f"List{many}",
            "BatchGet": f"BatchGet{many}",
            "History": f"List{name}History",
        }.get(verb, f"{verb}{name}")
        if verb == "Update":
            fields = {self.object: self.message(id=fields.pop("id")), **fields}
        return rpc, getattr(self.module, f"{rpc}Request")(**fields)


KINDS = {
    "contact": Kind("contact", contact_pb2.Contact, store.contacts, contact_pb2, "contacts"),
    "company": Kind("company", company_pb2.Company, store.companies, company_pb2, "companies"),
    "request": Kind("request", request_pb2.Request, store.requests, request_pb2, "requests"),
    "task": Kind("task", task_pb2.Task, tasks_store.tasks, task_pb2, "tasks", "tasks"),
    "deal": Kind("deal", deal_pb2.Deal, deals_store.deals, deal_pb2, "deals", "deals"),
    "quote": Kind("quote", quote_pb2.Quote, deals_store.quotes, quote_pb2, "quotes", "deals", "intro", removable=False, needs=("deal_id", "number")),
    "invoice": Kind("invoice", invoice_pb2.Invoice, deals_store.invoices, invoice_pb2, "invoices", "deals"),
    "payment": Kind("payment", payment_pb2.Payment, deals_store.payments, payment_pb2, "payments", "deals", "note"),
    "call": Kind("call", call_pb2.Call, telephony_store.calls.calls, call_messages_pb2, "calls", "telephony", "note", removable=False),
    "recording": Kind("recording", recording_pb2.Recording, telephony_store.recordings.recordings, recording_pb2, "recordings", "telephony", "hold_reason", removable=False, erasable=True),
}  # fmt: skip

STUBS = (
    grpc.ContactsServiceStub, TasksServiceStub, DealsServiceStub, QuotesServiceStub, InvoicesServiceStub, PaymentsServiceStub,
    CallsServiceStub, RecordingsServiceStub,
)  # fmt: skip
SERVICES = sorted({kind.service for kind in KINDS.values()})


class Stubs:
    """The RPCs of all services with such records, called as one person."""

    def __init__(self, person: Person) -> None:
        self._stubs = [person.stub(made, remote=False) for made in STUBS]

    def __getattr__(self, rpc: str) -> Any:
        return getattr(next(stub for stub in self._stubs if hasattr(stub, rpc)), rpc)


@dataclass(frozen=True)
class Record:
    id: str
    owner: str
    department: str
    followers: tuple[str, ...]


@dataclass
class Company:
    """A tree of departments, somebody in each, and records of every mixture of owner, department and follower."""

    tenant: Tenant
    viewer: str
    users: dict[str, str]
    below: dict[str, set[str]]
    home: str
    records: dict[str, list[Record]]
    then: Timestamp

    async def person(self, grants: list[dict[str, str]], **more: Any) -> Any:
        """The viewer's stub, with these grants from now on."""
        role = uuid7()
        await self.tenant.put(
            "role", role, {"name": "r", "grants": grants, "hidden": more.pop("hidden", [])}
        )
        user = self.tenant.installation.process.directory.of(self.tenant.id).user(self.viewer)
        await self.tenant.put(
            "user", self.viewer, {**user, "role_ids": [role, *more.pop("roles", [])]}
        )
        admin = self.tenant.admin
        token = more.pop("token", "") or _token(self.tenant, self.viewer)
        return Stubs(Person(admin.installation, self.tenant.id, self.viewer, token))

    def reaches(self, scope: str | None, record: Record) -> bool:
        """The brute force."""
        if scope is None:
            return False
        if scope == "all":
            return True
        departments = {"own": {self.home}, "team": {self.home}, "subtree": self.below[self.home]}[
            scope
        ]
        if not record.owner:
            return record.department in departments
        return record.owner == self.viewer or (
            scope != "own" and self.users[record.owner] in departments
        )

    def readable(self, scope: str | None, record: Record) -> bool:
        return self.reaches(scope, record) or (
            scope is not None and self.viewer in record.followers
        )


def _token(tenant: Tenant, user_id: str) -> str:
    from chassis.testing.installation import access_token

    return access_token(tenant.id, user_id)


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Installation]:
    async with installation(SERVICES, past=False) as running:
        yield running


@pytest.fixture(scope="module")
async def company(crm: Installation) -> Company:
    tenant = await crm.tenant()
    root = await tenant.department()
    home, beside = await tenant.department(root), await tenant.department(root)
    under = await tenant.department(home)
    users = {
        (await tenant.person(department_id=d)).id: d for d in (home, home, under, root, beside)
    }
    viewer = next(iter(users))
    records: dict[str, list[Record]] = {kind: [] for kind in KINDS}
    for kind, owner, department in itertools.product(
        KINDS, (*users, ""), ("", home, under, beside)
    ):
        records[kind].append(Record(uuid7(), owner, department, ()))
    for kind, owner in itertools.product(KINDS, list(users)[2:]):
        records[kind].append(Record(uuid7(), owner, "", (viewer,)))

    async def seed(tx: Tx) -> None:
        for name, kind in KINDS.items():
            for record in records[name] if kind.service == tx.runtime.service.name else ():
                message = kind.message(
                    id=record.id, owner_id=record.owner, department_id=record.department
                )
                message.follower_ids.extend(record.followers)
                for needed in kind.needs:
                    setattr(message, needed, uuid7())
                kind.resource.save(tx, message)
                if name == "request":
                    tx.emit(events_pb2.RequestReceived(request=message))
                elif name == "call":
                    tx.emit(call_events.CallRinging(call=message))

    for service in SERVICES:
        await crm.process.runtimes[service].run_system(tenant.id, Cause("setup"), seed)
    then = Timestamp()
    then.FromDatetime(crm.process.clock.now())
    below = {home: {home, under}}
    return Company(tenant, viewer, users, below, home, records, then)


def granted(object: str, **scopes: str | None) -> list[dict[str, str]]:
    return [
        {"object": object, "action": action, "scope": scope}
        for action, scope in scopes.items()
        if scope
    ]


async def call(stub: Any, asked: tuple[str, Any]) -> Any:
    """The answer, or the refusal."""
    try:
        return await getattr(stub, asked[0])(asked[1])
    except errors.CrmError as refusal:
        return refusal


@pytest.mark.parametrize("scope", SCOPES, ids=str)
@pytest.mark.parametrize("name", KINDS)
async def test_every_way_to_read_shows_the_scope_and_nothing_else(
    company: Company, name: str, scope: str | None
) -> None:
    kind, records = KINDS[name], company.records[name]
    stub = await company.person(granted(name, read=scope))
    expected = {record.id for record in records if company.readable(scope, record)}
    ids = [record.id for record in records]

    listed = await call(stub, kind.request("List", page_size=200))
    if scope is None:
        for verb, fields in (
            ("List", {}),
            ("Get", {"id": ids[0]}),
            ("BatchGet", {"ids": ids}),
            ("History", {"id": ids[0]}),
        ):
            assert isinstance(
                await call(stub, kind.request(verb, **fields)), errors.PermissionDenied
            )
        return
    assert len({record.id for record in records}) == len(ids)
    assert sorted(each.id for each in getattr(listed, kind.plural)) == sorted(expected)
    for size, order in ((7, "create_time"), (3, "update_time desc")):
        assert sorted(await _paged(stub, kind, size, order)) == sorted(expected)
    past = await call(stub, kind.request("List", page_size=200, as_of=company.then))
    assert {each.id for each in getattr(past, kind.plural)} == expected
    batch = await call(stub, kind.request("BatchGet", ids=ids))
    assert {each.id for each in getattr(batch, kind.plural)} == expected
    assert set(batch.missing_ids) == set(ids) - expected
    for id in ids:
        for verb, fields in (("Get", {}), ("Get", {"as_of": company.then}), ("History", {})):
            answer = await call(stub, kind.request(verb, id=id, **fields))
            assert isinstance(answer, errors.NotFound) != (id in expected), (verb, id)


async def _paged(stub: Any, kind: Kind, size: int, order: str) -> list[str]:
    seen, token = [], ""
    while True:
        page = await call(
            stub, kind.request("List", page_size=size, order_by=order, page_token=token)
        )
        seen += [each.id for each in getattr(page, kind.plural)]
        token = page.next_page_token
        if not token:
            return seen


@pytest.mark.parametrize(
    ("read", "write"), list(itertools.product(("own", "all"), SCOPES)), ids=str
)
@pytest.mark.parametrize("name", KINDS)
async def test_changes_reach_their_own_scope_within_what_is_readable(
    company: Company, name: str, read: str, write: str | None
) -> None:
    """A change with an etag that was never given is refused as Aborted exactly where the change itself is permitted."""
    kind = KINDS[name]
    actions = ("update", "delete", *(("close",) if name == "request" else ()))
    stub = await company.person(granted(name, read=read, **dict.fromkeys(actions, write)))

    for record in company.records[name]:
        if write is None:
            wanted: type[errors.CrmError] = errors.PermissionDenied  # no record is looked at
        elif not company.readable(read, record):
            wanted = errors.NotFound
        else:
            wanted = errors.Aborted if company.reaches(write, record) else errors.PermissionDenied
        asked = [kind.request("Update", id=record.id, etag="99")]
        asked[0][1].update_mask.paths.append(kind.changed)
        if kind.removable:
            asked.append(kind.request("Delete", id=record.id, etag="99"))
        if name == "request":
            asked.append(
                ("CloseRequest", verbs.CloseRequestRequest(id=record.id, etag="99", reason=1))
            )
        for each in asked:
            assert type(await call(stub, each)) is wanted, (each[0], record)


@pytest.mark.parametrize("write", SCOPES, ids=str)
@pytest.mark.parametrize("name", KINDS)
async def test_can_says_what_would_be_permitted(
    company: Company, name: str, write: str | None
) -> None:
    kind = KINDS[name]
    stub = await company.person(granted(name, read="all", update=write, delete="own"))

    listed = await call(stub, kind.request("List", page_size=200))

    can = {each.id: set(each.can) for each in getattr(listed, kind.plural)}
    for record in company.records[name]:
        scopes = {
            "read": "all",
            "update": write,
            "delete": "own" if kind.removable or kind.erasable else None,
        }
        expected = {action for action, scope in scopes.items() if company.reaches(scope, record)}
        assert can[record.id] == expected, record
        got = await call(stub, kind.request("Get", id=record.id))
        assert set(got.can) == expected


@pytest.mark.parametrize("scope", SCOPES, ids=str)
async def test_creation_is_limited_to_the_scope_of_its_owner(
    company: Company, scope: str | None
) -> None:
    stub = await company.person(granted("contact", read="all", create=scope))

    for owner, department in itertools.product(company.users, company.below[company.home]):
        made = contact_pb2.Contact(display_name="New", owner_id=owner, department_id=department)
        answer = await call(stub, ("CreateContact", contact_pb2.CreateContactRequest(contact=made)))
        permitted = company.reaches(scope, Record("", owner, department, ()))
        assert isinstance(answer, contact_pb2.Contact) == permitted, (owner, department)
        if not permitted:
            assert isinstance(answer, errors.PermissionDenied)
        else:
            admin = company.tenant.admin.stub(grpc.ContactsServiceStub, remote=False)
            await admin.DeleteContact(contact_pb2.DeleteContactRequest(id=answer.id))


@pytest.mark.parametrize(
    "grants",
    [[{"object": "*", "action": "*", "scope": "team"}], [{"object": "contact", "action": "*", "scope": "team"}],
     [{"object": "*", "action": "read", "scope": "team"}, {"object": "contact", "action": "read", "scope": "own"}]],
)  # fmt: skip
async def test_wildcards_grant_and_the_widest_grant_counts(
    company: Company, grants: list[dict[str, str]]
) -> None:
    kind = KINDS["contact"]
    stub = await company.person(grants)

    listed = await call(stub, kind.request("List", page_size=200))

    expected = {
        record.id for record in company.records["contact"] if company.readable("team", record)
    }
    assert {each.id for each in listed.contacts} == expected


async def test_two_roles_are_the_union_of_both(company: Company) -> None:
    second = uuid7()
    await company.tenant.put(
        "role", second, {"name": "s", "grants": granted("contact", read="all"), "hidden": []}
    )
    stub = await company.person(
        granted("contact", read="own", update="own"), roles=[second], hidden=["contact.phones"]
    )

    listed = await call(
        stub, KINDS["contact"].request("List", page_size=200, filter='phones:"600100200"')
    )

    assert isinstance(
        listed, contact_pb2.ListContactsResponse
    )  # not hidden, as the second role shows it
    assert len((await call(stub, KINDS["contact"].request("List", page_size=200))).contacts) == len(
        company.records["contact"]
    )

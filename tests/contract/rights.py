"""The objects of the rights matrix, the people who look at them, and the rule as a brute force."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from chassis import contracts, errors
from chassis.keys import uuid7
from chassis.testing.installation import Person, Tenant, access_token
from chassis.tx import Tx
from crm.contacts.v1 import (
    agreement_pb2,
    company_pb2,
    contact_pb2,
    data_link_pb2,
    note_pb2,
    request_pb2,
)
from crm.contacts.v1 import contacts_service_pb2_grpc as grpc
from crm.contacts.v1.data_links_service_pb2_grpc import DataLinksServiceStub
from crm.contacts.v1.notes_service_pb2_grpc import NotesServiceStub
from crm.deals.v1 import (
    commission_pb2,
    contract_pb2,
    deal_pb2,
    delivery_pb2,
    invoice_pb2,
    payment_pb2,
    quote_pb2,
    sales_plan_pb2,
)
from crm.deals.v1.commissions_service_pb2_grpc import CommissionsServiceStub
from crm.deals.v1.contracts_service_pb2_grpc import ContractsServiceStub
from crm.deals.v1.deals_service_pb2_grpc import DealsServiceStub
from crm.deals.v1.deliveries_service_pb2_grpc import DeliveriesServiceStub
from crm.deals.v1.invoices_service_pb2_grpc import InvoicesServiceStub
from crm.deals.v1.payments_service_pb2_grpc import PaymentsServiceStub
from crm.deals.v1.plans_service_pb2_grpc import PlansServiceStub
from crm.deals.v1.quotes_service_pb2_grpc import QuotesServiceStub
from crm.tasks.v1 import project_pb2, task_pb2
from crm.tasks.v1.projects_service_pb2_grpc import ProjectsServiceStub
from crm.tasks.v1.tasks_service_pb2_grpc import TasksServiceStub
from crm.telephony.v1 import call_messages_pb2, call_pb2, recording_pb2
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
    needs: tuple[str, ...] = ()
    """Texts without which no row is kept, or no second one."""
    has: Mapping[str, Any] = field(default_factory=dict)
    """Values without which no row is kept."""
    told: str = ""
    """The event that tells of a new one, where it is not called Created."""
    erasable: bool = False
    """Whether something else than a Delete needs the right to delete."""

    def made(self, tx: Tx, record: "Record") -> None:
        """Saves a message with the record's scope."""
        message = self.message(
            id=record.id, owner_id=record.owner, department_id=record.department, **self.has
        )
        if record.followers:
            message.follower_ids.extend(record.followers)
        for needed in self.needs:
            setattr(message, needed, uuid7())
        self.resource.save(tx, message)
        if self.told:
            event: Any = contracts.message_class(f"{self.resource.package}.{self.told}")
            tx.emit(event(**{self.object: message}))

    def offers(self, verb: str) -> bool:
        """Whether there is such a standard method."""
        return hasattr(self.module, f"{self.rpc(verb)}Request")

    @property
    def followed(self) -> bool:
        return "follower_ids" in self.message.DESCRIPTOR.fields_by_name

    def rpc(self, verb: str) -> str:
        """The RPC name of a standard method."""
        name = self.message.DESCRIPTOR.name
        many = "".join(word.capitalize() for word in self.plural.split("_"))
        return {
            "List": f"List{many}",
            "BatchGet": f"BatchGet{many}",
            "History": f"List{name}History",
        }.get(verb, f"{verb}{name}")

    def request(self, verb: str, **fields: Any) -> tuple[str, Any]:
        """(RPC name, request) of a standard method."""
        rpc = self.rpc(verb)
        if verb == "Update":
            fields = {self.object: self.message(id=fields.pop("id")), **fields}
        return rpc, getattr(self.module, f"{rpc}Request")(**fields)


_DAY = Date(year=2026, month=5, day=17)
KINDS = {
    "contact": Kind("contact", contact_pb2.Contact, store.contacts, contact_pb2, "contacts"),
    "company": Kind("company", company_pb2.Company, store.companies, company_pb2, "companies"),
    "request": Kind("request", request_pb2.Request, store.requests, request_pb2, "requests", told="RequestReceived"),
    "task": Kind("task", task_pb2.Task, tasks_store.tasks, task_pb2, "tasks", "tasks"),
    "deal": Kind("deal", deal_pb2.Deal, deals_store.deals, deal_pb2, "deals", "deals"),
    "agreement": Kind("agreement", agreement_pb2.Agreement, store.agreements, agreement_pb2, "agreements", changed="assignee_id", has={"date": _DAY}, told="AgreementMade"),
    "note": Kind("note", note_pb2.Note, store.notes, note_pb2, "notes", changed="pinned"),
    "data_link": Kind("data_link", data_link_pb2.DataLink, store.data_links, data_link_pb2, "data_links", needs=("contact_id",),
                      has={"expire_time": Timestamp(seconds=4_000_000_000)}, told="DataLinkIssued"),
    "data_change": Kind("data_change", data_link_pb2.DataChange, store.data_changes, data_link_pb2, "data_changes",
                        needs=("contact_id", "data_link_id"), told="DataChangeProposed"),
    "project": Kind("project", project_pb2.Project, tasks_store.projects, project_pb2, "projects", "tasks"),
    "quote": Kind("quote", quote_pb2.Quote, deals_store.quotes, quote_pb2, "quotes", "deals", "intro", ("deal_id", "number")),
    "invoice": Kind("invoice", invoice_pb2.Invoice, deals_store.invoices, invoice_pb2, "invoices", "deals"),
    "payment": Kind("payment", payment_pb2.Payment, deals_store.payments, payment_pb2, "payments", "deals", "note"),
    "contract": Kind("contract", contract_pb2.Contract, deals_store.contracts, contract_pb2, "contracts", "deals", "number"),
    "delivery": Kind("delivery", delivery_pb2.Delivery, deals_store.deliveries, delivery_pb2, "deliveries", "deals", "carrier", ("deal_id",), told="DeliveryPlanned"),
    "sales_plan": Kind("sales_plan", sales_plan_pb2.SalesPlan, deals_store.sales_plans, sales_plan_pb2, "sales_plans", "deals", "name", ("name",),
                       {"from_date": _DAY, "until_date": _DAY, "target": "1"}),
    "commission": Kind("commission", commission_pb2.Commission, deals_store.commissions, commission_pb2, "commissions", "deals", needs=("fact_id",),
                       has={"fact_date": _DAY, "fact_time": Timestamp(seconds=1), "amount": "1"}, told="CommissionEarned"),
    "call": Kind("call", call_pb2.Call, telephony_store.calls.calls, call_messages_pb2, "calls", "telephony", "note", told="CallRinging"),
    "recording": Kind("recording", recording_pb2.Recording, telephony_store.recordings.recordings, recording_pb2, "recordings", "telephony", "hold_reason",
                      erasable=True),
}  # fmt: skip

ELSEWHERE = {
    "comment": "read by who reads the record it is about: tests/service/notifications/test_comments.py",
    "form": "its department only says whose requests its visitors make: tests/service/contacts/test_catalogues.py",
    "import": "its owner's, and read by who may import: tests/service/contacts/test_imports.py",
    "line": "its department only says in whose queue its strangers are: tests/service/telephony/test_screens.py",
    "meeting": "read by who takes part, and as busy by all: tests/service/tasks/test_meetings.py",
    "segment": "its owner's until it is shared with all: tests/service/contacts/test_segment_rights.py",
    "user": "found by all colleagues: tests/service/identity/test_users.py",
}
"""Objects with an owner or department whose rule is another one, and where it is tested."""

STUBS = (
    grpc.ContactsServiceStub, NotesServiceStub, DataLinksServiceStub, TasksServiceStub, ProjectsServiceStub, DealsServiceStub, QuotesServiceStub,
    InvoicesServiceStub, PaymentsServiceStub, ContractsServiceStub, DeliveriesServiceStub, PlansServiceStub, CommissionsServiceStub,
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
    return access_token(tenant.id, user_id)


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

"""U16, U17: object x action x scope, over every way to a record, against a brute force that shares nothing with the code.

The rule: a scope reaches the records of its owners (own: oneself; team: one's department; subtree: and the departments below);
a record that nobody owns lies in its department's queue and is reached through the department; followers may read. Who may not
read a record is told that it is not there.
"""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import contracts, errors
from chassis.call import Cause
from chassis.keys import uuid7
from chassis.testing.installation import Installation, installation
from chassis.tx import Tx
from crm.contacts.v1 import (
    contact_pb2,
)
from crm.contacts.v1 import contacts_service_pb2_grpc as grpc
from crm.contacts.v1 import request_verbs_pb2 as verbs
from tests.contract.rights import (
    ELSEWHERE,
    KINDS,
    SCOPES,
    SERVICES,
    Company,
    Kind,
    Record,
    call,
    granted,
)


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
    followed = [name for name, kind in KINDS.items() if kind.followed]
    for kind, owner in itertools.product(followed, list(users)[2:]):
        records[kind].append(Record(uuid7(), owner, "", (viewer,)))

    async def seed(tx: Tx) -> None:
        for name, kind in KINDS.items():
            for record in records[name] if kind.service == tx.runtime.service.name else ():
                kind.made(tx, record)

    for service in SERVICES:
        await crm.process.runtimes[service].run_system(tenant.id, Cause("setup"), seed)
    then = Timestamp()
    then.FromDatetime(crm.process.clock.now())
    below = {home: {home, under}}
    return Company(tenant, viewer, users, below, home, records, then)


def test_every_object_that_somebody_owns_is_in_the_matrix_or_has_a_rule_of_its_own() -> None:
    owned = {
        object
        for object, resource in contracts.resources().items()
        if {"owner_id", "department_id"} & set(resource.fields_by_name)
    }

    assert owned - contracts.personal_objects() == KINDS.keys() | ELSEWHERE.keys()
    assert not KINDS.keys() & ELSEWHERE.keys()


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
            if kind.offers(verb):
                refusal = await call(stub, kind.request(verb, **fields))
                assert isinstance(refusal, errors.PermissionDenied)
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
            if not kind.offers(verb):
                continue
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
@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.offers("Update")])
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
        asked = [
            kind.request(verb, id=record.id, etag="99")
            for verb in ("Update", "Delete")
            if kind.offers(verb)
        ]
        asked[0][1].update_mask.paths.append(kind.changed)
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
            "update": write if kind.offers("Update") else None,
            "delete": "own" if kind.offers("Delete") or kind.erasable else None,
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

"""Handovers of leavers: previewed, moved by rules, nothing left over, given back (S19, M15)."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Installation, Person
from crm.common.v1 import handover_pb2 as common
from crm.contacts.v1 import contact_pb2
from crm.contacts.v1.contacts_service_pb2_grpc import ContactsServiceStub
from crm.identity.v1 import handover_pb2, user_pb2
from tests.service.identity.conftest import sign_up, until
from tests.service.identity.handing_over import (
    Firm,
    Handover,
    both_running,
    counted,
    customers,
    everything_to,
    members,
    new_department,
    part,
)

Part, Kept = common.HandoverPart, common.HandoverKept


@pytest.fixture(scope="module")
async def both() -> AsyncIterator[Installation]:
    async with both_running() as running:
        yield running


@pytest.fixture
async def firm(both: Installation) -> Firm:
    return Firm(await sign_up(both))


@pytest.mark.large
async def test_a_preview_counts_everything_and_changes_nothing(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    contact_id, *_ = await customers(firm, ana.id)
    other = await firm.contact(dewi.id, follower_ids=[ana.id])
    before, versions = await firm.picture(), await firm.versions()

    one = await firm.propose(ana.id, **everything_to(dewi.id))

    assert counted(one) == {
        ("company", "owner_id"): {dewi.id: 1},
        ("contact", "owner_id"): {dewi.id: 1},
        ("contact", "follower_ids"): {"": 1},
        ("request", "owner_id"): {dewi.id: 2},
        ("agreement", "assignee_id"): {dewi.id: 1},
    }
    samples = {(c.object, c.field): list(c.sample_ids) for c in part(one).counts}
    assert samples["contact", "owner_id"] == [contact_id]
    assert samples["contact", "follower_ids"] == [other.id]
    assert part(one).left_count == 6
    assert (await firm.picture(), await firm.versions()) == (before, versions)
    assert (await firm.company.stub.GetUser(user_pb2.GetUserRequest(id=ana.id))).state == 2


@pytest.mark.large
async def test_everything_goes_to_one_person_and_the_leaver_is_out(firm: Firm) -> None:
    ana, as_ana = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    contact_id, request_id, closed_id, agreement_id, company_id = await customers(firm, ana.id)
    followed = await firm.contact(dewi.id, follower_ids=[ana.id])
    one = await firm.propose(ana.id, **everything_to(dewi.id))
    late = await firm.contact(ana.id)  # between preview and confirmation

    done = await firm.confirm(one.id)

    assert {p.service: p.state for p in done.parts} == {
        "identity": Part.STATE_DONE,
        "contacts": Part.STATE_DONE,
    }
    assert part(done).left_count == 0
    assert counted(done)["contact", "owner_id"] == {dewi.id: 2}
    for table, id in (("contacts", contact_id), ("contacts", late.id), ("requests", request_id), ("requests", closed_id),
                      ("companies", company_id)):  # fmt: skip
        assert await firm.owner(table, id) == dewi.id
    assert await firm.owner("agreements", agreement_id, "assignee_id") == dewi.id
    assert (
        await firm.owner(
            "notes", (await firm.rows("SELECT id FROM notes WHERE tenant_id = $1"))[0]["id"]
        )
        == dewi.id
    )
    assert await firm.owner("contacts", followed.id, "follower_ids") == "[]"
    (row,) = await firm.rows(
        "SELECT cause->>'kind' AS kind, cause->>'id' AS id, actor->>'user_id' AS by, changed FROM contacts_history"
        " WHERE tenant_id = $1 AND id = $2 AND version = 2",
        contact_id,
    )
    assert tuple(row) == ("handover", one.id, firm.admin.id, ["owner_id"])
    user = await firm.company.stub.GetUser(user_pb2.GetUserRequest(id=ana.id))
    assert user.state == user_pb2.USER_STATE_DEACTIVATED
    with pytest.raises(errors.Unauthenticated):
        await until(lambda: _calls(as_ana), 5)


async def _calls(person: Person) -> bool:
    """False as long as the person's token works."""
    await person.stub(ContactsServiceStub).ListContacts(contact_pb2.ListContactsRequest())
    return False


async def test_every_moved_record_has_one_event_and_one_version(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    made = {(await firm.contact(ana.id)).id for _ in range(5)}
    before = await firm.versions()
    one = await firm.propose(ana.id, **everything_to(dewi.id))

    await firm.confirm(one.id)

    assert (await firm.versions())["contacts"] == before["contacts"] + 5
    told = await firm.company.crm.events(firm.company, "ContactUpdated", count=5)
    assert Counter(event["contact"]["id"] for event in told) == Counter(list(made))
    assert {event["change"]["cause"]["kind"] for event in told} == {"handover"}


@pytest.mark.large
async def test_a_department_s_people_get_them_each_in_turn_and_what_belongs_together_stays(
    firm: Firm,
) -> None:
    department = await new_department(firm, "Sales")
    ana, _ = await firm.company.joined(department_id=department)
    people = sorted([(await firm.company.joined(department_id=department))[0].id for _ in range(3)])
    await members(firm, department, 4)
    contacts = [await firm.contact(ana.id) for _ in range(7)]
    requests = [await firm.request(ana.id, contact_id=c.id) for c in contacts]

    one = await firm.propose(ana.id, rules=[{"department_id": department}])

    assert counted(one)["contact", "owner_id"] == {people[0]: 3, people[1]: 2, people[2]: 2}
    await firm.confirm(one.id)
    owners, of_requests = await firm.owners("contacts"), await firm.owners("requests")
    assert Counter(owners.values()) == {people[0]: 3, people[1]: 2, people[2]: 2}
    for contact, request in zip(contacts, requests, strict=True):
        assert of_requests[request.id] == owners[contact.id]


async def test_labels_and_regions_decide_in_their_order(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    vip, south, rest = [(await firm.company.joined())[0].id for _ in range(3)]
    label = await firm.label("VIP")
    krakow = [{"city": "Kraków", "country": "PL"}]
    labelled = await firm.contact(ana.id, label_ids=[label], addresses=krakow)
    southern = await firm.contact(ana.id, addresses=krakow)
    other = await firm.contact(ana.id, addresses=[{"city": "Kraków", "country": "CZ"}])
    request = await firm.request(ana.id, contact_id=southern.id)

    one = await firm.propose(
        ana.id,
        rules=[
            {"label_ids": [label], "user_ids": [vip]},
            {"regions": [{"country": "PL", "city": "krakow"}], "user_ids": [south]},
            {"user_ids": [rest]},
        ],
    )
    await firm.confirm(one.id)

    owners = await firm.owners("contacts")
    assert [owners[c.id] for c in (labelled, southern, other)] == [vip, south, rest]
    assert await firm.owner("requests", request.id) == south


async def test_a_rule_may_name_kinds_of_records(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    desk, rest = [(await firm.company.joined())[0].id for _ in range(2)]
    contact = await firm.contact(ana.id)
    request = await firm.request(ana.id, contact_id=contact.id)
    one = await firm.propose(
        ana.id, rules=[{"objects": ["request"], "user_ids": [desk]}, {"user_ids": [rest]}]
    )
    await firm.confirm(one.id)
    assert await firm.owner("contacts", contact.id) == rest
    assert await firm.owner("requests", request.id) == desk


# -- what is refused ------------------------------------------------------------------------------------

WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"rules": []}, "VALUE_INVALID", "rules"),
    ({"rules": [{"user_ids": ["dewi"], "objects": ["contact"]}]}, "VALUE_INVALID", "rules"),
    (
        {"rules": [{"objects": ["contact"], "user_ids": ["dewi"]}, {}]},
        "VALUE_INVALID",
        "rules[1].user_ids",
    ),
    ({"rules": [{"user_ids": ["ana"]}]}, "VALUE_INVALID", "rules[0].user_ids"),
    ({"rules": [{"user_ids": ["invited"]}]}, "RECIPIENT_NOT_ACTIVE", "rules[0].user_ids[0]"),
    ({"rules": [{"user_ids": ["nobody"]}]}, "RECIPIENT_NOT_ACTIVE", "rules[0].user_ids[0]"),
    ({"rules": [{"department_id": "nobody"}]}, "RECIPIENT_NOT_ACTIVE", "rules[0].department_id"),
    ({"absence_id": "nobody"}, "REFERENCE_UNKNOWN", "absence_id"),
    ({"program_owner_id": "ana"}, "VALUE_INVALID", "program_owner_id"),
    ({"owner_id": "nobody"}, "REFERENCE_UNKNOWN", "owner_id"),
    ({"heads": [{"department_id": "nobody"}]}, "VALUE_INVALID", "heads[0].head_id"),
    ({"kind": Handover.KIND_TEMPORARY}, "VALUE_INVALID", "absence_id"),
]


@pytest.mark.parametrize(("values", "reason", "field"), WRONG)
async def test_what_no_handover_can_be_is_refused(
    firm: Firm, values: dict[str, Any], reason: str, field: str
) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    ids = {
        "ana": ana.id,
        "dewi": dewi.id,
        "nobody": uuid7(),
        "invited": (await firm.company.user()).id,
    }

    def named(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: named(each) for name, each in value.items()}
        return [named(each) for each in value] if isinstance(value, list) else ids.get(value, value)

    wanted = {
        "owner_id": ana.id,
        "kind": Handover.KIND_LEAVER,
        **everything_to(dewi.id),
        **named(values),
    }
    async with firm.company.unchanged():
        with pytest.raises(errors.CrmError) as refused:
            await firm.handovers.CreateHandover(
                handover_pb2.CreateHandoverRequest(handover=Handover(**wanted))
            )
    assert refused.value.reason == reason
    assert field in [violation.field for violation in refused.value.violations]


async def test_a_second_handover_of_the_same_person_waits_for_the_first(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    one = await firm.propose(ana.id, **everything_to(dewi.id))
    async with firm.company.unchanged():
        with pytest.raises(errors.FailedPrecondition, match=one.id) as refused:
            await firm.propose(ana.id, **everything_to(dewi.id))
    assert refused.value.reason == "HANDOVER_UNDER_WAY"

    await firm.handovers.DeleteHandover(handover_pb2.DeleteHandoverRequest(id=one.id))
    await firm.propose(ana.id, **everything_to(dewi.id))


async def test_a_recipient_who_left_meanwhile_gets_nothing(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    await firm.contact(ana.id)
    one = await firm.propose(ana.id, **everything_to(dewi.id))
    leaving = user_pb2.DeactivateUserRequest(
        id=dewi.id, force=True
    )  # without a handover of her own
    await firm.company.stub.DeactivateUser(leaving)
    versions = await firm.versions()
    async with firm.company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refused:
            await firm.confirm(one.id)
    assert refused.value.reason == "RECIPIENT_NOT_ACTIVE"
    assert await firm.versions() == versions


async def test_changed_rules_are_previewed_again(firm: Firm) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    budi, _ = await firm.company.joined()
    await firm.contact(ana.id)
    one = await firm.propose(ana.id, **everything_to(dewi.id))
    changed = Handover(id=one.id, rules=[{"user_ids": [budi.id]}])

    answer = await firm.handovers.UpdateHandover(
        handover_pb2.UpdateHandoverRequest(handover=changed, update_mask={"paths": ["rules"]})
    )

    assert (answer.state, answer.round) == (Handover.STATE_PROPOSED, 2)
    again = await firm.becomes(one.id, Handover.STATE_PREVIEWED)
    assert counted(again)["contact", "owner_id"] == {budi.id: 1}
    await firm.confirm(one.id)
    assert set((await firm.owners("contacts")).values()) == {budi.id}


async def test_a_service_that_is_down_is_missing_and_does_its_part_when_it_is_back(
    firm: Firm,
) -> None:
    ana, _ = await firm.company.joined()
    dewi, _ = await firm.company.joined()
    contact = await firm.contact(ana.id)
    async with firm.contacts_down():
        one = await firm.propose(ana.id, wait=False, **everything_to(dewi.id))
        assert part(one).state == Part.STATE_WAITING
        async with firm.company.unchanged():
            with pytest.raises(errors.FailedPrecondition, match="contacts") as refused:
                await firm.confirm(one.id)
        assert refused.value.reason == "HANDOVER_NOT_PREVIEWED"
        moving = await firm.confirm(one.id, wait=False, allow_missing=True)
        assert moving.state == Handover.STATE_MOVING
        assert await firm.owner("contacts", contact.id) == ana.id

    done = await firm.becomes(one.id, Handover.STATE_DONE)
    assert part(done).left_count == 0
    assert await firm.owner("contacts", contact.id) == dewi.id

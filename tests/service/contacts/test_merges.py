"""Several records made one: what the one has, who leads to it, and what refuses."""

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import Value

from chassis import errors
from chassis.testing.events import eventually
from crm.contacts.v1 import (
    company_pb2,
    contact_pb2,
    merge_pb2,
    party_pb2,
    request_pb2,
    timeline_pb2,
)
from crm.contacts.v1 import request_verbs_pb2 as verbs
from tests.service.contacts.merging import Merging
from tests.service.contacts.world import Refused, World

Merge = merge_pb2.MergeContactsRequest


@pytest.fixture
def merging(world: World) -> Merging:
    return Merging(world)


async def history(merging: Merging, id: str) -> list[tuple[str, str]]:
    answer = await merging.world.admin.ListContactHistory(
        contact_pb2.ListContactHistoryRequest(id=id)
    )
    return [(revision.action, revision.cause.kind) for revision in answer.revisions]


async def test_values_fill_blanks_and_lists_are_united_without_equal_keys(merging: Merging) -> None:
    a = await merging.contact(
        given_name="Jan",
        phones=[{"number": "+48601234567", "kind": 1}],
        lifecycle_stage=party_pb2.LIFECYCLE_STAGE_LEAD,
    )
    b = await merging.contact(
        given_name="Janek", family_name="Nowak", position="Boss", lifecycle_stage=party_pb2.LIFECYCLE_STAGE_CUSTOMER,
        phones=[{"number": "+48601234567", "kind": 2}, {"number": "+48601234568"}], emails=[{"address": "j@example.com"}],
        external_ids=[{"system": "shop", "id": "1"}],
    )  # fmt: skip
    merged = (await merging.merge(a, b)).contact
    assert (merged.id, merged.given_name, merged.family_name, merged.position) == (
        a.id,
        "Jan",
        "",
        "Boss",
    )
    assert [(phone.number, phone.kind) for phone in merged.phones] == [
        ("+48601234567", 1),
        ("+48601234568", 0),
    ]
    assert [email.address for email in merged.emails] == ["j@example.com"]
    assert merged.lifecycle_stage == party_pb2.LIFECYCLE_STAGE_CUSTOMER
    assert "merge" in merged.can


async def test_choices_say_whose_value_wins_custom_fields_and_lists_too(merging: Merging) -> None:
    from crm.common.v1 import common_pb2
    from crm.contacts.v1 import customization_pb2

    field = common_pb2.CustomField(
        resource="contacts", key="shoe", label="Shoe", type=common_pb2.CUSTOM_FIELD_TYPE_TEXT
    )
    await merging.world.admin.CreateCustomField(
        customization_pb2.CreateCustomFieldRequest(custom_field=field)
    )
    a = await merging.contact(
        given_name="A",
        phones=[{"number": "+48601234567"}],
        custom={"shoe": Value(string_value="40")},
    )
    b = await merging.contact(
        given_name="B",
        phones=[{"number": "+48601234568"}],
        custom={"shoe": Value(string_value="41")},
    )
    c = await merging.contact(given_name="C", position="Chief")
    before = await merging.state()
    merge = await merging.merge(
        a, b, c, choices={"given_name": b.id, "custom.shoe": b.id, "phones": b.id, "position": a.id}
    )
    one = merge.contact
    assert (one.given_name, one.display_name, one.position) == ("B", "B", "")
    assert one.custom["shoe"].string_value == "41"
    assert [phone.number for phone in one.phones] == ["+48601234568"]
    assert list((await merging.undo(merge)).kept) == []
    assert await merging.state() == before


async def test_a_name_and_a_position_come_whole_from_one_record(merging: Merging) -> None:
    firm = await merging.company(name="Okna")
    a = await merging.contact(phones=[{"number": "+48601234567"}])
    b = await merging.contact(given_name="Jan", position="Boss", company_id=firm.id)
    c = await merging.contact(given_name="Ewa", family_name="Lis", position="Chief")
    one = (await merging.merge(a, b, c)).contact
    assert (one.given_name, one.family_name, one.display_name) == ("Jan", "", "Jan")
    assert (one.company_id, one.position) == (firm.id, "Boss")


async def test_owners_of_the_merged_keep_reading_as_followers(merging: Merging) -> None:
    grants = [{"object": "contact", "action": "*", "scope": "own"}]
    one, other = (
        await merging.world.tenant.person(grants),
        await merging.world.tenant.person(grants),
    )
    a = await merging.contact(given_name="A", owner_id=one.id)
    b = await merging.contact(given_name="B", owner_id=other.id)
    merged = (await merging.merge(a, b)).contact
    assert (merged.owner_id, list(merged.follower_ids)) == (one.id, [other.id])
    seen = await merging.world.stub(other).GetContact(contact_pb2.GetContactRequest(id=b.id))
    assert seen.id == a.id


async def test_references_lead_to_the_survivor(merging: Merging) -> None:
    world = merging.world
    a, b = await merging.contact(given_name="A"), await merging.contact(given_name="B")
    other = await merging.contact(
        given_name="C", referrer={"contact_id": b.id},
        relations=[{"contact_id": b.id, "kind": "friend", "note": "old"}, {"contact_id": a.id, "kind": "friend"}],
    )  # fmt: skip
    request = await world.admin.CreateRequest(
        request_pb2.CreateRequestRequest(request=request_pb2.Request(text="x", contact_id=b.id))
    )
    merge = await merging.merge(a, b)
    other = await world.contact(other.id)
    assert other.referrer.contact_id == a.id
    assert [(r.contact_id, r.note) for r in other.relations] == [
        (a.id, "old")
    ]  # no second one to the same end
    assert (await world.request(request.id)).contact_id == a.id
    listed = await world.admin.ListRequests(
        request_pb2.ListRequestsRequest(filter=f'contact_id = "{a.id}"')
    )
    assert [each.id for each in listed.requests] == [request.id]
    await merging.undo(merge)
    other = await world.contact(other.id)
    assert [(r.contact_id, r.note) for r in other.relations] == [(b.id, "old"), (a.id, "")]
    assert (await world.request(request.id)).contact_id == b.id


async def test_people_of_a_merged_company_work_for_the_survivor(merging: Merging) -> None:
    a, b = (
        await merging.company(name="A", domains=["a.pl"]),
        await merging.company(name="B", domains=["b.pl"]),
    )
    person = await merging.contact(given_name="P", company_id=b.id)
    merge = await merging.merge(a, b)
    assert list(merge.company.domains) == ["a.pl", "b.pl"]
    assert (await merging.world.contact(person.id)).company_id == a.id
    found = await merging.world.admin.GetCompany(company_pb2.GetCompanyRequest(id=b.id))
    assert found.id == a.id
    events = await merging.world.running.events(merging.world.tenant, "CompanyMerged")
    assert [(e["companyId"], e["mergedIds"], e["change"]["cause"]["kind"]) for e in events] == [
        (a.id, [b.id], "merge")
    ]


async def test_old_ids_answer_with_the_survivor_through_chains(merging: Merging) -> None:
    world = merging.world
    a, b, c = [await merging.contact(given_name=name) for name in "ABC"]
    live = await merging.contact(given_name="D")
    await merging.merge(b, a)
    await merging.merge(c, b)
    assert (await world.contact(a.id)).id == c.id
    got = await world.admin.BatchGetContacts(
        contact_pb2.BatchGetContactsRequest(ids=[a.id, live.id, b.id, world.tenant.id])
    )
    assert [each.id for each in got.contacts] == [c.id, live.id]
    assert list(got.missing_ids) == [world.tenant.id]
    firm = await merging.contact(given_name="E", relations=[{"contact_id": a.id, "kind": "friend"}])
    assert firm.relations[0].contact_id == c.id
    request = await world.admin.CreateRequest(
        request_pb2.CreateRequestRequest(request=request_pb2.Request(text="x", contact_id=a.id))
    )
    assert request.contact_id == c.id
    renamed = await world.admin.UpdateContact(
        contact_pb2.UpdateContactRequest(
            contact=contact_pb2.Contact(id=a.id, position="X"),
            update_mask=FieldMask(paths=["position"]),
        )
    )
    assert (renamed.id, renamed.position) == (c.id, "X")


async def test_a_request_is_matched_to_the_survivor(merging: Merging) -> None:
    a = await merging.contact(given_name="A")
    b = await merging.contact(given_name="B", phones=[{"number": "+48601234567"}])
    await merging.merge(a, b)
    request = await merging.world.submitted(await merging.world.form(), name="B", phone="601234567")
    assert request.contact_id == a.id


async def test_timeline_is_united_and_history_stays_with_the_old_id(merging: Merging) -> None:
    world = merging.world
    a, b = await merging.contact(given_name="A"), await merging.contact(given_name="B")
    await merging.merge(a, b)

    async def names(id: str) -> list[str]:
        answer = await world.admin.ListContactTimeline(
            timeline_pb2.ListContactTimelineRequest(id=id)
        )
        return sorted(entry.type.rpartition(".")[2] for entry in answer.entries)

    async def there() -> bool:
        return "ContactMerged" in await names(a.id) and "ContactDeleted" in await names(a.id)

    await eventually(there, "the merge on the timeline")
    assert await names(a.id) == await names(b.id)
    assert [name for name in await names(a.id) if name == "ContactCreated"] == [
        "ContactCreated"
    ] * 2
    assert await history(merging, b.id) == [("deleted", "merge"), ("created", "rpc")]
    assert await history(merging, a.id) == [("created", "rpc")]


async def test_deleting_and_undeleting_a_merged_id_is_refused(merging: Merging) -> None:
    a, b = await merging.contact(given_name="A"), await merging.contact(given_name="B")
    await merging.merge(a, b)
    async with Refused(merging.world, errors.FailedPrecondition, "RECORD_MERGED"):
        await merging.world.admin.DeleteContact(contact_pb2.DeleteContactRequest(id=b.id))
    async with Refused(merging.world, errors.FailedPrecondition, "RECORD_MERGED"):
        await merging.world.admin.UndeleteContact(contact_pb2.UndeleteContactRequest(id=b.id))
    late = contact_pb2.UpdateContactRequest(
        contact=contact_pb2.Contact(id=b.id, position="X"),
        update_mask=FieldMask(paths=["position"]),
        etag=b.etag,
    )
    async with Refused(merging.world, errors.Aborted, errors.Aborted.reason):
        await merging.world.admin.UpdateContact(late)


async def test_external_ids_go_along_and_a_system_may_name_the_survivor_twice(
    merging: Merging,
) -> None:
    world = merging.world
    a = await merging.contact(given_name="A", external_ids=[{"system": "shop", "id": "1"}])
    b = await merging.contact(given_name="B", external_ids=[{"system": "shop", "id": "2"}])
    await merging.merge(a, b)
    listed = await world.admin.ListContacts(
        contact_pb2.ListContactsRequest(filter='external_ids : "shop/2"')
    )
    assert [each.id for each in listed.contacts] == [a.id]
    await world.admin.UpdateContact(
        contact_pb2.UpdateContactRequest(
            contact=contact_pb2.Contact(id=a.id, position="X"),
            update_mask=FieldMask(paths=["position"]),
        )
    )
    async with Refused(world, errors.AlreadyExists, "EXTERNAL_ID_TAKEN"):
        await merging.contact(given_name="C", external_ids=[{"system": "shop", "id": "2"}])


async def test_candidates_of_a_request_may_be_chosen_by_their_old_id(merging: Merging) -> None:
    for name in "AB":
        await merging.contact(given_name=name, phones=[{"number": "+48601234567"}])
    request = await merging.world.submitted(await merging.world.form(), name="X", phone="601234567")
    survivor, merged = [contact_pb2.Contact(id=id) for id in sorted(request.candidate_ids)]
    await merging.merge(survivor, merged)
    chosen = await merging.world.admin.ChooseRequestContact(
        verbs.ChooseRequestContactRequest(id=request.id, contact_id=merged.id)
    )
    assert chosen.contact_id == survivor.id


async def test_a_preview_shows_the_result_field_by_field_and_changes_nothing(
    merging: Merging,
) -> None:
    a = await merging.contact(given_name="A", position="Boss")
    b = await merging.contact(given_name="B", position="Chief", phones=[{"number": "+48601234567"}])
    await merging.contact(given_name="C", relations=[{"contact_id": b.id, "kind": "friend"}])
    before = await merging.world.state()
    request = Merge(id=a.id, merged_ids=[b.id], choices={"position": b.id})
    preview = await merging.stub.PreviewMergeContacts(request)
    assert await merging.world.state() == before
    assert (preview.contact.id, preview.contact.given_name, preview.contact.position) == (
        a.id,
        "A",
        "Chief",
    )
    shown = {
        field.field: (field.chosen_id, [o.id for o in field.options]) for field in preview.fields
    }
    assert shown["position"] == (b.id, [a.id, b.id])
    assert shown["given_name"] == (a.id, [a.id, b.id])
    assert [(each.object, each.count) for each in preview.moved] == [("contact", 1)]
    merged = await merging.stub.MergeContacts(request)
    preview.contact.etag, merged.contact.etag = "", ""
    assert merged.contact.position == preview.contact.position


async def test_a_hidden_field_is_neither_previewed_nor_chosen(merging: Merging) -> None:
    everything = [{"object": "*", "action": "*", "scope": "all"}]
    blind = merging.stub_of(
        await merging.world.tenant.person(everything, hidden=["contact.position"])
    )
    a = await merging.contact(given_name="A", position="Boss")
    b = await merging.contact(given_name="B", position="Chief")
    preview = await blind.PreviewMergeContacts(Merge(id=a.id, merged_ids=[b.id]))
    assert (
        preview.contact.position,
        [f.field for f in preview.fields if f.field == "position"],
    ) == ("", [])
    async with Refused(merging.world, errors.PermissionDenied, "FIELD_HIDDEN"):
        await blind.MergeContacts(Merge(id=a.id, merged_ids=[b.id], choices={"position": b.id}))
    assert (await blind.MergeContacts(Merge(id=a.id, merged_ids=[b.id]))).contact.position == ""
    assert (await merging.world.contact(a.id)).position == "Boss"

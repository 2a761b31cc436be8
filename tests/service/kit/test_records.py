"""Get, BatchGet, Create, Delete, Undelete, History, as-of and `can` of a resource."""

from datetime import timedelta

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Installation, Tenant
from chassis.times import to_datetime
from crm.contacts.v1 import contact_pb2 as pb
from tests.service.kit.support import Desk, event_counts, unchanged, versions


async def test_created_contact_is_got_as_it_was_answered(desk: Desk) -> None:
    made = await desk.create("Ana Żak", emails=[{"address": "ana@example.com"}])

    assert made.etag == "1"
    assert made.create_time == made.update_time
    assert made.id[14] == "7"
    assert await desk.get(made.id) == made


async def test_get_with_fields_answers_only_these(desk: Desk) -> None:
    made = await desk.create("Ana", salutation="Pani")

    got = await desk.get(made.id, "salutation")

    assert got == pb.Contact(id=made.id, etag="1", salutation="Pani")
    with pytest.raises(errors.InvalidArgument, match="shoe"):
        await desk.get(made.id, "shoe")


async def test_client_may_offer_a_version_7_id_and_no_other(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    offered = uuid7()
    assert (await desk.create("Offline", id=offered.upper())).id == offered

    async with unchanged(crm, tenant):
        with pytest.raises(errors.AlreadyExists):
            await desk.create("Again", id=offered)
        for bad in ("3f2504e0-4f89-41d3-9a0c-0305e82c3301", "no-uuid", uuid7()[:-1]):
            with pytest.raises(errors.InvalidArgument) as refusal:
                await desk.create("Bad", id=bad)
            assert "id" in refusal.value.violations[0].field


async def test_what_only_the_server_sets_is_not_taken_from_the_client(desk: Desk) -> None:
    made = await desk.create("Ana", etag="77", can=["fly"])

    assert made.etag == "1"
    assert "fly" not in made.can


async def test_batch_get_answers_in_order_and_names_what_is_missing(desk: Desk) -> None:
    ids = [(await desk.create(name)).id for name in ("A", "B")]
    gone = (await desk.create("C")).id
    await desk.delete(gone)
    stranger = uuid7()

    answer = await desk.stub.BatchGetContacts(
        pb.BatchGetContactsRequest(ids=[ids[1], gone, ids[0], stranger, ids[1]])
    )

    assert [c.display_name for c in answer.contacts] == ["B", "A"]
    assert list(answer.missing_ids) == [gone, stranger]
    assert "update" in answer.contacts[0].can


async def test_batch_get_refuses_more_than_two_hundred_ids(desk: Desk) -> None:
    with pytest.raises(errors.InvalidArgument):
        await desk.stub.BatchGetContacts(
            pb.BatchGetContactsRequest(ids=[uuid7() for _ in range(201)])
        )


async def test_deleted_contact_is_gone_until_it_is_brought_back(desk: Desk) -> None:
    made = await desk.create()

    deleted = await desk.delete(made.id)
    assert deleted.HasField("delete_time")
    with pytest.raises(errors.NotFound):
        await desk.get(made.id)
    with pytest.raises(errors.NotFound):
        await desk.update(made.id, display_name="X")
    with pytest.raises(errors.NotFound):
        await desk.delete(made.id)
    assert await desk.names() == []
    assert await desk.names(show_deleted=True) == ["Ana"]

    back = await desk.undelete(made.id)
    assert not back.HasField("delete_time")
    assert back.etag == "3"
    assert await desk.names() == ["Ana"]
    with pytest.raises(errors.FailedPrecondition):
        await desk.undelete(made.id)


async def test_delete_with_an_old_etag_is_refused_and_changes_nothing(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    made = await desk.create()
    await desk.update(made.id, display_name="B")

    async with unchanged(crm, tenant):
        with pytest.raises(errors.Aborted, match="etag 1"):
            await desk.delete(made.id, etag=made.etag)


async def test_history_tells_who_changed_what_from_which_value(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    other = await tenant.person([{"object": "*", "action": "*", "scope": "all"}])
    made = await desk.create("Ana", salutation="Pani")
    await Desk(tenant, other).update(made.id, display_name="Anna")
    await desk.delete(made.id)

    found = await desk.history(made.id)

    assert [(r.version, r.action) for r in found] == [
        (3, "deleted"),
        (2, "updated"),
        (1, "created"),
    ]
    assert found[1].actor.user_id == other.id
    assert found[1].cause.kind == "rpc"
    change = next(c for c in found[1].changes if c.field == "display_name")
    assert (change.before.string_value, change.after.string_value) == ("Ana", "Anna")
    assert {c.field for c in found[2].changes} >= {"display_name", "salutation", "owner_id"}
    assert await versions(crm, "contacts", made.id) == [1, 2, 3]


async def test_history_is_paged(desk: Desk) -> None:
    made = await desk.create("N0")
    for n in range(1, 5):
        await desk.update(made.id, display_name=f"N{n}")

    seen, token = [], ""
    while True:
        request = pb.ListContactHistoryRequest(id=made.id, page_size=2, page_token=token)
        answer = await desk.stub.ListContactHistory(request)
        seen += [(r.version, len(r.changes) > 0) for r in answer.revisions]
        token = answer.next_page_token
        if not token:
            break

    assert seen == [(5, True), (4, True), (3, True), (2, True), (1, True)]
    with pytest.raises(errors.InvalidArgument):
        await desk.stub.ListContactHistory(
            pb.ListContactHistoryRequest(id=made.id, page_token="forged")
        )


async def test_record_and_list_are_read_as_of_an_instant(desk: Desk) -> None:
    first = await desk.create("Ana", position="clerk")
    second = await desk.create("Budi")
    renamed = await desk.update(first.id, display_name="Anna", position="chief")
    then = to_datetime(renamed.update_time)
    before = then - timedelta(microseconds=1)
    await desk.delete(second.id)
    await desk.create("Cem")

    assert (await desk.get(first.id, as_of=then)).display_name == "Anna"
    assert (await desk.get(first.id, as_of=before)).display_name == "Ana"
    assert (await desk.get(first.id, as_of=before)).etag == "1"
    assert (await desk.get(second.id, as_of=then)).display_name == "Budi"  # deleted since
    assert await desk.names(as_of=before, order_by="display_name") == ["Ana", "Budi"]
    assert await desk.names(as_of=then, order_by="display_name desc") == ["Budi", "Anna"]
    assert await desk.names(as_of=then, filter='position = "chief"') == ["Anna"]
    assert await desk.names(as_of=before, filter='position = "chief"') == []
    assert await desk.names(as_of=then, q="anna") == ["Anna"]
    assert await desk.names(order_by="display_name") == ["Anna", "Cem"]
    with pytest.raises(errors.NotFound):
        await desk.get(first.id, as_of=to_datetime(first.create_time) - timedelta(seconds=1))


async def test_as_of_list_is_paged_and_its_token_is_of_that_instant_only(desk: Desk) -> None:
    last = [await desk.create(f"N{n}") for n in range(5)][-1]
    then = to_datetime(last.create_time)
    await desk.create("N9")

    first = await desk.page(as_of=then, order_by="display_name", page_size=3)
    rest = await desk.page(
        as_of=then, order_by="display_name", page_size=3, page_token=first.next_page_token
    )

    assert [c.display_name for c in (*first.contacts, *rest.contacts)] == [
        "N0",
        "N1",
        "N2",
        "N3",
        "N4",
    ]
    assert rest.next_page_token == ""
    with pytest.raises(errors.InvalidArgument):
        await desk.page(order_by="display_name", page_size=3, page_token=first.next_page_token)


async def test_can_names_what_the_caller_may_do_with_this_record(
    tenant: Tenant, desk: Desk
) -> None:
    grants = [
        {"object": "contact", "action": "read", "scope": "all"}, {"object": "contact", "action": "create", "scope": "all"},
        {"object": "contact", "action": "update", "scope": "own"},
    ]  # fmt: skip
    seller = Desk(tenant, await tenant.person(grants))
    theirs, own = await desk.create("Theirs"), await seller.create("Own")

    assert list(own.can) == ["read", "update"]
    assert list((await seller.get(own.id)).can) == ["read", "update"]
    assert list((await seller.get(theirs.id)).can) == ["read"]
    can = {c.display_name: list(c.can) for c in (await seller.page()).contacts}
    assert can == {"Theirs": ["read"], "Own": ["read", "update"]}
    assert list((await seller.update(own.id, display_name="Mine")).can) == ["read", "update"]
    assert list((await seller.update(own.id, display_name="Mine")).can) == [
        "read",
        "update",
    ]  # nothing changed


async def test_each_write_is_one_event_with_its_changed_fields(
    crm: Installation, tenant: Tenant, desk: Desk
) -> None:
    made = await desk.create("Ana")
    await desk.update(made.id, salutation="Pani")
    await desk.delete(made.id)
    await desk.undelete(made.id)

    (updated,) = await crm.events(tenant, "ContactUpdated", count=1)
    (back,) = await crm.events(tenant, "ContactUndeleted", count=1)

    assert updated["change"]["changedFields"] == ["salutation"]
    assert updated["change"]["version"] == "2"
    assert updated["contact"]["salutation"] == "Pani"
    assert back["contact"]["etag"] == "4"
    counts = await event_counts(crm, tenant)
    assert counts == {
        "ContactCreated": 1,
        "ContactUpdated": 1,
        "ContactDeleted": 1,
        "ContactUndeleted": 1,
    }


async def test_stored_answer_of_a_read_in_json_is_the_same_record(
    crm: Installation, desk: Desk
) -> None:
    import orjson

    made = await desk.create("Ana", salutation="Pani")
    metadata = {"authorization": f"Bearer {desk.person.token}", "crm-accept": "json"}
    request = pb.GetContactRequest(id=made.id).SerializeToString()

    data, trailing = await crm.local.unary(
        "/crm.contacts.v1.ContactsService/GetContact", request, metadata
    )

    assert trailing["crm-content"] == "json"
    assert trailing["crm-etag"] == "1"
    body = orjson.loads(data)
    assert (body["displayName"], body["salutation"], body["can"]) == ("Ana", "Pani", list(made.can))

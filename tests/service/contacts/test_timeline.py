"""What happened, for those who may know it."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.events import eventually
from chassis.times import to_timestamp
from crm.contacts.v1 import company_pb2, contact_pb2, request_pb2
from crm.contacts.v1 import request_verbs_pb2 as verbs
from crm.contacts.v1 import timeline_pb2 as pb
from crm.contacts.v1.company_pb2 import Company
from tests.service.contacts.world import Refused, World


async def settled(world: World, rows: int) -> None:
    """Waits until the projection has this many rows."""

    async def there() -> bool:
        return await world.count("timeline") >= rows

    await eventually(there, f"{rows} rows on the timeline")
    assert await world.count("timeline") == rows


def names(answer: Any) -> list[str]:
    return [entry.type.rpartition(".")[2] for entry in answer.entries]


async def of_contact(stub: Any, id: str, **request: Any) -> Any:
    return await stub.ListContactTimeline(pb.ListContactTimelineRequest(id=id, **request))


async def rename(world: World, id: str, name: str) -> None:
    await world.admin.UpdateContact(
        contact_pb2.UpdateContactRequest(
            contact=contact_pb2.Contact(id=id, given_name=name),
            update_mask=FieldMask(paths=["given_name"]),
        )
    )


async def test_everything_that_happened_to_a_contact_newest_first(world: World) -> None:
    request = await world.submitted(
        await world.form(), name="Jan", phone="601234567", text="Windows, please"
    )
    await world.admin.StartRequest(verbs.StartRequestRequest(id=request.id))
    await rename(world, request.contact_id, "Janek")
    await settled(world, 5)  # with FormCreated, which concerns no contact

    answer = await of_contact(world.admin, request.contact_id)
    assert names(answer)[:2] == ["ContactUpdated", "RequestStarted"]
    assert sorted(names(answer)[2:]) == ["ContactCreated", "RequestReceived"]
    changed, started = answer.entries[:2]
    assert (changed.headline, list(changed.changed_fields)) == (
        "Janek",
        ["display_name", "given_name"],
    )
    assert (started.headline, started.object, started.object_id) == (
        "Windows, please",
        "request",
        request.id,
    )
    assert started.actor.user_id == world.tenant.admin.id
    assert names(await of_contact(world.admin, request.contact_id, kinds=["request"])) == [
        "RequestStarted",
        "RequestReceived",
    ]


async def test_a_companys_timeline_shows_its_people_too(world: World) -> None:
    company = await world.admin.CreateCompany(
        company_pb2.CreateCompanyRequest(company=Company(name="Okna"))
    )
    await world.contact(given_name="Jan", company_id=company.id)
    await settled(world, 3)  # the contact's creation stands on two timelines
    answer = await world.admin.ListCompanyTimeline(pb.ListCompanyTimelineRequest(id=company.id))
    assert names(answer) == ["ContactCreated", "CompanyCreated"]
    everything = await world.admin.ListTimeline(pb.ListTimelineRequest())
    assert names(everything) == ["ContactCreated", "CompanyCreated"]


async def test_pages_show_every_entry_exactly_once(world: World) -> None:
    id = (await world.contact(given_name="A")).id
    for number in range(9):
        await rename(world, id, f"A{number}")
    await settled(world, 10)
    seen, token = [], ""
    while True:
        answer = await of_contact(world.admin, id, page_size=3, page_token=token)
        seen += [entry.event_id for entry in answer.entries]
        token = answer.next_page_token
        if not token:
            break
        assert len(answer.entries) == 3
    assert len(seen) == len(set(seen)) == 10


async def test_each_entry_only_for_a_reader_of_the_record_behind_it(world: World) -> None:
    own = [{"object": o, "action": "read", "scope": "own"} for o in ("contact", "request")]
    seller, colleague = await world.tenant.person(own), await world.tenant.person(own)
    contact = await world.contact(given_name="A", owner_id=seller.id, follower_ids=[colleague.id])
    theirs = await world.admin.CreateRequest(
        request_pb2.CreateRequestRequest(
            request=request_pb2.Request(text="x", contact_id=contact.id)
        )
    )
    await settled(world, 3)
    assert names(await of_contact(world.stub(seller), contact.id)) == ["ContactCreated"]
    assert names(await world.stub(colleague).ListTimeline(pb.ListTimelineRequest())) == [
        "ContactCreated"
    ]

    await world.admin.AssignRequest(verbs.AssignRequestRequest(id=theirs.id, owner_id=seller.id))
    await settled(world, 4)
    assert sorted(names(await of_contact(world.stub(seller), contact.id))) == [
        "ContactCreated",
        "RequestAssigned",
        "RequestAssigned",
        "RequestReceived",
    ]
    assert names(await of_contact(world.stub(colleague), contact.id)) == ["ContactCreated"]


async def test_the_timeline_of_a_card_that_the_reader_may_not_see_does_not_exist(
    world: World,
) -> None:
    contact = await world.contact(given_name="A")
    stranger = await world.tenant.person([{"object": "contact", "action": "read", "scope": "own"}])
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await of_contact(world.stub(stranger), contact.id)
    other = World(world.running, await world.running.tenant())
    async with Refused(world, errors.NotFound, "NOT_FOUND"):
        await of_contact(other.admin, contact.id)
    assert names(await other.admin.ListTimeline(pb.ListTimelineRequest())) == []


async def test_a_hidden_field_is_neither_headline_nor_named(world: World) -> None:
    id = (await world.contact(given_name="A")).id
    await rename(world, id, "B")
    await settled(world, 2)
    grants = [{"object": "contact", "action": "read", "scope": "all"}]
    person = await world.tenant.person(grants, hidden=["contact.display_name"])
    entry = (await of_contact(world.stub(person), id)).entries[0]
    assert (entry.headline, list(entry.changed_fields)) == ("", ["given_name"])


async def test_by_actor_and_period(world: World) -> None:
    seller = await world.tenant.person([{"object": "*", "action": "*", "scope": "all"}])
    before = datetime.now(UTC)
    await world.stub(seller).CreateContact(
        contact_pb2.CreateContactRequest(contact=contact_pb2.Contact(given_name="S"))
    )
    await world.contact(given_name="A")
    await settled(world, 2)

    async def headlines(**request: Any) -> list[str]:
        answer = await world.admin.ListTimeline(pb.ListTimelineRequest(**request))
        return [entry.headline for entry in answer.entries]

    assert await headlines(actor_id=seller.id) == ["S"]
    assert await headlines(**{"from": to_timestamp(before)}) == ["A", "S"]
    assert await headlines(to=to_timestamp(before)) == []
    assert await headlines(actor_id=seller.id, kinds=["request"]) == []


async def test_a_token_of_another_list_is_refused(world: World) -> None:
    one, other = [(await world.contact(given_name=name)).id for name in ("Ana", "Piotr")]
    await rename(world, one, "Siti")
    await settled(world, 3)
    token = (await of_contact(world.admin, one, page_size=1)).next_page_token
    with pytest.raises(errors.InvalidArgument) as refused:
        await of_contact(world.admin, other, page_token=token)
    assert [v.field for v in refused.value.violations] == ["page_token"]


async def publish(world: World, name: str, body: dict[str, Any], event_id: str) -> None:
    """An event as identity's relay would publish it."""
    type_name = f"crm.identity.v1.{name}"
    headers = {
        "ce-id": event_id, "ce-type": type_name, "ce-source": "/identity", "ce-specversion": "1.0",
        "ce-time": datetime.now(UTC).isoformat(), "ce-subject": world.tenant.id, "content-type": "application/json",
        "Nats-Msg-Id": uuid7(),
    }  # fmt: skip
    subject = f"crm.{world.tenant.id}.identity.{name}"
    await world.running.process.nats.js.publish(subject, orjson.dumps(body), headers=headers)


async def test_a_new_tenant_begins_with_five_sources_once(world: World) -> None:
    event_id, body = uuid7(), {"tenant": {"id": world.tenant.id, "name": "T"}}
    await publish(world, "TenantCreated", body, event_id)

    async def seeded() -> bool:
        return await world.count("sources") == 5

    await eventually(seeded, "five sources")
    await publish(world, "TenantCreated", body, event_id)  # delivered again
    await publish(world, "TenantCreated", body, uuid7())  # told again
    await world.running.events(world.tenant, "SourceCreated", count=5)
    listed = await world.running.rows(
        "contacts",
        "SELECT key FROM sources WHERE tenant_id = $1 ORDER BY position",
        world.tenant.id,
    )
    assert [row["key"] for row in listed] == [
        "company_site",
        "online_shop",
        "social_network",
        "contextual_ad",
        "other_advertising",
    ]

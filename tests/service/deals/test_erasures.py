"""deals' part when a person is erased, and when he asks for his data."""

from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from google.protobuf.struct_pb2 import Value

from chassis.keys import uuid7
from chassis.times import to_timestamp
from crm.common.v1 import common_pb2
from crm.contacts.v1 import contact_pb2, events_pb2, party_pb2, request_pb2
from crm.contacts.v1 import privacy_events_pb2 as contacts
from crm.deals.v1 import (
    customization_pb2,
    deal_pb2,
    deal_reason_pb2,
    deal_settings_pb2,
    deal_verbs_pb2,
)
from crm.deals.v1.deal_change_pb2 import DealChange, LabelDeals
from crm.deals.v1.deal_pb2 import Participant, Promise
from crm.deals.v1.deal_reason_pb2 import DealReason
from services.deals import changes, consumers_parties, consumers_requests, erasing, personal_data
from services.deals.rules.privacy import ERASED_TITLE
from services.deals.store import privacy
from tests.service.deals.moving import answered, places_of, system
from tests.service.deals.test_deal_changes import get, preview, run, undo
from tests.service.deals.world import Deal, World

SURNAME = "Brzozowiczowna"
BY_ID = {"operations", "timers", "stream", "parties", "buyers", "named_records"}
"""Where the bare id stays: in what the erasure itself was asked for, deep inside of what tells of somebody else, and in the empty
row that keeps what comes late from being written down again."""


async def erased(world: World, *ids: str, records: tuple[str, ...] = ()) -> dict[str, int]:
    """contacts has erased the person; what deals reports."""
    event = contacts.ContactErased(
        erasure_id=uuid7(), contact_id=ids[0], merged_ids=ids[1:], record_ids=records
    )
    await system(world, lambda tx: erasing.erased.begin(event, tx))
    (done,) = await answered(world, "ErasureDone")
    report = done["report"]
    assert (report["erasureId"], report["service"]) == (event.erasure_id, "deals")
    return {place["name"]: int(place["count"]) for place in report.get("places", [])}


def received(world: World, id: str, contact_id: str) -> events_pb2.RequestReceived:
    request = request_pb2.Request(
        id=id, contact_id=contact_id, text=f"{SURNAME} wants windows", state=request_pb2.Request.STATE_NEW
    )  # fmt: skip
    event = events_pb2.RequestReceived(request=request)
    event.change.version = 1
    return event


def known(id: str) -> events_pb2.ContactCreated:
    event = events_pb2.ContactCreated(contact=contact_pb2.Contact(id=id, family_name=SURNAME))
    event.change.version = 1
    return event


async def lose(world: World, deal: Deal) -> Deal:
    reason = DealReason(name="Price", kind=DealReason.KIND_LOST)
    price = await world.admin.CreateDealReason(
        deal_reason_pb2.CreateDealReasonRequest(deal_reason=reason)
    )
    return await world.admin.LoseDeal(
        deal_verbs_pb2.LoseDealRequest(
            id=deal.id, reason_id=price.id, note=f"{SURNAME} changed her mind",
            competitor="Okna sp. z o.o.",
        )
    )  # fmt: skip


async def rename(world: World, deal: Deal, **values: Any) -> Deal:
    changed = Deal(id=deal.id, **values)
    return await world.admin.UpdateDeal(
        deal_pb2.UpdateDealRequest(deal=changed, update_mask={"paths": sorted(values)})
    )


async def figures(world: World) -> list[tuple[Any, ...]]:
    """What statistics count: deals by stage, state, owner, value and end."""
    sql = (
        "SELECT pipeline_id, stage_id, state, owner_id, amount, competitor, end_time, count(*) AS n FROM deals"
        " WHERE tenant_id = $1 GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY amount, state"
    )
    rows = await world.running.rows("deals", sql, world.tenant.id)
    return sorted((tuple(row) for row in rows), key=str)


@pytest.mark.large
async def test_nothing_tells_of_the_person_any_more_and_the_figures_stay(world: World) -> None:
    person, other, request = uuid7(), uuid7(), uuid7()
    seller = await world.seller()
    touch = party_pb2.Touch(utm_source="google", referrer=f"https://x.example/{SURNAME}")
    promise = Promise(
        time=to_timestamp(datetime.now().astimezone() + timedelta(days=3)), text=f"to {SURNAME}"
    )
    hers = await world.make(
        seller, title=f"Windows for {SURNAME}", contact_id=person, amount="1200", last_touch=touch, promise=promise,
        participants=[Participant(contact_id=other, role="pays"), Participant(user_id=seller.id, role="installs", note=SURNAME)],
    )  # fmt: skip
    lost = await lose(world, await world.make(seller, title=SURNAME, contact_id=person, amount="7"))
    gone = await world.make(seller, title=SURNAME, contact_id=person)
    await world.admin.DeleteDeal(deal_pb2.DeleteDealRequest(id=gone.id))
    renamed = await world.make(seller, title="Doors", contact_id=person)
    renamed = await rename(world, renamed, contact_id=other)
    joint = await world.make(
        seller, title="Roof", contact_id=other,
        participants=[Participant(contact_id=person, role="decides", note=SURNAME), Participant(contact_id=other, role="pays")],
    )  # fmt: skip
    unconcerned = await world.deal((await world.make(title="Gate", contact_id=other)).id)
    await system(world, lambda tx: consumers_requests.follow(received(world, request, person), tx))
    await system(world, lambda tx: consumers_parties.follow(known(person), tx))
    before = await figures(world)

    places = await erased(world, person, records=(request,))

    assert await places_of(world, SURNAME) == {}
    assert (await places_of(world, person)).keys() <= BY_ID
    assert await figures(world) == before
    bare = await world.deal(hers.id)
    assert (bare.title, bare.contact_id, bare.amount) == (ERASED_TITLE, "", "1200.00")
    assert (bare.last_touch.utm_source, bare.last_touch.referrer) == ("google", "")
    assert (bare.promise.time, bare.promise.text) == (promise.time, "")
    assert [(p.contact_id or p.user_id, p.role, p.note) for p in bare.participants] == [
        (other, "pays", ""), (seller.id, "installs", ""),
    ]  # fmt: skip
    ended = await world.deal(lost.id)
    assert (ended.state, ended.ending.note, ended.ending.competitor) == (
        Deal.STATE_LOST, "", "Okna sp. z o.o.",
    )  # fmt: skip
    kept = await world.deal(renamed.id)
    assert (kept.title, kept.contact_id) == ("Doors", other)
    going_on = await world.deal(joint.id)
    assert (going_on.title, [p.contact_id for p in going_on.participants]) == ("Roof", [other])
    assert await world.deal(unconcerned.id) == unconcerned
    assert places["deals"] == 4
    assert places["deals_history"] >= 4
    assert places["stream:DEALS"] >= 4


@pytest.mark.large
async def test_what_comes_late_is_not_written_down_again(world: World) -> None:
    person, request = uuid7(), uuid7()
    await world.pipeline()
    await world.admin.UpdateDealSettings(_settings(world, request_opens_deal=True))

    await erased(world, person, records=(request,))
    await system(world, lambda tx: consumers_requests.follow(received(world, request, person), tx))
    await system(world, lambda tx: consumers_parties.follow(known(person), tx))

    assert await places_of(world, SURNAME) == {}
    assert await world.count("deals") == 0
    rows = await world.running.rows(
        "deals", "SELECT filled FROM parties WHERE tenant_id = $1 AND id = $2", world.tenant.id, person
    )  # fmt: skip
    assert [list(row["filled"]) for row in rows] == [[]]


@pytest.mark.large
async def test_figures_of_the_tenants_own_fields_stay_and_texts_go(world: World) -> None:
    person = uuid7()
    for key, type in (
        ("area", common_pb2.CUSTOM_FIELD_TYPE_NUMBER),
        ("wish", common_pb2.CUSTOM_FIELD_TYPE_TEXT),
    ):
        field = common_pb2.CustomField(resource="deals", key=key, label=key, type=type)
        await world.admin.CreateCustomField(
            customization_pb2.CreateCustomFieldRequest(custom_field=field)
        )
    custom = {"area": Value(number_value=12), "wish": Value(string_value=f"as {SURNAME} said")}
    deal = await world.make(contact_id=person, custom=custom)

    await erased(world, person)

    bare = await world.deal(deal.id)
    assert dict(bare.custom) == {"area": Value(number_value=12)}
    assert await places_of(world, SURNAME) == {}


@pytest.mark.large
async def test_an_erasure_of_somebody_without_deals_is_confirmed_and_may_be_repeated(
    world: World,
) -> None:
    deal = await world.make(contact_id=uuid7())
    person = uuid7()

    await erased(world, person, uuid7())
    again = contacts.ContactErased(erasure_id=uuid7(), contact_id=person)
    await system(world, lambda tx: erasing.erased.begin(again, tx))

    assert len(await answered(world, "ErasureDone", 2)) == 2
    assert await world.deal(deal.id) == deal


async def test_who_asks_gets_his_deals_with_all_versions(world: World) -> None:
    person, merged, export = uuid7(), uuid7(), uuid7()
    deal = await lose(world, await world.make(title=f"For {SURNAME}", contact_id=merged))
    joint = await world.make(participants=[Participant(contact_id=person, role="decides")])
    await world.make(title="Somebody else's", contact_id=uuid7())
    event = contacts.PersonalDataRequested(export_id=export, contact_id=person, merged_ids=[merged])

    await system(world, lambda tx: personal_data.handed_out.begin(event, tx))

    (ready,) = await answered(world, "PersonalDataReady")
    part = ready["part"]
    assert (part["exportId"], part["service"], part["contactId"]) == (export, "deals", person)
    blobs = world.running.process.runtimes["deals"].blobs
    chunks = [chunk async for chunk in blobs.read(world.tenant.id, part["fileId"])]
    told: dict[str, Any] = orjson.loads(b"".join(chunks))
    assert [one["id"] for one in told["deals"]] == [deal.id, joint.id]
    assert [one["state"] for one in told["deals_history"]] == ["STATE_OPEN", "STATE_LOST", "STATE_OPEN"]  # fmt: skip
    assert SURNAME in told["deals"][0]["title"]


@pytest.mark.large
async def test_filters_that_may_name_the_person_go_and_their_changes_stay(world: World) -> None:
    person, other = uuid7(), uuid7()
    hers = await world.make(title=f"For {SURNAME}", contact_id=person)
    theirs = await world.make(title="Gate", contact_id=other)
    label = LabelDeals(add_ids=[uuid7()])
    by_name = await run(world, await preview(world, filter=f'title = "For {SURNAME}"', label=label))
    by_id = await preview(world, filter=f"contact_id = {person} OR contact_id = {other}", label=label)  # fmt: skip
    closed = await preview(world, filter=f'title = "{SURNAME}"', label=label)
    await system(world, lambda tx: changes.close({"id": closed.id}, tx))
    elsewhere = await run(world, await preview(world, filter=f"contact_id = {other}", label=label))

    places = await erased(world, person)

    assert await places_of(world, SURNAME) == {}
    assert (await places_of(world, person)).keys() <= BY_ID
    assert places["deal_changes"] == 3
    done = await get(world, by_name.id)
    assert (done.filter, done.state, done.changed_count) == ("", DealChange.STATE_DONE, 1)
    assert [(await get(world, each.id)).filter for each in (by_id, closed)] == ["", ""]
    assert await get(world, elsewhere.id) == elsewhere
    assert (await undo(world, done)).returned_count == 1
    assert list((await world.deal(hers.id)).label_ids) == []
    assert list((await world.deal(theirs.id)).label_ids) == list(label.add_ids)


def test_every_table_is_known_to_erasures() -> None:
    assert privacy.unplaced() == []


def _settings(world: World, **values: Any) -> Any:
    return deal_settings_pb2.UpdateDealSettingsRequest(
        deal_settings=deal_settings_pb2.DealSettings(id=world.tenant.id, **values),
        update_mask={"paths": sorted(values)},
    )

"""Consumers are killed between effect and acknowledgement, and events come twice, late and out of order: effects are single."""

import asyncio
import copy
from collections import Counter
from typing import Any

import orjson

from chassis.keys import uuid7
from deploy.local.nats import connect_once
from tests.chaos import records
from tests.chaos.load import Load
from tests.chaos.machine import Machine
from tests.e2e.company import Company, Person, becomes, grants, ok
from tests.e2e.outside import Event, reading

ROUNDS = 5
DUPLICATES = 'akrab_events_consumed_total{consumer="contacts-timeline",outcome="duplicate"}'


async def test_a_consumer_killed_between_effect_and_ack_has_one_effect(
    machine: Machine, company: Company
) -> None:
    """NATS stands still while the effects go on, so that their acknowledgements are on the way when both die."""
    load = Load(machine, company, "Ack")
    for number in range(1, ROUNDS + 1):
        writing = asyncio.create_task(load.run(number * 300))
        await load.acknowledges(number * 300 - 200)
        with machine.frozen("nats"):
            await writing
            machine.kill(await machine.leader())
            machine.kill(dead := machine.pids()["nats"])
            await machine.restarted("nats", dead)
        await machine.whole()
        ids = load.told.acknowledged | await load.replay(load.told.unanswered)
        once = Counter(ids.values())
        await records.timeline_shows(company, once)
        if await duplicates(machine):
            break

    assert await duplicates(machine) > 0, (
        "no effect was ever without its acknowledgement: the test proves nothing"
    )
    assert await records.created_entries(company) == once


async def duplicates(machine: Machine) -> float:
    """How many events the processes have recognised as done before, since each began."""
    found = 0.0
    for face in await machine.faces():
        lines = (await face.get("/metrics")).text.splitlines()
        found += sum(
            float(line.rpartition(" ")[2]) for line in lines if line.startswith(DUPLICATES)
        )
        await face.aclose()
    return found


async def test_what_comes_twice_or_late_changes_no_projection(
    machine: Machine, company: Company
) -> None:
    """A contact changed hands; the news of its first owner come again, and a version between arrives last."""
    role = await company.role(grants(("contact", "read", "own")))
    first, second = await company.person(role), await company.person(role)
    access = (await company.token(nats=True, natsStart="NATS_START_NEW"))["nats"]
    id = (await company.contact(ownerId=first.id))["id"]
    path = f"/v1/contacts/{id}"
    ok(await company.admin.http.patch(path, json={"position": "Buyer"}))
    ok(await company.admin.http.patch(path, json={"ownerId": second.id}))
    async with reading(access) as reader:
        events = await reader.until(lambda found: len(found) >= 3, "three versions")
    await becomes(lambda: seen(second, id), 3, "the second owner sees all of it")
    assert await seen(first, id) == 0

    await publish(machine, company, events[1], events[1].body, event_id=events[1].id)
    await publish(machine, company, events[0], events[0].body, event_id=events[0].id)
    between = copy.deepcopy(events[1].body)
    await publish(machine, company, events[1], between, event_id=(late := uuid7()))

    async def known() -> bool:
        return late in [entry["eventId"] for entry in await timeline(company.admin, path)]

    await becomes(known, True, "the late one has been heard")
    entries = await timeline(company.admin, path)
    assert Counter(entry["eventId"] for entry in entries) == Counter(
        [*(event.id for event in events), late]
    )
    assert await seen(first, id) == 0  # an older version did not bring its owner back
    assert await seen(second, id) == 4
    assert ok(await company.admin.http.get(path))["ownerId"] == second.id


async def publish(
    machine: Machine, company: Company, event: Event, body: dict[str, Any], *, event_id: str
) -> None:
    """The event again, as a publisher that JetStream does not recognise; it is in the stream when this returns."""
    client = await connect_once(machine.run_json()["nats"])
    try:
        headers = {
            "ce-id": event_id,
            "ce-type": f"crm.contacts.v1.{event.type}",
            "ce-source": "/contacts",
            "ce-subject": event.subject,
            "ce-time": body["change"]["time"],
            "ce-specversion": "1.0",
            "content-type": "application/json",
        }
        subject = f"crm.{company.id}.contacts.{event.type}"
        await client.jetstream().publish(subject, orjson.dumps(body), headers=headers)
    finally:
        await client.close()


async def timeline(person: Person, path: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = ok(await person.http.get(f"{path}/timeline"))["entries"]
    return entries


async def seen(person: Person, id: str) -> int:
    """How many entries about this contact the person's general timeline shows."""
    page = ok(await person.http.get("/v1/timeline", params={"pageSize": 200}))
    return sum(entry["objectId"] == id for entry in page.get("entries", []))

"""Who is told, where and when, as people see it: feed, live stream and phone (S56, S60, S62, S63, scenario 1 and 16b)."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from tests.chaos.machine import Machine
from tests.e2e.company import Person, becomes, ok, refused
from tests.e2e.shop import MINUTE, WARSAW, Shop, clocked_machine, opened, told_at
from tests.service.gateway import sse
from tests.service.notifications.browsers import Device, PushService, push_service

AT_ONCE_S = 5.0
"""By the clock on the wall: half a second on an idle machine, which this one may not be."""


@pytest.fixture(scope="module")
async def machine() -> AsyncIterator[Machine]:
    async with clocked_machine("notices", CRM_PUSH_PRIVATE="1") as made:
        yield made


@pytest.fixture
async def shop(machine: Machine) -> AsyncIterator[Shop]:
    async with opened(machine) as made:
        yield made


@pytest.fixture
async def outside() -> AsyncIterator[PushService]:
    async with push_service() as made:
        yield made


class Phone:
    """Somebody's subscribed browser."""

    def __init__(self, outside: PushService) -> None:
        self._outside, self._device, self.path = outside, Device(), f"/{id(self)}"

    @classmethod
    async def of(cls, person: Person, outside: PushService) -> "Phone":
        made = cls(outside)
        asked = MessageToDict(made._device.request(f"{outside.origin}{made.path}"))
        ok(await person.http.post("/v1/pushSubscriptions:subscribe", json=asked))
        return made

    def shown(self) -> list[dict[str, Any]]:
        """What it has shown, decrypted, the oldest first."""
        return self._outside.read(self.path, self._device)

    async def shows(self, *codes: str) -> float:
        """Returns when it has shown exactly these, in any order; the seconds that took."""

        async def seen() -> list[str]:
            return sorted(each["code"] for each in self.shown())

        return await becomes(seen, sorted(codes), "the phone shows it")

    def sender(self) -> str:
        """The public key with which the last push is signed; fails for a wrong signature."""
        return self._outside.at(self.path)[-1].sender(self._outside.origin)[0]


@asynccontextmanager
async def screen(person: Person) -> AsyncIterator[sse.Stream]:
    """Somebody's open window: it hears of his new notices."""
    async with sse.opened(person.http, types="NoticeCreated") as stream:
        yield stream


async def pops_up(stream: sse.Stream, code: str) -> dict[str, Any]:
    """The next notice that appears; it must be this one."""
    _, event = await stream.next()
    assert event["data"]["notice"]["code"] == code
    return dict(event["data"]["notice"])


async def feed(person: Person, code: str = "", **query: Any) -> list[dict[str, Any]]:
    """His notices as after a reload, the newest first; of one code where it is given."""
    found = ok(await person.http.get("/v1/me/notices", params=query)).get("notices", [])
    return [notice for notice in found if not code or notice["code"] == code]


async def codes(person: Person) -> list[str]:
    """The codes of his notices, the oldest first, but for those of mornings, of which the clock passes some."""
    found = [notice["code"] for notice in reversed(await feed(person))]
    return [code for code in found if code != "day_planned"]


async def task(shop: Shop, owner: Person, **fields: Any) -> dict[str, Any]:
    body = {"subject": "Send the offer", "ownerId": owner.id, **fields}
    return ok(await shop.http.post("/v1/tasks", json=body))


# -- a customer waits ------------------------------------------------------------------------------------------------------


async def test_a_request_is_at_once_on_the_screen_and_on_the_phone_of_who_must_call(
    shop: Shop, outside: PushService
) -> None:
    await shop.next(1, 9)
    phone = await Phone.of(shop.ana, outside)

    async with screen(shop.ana) as window:
        began = time.monotonic()
        made = await shop.asked()
        popped = {(await window.next())[1]["data"]["notice"]["code"] for _ in range(2)}
        took = time.monotonic() - began

    assert popped == {"request_assigned", "task_assigned"}
    assert took < AT_ONCE_S, f"{took:.1f} s"
    request = ok(await shop.ana.http.get(f"/v1/requests/{made['link']['requestId']}"))
    assert (request["ownerId"], request["state"]) == (shop.ana.id, "STATE_ASSIGNED")
    assert (request["formId"], request["contactId"]) == (shop.form["id"], made["contactId"])
    asked = datetime.fromisoformat(made["reaction"]["startTime"])
    assert datetime.fromisoformat(made["dueTime"]) == asked + 15 * MINUTE
    (notice,) = await feed(shop.ana, "task_assigned")
    assert (notice["objectId"], notice["contactIds"]) == (made["id"], [made["contactId"]])
    assert notice["arguments"]["task.due_time"] == made["dueTime"]
    await phone.shows("request_assigned", "task_assigned")
    assert await codes(shop.head) == []


async def test_an_escalation_reaches_the_head_and_nobody_is_told_before_the_ladder_says_so(
    shop: Shop, outside: PushService
) -> None:
    nine = await shop.next(1, 9)
    ok(await shop.head.http.patch("/v1/me/noticePreferences", json={"pushPersonalText": True}))
    phone = await Phone.of(shop.head, outside)
    made = await shop.asked()
    await shop.at(nine + 19 * MINUTE)
    assert await codes(shop.head) == []

    async with screen(shop.head) as window:
        began = time.monotonic()
        await shop.at(nine + 20 * MINUTE + timedelta(seconds=5))
        notice = await pops_up(window, "escalated")
        took = time.monotonic() - began

    assert took < AT_ONCE_S, f"{took:.1f} s"
    assert (notice["objectId"], notice["because"], notice["urgent"]) == (
        made["id"], "RECIPIENT_TOLD", True,
    )  # fmt: skip
    said = notice["arguments"]
    assert (said["step.number"], said["step.step.kind"]) == ("2", "KIND_ESCALATION")
    assert (said["task.owner_id"], said["start_time"]) == (
        shop.ana.id, made["reaction"]["startTime"],
    )  # fmt: skip
    assert await phone.shows("escalated") < AT_ONCE_S
    (push,) = phone.shown()
    assert (push["noticeId"], push["id"], push["headline"]) == (
        notice["id"], made["id"], made["subject"],
    )  # fmt: skip
    assert [each["name"] for each in push["actions"]] == ["done", "snooze", "call"]
    key = ok(await shop.head.http.get("/v1/me/pushKey"))["publicKey"]
    assert phone.sender() == key
    page = ok(await shop.head.http.get("/v1/me/notices", params={"unread": True}))
    assert ([each["id"] for each in page["notices"]], page["unreadCount"]) == ([notice["id"]], 1)
    # Ana was reminded once, at fifteen minutes: by the step, and not by the deadline of the same moment as well.
    assert sorted(await codes(shop.ana)) == ["escalated", "request_assigned", "task_assigned"]
    (reminder,) = await feed(shop.ana, "escalated")
    assert reminder["arguments"]["step.step.kind"] == "KIND_REMINDER"


async def test_the_buttons_of_a_push_work(shop: Shop, outside: PushService) -> None:
    nine = await shop.next(1, 9)
    phone = await Phone.of(shop.ana, outside)
    made = await shop.asked()
    await phone.shows("request_assigned", "task_assigned")
    push = next(each for each in phone.shown() if each["code"] == "task_assigned")
    assert "headline" not in push  # her phone shows no texts until she allows it
    paths = {each["name"]: each["path"] for each in push["actions"]}

    until = told_at(nine + 10 * MINUTE)
    ok(await shop.ana.http.post(paths["snooze"], json={"untilTime": until}))
    assert await feed(shop.ana, "task_assigned") == []
    await shop.at(nine + 10 * MINUTE)
    assert [each["id"] for each in await feed(shop.ana, "task_assigned")] == [push["noticeId"]]

    called = ok(await shop.ana.http.get(paths["call"]))
    assert (called["id"], len(called["phones"])) == (made["contactId"], 1)
    done = ok(await shop.ana.http.post(paths["done"], json={}))

    assert (done["id"], done["state"]) == (made["id"], "STATE_DONE")
    await shop.at(nine + 60 * MINUTE)
    assert await codes(shop.head) == []


async def test_without_a_ladder_the_deadline_tells_who_has_the_task_and_his_head(
    shop: Shop,
) -> None:
    nine = await shop.next(2, 9)
    due = nine + 60 * MINUTE
    made = await task(shop, shop.ana, dueTime=told_at(due), reminders=[{"minutesBefore": 30}])

    await shop.at(due - 30 * MINUTE)
    assert await codes(shop.ana) == ["task_assigned", "deadline_near"]
    await shop.at(due)

    assert await codes(shop.ana) == ["task_assigned", "deadline_near", "deadline_missed"]
    # The head sees his own records only: what he may not read he is not told.
    assert await codes(shop.head) == []
    roles = ok(await shop.http.get("/v1/roles", params={"filter": 'built_in = "head"'}))["roles"]
    ok(await shop.http.patch(f"/v1/users/{shop.head.id}", json={"roleIds": [roles[0]["id"]]}))
    later = await task(shop, shop.ana, dueTime=told_at(due + 60 * MINUTE))
    await shop.at(due + 60 * MINUTE)
    assert await codes(shop.head) == ["team_deadline_missed"]
    (notice,) = await feed(shop.head, "team_deadline_missed")
    assert notice["objectId"] == later["id"]
    assert notice["headline"] == made["subject"]


# -- what people do --------------------------------------------------------------------------------------------------------


async def test_a_mention_pops_up_and_only_who_may_read_the_record_can_be_mentioned(
    shop: Shop, outside: PushService
) -> None:
    contact = await shop.firm.contact(ownerId=shop.ana.id)
    await shop.wait(timedelta(0))
    phone = await Phone.of(shop.ana, outside)
    text = f"@[Ana]({shop.ana.id}) he asks for the drawing"
    on = {"object": "contact", "objectId": contact["id"]}

    async with screen(shop.ana) as window:
        ok(await shop.http.post("/v1/comments", json={**on, "text": text}))
        notice = await pops_up(window, "mention")

    assert (notice["headline"], notice["contactIds"]) == (text, [contact["id"]])
    assert notice["actorId"] == shop.firm.admin.id
    await phone.shows("mention")
    await shop.wait(timedelta(0))
    path = f"/v1/contacts/{contact['id']}/timeline"
    assert text in (await shop.ana.http.get(path)).text
    wrong = {**on, "text": f"@[Budi]({shop.budi.id}) and you?"}
    before = await shop.http.get("/v1/comments", params={"filter": "object = contact"})
    refused(await shop.http.post("/v1/comments", json=wrong), 422, "MENTION_CANNOT_READ")
    assert (await shop.http.get("/v1/comments", params={"filter": "object = contact"})).json() == (
        before.json()
    )
    await shop.wait(timedelta(0))
    assert await codes(shop.budi) == []


async def test_the_evening_before_a_visit_tells_when_to_leave(shop: Shop) -> None:
    ok(await shop.http.patch(f"/v1/users/{shop.budi.id}", json={"timeZone": "Asia/Jakarta"}))
    monday = await shop.next(1, 9)
    # Wednesday at ten in Jakarta, which is seven hours ahead of UTC.
    ten = (monday + timedelta(days=2)).replace(hour=3, minute=0)
    visit = {"place": "Jl. Merdeka 5", "appointmentTime": told_at(ten), "travelMinutes": 45}
    made = await task(shop, shop.budi, subject="Measure", visit=visit)
    assert made["visit"]["departureTime"] == told_at(ten - 45 * MINUTE)
    await shop.wait(timedelta(0))
    (given,) = await feed(shop.budi)
    assert given["arguments"]["task.visit.departure_time"] == made["visit"]["departureTime"]
    evening = (ten - timedelta(days=1)).replace(hour=10)  # five in the afternoon there

    await shop.at(evening - MINUTE)
    assert await feed(shop.budi, "visit_tomorrow") == []
    await shop.at(evening)

    (notice,) = await feed(shop.budi, "visit_tomorrow")
    assert notice["arguments"] == {
        "task.visit.place": "Jl. Merdeka 5",
        "task.visit.appointment_time": told_at(ten),
        "task.visit.departure_time": told_at(ten - 45 * MINUTE),
    }
    await shop.at(ten - 60 * MINUTE)
    (line,) = ok(await shop.budi.http.get("/v1/me/day"))["lines"]
    (reason,) = line["reasons"]
    assert (reason["code"], reason["departureTime"]) == (
        "CODE_VISIT", told_at(ten - 45 * MINUTE),
    )  # fmt: skip
    link = ok(await shop.budi.http.post("/v1/me/calendarLink:renew", json={}))
    calendar = (await shop.budi.http.get(link["path"])).text
    assert "Jl. Merdeka 5" in calendar
    assert (ten).strftime("%Y%m%dT") in calendar


async def test_who_is_ill_and_who_stands_in_are_both_told(shop: Shop) -> None:
    start = await shop.next(1, 8)
    times = {"startTime": told_at(start + MINUTE), "endTime": told_at(start + timedelta(days=14))}
    body = {"ownerId": shop.ana.id, "kind": "KIND_SICK", "delegateId": shop.budi.id, **times}
    absence = ok(await shop.http.post("/v1/absences", json=body))

    await shop.at(start + 2 * MINUTE)

    (covers,) = await feed(shop.budi, "absence_cover")
    assert covers["arguments"]["absence.owner_id"] == shop.ana.id
    assert covers["arguments"]["absence.end_time"] == absence["endTime"]
    made = await task(shop, shop.ana)
    await shop.wait(timedelta(0))
    (of_ana,), (of_budi,) = [await feed(each, "task_assigned") for each in (shop.ana, shop.budi)]
    assert (of_ana["objectId"], of_ana.get("insteadOfId", "")) == (made["id"], "")
    assert (of_budi["objectId"], of_budi["insteadOfId"]) == (made["id"], shop.ana.id)
    await shop.at(start + timedelta(days=14))
    assert len(await feed(shop.budi, "absence_cover")) == 2
    await task(shop, shop.ana)
    await shop.wait(timedelta(0))
    assert len(await feed(shop.ana, "task_assigned")) == 2
    assert len(await feed(shop.budi, "task_assigned")) == 1


# -- when it suits ---------------------------------------------------------------------------------------------------------


async def test_in_quiet_hours_the_phone_waits_for_the_morning_unless_it_is_urgent(
    shop: Shop, outside: PushService
) -> None:
    quiet = {"quietFrom": "20:00", "quietUntil": "08:30", "urgentPasses": True}
    ok(await shop.budi.http.patch("/v1/me/noticePreferences", json=quiet))
    of_budi, of_ana = [await Phone.of(each, outside) for each in (shop.budi, shop.ana)]
    evening = await shop.next(2, 21)

    await task(shop, shop.budi, dueTime=told_at(evening + 60 * MINUTE))
    await shop.wait(timedelta(0))
    assert await codes(shop.budi) == ["task_assigned"]
    await task(shop, shop.ana)  # she has no quiet hours: hers goes, and his would have gone before
    await of_ana.shows("task_assigned")
    assert of_budi.shown() == []
    await shop.at(evening + 60 * MINUTE)
    await of_budi.shows("deadline_missed")
    local = (evening + timedelta(days=1)).astimezone(WARSAW)
    await shop.at(local.replace(hour=8, minute=29).astimezone(UTC))
    await task(shop, shop.ana)
    await of_ana.shows("task_assigned", "task_assigned", "day_planned")
    await of_budi.shows("deadline_missed")

    await shop.at(local.replace(hour=8, minute=30).astimezone(UTC))

    await of_budi.shows("deadline_missed", "task_assigned", "day_planned")

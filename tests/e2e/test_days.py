"""Scenario 6, the list: what each has to do today, why, and in which order; in two zones, over all processes, live (S50, S51, S58)."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.chaos.machine import Machine
from tests.e2e.company import Person, ok
from tests.e2e.shop import MINUTE, WARSAW, Shop, clocked_machine, opened, told_at
from tests.service.gateway import sse

JAKARTA = ZoneInfo("Asia/Jakarta")
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
async def machine() -> AsyncIterator[Machine]:
    async with clocked_machine("days") as made:
        yield made


@pytest.fixture
async def shop(machine: Machine) -> AsyncIterator[Shop]:
    async with opened(machine) as made:
        yield made


def at(day: date, hour: int, minute: int = 0, zone: ZoneInfo = WARSAW) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)


def dated(day: date) -> dict[str, int]:
    return {"year": day.year, "month": day.month, "day": day.day}


async def day_of(http: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    return ok(await http.get("/v1/me/day", params=query))


def reasons(day: dict[str, Any]) -> list[list[str]]:
    """The codes of each line, in the order of the day."""
    return [[r["code"].removeprefix("CODE_") for r in line["reasons"]] for line in day["lines"]]


async def mornings(person: Person) -> list[dict[str, Any]]:
    """The notices that announce his day, the newest first."""
    found = ok(await person.http.get("/v1/me/notices")).get("notices", [])
    return [notice for notice in found if notice["code"] == "day_planned"]


class Desk:
    """Makes what stands in Ana's day, each for a customer of its own."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._http = shop.ana.http

    async def customer(self, **fields: Any) -> str:
        return str((await self._shop.firm.contact(ownerId=self._shop.ana.id, **fields))["id"])

    async def task(self, contact_id: str, due: datetime | None, **fields: Any) -> str:
        body = {"subject": "Call", "ownerId": self._shop.ana.id, "contactId": contact_id, **fields}
        body |= {"dueTime": told_at(due)} if due is not None else {}
        return str(ok(await self._http.post("/v1/tasks", json=body))["id"])

    async def agreement(self, contact_id: str, day: date) -> None:
        body = {"contactId": contact_id, "subject": "Price by Friday", "date": dated(day)}
        ok(await self._http.post("/v1/agreements", json=body))

    async def meeting(self, contact_id: str, start: datetime) -> None:
        times = {"startTime": told_at(start), "endTime": told_at(start + 60 * MINUTE)}
        body = {"subject": "Show the samples", "contactId": contact_id, **times}
        ok(await self._http.post("/v1/meetings", json=body))


async def full_day(shop: Shop, cold: str, tuesday: date) -> list[str]:
    """On Monday: something for each reason; the customers in the order of Tuesday morning, without who asks then."""
    desk, monday = Desk(shop), tuesday - DAY
    later, sooner = await desk.customer(), await desk.customer()
    await desk.task(later, at(monday, 16))
    await desk.agreement(later, tuesday)
    await desk.task(sooner, at(monday, 15))
    visited, met, called = [await desk.customer() for _ in range(3)]
    visit = {"place": "Długa 7", "appointmentTime": told_at(at(tuesday, 11)), "travelMinutes": 30}
    await desk.task(called, at(tuesday, 15))
    await desk.meeting(met, at(tuesday, 13))
    await desk.task(visited, None, visit=visit)
    promised = await desk.customer()
    await desk.agreement(promised, monday)
    wanted = await desk.customer(nextContactDate=dated(tuesday))
    born = await desk.customer(birthday=dated(date(1990, tuesday.month, tuesday.day)))
    step = await desk.customer()
    whole_day = await desk.task(step, at(tuesday, 12), allDay=True)
    # Of one moment (today, without an hour) the records' ids decide.
    rest = sorted([(wanted, wanted), (born, born), (whole_day, step)])
    return [sooner, later, visited, met, called, cold, promised, *(of for _, of in rest)]


async def tuesday_comes(shop: Shop) -> tuple[date, str]:
    """It is Monday, nine o'clock; the date of tomorrow, and a customer of Ana's to whom nobody has spoken for a month."""
    ok(await shop.http.patch(f"/v1/users/{shop.budi.id}", json={"timeZone": "Asia/Jakarta"}))
    cold = await Desk(shop).customer()
    await shop.wait(31 * DAY)
    monday = await shop.next(1, 9)
    return monday.astimezone(WARSAW).date() + DAY, cold


async def test_the_day_says_what_is_to_be_done_why_and_in_which_order(
    machine: Machine, shop: Shop
) -> None:
    tuesday, cold = await tuesday_comes(shop)
    expected = await full_day(shop, cold, tuesday)
    await shop.at(at(tuesday, 9))
    asked = await shop.asked()
    await shop.wait(timedelta(0))

    day = await day_of(shop.ana.http)

    customers = [asked["contactId"], *expected]
    assert [line["contactId"] for line in day["lines"]] == customers
    assert reasons(day)[:8] == [
        ["REACTION_CLOCK"], ["OVERDUE"], ["OVERDUE", "AGREEMENT"], ["VISIT"], ["MEETING"],
        ["DUE_TODAY"], ["GOING_COLD"], ["AGREEMENT"],
    ]  # fmt: skip
    assert sorted(reasons(day)[8:]) == [["BIRTHDAY"], ["NEXT_CONTACT"], ["NEXT_STEP"]]
    assert (day["date"], day["zone"], day["lineCount"]) == (dated(tuesday), "Europe/Warsaw", 11)
    said = [reason for line in day["lines"] for reason in line["reasons"]]
    assert said[4]["departureTime"] == told_at(at(tuesday, 10, 30))
    (birthday,) = [reason for reason in said if reason["code"] == "CODE_BIRTHDAY"]
    assert birthday["years"] == tuesday.year - 1990
    assert {contact["id"] for contact in day["contacts"]} == set(customers)
    assert day["unavailable"] == []
    # The same from every process, each time, and page by page.
    for face in await machine.faces(token=shop.ana.token):
        for _ in range(3):
            assert (await day_of(face))["lines"] == day["lines"]
        paged: list[dict[str, Any]] = []
        token: str | None = ""
        while token is not None:
            page = await day_of(face, pageSize=4, pageToken=token)
            paged += page["lines"]
            token = page.get("nextPageToken")
        assert paged == day["lines"]
        await face.aclose()


async def test_what_is_done_disappears_live(shop: Shop) -> None:
    tuesday, cold = await tuesday_comes(shop)
    await full_day(shop, cold, tuesday)
    await shop.at(at(tuesday, 9))
    before = (await day_of(shop.ana.http))["lines"]
    first = before[0]["reasons"][0]["taskId"]

    async with sse.opened(shop.ana.http, types="TaskDone") as window:
        # On her telephone; the open window hears of it and asks for the day anew.
        phone = await shop.firm.signed_in(shop.ana.email)
        ok(await phone.http.post(f"/v1/tasks/{first}:complete", json={}))
        assert await window.subject() == first
        after = (await day_of(shop.ana.http))["lines"]

    assert after == before[1:]
    # The others' reasons end as the day goes on: at one the visit is over, and what was due at three is late at four.
    await shop.at(at(tuesday, 16))
    codes = reasons(await day_of(shop.ana.http))
    assert ["VISIT"] not in codes
    assert ["MEETING"] not in codes
    assert codes[:2] == [["OVERDUE", "AGREEMENT"], ["OVERDUE"]]


async def test_each_has_his_own_morning_and_midnight(shop: Shop) -> None:
    tuesday, _ = await tuesday_comes(shop)
    evening = at(tuesday, 23)  # five in the morning of Wednesday in Jakarta
    for person in (shop.ana, shop.budi):
        body = {"subject": "Call", "ownerId": person.id, "dueTime": told_at(evening)}
        ok(await shop.http.post("/v1/tasks", json=body))
    counts = [len(await mornings(each)) for each in (shop.ana, shop.budi)]

    await shop.at(at(tuesday, 7, zone=JAKARTA) - MINUTE)
    assert [len(await mornings(each)) for each in (shop.ana, shop.budi)] == counts
    await shop.at(at(tuesday, 7, zone=JAKARTA))
    assert [len(await mornings(each)) for each in (shop.ana, shop.budi)] == [
        counts[0], counts[1] + 1,
    ]  # fmt: skip
    assert (await mornings(shop.budi))[0]["arguments"].get("line_count", "0") == "0"
    day = await day_of(shop.budi.http)
    assert (day["date"], day["zone"], day["lines"]) == (dated(tuesday), "Asia/Jakarta", [])
    await shop.at(at(tuesday, 7))

    announced = (await mornings(shop.ana))[0]
    assert len(await mornings(shop.ana)) == counts[0] + 1
    day = await day_of(shop.ana.http)
    assert announced["arguments"]["line_count"] == str(day["lineCount"])
    assert ["DUE_TODAY"] in reasons(day)
    await shop.at(at(tuesday + DAY, 0, zone=JAKARTA))
    day = await day_of(shop.budi.http)
    assert (day["date"], reasons(day)) == (dated(tuesday + DAY), [["DUE_TODAY"]])
    await shop.at(at(tuesday + DAY, 7, zone=JAKARTA))
    assert (await mornings(shop.budi))[0]["arguments"]["line_count"] == "1"


async def test_the_head_sees_what_is_late_due_and_escalating_by_person_and_customer(
    shop: Shop,
) -> None:
    roles = ok(await shop.http.get("/v1/roles", params={"filter": 'built_in = "head"'}))["roles"]
    ok(await shop.http.patch(f"/v1/users/{shop.head.id}", json={"roleIds": [roles[0]["id"]]}))
    tuesday, cold = await tuesday_comes(shop)
    sooner, later, _, _, called, *_ = await full_day(shop, cold, tuesday)
    await shop.at(at(tuesday, 9))
    asked = await shop.asked()
    await shop.wait(timedelta(0))

    day = ok(await shop.head.http.get(f"/v1/departments/{shop.sales}/day"))

    assert [task["contactId"] for task in day["overdue"]] == [sooner, later]
    assert (day["overdueCount"], day["runningLadderCount"]) == ("2", "1")
    assert {task["contactId"] for task in day["dueToday"]} >= {asked["contactId"], called}
    assert [task["taskId"] for task in day["runningLadders"]] == [asked["id"]]
    (share,) = day["people"]
    assert (share["id"], share["overdueCount"]) == (shop.ana.id, "2")
    assert share["dueTodayCount"] == day["dueTodayCount"]
    assert {customer["contactId"] for customer in day["customers"]} >= {sooner, later, called}
    assert [user["id"] for user in day["users"]] == [shop.ana.id]
    assert {contact["id"] for contact in day["contacts"]} >= {sooner, later, called}
    assert (await shop.ana.http.get(f"/v1/departments/{shop.sales}/day")).status_code == 403

"""Calendars over HTTP: what leaves as text/calendar, with tags for programs that ask again and again."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from icalendar import Calendar

from chassis.keys import new_key
from chassis.testing.installation import Tenant
from tests.service.gateway.conftest import Crm, running


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Crm]:
    async with running(("tasks", "gateway")) as made:
        yield made


async def ok(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


async def schedule(http: httpx.AsyncClient, **given: Any) -> Any:
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    meeting = {
        "subject": "Plan", "startTime": start.isoformat(), "endTime": (start + timedelta(hours=1)).isoformat(),
        "zone": "Europe/Warsaw", **given,
    }  # fmt: skip
    return await ok(await http.post("/v1/meetings", json=meeting))


async def test_a_feed_is_read_without_a_session_until_the_link_is_renewed(
    crm: Crm, http: httpx.AsyncClient
) -> None:
    await schedule(http)
    link = await ok(await http.post("/v1/me/calendarLink:renew", json={}))
    async with crm.client() as program:
        answer = await program.get(link["path"])
        await ok(await http.post("/v1/me/calendarLink:renew", json={}))
        after = await program.get(link["path"])

    (event,) = Calendar.from_ical(answer.text).walk("VEVENT")
    assert (answer.status_code, str(event["SUMMARY"])) == (200, "Plan")
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["content-disposition"] == 'attachment; filename="calendar.ics"'
    assert parsedate_to_datetime(answer.headers["last-modified"]) <= datetime.now(UTC)
    assert (after.status_code, after.json()["reason"]) == (404, "NOT_FOUND")


async def test_a_program_that_asks_again_gets_nothing_twice(
    crm: Crm, http: httpx.AsyncClient
) -> None:
    made = await schedule(http)
    link = await ok(await http.post("/v1/me/calendarLink:renew", json={}))
    async with crm.client() as program:
        first = await program.get(link["path"])
        same = await program.get(link["path"], headers={"if-none-match": first.headers["etag"]})
        await ok(await http.post(f"/v1/meetings/{made['id']}:cancel", json={}))
        changed = await program.get(link["path"], headers={"if-none-match": first.headers["etag"]})

    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == first.headers["etag"]
    assert changed.status_code == 200
    assert Calendar.from_ical(changed.text).walk("VEVENT") == []


async def test_keys_that_open_nothing_are_told_alike(crm: Crm, tenant: Tenant) -> None:
    async with crm.client() as program:
        answers = [
            await program.get(f"/v1/public/calendars/{key}.ics")
            for key in (new_key(tenant.id), "short", "x" * 150)
        ]

    assert {a.status_code for a in answers} == {404}
    assert len({a.json()["detail"] for a in answers}) == 1


async def test_a_meeting_is_a_file_of_its_own(http: httpx.AsyncClient) -> None:
    made = await schedule(http, recurrence="FREQ=WEEKLY;COUNT=2")
    answer = await http.get(f"/v1/meetings/{made['id']}:ics")
    gone = await http.get("/v1/meetings/019a0000-0000-7000-8000-000000000000:ics")

    (event,) = Calendar.from_ical(answer.text).walk("VEVENT")
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert event["RRULE"].to_ical() == b"FREQ=WEEKLY;COUNT=2"
    assert (gone.status_code, gone.json()["reason"]) == (404, "NOT_FOUND")


async def test_free_slots_and_conflicts_are_asked_by_query(
    http: httpx.AsyncClient, tenant: Tenant
) -> None:
    made = await schedule(http)
    query = {
        "userIds": tenant.admin.id, "startTime": made["startTime"], "endTime": made["endTime"],
    }  # fmt: skip
    busy = await ok(await http.get("/v1/meetings:conflicts", params=query))
    free = await ok(
        await http.get("/v1/meetings:freeSlots", params={**query, "durationMinutes": "30"})
    )
    bad = await http.get("/v1/meetings:freeSlots", params={**query, "durationMinutes": "4"})

    assert [each["recordId"] for each in busy["conflicts"]] == [made["id"]]
    assert free.get("slots", []) == []
    assert (bad.status_code, bad.json()["violations"][0]["field"]) == (400, "durationMinutes")

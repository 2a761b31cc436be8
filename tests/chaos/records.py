"""What an installation shows of a company's contacts afterwards: the list, the stream, the timeline."""

from collections import Counter
from typing import Any

from chassis.testing.events import eventually
from tests.e2e.company import Company, ok
from tests.e2e.outside import Event, reading

CREATED = "ContactCreated"


async def listed(company: Company) -> dict[str, str]:
    """id -> name of every contact, over all pages; fails if one comes twice."""
    found: dict[str, str] = {}
    token = ""
    while True:
        query: dict[str, str | int] = {"pageSize": 200, "pageToken": token, "fields": "displayName"}
        page = ok(await company.admin.http.get("/v1/contacts", params=query))
        for row in page.get("contacts", []):
            assert row["id"] not in found
            found[row["id"]] = row["displayName"]
        if not (token := page.get("nextPageToken", "")):
            return found


async def created_events(
    access: dict[str, Any], count: int, timeout_s: float = 60.0
) -> list[Event]:
    """The ContactCreated events in the stream, as an outside subscriber reads them: at least `count`, and all there are."""
    async with reading(access) as reader:

        def enough(found: list[Event]) -> bool:
            return sum(event.type == CREATED for event in found) >= count

        found = await reader.until(enough, f"{count} events of creation", timeout_s)
        found += await reader.rest()
    return [event for event in found if event.type == CREATED]


async def created_entries(company: Company) -> Counter[str]:
    """contact id -> how many entries of its creation the timeline has."""
    found: Counter[str] = Counter()
    token = ""
    while True:
        query: dict[str, str | int] = {"pageSize": 200, "pageToken": token, "kinds": "contact"}
        page = ok(await company.admin.http.get("/v1/timeline", params=query))
        found.update(
            e["objectId"] for e in page.get("entries", []) if e["type"].endswith(f".{CREATED}")
        )
        if not (token := page.get("nextPageToken", "")):
            return found


async def timeline_shows(company: Company, once: Counter[str], timeout_s: float = 240.0) -> None:
    """Return when the timeline has exactly these entries of creation; fails if it has others, or after the time.

    The time is for a machine that also runs other things: there, five thousand events are consumed at thirty a second.
    """
    newest = max(once)  # ids begin with their time

    async def almost() -> bool:
        return bool(
            ok(await company.admin.http.get(f"/v1/contacts/{newest}/timeline")).get("entries")
        )

    await eventually(almost, "the newest contact is in the timeline", timeout_s)
    last: list[Counter[str]] = []

    async def all_there() -> bool:
        last[:] = [await created_entries(company)]
        return last[0].total() >= once.total()

    await eventually(all_there, f"{once.total()} entries in the timeline", timeout_s)
    assert last[0] == once

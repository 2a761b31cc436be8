"""The installation's clock, moved over HTTP although who should answer may be dead by then."""

from contextlib import suppress
from datetime import datetime, timedelta

import httpx

from chassis.testing.events import eventually
from tests.e2e.company import Company

MINUTE = timedelta(minutes=1)
_PATIENCE_S = 1.0


async def now(company: Company) -> datetime:
    """What time it is for the installation, once a process answers and nothing is left to be done."""
    found: list[str] = []

    async def said() -> bool:
        with suppress(httpx.TransportError):
            answer = await company.admin.http.post("/v1/testClock:advance", json={"seconds": 0})
            if answer.status_code == 200:
                found[:] = [answer.json()["now"]]
        return bool(found)

    await eventually(said, "the clock answers", 180)
    return datetime.fromisoformat(found[0])


async def jump(face: httpx.AsyncClient, by: timedelta) -> None:
    """Moves the clock and does not wait for all that follows."""
    with suppress(httpx.HTTPError):
        body = {"seconds": by.total_seconds()}
        await face.post("/v1/testClock:advance", json=body, timeout=_PATIENCE_S)

"""What stays of calls: who hears them (S86), who follows in somebody's place, and nothing of a person who is erased (M20)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis import erasure
from crm.common.v1 import privacy_pb2
from tests.e2e.company import becomes, ok, refused
from tests.e2e.market import market
from tests.e2e.switchboard import Switchboard, opened
from tests.service.gateway.conftest import Crm

pytestmark = pytest.mark.large


@pytest.fixture(scope="module")
async def crm() -> AsyncIterator[Crm]:
    async with market("telephony") as made:
        yield made


@pytest.fixture
async def board(crm: Crm) -> AsyncIterator[Switchboard]:
    async with opened(crm) as made:
        yield made


async def recorded(board: Switchboard, contact: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """A call of Ana's with this customer, and the path of what was recorded of it."""
    ended = await board.spoken(contact["phones"][0]["number"], board.ana)
    call = await board.call(ended)
    (id,) = call["recordingIds"]

    async def state() -> Any:
        return ok(await board.http.get(f"/v1/recordings/{id}"))["state"]

    await becomes(state, "STATE_READY", "the sound is there", 30)
    return call, f"/v1/recordings/{id}"


async def test_the_head_hears_a_part_and_who_may_not_learns_nothing(board: Switchboard) -> None:
    contact = await board.customer(board.ana)
    call, path = await recorded(board, contact)

    whole = await board.head.http.get(f"{path}/audio")
    part = await board.head.http.get(f"{path}/audio", headers={"range": "bytes=100-199"})

    recording = ok(await board.ana.http.get(path))  # that there is one is no secret to her
    assert (recording["callId"], recording["contactId"]) == (call["id"], contact["id"])
    assert (whole.status_code, len(whole.content)) == (200, int(recording["size"]))
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{recording['size']}"
    for person in (board.ana, board.citra):
        refused(await person.http.get(f"{path}/audio"), 404, "NOT_FOUND")
    refused(await board.citra.http.get(path), 404, "NOT_FOUND")
    assert (await (await board.firm.open()).get(f"{path}/audio")).status_code == 401
    heard = ok(await board.http.get(f"{path}/listenings"))["listenings"]
    assert [each["userId"] for each in heard] == [board.head.id]


async def test_lines_and_extensions_of_a_leaver_are_somebody_elses(board: Switchboard) -> None:
    contact = await board.customer(board.ana)
    call = await board.spoken(contact["phones"][0]["number"], board.ana)
    rules = [{"userIds": [board.budi.id]}]
    body = {"ownerId": board.ana.id, "kind": "KIND_LEAVER", "rules": rules}
    path = f"/v1/handovers/{ok(await board.http.post('/v1/handovers', json=body))['id']}"

    async def state() -> Any:
        return ok(await board.http.get(path))["state"]

    await becomes(state, "STATE_PREVIEWED", "the handover is previewed", 30)
    ok(await board.http.post(f"{path}:confirm", json={}))
    await becomes(state, "STATE_DONE", "the handover is done", 30)
    await board.settle()

    line = ok(await board.http.get(f"/v1/lines/{board.line['id']}"))
    assert line["userIds"] == [board.budi.id]
    extensions = await board.all("/v1/extensions", "")
    assert sum(each["userId"] == board.budi.id for each in extensions) == 2
    assert not any(each.get("userId") == board.ana.id for each in extensions)
    assert (await board.call(call))["ownerId"] == board.ana.id
    again = await board.rings(contact["phones"][0]["number"], board.budi)
    assert (again["ownerId"], again["screenUserIds"]) == (board.budi.id, [board.budi.id])


async def test_of_a_person_who_is_erased_only_that_somebody_called_is_left(
    board: Switchboard,
) -> None:
    contact = await board.customer(board.ana, familyName="Brzozowicz")
    number = contact["phones"][0]["number"]
    call, path = await recorded(board, contact)
    missed = await board.missed(number, board.ana)
    said = {"note": "Brzozowicz wants oak"}
    ok(await board.ana.http.patch(f"/v1/calls/{call['id']}", json=said))
    body = {"reason": "asked by letter", "confirmation": contact["displayName"]}

    begun = ok(await board.http.post(f"/v1/contacts/{contact['id']}:erase", json=body))

    async def confirmed() -> list[str]:
        told = ok(await board.http.get(f"/v1/erasures/{begun['id']}"))
        return sorted(each["service"] for each in told.get("confirmations", []))

    services = sorted(erasure.answering("report", privacy_pb2.ErasureReport))
    await becomes(confirmed, services, "all have confirmed", 120)
    await board.settle()
    for ended, outcome in ((call, "OUTCOME_ANSWERED"), (missed, "OUTCOME_MISSED")):
        bare = await board.call(ended)
        assert (bare["outcome"], bare["startTime"]) == (outcome, ended["startTime"])
        assert not {"number", "contactId", "note"} & bare.keys()
        for each in (f"/v1/calls/{ended['id']}/history", f"/v1/calls/{ended['id']}/legs"):
            answer = (await board.http.get(each)).text
            assert number not in answer
            assert "Brzozowicz" not in answer
    assert (await board.call(missed))["missedState"] == "MISSED_STATE_WRITTEN_OFF"
    recording = ok(await board.http.get(path))
    assert (recording["state"], "contactId" in recording) == ("STATE_DELETED", False)
    refused(await board.head.http.get(f"{path}/audio"), 422, "NO_SOUND")
    (task,) = await board.tasks()
    assert "contactId" not in task
    search = (await board.http.get("/v1/search", params={"q": number[-7:]})).json()
    assert (search["contacts"], search["calls"]) == ([], [])
    found = ok(await board.http.get("/v1/callers:lookUp", params={"number": number}))
    assert found.get("callers", []) == []

    # Whoever calls from there now is a stranger.
    later = await board.rings(number, board.ana)
    assert later.get("contactId", "") == ""

"""Imports of the history of calls: guessed, planned, run, run again, undone, exported; nobody is told of it."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.times import to_datetime
from crm.common.v1 import common_pb2, imports_pb2
from crm.telephony.v1 import call_messages_pb2, call_pb2
from crm.telephony.v1 import imports_service_pb2 as pb
from crm.telephony.v1.calls_service_pb2_grpc import CallsServiceStub
from services.telephony import store
from services.telephony.store.numbers import Party
from tests.service.telephony.call_files import Clerk, Options, counts
from tests.service.telephony.scenes import CUSTOMER, Scene
from tests.service.telephony.world import World
from tests.service.worlds import Refused

Call = call_pb2.Call
FILE = """\
ID połączenia;Kierunek;Numer;Data rozmowy;Czas rozmowy;Wynik;Konsultant;Notatka;Linia
a1;przychodzące;600 100 200;03.04.2024 09:30;2:05;odebrane;101;Drzwi;48 300 000 101
a2;wychodzące;601 234 567;04.04.2024 10:00;0;zajęte;101;;
a3;przychodzące;602 000 111;05.04.2024 11:00;;nieodebrane;;;
a4;przychodzące;602 000 111;31.12.2099 11:00;;;;;
a5;skądś;600 100 200;05.04.2024 12:00;;;;;
"""
PL = Options(phone_country="PL")


@pytest.fixture
def clerk(world: World) -> Clerk:
    return Clerk(world, world.tenant.admin)


async def office(world: World) -> Any:
    """A colleague with the extension 101, a line, and a customer whose number is known."""
    anna, exchange = await world.agent(), await world.exchange()
    await world.extension(exchange.id, user_id=anna.id)
    line = await world.line(connection_id=exchange.id)
    ewa = Party("contact", uuid7(), "Ewa", anna.id, "", (), None)
    await world.system(lambda tx: store.numbers.put_party(tx, ewa, 1, [CUSTOMER]))
    return anna, exchange, line, ewa


async def calls(world: World) -> dict[str, Any]:
    """The living calls by their number outside."""
    request = call_messages_pb2.ListCallsRequest(page_size=200)
    answer = await world.tenant.admin.stub(CallsServiceStub).ListCalls(request)
    return {call.number: call for call in answer.calls}


async def test_a_file_is_guessed_planned_run_and_undone(world: World, clerk: Clerk) -> None:
    anna, _, line, ewa = await office(world)
    begun = await clerk.begin(FILE, options=PL)
    assert [column.field for column in begun.columns] == [
        "external_id", "direction", "number", "start", "duration", "outcome", "agent", "note", "line",
    ]  # fmt: skip
    planned = await clerk.plan(begun)
    assert counts(planned.plan) == {"created": 3, "failed": 2}
    assert await calls(world) == {}

    done = await clerk.run(planned)

    assert done.outcome == planned.plan
    found = await calls(world)
    spoken, busy, missed = found[CUSTOMER], found["+48601234567"], found["+48602000111"]
    assert (spoken.outcome, spoken.talk_seconds, spoken.owner_id) == (Call.OUTCOME_ANSWERED, 125, anna.id)  # fmt: skip
    assert (spoken.contact_id, spoken.line_id, spoken.note) == (ewa.id, line.id, "Drzwi")
    assert to_datetime(spoken.end_time) - to_datetime(spoken.start_time) == to_datetime(spoken.end_time) - to_datetime(spoken.answer_time)  # fmt: skip
    assert (busy.direction, busy.outcome, busy.contact_id) == (Call.DIRECTION_OUTBOUND, Call.OUTCOME_BUSY, "")  # fmt: skip
    assert (missed.outcome, missed.missed_reason) == (Call.OUTCOME_MISSED, Call.MISSED_REASON_NO_ANSWER)  # fmt: skip
    assert missed.owner_id == world.tenant.admin.id
    assert {call.state for call in found.values()} == {Call.STATE_ENDED}
    reasons = await clerk.reasons(done)
    assert sorted(reasons) == [5, 6]
    assert "still to come" in reasons[5]
    assert "'skądś' is none of inbound, outbound" in reasons[6]

    undone = await clerk.undo(done)
    assert counts(undone.undo) == {"deleted": 3}
    assert await calls(world) == {}
    assert await world.count("call_keys") == 0
    assert counts((await clerk.imported(FILE, options=PL)).outcome) == {"created": 3, "failed": 2}


async def test_history_notifies_nobody_and_opens_no_missed_call(world: World, clerk: Clerk) -> None:
    await office(world)
    timers = await world.count("timers")
    await clerk.imported(FILE, options=PL)
    assert {call.missed_state for call in (await calls(world)).values()} == {Call.MISSED_STATE_UNSPECIFIED}  # fmt: skip
    told = set(await world.told())
    assert {"CallCreated", "ImportFinished"} <= told
    assert not told & {"CallRinging", "CallAnswered", "CallEnded", "CallMissed", "CallReturned"}
    (first, *_) = await world.events("CallCreated", count=3)
    assert first["change"]["cause"]["kind"] == "import"
    assert await world.count("timers") == timers


@pytest.mark.parametrize("with_ids", [True, False], ids=["by id", "by number and start"])
async def test_the_same_file_twice_makes_nothing_new(
    world: World, clerk: Clerk, with_ids: bool
) -> None:
    await office(world)
    lines = [line.split(";") for line in FILE.splitlines()[:4]]
    text = "\n".join(";".join(line if with_ids else line[1:]) for line in lines)
    await clerk.imported(text, options=PL)
    before = await world.state()
    again = await clerk.imported(text, options=PL)
    assert counts(again.outcome) == {"unchanged": 3}
    after = await world.state()
    assert after["calls_history"] == before["calls_history"]


async def test_a_call_that_an_exchange_told_of_only_gains_a_note(
    world: World, clerk: Clerk
) -> None:
    _, exchange, _, _ = await office(world)
    scene = Scene(world, exchange)
    scene.at -= timedelta(minutes=10)
    await scene.rings("101")
    await scene.answers("101")
    call = await scene.ends("101")
    start = to_datetime(call.start_time).isoformat()
    text = f"Direction,Number,Start,Duration,Outcome,Note\nout,{CUSTOMER},{start},7,busy,Doors\n"
    overwrite = Options(phone_country="PL", on_match=Options.ON_MATCH_OVERWRITE)
    done = await clerk.imported(text, options=overwrite)

    assert counts(done.outcome) == {"updated": 1}
    found = (await calls(world))[CUSTOMER]
    assert (found.id, found.note, found.imported) == (call.id, "Doors", False)
    assert (found.outcome, found.direction) == (Call.OUTCOME_ANSWERED, Call.DIRECTION_INBOUND)
    assert found.talk_seconds == call.talk_seconds


async def test_an_export_can_be_imported_again(world: World, clerk: Clerk) -> None:
    await office(world)
    await clerk.imported(FILE, options=PL)
    text = await clerk.export(order_by="start_time")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["outcome"] for row in rows] == ["answered", "busy", "missed"]
    assert (rows[0]["duration"], rows[0]["line"].lstrip("'")) == ("125", "+48300000101")
    again = await clerk.imported(text, options=PL)
    assert counts(again.outcome) == {"unchanged": 3}


async def test_calls_have_neither_cards_nor_fields_of_their_own(world: World, clerk: Clerk) -> None:
    async with Refused(world, errors.InvalidArgument, "NO_CARDS", "format"):
        await clerk.stub.ExportCalls(pb.ExportCallsRequest(format=imports_pb2.FILE_FORMAT_VCARD))
    begun = await clerk.begin("Number,Colour\n+48600100200,red\n")
    begun.columns[1].field = "custom.colour"
    begun.columns[1].make_custom_field = common_pb2.CUSTOM_FIELD_TYPE_TEXT
    request = pb.UpdateImportRequest(**{"import": begun})
    request.update_mask.paths.append("columns")
    async with Refused(world, errors.InvalidArgument, "IMPORT_MAPPING_INVALID", "columns[1].field"):
        await clerk.stub.UpdateImport(request)

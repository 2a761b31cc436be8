"""What is the manager interface's own: recorded calls over a real socket, blocks in pieces, refusals, a connection that has died."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from crm.telephony.v1 import call_pb2
from services.telephony import pbx
from services.telephony.pbx import ami
from services.telephony.pbx.adapter import Cut, Impossible, Site
from services.telephony.pbx.facts import Command, Kind, Order
from tests.service.telephony.conformance import DIAL, OURS, Kept, Stage, told, until
from tests.service.telephony.fake_ami import FakeAmi
from tests.service.telephony.serving import Files, serving
from tests.service.telephony.world import Connection, World
from tests.unit.telephony import transcripts

Call = call_pb2.Call


@pytest.fixture
async def exchange() -> FakeAmi:
    return FakeAmi()


@pytest.fixture
async def stage(exchange: FakeAmi) -> AsyncIterator[Stage]:
    made = Stage(exchange, await exchange.open())
    await made.begin()
    yield made
    await made.end()


async def replay(exchange: FakeAmi, number: int, upto: int | None = None) -> None:
    for block in transcripts.ami_events(number)[:upto]:
        await exchange.send(**block)


@pytest.mark.parametrize("number", range(1, 20))
async def test_recorded_call_comes_over_the_wire_as_it_was_read(
    exchange: FakeAmi, stage: Stage, number: int
) -> None:
    wanted = transcripts.ami_facts(number)

    await replay(exchange, number)

    assert await until(lambda: len(stage.kept.facts) >= len(wanted))
    assert stage.kept.facts == wanted


@pytest.mark.parametrize("number", [1, 9, 10, 11])
async def test_recorded_call_that_is_cut_in_the_middle_is_over(
    exchange: FakeAmi, stage: Stage, number: int
) -> None:
    blocks = transcripts.ami_events(number)
    await replay(exchange, number, len(blocks) // 2)
    await exchange.send(Event="PeerStatus")
    await exchange.cut(half=b"Event: Hangup\r\nUniqueid: 1")
    with pytest.raises(Cut):
        await stage.session
    assert stage.kept.facts == [
        fact for fact in transcripts.ami_facts(number, lambda events: events[: len(blocks) // 2])
    ]

    await stage.begin()  # the exchange knows nothing of it any more

    assert await stage.kept.living() == []


async def test_blocks_in_pieces_and_unreadable_ones_are_no_trouble(
    exchange: FakeAmi, stage: Stage
) -> None:
    await exchange.send(Event="Hangup", Uniqueid="9.9", Linkedid="9.9", Cause="many", Timestamp="x")
    await exchange.send(Event="Newchannel", Uniqueid="9.9", Linkedid="9.9")
    facts, result = told("answered")
    await stage.say(facts)
    await stage.expect(result)


async def test_dialling_asks_for_the_own_phone_with_our_id(exchange: FakeAmi, stage: Stage) -> None:
    await stage.adapter.carry_out(DIAL)
    (asked,) = [one for one in exchange.asked if one["Action"] == "Originate"]
    assert {name: asked[name] for name in ("Channel", "ChannelId", "Context", "Exten", "Async")} == {
        "Channel": "PJSIP/agent1", "ChannelId": f"{OURS}~1", "Context": "from-internal",
        "Exten": "48600100200", "Async": "true",
    }  # fmt: skip


@pytest.mark.parametrize("field", ["endpoint", "number", "line"])
async def test_no_line_can_be_smuggled_in(exchange: FakeAmi, stage: Stage, field: str) -> None:
    before = len(exchange.asked)
    values = {"endpoint": DIAL.endpoint, "number": DIAL.number, "line": ""}
    evil = values | {field: "1\r\nAction: Command"}
    with pytest.raises(Impossible, match="end of line"):
        await stage.adapter.carry_out(Command(id="3", order=Order.DIAL, call=OURS, **evil))
    assert len(exchange.asked) == before


async def test_recording_is_paused_where_it_is_made(exchange: FakeAmi, stage: Stage) -> None:
    facts, _ = told("recorded")
    upto = next(at for at, fact in enumerate(facts) if fact.kind is Kind.RECORDED)
    await stage.say(facts[:upto])
    await until(lambda: any(fact.kind is Kind.RECORDING for fact in stage.kept.facts))
    for order in (Order.PAUSE_RECORDING, Order.RESUME_RECORDING):
        await stage.adapter.carry_out(Command(id="4", order=order, call=facts[0].call))
    asked = [one for one in exchange.asked if one["Action"] == "MixMonitorMute"]
    assert [(one["Direction"], one["State"]) for one in asked] == [("both", "1"), ("both", "0")]


async def test_connection_that_has_died_is_noticed(
    exchange: FakeAmi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ami, "PING_S", 0.2)
    monkeypatch.setattr(ami, "ANSWER_S", 0.2)
    exchange.silent.add("Ping")
    stage = Stage(exchange, await exchange.open())
    await stage.begin()
    with pytest.raises(Cut, match="no answer to Ping"):
        await stage.session
    await stage.end()


async def test_exchange_becomes_calls_and_is_asked_to_dial(world: World, exchange: FakeAmi) -> None:
    """Everything together: a connection in the database, its session, what it tells, what it is asked."""
    opened = await exchange.open()
    made = await world.exchange(kind=Connection.KIND_AMI, address=opened.address, username="crm")
    await world.line(number="+48300000201")
    await world.set_password(made, "secret")
    agent = await world.agent()
    await world.extension(made.id, user_id=agent.id, endpoint="PJSIP/agent1")
    assert await until(lambda: exchange.asked and exchange.asked[-1]["Action"] == "CoreShowChannels", 20)  # fmt: skip

    facts, _ = told("answered")
    for fact in facts:
        await exchange.say(fact)
    call = await world.ended_call()

    assert (call.number, call.outcome) == ("+48600100200", Call.OUTCOME_ANSWERED)
    assert (call.connection_id, call.talk_seconds) == (made.id, 5)
    await exchange.close()


def test_every_kind_of_asterisk_has_its_adapter() -> None:
    kinds: Any = pbx.ADAPTERS
    assert kinds[Connection.KIND_AMI] is ami.Ami


# -- sound -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        (f"{ami.MONITOR}2026/11/24/1.wav", "monitor/2026/11/24/1.wav"), ("2026/1 2.wav", "monitor/2026/1%202.wav"),
        ("/srv/calls/1.wav", "monitor/1.wav"), ("a?b#c.wav", "monitor/a%3Fb%23c.wav"),
    ],
    ids=["below the usual folder", "a space", "elsewhere", "no query"],
)  # fmt: skip
async def test_sound_lies_where_files_are_given_out(name: str, asked: str) -> None:
    files = Files(**{asked: (200, b"RIFFsound")})
    async with serving(files) as address:
        for folder in ("/monitor", "/monitor/"):
            assert await reached(recordings_address=address + folder).fetch(name) == b"RIFFsound"

    assert [path for path, _ in files.asked] == [asked] * 2
    assert not any("authorization" in headers for _, headers in files.asked)


async def test_sound_that_nobody_gives_out_says_why() -> None:
    with pytest.raises(Impossible, match="no recordings_address"):
        await reached().fetch("1.wav")
    async with serving(Files()) as address:
        with pytest.raises(Impossible, match="answered 404"):
            await reached(recordings_address=address).fetch("1.wav")
    with pytest.raises(Impossible, match="NO_ANSWER"):
        await reached(recordings_address=address).fetch("1.wav")


def reached(**given: Any) -> ami.Ami:
    """An adapter of an exchange that is not spoken with."""
    connection = Connection(kind=Connection.KIND_AMI, address="127.0.0.1:1", **given)
    kept = Kept()
    return ami.Ami(Site(connection, "secret", kept.hear, kept.living, kept.stands))

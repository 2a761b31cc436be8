"""What the REST interface tells that was not recorded: our own ids, two calls that become one, cuts."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.telephony.pbx import tracking
from services.telephony.pbx.ari_reading import AriReader
from services.telephony.pbx.facts import Fact, Kind, leg_id
from services.telephony.pbx.phones import Phones
from services.telephony.rules import calls
from services.telephony.rules.calls import Call
from tests.unit.telephony import transcripts

PHONES = Phones(
    extensions={"PJSIP/agent1": "101", "PJSIP/agent2": "102"}, mobiles={"+48501502503": "102"}
)
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
OUR = [leg_id("our-call", number) for number in (1, 2, 3)]


def channel(id: str, name: str, state: str = "Down", *, number: str = "", exten: str = "s", app: str = "") -> dict[str, Any]:  # fmt: skip
    return {
        "id": id,
        "name": name,
        "state": state,
        "caller": {"name": "", "number": number},
        "dialplan": {"context": "x", "exten": exten, "app_name": app, "app_data": ""},
        "creationtime": "2026-11-23T08:58:30.000+0000",
    }


def bridge(id: str, *channels: str, kind: str = "mixing") -> dict[str, Any]:
    return {"id": id, "bridge_type": kind, "channels": list(channels)}


TRUNK = channel("1.1", "PJSIP/trunk-01", "Ring", number="48600100200", exten="48300000101")
AGENT = channel("1.2", "PJSIP/agent1-02")
SECOND = channel("2.1", "PJSIP/agent1-03", "Ring", number="101", exten="102")
OTHER = channel("2.2", "PJSIP/agent2-04")


class Exchange:
    """Says what a REST interface would, every second something."""

    def __init__(self, known: dict[str, str] | None = None) -> None:
        self.reader = AriReader(PHONES, known)
        self.at = NOW
        self.facts: list[Fact] = []

    def tell(self, type: str, **fields: Any) -> list[Fact]:
        self.at += timedelta(seconds=1)
        told = {"type": type, "timestamp": self.at.isoformat(), **fields}
        facts = self.reader.read(told, at=NOW)
        self.facts += facts
        return facts

    def dial(self, caller: dict[str, Any], peer: dict[str, Any]) -> list[Fact]:
        return self.tell("Dial", caller=caller, peer=peer, dialstatus="", dialstring="")

    def call(self, call: str) -> calls.Derived:
        return calls.derive(transcripts.legs_of(self.facts)[call])


def test_channels_that_we_ask_for_name_their_call() -> None:
    exchange = Exchange()
    agent, customer = channel(OUR[0], "PJSIP/agent1-05"), channel(OUR[1], "PJSIP/trunk-06")
    for made, dialstring in ((agent, "agent1"), (customer, "48600100200@trunk")):
        exchange.tell("ChannelCreated", channel=made)
        exchange.tell("Dial", peer=made, dialstatus="", dialstring=dialstring)
        exchange.tell("ChannelEnteredBridge", channel=made, bridge=bridge("b", made["id"]))

    call = exchange.call("our-call")

    assert {fact.call for fact in exchange.facts} == {"our-call"}
    assert (call.direction, call.number) == (Call.DIRECTION_OUTBOUND, "48600100200")
    assert (call.state, call.spoke) == (Call.STATE_ACTIVE, ("101",))


def test_phone_that_the_application_rings_is_of_the_caller_s_call() -> None:
    exchange = Exchange()
    exchange.tell("ChannelCreated", channel=TRUNK)

    waiting = exchange.tell("ChannelCreated", channel=AGENT)
    told = exchange.tell("StasisStart", channel=AGENT, args=["agent", "1.1"])

    assert waiting == []
    assert [(fact.call, fact.leg, fact.kind) for fact in told] == [("1.1", "1.2", Kind.BEGAN)]


def test_phones_dialled_before_the_caller_is_told_of_wait_for_it() -> None:
    exchange = Exchange()

    early = exchange.tell("ChannelCreated", channel=AGENT) + exchange.dial(TRUNK, AGENT)
    told = exchange.tell("ChannelCreated", channel=TRUNK)

    assert early == []
    assert {(fact.call, fact.leg) for fact in told} == {("1.1", "1.1"), ("1.1", "1.2")}


def test_colleague_s_mobile_is_his_extension() -> None:
    exchange = Exchange()
    mobile = channel("1.3", "PJSIP/trunk-07", number="48600100200")
    exchange.tell("ChannelCreated", channel=TRUNK)
    exchange.tell("Dial", caller=TRUNK, peer=mobile, dialstatus="", dialstring="501502503@trunk")
    exchange.tell("Dial", caller=TRUNK, peer=mobile, dialstatus="RINGING", dialstring="")

    assert exchange.call("1.1").ringing == ("102",)


def _two_calls(exchange: Exchange) -> None:
    for caller, called, room in ((TRUNK, AGENT, "first"), (SECOND, OTHER, "second")):
        exchange.tell("ChannelCreated", channel=caller)
        exchange.tell("ChannelCreated", channel=called)
        exchange.dial(caller, called)
        for there in (caller, called):
            exchange.tell("ChannelEnteredBridge", channel=there, bridge=bridge(room, there["id"]))


def test_attended_transfer_between_two_calls_joins_them() -> None:
    exchange = Exchange()
    _two_calls(exchange)
    transfer = {
        "result": "Success",
        "transferer_first_leg": AGENT,
        "transferer_second_leg": SECOND,
        "transferer_first_leg_bridge": bridge("first"),
        "transferer_second_leg_bridge": bridge("second"),
        "transfer_target": OTHER,
    }
    exchange.tell("BridgeAttendedTransfer", **transfer)
    exchange.tell("ChannelLeftBridge", channel=TRUNK, bridge=bridge("first"))
    exchange.tell("ChannelEnteredBridge", channel=TRUNK, bridge=bridge("second", "1.1", "2.2"))
    exchange.tell("BridgeAttendedTransfer", **transfer)  # told twice
    for ended in (AGENT, SECOND, TRUNK, OTHER):
        exchange.tell("ChannelDestroyed", channel=ended, cause=16)

    customer, question = exchange.call("1.1"), exchange.call("2.1")

    assert (customer.outcome, customer.spoke) == (Call.OUTCOME_TRANSFERRED, ("101", "102"))
    assert (question.direction, question.outcome) == (
        Call.DIRECTION_INTERNAL,
        Call.OUTCOME_ANSWERED,
    )


def test_attended_transfer_that_failed_changes_nothing() -> None:
    exchange = Exchange()
    _two_calls(exchange)

    failed = exchange.tell("BridgeAttendedTransfer", result="Fail", transferer_first_leg=AGENT)
    blind = exchange.tell("BridgeBlindTransfer", result="Invalid", channel=AGENT)

    assert failed + blind == []


def test_two_calls_in_one_room_stay_two() -> None:
    exchange = Exchange()
    _two_calls(exchange)

    facts = exchange.tell("ChannelEnteredBridge", channel=TRUNK, bridge=bridge("second", "1.1"))

    assert [(fact.call, fact.leg, fact.room) for fact in facts] == [("1.1", "1.1", "second")]


def test_waiting_room_is_no_talk() -> None:
    exchange = Exchange()
    exchange.tell("ChannelCreated", channel=TRUNK)

    for type in ("ChannelEnteredBridge", "ChannelLeftBridge"):
        assert not exchange.tell(type, channel=TRUNK, bridge=bridge("moh", "1.1", kind="holding"))


def test_hang_up_that_the_exchange_asks_for_is_not_the_party_s() -> None:
    exchange = Exchange()
    exchange.tell("ChannelCreated", channel=TRUNK)

    soft = exchange.tell("ChannelHangupRequest", channel=TRUNK, soft=True, cause=16)
    own = exchange.tell("ChannelHangupRequest", channel=TRUNK, cause=16)

    assert (soft, [fact.kind for fact in own]) == ([], [Kind.HUNG_UP])


def test_recording_of_a_channel_is_of_its_call() -> None:
    exchange = Exchange()
    exchange.tell("ChannelCreated", channel=TRUNK)
    recording = {"name": "n", "target_uri": "channel:1.1"}

    (fact,) = exchange.tell("RecordingStarted", recording=recording)

    assert (fact.call, fact.leg, fact.kind, fact.recording) == ("1.1", "", Kind.RECORDING, "n")


def test_reconciliation_finds_who_lives_and_ends_who_does_not() -> None:
    exchange = Exchange({"1.1": "1.1", "1.2": "1.1", "8.8": "8.8"})
    channels = [
        TRUNK | {"state": "Up"},
        channel("1.2", "PJSIP/agent1-02", "Up", app="AppDial"),
        channel("3.1", "PJSIP/trunk-08", "Ring", number="48600300400", exten="48300000101"),
    ]
    bridges = [bridge("b", "1.1", "1.2"), bridge("moh", "3.1", kind="holding")]

    facts = exchange.reader.reconcile(channels, bridges, at=NOW)
    again = exchange.reader.reconcile(channels, bridges, at=NOW + timedelta(seconds=9))
    gone = exchange.reader.reconcile([], [], at=NOW + timedelta(seconds=10))

    found = transcripts.legs_of(facts)
    call = calls.derive(found["1.1"])
    assert (call.state, call.number, call.spoke) == (Call.STATE_ACTIVE, "48600100200", ("101",))
    assert call.start == NOW - timedelta(seconds=90)
    assert calls.derive(found["3.1"]).number == "48600300400"
    assert [(fact.leg, fact.kind) for fact in facts if fact.call == "8.8"] == [("8.8", Kind.ENDED)]
    assert {fact.kind for fact in again} == {Kind.ANSWERED}
    assert [(f.leg, f.kind) for f in gone] == [(leg, Kind.ENDED) for leg in ("1.1", "1.2", "3.1")]


def test_what_says_nothing_of_calls_is_passed_over() -> None:
    assert AriReader(PHONES).read({"type": "EndpointStateChange"}, at=NOW) == []


def test_legs_that_are_gone_are_forgotten_after_a_while() -> None:
    exchange = Exchange()
    count = tracking.KEPT + 2
    for number in range(count):
        ring = TRUNK | {"id": f"1.{number}"}
        exchange.tell("ChannelCreated", channel=ring)
        exchange.tell("ChannelDestroyed", channel=ring, cause=16)

    oldest, kept = (
        [exchange.tell("ChannelHold", channel=TRUNK | {"id": f"1.{number}"}) for number in numbers]
        for numbers in (range(2), range(2, count))
    )

    assert (any(oldest), all(kept)) == (False, True)

"""What the manager interface tells that was not recorded: two calls that become one, queues, mobile phones, cuts."""

from datetime import UTC, datetime, timedelta

import pytest

from services.telephony.pbx.ami_reading import AmiReader, event
from services.telephony.pbx.facts import Fact, Kind, Side, leg_id
from services.telephony.pbx.phones import Phones
from services.telephony.rules import calls
from services.telephony.rules.calls import Call
from tests.unit.telephony import transcripts

PHONES = Phones(
    extensions={"PJSIP/agent1": "101", "PJSIP/agent2": "102"}, mobiles={"+48501502503": "101"}
)
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
NAMES = {"1.1": "PJSIP/trunk-01", "1.2": "PJSIP/agent1-02", "2.1": "PJSIP/agent1-03", "2.2": "PJSIP/agent2-04"}  # fmt: skip


class Exchange:
    """Says what a manager interface would, every second something."""

    def __init__(self, known: dict[str, str] | None = None) -> None:
        self.reader = AmiReader(PHONES, known)
        self.at = NOW
        self.facts: list[Fact] = []

    def tell(self, name: str, leg: str = "", linked: str = "", **fields: str) -> list[Fact]:
        self.at += timedelta(seconds=1)
        if leg:
            fields = {"Uniqueid": leg, "Linkedid": linked, "Channel": NAMES.get(leg, ""), **fields}
        facts = self.reader.read({"Event": name, **fields}, at=self.at)
        self.facts += facts
        return facts

    def begins(self, leg: str, linked: str, *, state: str = "Down", number: str = "", exten: str = "s", channel: str = "") -> list[Fact]:  # fmt: skip
        channel = channel or NAMES[leg]
        return self.tell("Newchannel", leg, linked, ChannelStateDesc=state, CallerIDNum=number, Exten=exten, Channel=channel)  # fmt: skip

    def call(self, call: str) -> calls.Derived:
        return calls.derive(transcripts.legs_of(self.facts)[call])


def test_attended_transfer_between_two_calls_joins_them() -> None:
    """As desk phones do it: the question to the colleague is a call of its own, until REFER with Replaces."""
    exchange = Exchange()
    exchange.begins("1.1", "1.1", state="Ring", number="48600100200", exten="48300000201")
    exchange.begins("1.2", "1.1")
    for leg in ("1.1", "1.2"):
        exchange.tell("BridgeEnter", leg, "1.1", BridgeUniqueid="first")
    exchange.tell("Hold", "1.2", "1.1")
    exchange.begins("2.1", "2.1", state="Ring", number="101", exten="102")
    exchange.begins("2.2", "2.1")
    for leg in ("2.1", "2.2"):
        exchange.tell("BridgeEnter", leg, "2.1", BridgeUniqueid="second")
    transfer = {
        "Result": "Success",
        "OrigTransfererUniqueid": "1.2",
        "SecondTransfererUniqueid": "2.1",
        "OrigBridgeUniqueid": "first",
        "SecondBridgeUniqueid": "second",
    }
    exchange.tell("AttendedTransfer", **transfer)
    exchange.tell("BridgeLeave", "1.1", "1.1", BridgeUniqueid="first")
    exchange.tell("BridgeEnter", "1.1", "1.1", BridgeUniqueid="second")
    exchange.tell("AttendedTransfer", **transfer)  # told twice
    late = exchange.tell("Newstate", "2.2", "2.1", ChannelStateDesc="Up")  # by its former call
    for leg, linked in (("1.2", "1.1"), ("2.1", "2.1"), ("2.2", "1.1"), ("1.1", "1.1")):
        exchange.tell("Hangup", leg, linked, Cause="16")

    customer, question = exchange.call("1.1"), exchange.call("2.1")

    assert [(fact.call, fact.kind) for fact in late] == [("1.1", Kind.ANSWERED)]
    assert (customer.outcome, customer.spoke) == (Call.OUTCOME_TRANSFERRED, ("101", "102"))
    assert (question.direction, question.outcome) == (
        Call.DIRECTION_INTERNAL,
        Call.OUTCOME_ANSWERED,
    )
    assert (customer.state, question.state) == (Call.STATE_ENDED, Call.STATE_ENDED)


def test_leg_whose_linkedid_changes_is_handed_over() -> None:
    exchange = Exchange()
    exchange.begins("2.2", "2.1")

    facts = exchange.tell("BridgeEnter", "2.2", "1.1", BridgeUniqueid="r")

    assert [(fact.call, fact.kind) for fact in facts] == [
        ("2.1", Kind.ENDED),
        ("1.1", Kind.BEGAN),
        ("1.1", Kind.ANSWERED),
        ("1.1", Kind.JOINED),
    ]
    assert (facts[1].side, facts[1].number) == (Side.COLLEAGUE, "102")


def test_caller_who_leaves_a_queue_gave_up() -> None:
    exchange = Exchange()
    exchange.begins("1.1", "1.1", state="Ring", number="48600100200", exten="48300000201")
    exchange.tell("QueueCallerJoin", "1.1", "1.1", Queue="sales", Position="1")
    exchange.tell("QueueCallerAbandon", "1.1", "1.1", Queue="sales")
    exchange.tell("QueueCallerLeave", "1.1", "1.1", Queue="sales")
    exchange.tell("Hangup", "1.1", "1.1", Cause="0")

    call = exchange.call("1.1")

    assert (call.outcome, call.queue) == (Call.OUTCOME_ABANDONED_IN_QUEUE, "sales")


@pytest.mark.parametrize("dialstring", ["trunk/sip:48501502503@host:5090", "501502503@trunk", "trunk/0048501502503"])  # fmt: skip
def test_colleague_s_mobile_is_his_extension(dialstring: str) -> None:
    exchange = Exchange()
    exchange.begins("1.1", "1.1", state="Ring", number="48600100200", exten="48300000201")
    exchange.begins("1.3", "1.1", channel="PJSIP/trunk-05")
    exchange.tell("DialBegin", "1.1", "1.1", DestUniqueid="1.3", DestLinkedid="1.1", DestChannel="PJSIP/trunk-05", DestCallerIDNum="48600100200", DialString=dialstring)  # fmt: skip
    exchange.tell("DialState", DestUniqueid="1.3", DestLinkedid="1.1", DialStatus="RINGING")

    call = exchange.call("1.1")

    assert (call.direction, call.ringing) == (Call.DIRECTION_INBOUND, ("101",))
    assert call.number == "48600100200"


def test_call_from_a_colleague_s_mobile_comes_from_outside() -> None:
    exchange = Exchange()
    exchange.begins("1.1", "1.1", state="Ring", number="48501502503", exten="48300000201")

    call = exchange.call("1.1")

    assert (call.direction, call.number) == (Call.DIRECTION_INBOUND, "48501502503")


@pytest.mark.parametrize("number", ["", "anonymous", "<unknown>", "+0000"], ids=["none", "anonymous", "unknown", "zeros"])  # fmt: skip
def test_caller_without_a_number_hides_it(number: str) -> None:
    exchange = Exchange()
    exchange.begins("1.1", "1.1", state="Ring", number=number, exten="48300000201")

    call = exchange.call("1.1")

    assert (call.withheld, call.number, call.line) == (True, "", "48300000201")


@pytest.mark.parametrize(
    ("exten", "direction", "number"),
    [
        ("48600100200", Call.DIRECTION_OUTBOUND, "48600100200"),
        ("102", Call.DIRECTION_INTERNAL, ""),
        ("*97", Call.DIRECTION_INTERNAL, ""),
    ],
    ids=["outside", "extension", "service"],
)
def test_desk_phone_dials(exten: str, direction: int, number: str) -> None:
    exchange = Exchange()
    exchange.begins("1.2", "1.2", state="Ring", number="101", exten=exten)

    call = exchange.call("1.2")

    assert (call.direction, call.number) == (direction, number)


def test_waiting_room_is_no_talk() -> None:
    exchange = Exchange()
    exchange.begins("1.1", "1.1", state="Ring", number="48600100200", exten="48300000201")

    for name in ("BridgeEnter", "BridgeLeave"):
        assert not exchange.tell(name, "1.1", "1.1", BridgeUniqueid="moh", BridgeTechnology="holding_bridge")  # fmt: skip


def test_transfer_that_failed_is_none() -> None:
    exchange = Exchange()
    exchange.begins("1.2", "1.1")

    assert not exchange.tell("BlindTransfer", Result="Fail", TransfererUniqueid="1.2")
    assert not exchange.tell("AttendedTransfer", Result="Invalid", OrigTransfererUniqueid="1.2")


def test_legs_that_we_asked_for_are_of_our_call() -> None:
    exchange = Exchange()

    own = exchange.begins(leg_id("our-call", 1), leg_id("our-call", 1), channel="PJSIP/agent1-06")
    other = exchange.begins("3.3", leg_id("our-call", 1), channel="PJSIP/trunk-07")

    assert [fact.call for fact in own + other] == ["our-call", "our-call"]


def test_reconciliation_finds_who_lives_and_ends_who_does_not() -> None:
    exchange = Exchange({"1.1": "1.1", "1.2": "1.1", "8.8": "8.8"})
    living = [
        {
            "Event": "CoreShowChannel",
            "Uniqueid": leg,
            "Linkedid": "1.1",
            "Channel": NAMES[leg],
            "ChannelStateDesc": "Up",
            "CallerIDNum": number,
            "Exten": "48300000201",
            "Application": application,
            "Duration": "00:01:30",
            "BridgeId": "r",
        }
        for leg, number, application in (("1.1", "48600100200", "Dial"), ("1.2", "101", "AppDial"))
    ]

    facts = exchange.reader.reconcile(living, at=NOW)
    again = exchange.reader.reconcile(living, at=NOW + timedelta(seconds=9))

    call = calls.derive(transcripts.legs_of(facts)["1.1"])
    assert (call.state, call.number, call.spoke) == (Call.STATE_ACTIVE, "48600100200", ("101",))
    assert call.start == NOW - timedelta(seconds=90)
    assert [(fact.leg, fact.kind) for fact in facts if fact.call == "8.8"] == [("8.8", Kind.ENDED)]
    assert {fact.kind for fact in again} == {Kind.ANSWERED}


def test_reconciliation_tells_of_rooms_left_and_ends_all_where_nobody_lives() -> None:
    exchange = Exchange()
    exchange.begins("1.1", "1.1", state="Ring", number="48600100200", exten="48300000201")
    exchange.tell("BridgeEnter", "1.1", "1.1", BridgeUniqueid="r")
    channel = {"Uniqueid": "1.1", "Linkedid": "1.1", "ChannelStateDesc": "Up", "BridgeId": ""}

    left = exchange.reader.reconcile([channel], at=NOW)
    gone = exchange.reader.reconcile([], at=NOW)
    again = exchange.reader.reconcile([], at=NOW)

    assert [(fact.kind, fact.room) for fact in left] == [(Kind.ANSWERED, ""), (Kind.LEFT, "r")]
    assert [(fact.call, fact.kind) for fact in gone] == [("1.1", Kind.ENDED)]
    assert again == []


def test_exchange_s_own_time_counts() -> None:
    reader = AmiReader(PHONES)
    told = event("Event: Hangup\nTimestamp: 1795396118.309302\nUniqueid: 1.1\nLinkedid: 1.1\nCause: 16")  # fmt: skip

    (fact,) = reader.read(told, at=NOW)

    assert fact.time == datetime.fromtimestamp(1795396118.309302, UTC)
    assert (fact.kind, fact.cause) == (Kind.ENDED, 16)


def test_what_says_nothing_of_calls_is_passed_over() -> None:
    assert AmiReader(PHONES).read({"Event": "PeerStatus", "Peer": "PJSIP/agent1"}, at=NOW) == []
    assert AmiReader(PHONES).read({"Response": "Success", "ActionID": "1"}, at=NOW) == []

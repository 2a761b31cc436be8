"""Reads what Asterisk tells over its manager interface (AMI): events into facts. Pure, but for what it remembers of legs.

A call is a Linkedid: Asterisk gives every channel that of the oldest one that it has to do with. Where it changes, as an attended
transfer between two calls makes it, the leg is handed over to the older call.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from services.telephony.pbx import phones as names
from services.telephony.pbx.facts import Fact, Kind, Side, call_of
from services.telephony.pbx.phones import Phones
from services.telephony.pbx.tracking import Tracking

Event = Mapping[str, str]

_STATES = {"Ringing": Kind.RANG, "Up": Kind.ANSWERED}
_DIALS = {"RINGING": Kind.RANG, "ANSWER": Kind.ANSWERED}
_PLAIN = {
    "Hold": Kind.HELD,
    "Unhold": Kind.RESUMED,
    "HangupRequest": Kind.HUNG_UP,
    "QueueCallerAbandon": Kind.HUNG_UP,
}
_PLACES = {
    "BridgeEnter": (Kind.JOINED, "BridgeUniqueid"),
    "BridgeLeave": (Kind.LEFT, "BridgeUniqueid"),
    "QueueCallerJoin": (Kind.QUEUED, "Queue"),
    "QueueCallerLeave": (Kind.UNQUEUED, "Queue"),
}


def event(block: str) -> dict[str, str]:
    """The fields of one block of lines; of a field that comes twice, the last."""
    return {
        name: value.strip()
        for name, colon, value in (line.partition(":") for line in block.splitlines())
        if colon
    }


class AmiReader:
    """Turns the events of one exchange, in the order in which they come, into facts."""

    def __init__(self, phones: Phones, known: Mapping[str, str] | None = None) -> None:
        """`known` are the calls of the legs that lived when somebody listened last, by leg."""
        self.phones = phones
        """Whose phones are known; may be replaced at any time."""
        self._legs = Tracking(known or {})
        self._monitored: dict[str, set[str]] = {}
        self._readers: Mapping[str, Callable[[Event, datetime], list[Fact]]] = {
            "Newchannel": self._began,
            "Newstate": self._state,
            "DialBegin": self._dial,
            "DialState": self._dial_state,
            "DialEnd": self._dial_state,
            "NewCallerid": self._shows,
            "BlindTransfer": self._blind,
            "AttendedTransfer": self._attended,
            "VarSet": self._monitor,
            "Hangup": self._ended,
            **dict.fromkeys(_PLAIN, self._plain),
            **dict.fromkeys(_PLACES, self._place),
        }

    def read(self, event: Event, *, at: datetime) -> list[Fact]:
        """The facts in one event; `at` is when it came, for exchanges that do not say when it happened."""
        time = (
            datetime.fromtimestamp(float(event["Timestamp"]), UTC) if "Timestamp" in event else at
        )
        facts: list[Fact] = []
        for prefix in ("", "Dest"):
            facts += self._linked(event, prefix, time)
        reader = self._readers.get(event.get("Event", ""))
        return facts + (reader(event, time) if reader else [])

    def reconcile(self, channels: Iterable[Event], *, at: datetime) -> list[Fact]:
        """What is so now, after a while without events: from the CoreShowChannel events of all channels that live."""
        facts: list[Fact] = []
        channels = list(channels)
        for channel in channels:
            facts += self._linked(channel, "", at) + self._found(channel, at)
        return facts + self._legs.lost({channel["Uniqueid"] for channel in channels}, at=at)

    def call_of(self, leg: str) -> str:
        """The call of a leg; empty if that is not known."""
        return self._legs.call_of(leg)

    def recorded(self, leg: str) -> bool:
        """True while what is said at this leg is written to a file."""
        return bool(self._monitored.get(leg))

    def _linked(self, event: Event, prefix: str, at: datetime) -> list[Fact]:
        leg, linked = event.get(prefix + "Uniqueid", ""), event.get(prefix + "Linkedid", "")
        if not leg or not linked:
            return []
        call = call_of(linked) or linked
        return self._legs.place(leg, call) + self._legs.move(leg, call, at=at)

    def _told(self, leg: str, kind: Kind, time: datetime, *, room: str = "", cause: int = 0) -> list[Fact]:  # fmt: skip
        return self._legs.tell(
            leg, Fact(call="", leg=leg, kind=kind, time=time, room=room, cause=cause)
        )

    def _began(self, event: Event, time: datetime, *, comes_in: bool | None = None) -> list[Fact]:
        name, leg = event["Channel"], event["Uniqueid"]
        if comes_in is None:
            comes_in = event["ChannelStateDesc"] == "Ring"  # what the exchange makes begins Down
        side = self.phones.side(name)
        number = line = dialled = ""
        if side is Side.COLLEAGUE:
            number = self.phones.extension(name)
            dialled = self.phones.outside(event["Exten"]) if comes_in else ""
        elif side is Side.OUTSIDE and comes_in:
            number, line = names.spelled(event["CallerIDNum"]), names.spelled(event["Exten"])
        began = Fact(
            call="",
            leg=leg,
            kind=Kind.BEGAN,
            time=time,
            side=side,
            number=number,
            line=line,
            dialled=dialled,
            withheld=side is Side.OUTSIDE and comes_in and not number,
            path=names.path(name),
        )
        return self._legs.tell(leg, began)

    def _found(self, event: Event, at: datetime) -> list[Fact]:
        """What a channel that was found alive tells."""
        leg, facts = event["Uniqueid"], []
        if not self._legs.has_begun(leg):
            lasted = re.fullmatch(r"(\d+):(\d\d):(\d\d)", event.get("Duration", ""))
            hours, minutes, seconds = (int(part) for part in lasted.groups()) if lasted else (0, 0, 0)  # fmt: skip
            began = at - timedelta(hours=hours, minutes=minutes, seconds=seconds)
            made = event.get("Application", "").startswith("AppDial")
            facts += self._began(event, began, comes_in=not made)
        if event["ChannelStateDesc"] in _STATES:
            facts += self._told(leg, _STATES[event["ChannelStateDesc"]], at)
        room, was = event.get("BridgeId", ""), self._legs.room_of(leg)
        if was and was != room:
            facts += self._told(leg, Kind.LEFT, at, room=was)
        if room and was != room:
            facts += self._told(leg, Kind.JOINED, at, room=room)
        return facts

    def _state(self, event: Event, time: datetime) -> list[Fact]:
        kind = _STATES.get(event["ChannelStateDesc"])
        return self._told(event["Uniqueid"], kind, time) if kind else []

    def _dial(self, event: Event, time: datetime) -> list[Fact]:
        """Who is called outside, and what he sees; or that it is a colleague's mobile phone."""
        leg, name = event["DestUniqueid"], event["DestChannel"]
        number = names.called(event["DialString"], name)
        if self.phones.side(name) is not Side.OUTSIDE or not number:
            return []
        shown = names.spelled(event["DestCallerIDNum"])
        line = shown if shown != number else ""
        side, number = self.phones.whose(number)
        began = Fact(call="", leg=leg, kind=Kind.BEGAN, time=time, side=side, number=number, line=line)  # fmt: skip
        return self._legs.tell(leg, began)

    def _dial_state(self, event: Event, time: datetime) -> list[Fact]:
        kind = _DIALS.get(event["DialStatus"])
        return self._told(event["DestUniqueid"], kind, time) if kind else []

    def _shows(self, event: Event, time: datetime) -> list[Fact]:
        """Whom a colleague's phone shows: where it was made for a call outside, who is called."""
        leg, number = event["Uniqueid"], self.phones.outside(event["CallerIDNum"])
        if self.phones.side(event["Channel"]) is not Side.COLLEAGUE or not number:
            return []
        return self._legs.tell(leg, Fact(call="", leg=leg, kind=Kind.BEGAN, time=time, dialled=number))  # fmt: skip

    def _plain(self, event: Event, time: datetime) -> list[Fact]:
        return self._told(event["Uniqueid"], _PLAIN[event["Event"]], time)

    def _place(self, event: Event, time: datetime) -> list[Fact]:
        if (
            event.get("BridgeTechnology") == "holding_bridge"
        ):  # a waiting room: nobody hears another
            return []
        kind, place = _PLACES[event["Event"]]
        return self._told(event["Uniqueid"], kind, time, room=event[place])

    def _blind(self, event: Event, time: datetime) -> list[Fact]:
        if event["Result"] != "Success":
            return []
        facts = self._linked(event, "Transferer", time)
        return facts + self._told(event["TransfererUniqueid"], Kind.TRANSFERRED, time)

    def _attended(self, event: Event, time: datetime) -> list[Fact]:
        if event["Result"] != "Success":
            return []
        first, second = event["OrigTransfererUniqueid"], event["SecondTransfererUniqueid"]
        rooms = {event.get(name, "") for name in ("OrigBridgeUniqueid", "SecondBridgeUniqueid")}
        target = event.get("TransferTargetUniqueid", "")
        facts = self._told(first, Kind.TRANSFERRED, time)
        return facts + self._legs.hand_over(
            first, second, others=[target], rooms=rooms - {""}, at=time
        )

    def _monitor(self, event: Event, time: datetime) -> list[Fact]:
        """MixMonitor says by a variable which file it writes, until the channel is gone."""
        if event.get("Variable") != "MIXMONITOR_FILENAME":
            return []
        leg, file = event["Uniqueid"], event["Value"]
        self._monitored.setdefault(leg, set()).add(file)
        return self._legs.tell(leg, Fact(call="", leg="", kind=Kind.RECORDING, time=time, recording=file))  # fmt: skip

    def _ended(self, event: Event, time: datetime) -> list[Fact]:
        leg = event["Uniqueid"]
        facts = self._told(leg, Kind.ENDED, time, cause=int(event.get("Cause") or 0))
        for file in sorted(self._monitored.pop(leg, ())):
            facts += self._legs.tell(leg, Fact(call="", leg="", kind=Kind.RECORDED, time=time, recording=file))  # fmt: skip
        return facts

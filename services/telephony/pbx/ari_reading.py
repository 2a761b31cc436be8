"""Reads what Asterisk tells over its REST interface (ARI): events into facts. Pure, but for what it remembers of legs.

ARI does not say to which call a channel belongs: it is found out from who dials whom, from the rooms in which channels meet, from
the arguments with which our application is entered, and from the ids under which we ask for channels (facts.leg_id). A channel
that calls in is a call of its own; what is told of one that the exchange makes waits until its call is known.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from services.telephony.pbx import phones as names
from services.telephony.pbx.facts import Fact, Kind, Side, call_of
from services.telephony.pbx.phones import Phones
from services.telephony.pbx.tracking import Tracking

Event = Mapping[str, Any]

_STATES = {"Ringing": Kind.RANG, "Up": Kind.ANSWERED}
_DIALS = {"RINGING": Kind.RANG, "ANSWER": Kind.ANSWERED}
_PLAIN = {"ChannelHold": Kind.HELD, "ChannelUnhold": Kind.RESUMED}
_PLACES = {"ChannelEnteredBridge": Kind.JOINED, "ChannelLeftBridge": Kind.LEFT}
_RECORDINGS = {"RecordingStarted": Kind.RECORDING, "RecordingFinished": Kind.RECORDED}


class AriReader:
    """Turns the events of one exchange, in the order in which they come, into facts."""

    def __init__(self, phones: Phones, known: Mapping[str, str] | None = None) -> None:
        """`known` are the calls of the legs that lived when somebody listened last, by leg."""
        self.phones = phones
        """Whose phones are known; may be replaced at any time."""
        self._legs = Tracking(known or {})
        self._readers: Mapping[str, Callable[[Event, datetime], list[Fact]]] = {
            "ChannelCreated": self._created,
            "ChannelStateChange": self._state,
            "ChannelCallerId": self._shows,
            "Dial": self._dial,
            "StasisStart": self._entered,
            "ChannelHangupRequest": self._hung_up,
            "ChannelDestroyed": self._ended,
            "BridgeDestroyed": self._room_gone,
            "BridgeBlindTransfer": self._blind,
            "BridgeAttendedTransfer": self._attended,
            **dict.fromkeys(_PLAIN, self._plain),
            **dict.fromkeys(_PLACES, self._place),
            **dict.fromkeys(_RECORDINGS, self._recorded),
        }

    def asked(self, leg: str, call: str) -> list[Fact]:
        """Says that we asked for the channel in this call; to be said before the request goes out.

        Not needed for ids of facts.leg_id, which name their call.
        """
        return self._legs.place(leg, call)

    def read(self, event: Event, *, at: datetime) -> list[Fact]:
        """The facts in one event; `at` is when it came, for those that do not say when they happened."""
        reader = self._readers.get(event["type"])
        time = datetime.fromisoformat(event["timestamp"]) if "timestamp" in event else at
        return reader(event, time) if reader else []

    def reconcile(
        self, channels: Iterable[Event], bridges: Iterable[Event], *, at: datetime
    ) -> list[Fact]:
        """What is so now, after a while without events: from the lists of all channels and bridges that live."""
        facts: list[Fact] = []
        channels, bridges = list(channels), list(bridges)
        rooms = {
            leg: bridge for bridge in bridges if _is_room(bridge) for leg in bridge["channels"]
        }
        for channel in channels:
            facts += self._found(channel, rooms.get(channel["id"]), at)
        living = {channel["id"] for channel in channels} | {_tie(b["id"]) for b in bridges}
        return facts + self._legs.lost(living, at=at)

    def call_of(self, leg: str) -> str:
        """The call of a leg; empty if that is not known."""
        return self._legs.call_of(leg)

    def _told(self, leg: str, kind: Kind, time: datetime, **more: Any) -> list[Fact]:
        return self._legs.tell(leg, Fact(call="", leg=leg, kind=kind, time=time, **more))

    def _created(self, event: Event, time: datetime) -> list[Fact]:
        channel = event["channel"]
        return self._began(channel, comes_in=channel["state"] == "Ring")  # what is made begins Down

    def _began(self, channel: Event, *, comes_in: bool) -> list[Fact]:
        name, leg = channel["name"], channel["id"]
        side, path = self.phones.side(name), names.path(name)
        number = line = dialled = ""
        if side is Side.COLLEAGUE:
            number = self.phones.extension(name)
            dialled = self.phones.outside(channel["dialplan"]["exten"]) if comes_in else ""
        elif side is Side.OUTSIDE and comes_in:
            number = names.spelled(channel["caller"]["number"])
            line = names.spelled(channel["dialplan"]["exten"])
        facts = self._told(
            leg,
            Kind.BEGAN,
            datetime.fromisoformat(channel["creationtime"]),
            side=side,
            number=number,
            line=line,
            dialled=dialled,
            withheld=side is Side.OUTSIDE and comes_in and not number,
            path=path,
        )
        if path:
            facts += self._legs.link(leg, _tie(path))
        elif comes_in:
            facts += self._legs.place(leg, leg)
        return facts

    def _found(self, channel: Event, bridge: Event | None, at: datetime) -> list[Fact]:
        """What a channel that was found alive tells."""
        leg, facts = channel["id"], []
        if not self._legs.has_begun(leg):
            made = channel["dialplan"]["app_name"].startswith("AppDial")
            facts += self._began(channel, comes_in=not made)
        if channel["state"] in _STATES:
            facts += self._told(leg, _STATES[channel["state"]], at)
        room, was = bridge["id"] if bridge else "", self._legs.room_of(leg)
        if was and was != room:
            facts += self._told(leg, Kind.LEFT, at, room=was)
        if room and was != room:
            facts += self._legs.link(leg, _tie(room))
            facts += self._told(leg, Kind.JOINED, at, room=room)
        return facts

    def _state(self, event: Event, time: datetime) -> list[Fact]:
        kind = _STATES.get(event["channel"]["state"])
        return self._told(event["channel"]["id"], kind, time) if kind else []

    def _shows(self, event: Event, time: datetime) -> list[Fact]:
        """Whom a colleague's phone shows: where it was made for a call outside, who is called."""
        channel = event["channel"]
        number = self.phones.outside(channel["caller"]["number"])
        if self.phones.side(channel["name"]) is not Side.COLLEAGUE or not number:
            return []
        return self._told(channel["id"], Kind.BEGAN, time, dialled=number)

    def _dial(self, event: Event, time: datetime) -> list[Fact]:
        """Who dials whom. A channel that nobody dials is made by whoever asks the exchange for it: a call of its own if not we."""
        peer, caller = event["peer"], event.get("caller")
        leg, facts = peer["id"], []
        if caller:
            facts += self._legs.link(caller["id"], leg)
        elif not event["dialstatus"]:
            facts += self._legs.place(leg, leg)
        number = names.called(event["dialstring"], peer["name"])
        if number and self.phones.side(peer["name"]) is Side.OUTSIDE:
            shown = names.spelled(peer["caller"]["number"])
            line = shown if shown != number else ""
            side, number = self.phones.whose(number)
            facts += self._told(leg, Kind.BEGAN, time, side=side, number=number, line=line)
        if kind := _DIALS.get(event["dialstatus"]):
            facts += self._told(leg, kind, time)
        return facts

    def _entered(self, event: Event, _: datetime) -> list[Fact]:
        """Our application names the channel for whose call another one was made; after a transfer it is the one replaced."""
        leg, facts = event["channel"]["id"], []
        if replaced := event.get("replace_channel"):
            facts += self._legs.link(leg, replaced["id"])
        for argument in event["args"]:
            if self._legs.call_of(argument) or call_of(argument):
                facts += self._legs.link(leg, argument)
        return facts

    def _plain(self, event: Event, time: datetime) -> list[Fact]:
        return self._told(event["channel"]["id"], _PLAIN[event["type"]], time)

    def _hung_up(self, event: Event, time: datetime) -> list[Fact]:
        """Only what the party itself did: `soft` are requests of the exchange, the dialplan's and ours."""
        return [] if event.get("soft") else self._told(event["channel"]["id"], Kind.HUNG_UP, time)

    def _place(self, event: Event, time: datetime) -> list[Fact]:
        if not _is_room(event["bridge"]):
            return []
        leg, room = event["channel"]["id"], event["bridge"]["id"]
        facts = self._legs.link(leg, _tie(room))
        return facts + self._told(leg, _PLACES[event["type"]], time, room=room)

    def _room_gone(self, event: Event, _: datetime) -> list[Fact]:
        self._legs.over(_tie(event["bridge"]["id"]))
        return []

    def _recorded(self, event: Event, time: datetime) -> list[Fact]:
        """A recording is of a bridge or of a channel."""
        recording = event["recording"]
        kind, _, target = recording["target_uri"].partition(":")
        member = _tie(target) if kind == "bridge" else target
        fact = Fact(call="", leg="", kind=_RECORDINGS[event["type"]], time=time, recording=recording["name"])  # fmt: skip
        return self._legs.tell(member, fact)

    def _blind(self, event: Event, time: datetime) -> list[Fact]:
        if event["result"] != "Success":
            return []
        leg, facts = event["channel"]["id"], []
        if replacing := event.get("replace_channel"):
            facts += self._legs.link(leg, replacing["id"])
        return facts + self._told(leg, Kind.TRANSFERRED, time)

    def _attended(self, event: Event, time: datetime) -> list[Fact]:
        if event["result"] != "Success":
            return []
        first = event["transferer_first_leg"]["id"]
        second = event["transferer_second_leg"]["id"]
        rooms = {
            event[name]["id"]
            for name in ("transferer_first_leg_bridge", "transferer_second_leg_bridge")
            if event.get(name)
        }
        target = (event.get("transfer_target") or {}).get("id", "")
        facts = self._told(first, Kind.TRANSFERRED, time)
        return facts + self._legs.hand_over(first, second, others=[target], rooms=rooms, at=time)

    def _ended(self, event: Event, time: datetime) -> list[Fact]:
        channel = event["channel"]
        if path := names.path(channel["name"]):
            self._legs.over(_tie(path))
        return self._told(channel["id"], Kind.ENDED, time, cause=event["cause"])


def _is_room(bridge: Event) -> bool:
    """False for a bridge in which channels wait and hear nobody."""
    return bridge["bridge_type"] != "holding"


def _tie(name: str) -> str:
    """The name of a room or path among the members of calls, apart from all legs."""
    return f"in {name}"

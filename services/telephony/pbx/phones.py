"""Whose phone a channel of Asterisk is: a colleague's, one outside, or the exchange's own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.telephony.pbx.facts import Side

_OWN = frozenset(
    {
        "Announcer", "AsyncGoto", "AudioSocket", "Bridge", "CBAnn", "CBRec", "Local", "Message",
        "Recorder", "Snoop", "Surrogate", "UnicastRTP",
    }
)  # fmt: skip
_NUMBER = re.compile(r"\+?[0-9]+")
_SHORTEST_OUTSIDE = 5  # digits; what is shorter is an extension or a service of the exchange
_SHORTEST_ALIKE = 8  # digits; so many tell a mobile number in whatever spelling


@dataclass(frozen=True, slots=True)
class Phones:
    """At which endpoints and mobile numbers colleagues are called."""

    extensions: Mapping[str, str] = field(default_factory=dict)
    """The extension of each endpoint, e.g. PJSIP/agent1: 101."""
    mobiles: Mapping[str, str] = field(default_factory=dict)
    """The extension with which each mobile phone rings, by its number in international form."""

    def side(self, channel: str) -> Side:
        """Whose phone the channel with this name is, as far as the name tells."""
        if channel.partition("/")[0] in _OWN:
            return Side.EXCHANGE
        return Side.COLLEAGUE if endpoint(channel) in self.extensions else Side.OUTSIDE

    def extension(self, channel: str) -> str:
        """The colleague's extension; empty if it is none of a colleague."""
        return self.extensions.get(endpoint(channel), "")

    def whose(self, number: str) -> tuple[Side, str]:
        """Who is called by a number outside: a colleague by his mobile phone, with his extension, or somebody outside."""
        extension = self._mobile(number)
        return (Side.COLLEAGUE, extension) if extension else (Side.OUTSIDE, number)

    def outside(self, number: str) -> str:
        """The number if somebody outside can have it, else nothing: not for extensions and services of the exchange."""
        known = number in self.extensions.values() or len(_plain(number)) < _SHORTEST_OUTSIDE
        return "" if known else spelled(number)

    def _mobile(self, number: str) -> str:
        wanted = _plain(number)
        for mobile, extension in self.mobiles.items():
            known = _plain(mobile)
            if min(len(known), len(wanted)) >= _SHORTEST_ALIKE and (
                known.endswith(wanted) or wanted.endswith(known)
            ):
                return extension
        return ""


def endpoint(channel: str) -> str:
    """What of a channel's name says at which phone or trunk it is: PJSIP/agent1-0000000c is PJSIP/agent1."""
    return channel.rpartition("-")[0]


def path(channel: str) -> str:
    """The name that both halves of a path of the exchange have in common; empty for phones."""
    name, _, half = channel.rpartition(";")
    return name if half in ("1", "2") else ""


def spelled(number: str) -> str:
    """The number as the exchange writes it; empty if it is none, e.g. s or anonymous, or only zeros."""
    return number if _NUMBER.fullmatch(number) and number.strip("+0") else ""


def called(dialstring: str, channel: str) -> str:
    """The number in what Asterisk dialled to make the channel; empty if it names none.

    It is trunk/sip:NUMBER@host, NUMBER@trunk or trunk/NUMBER, and the trunk's name may be a number too.
    """
    trunk = endpoint(channel).partition("/")[2]
    for part in re.split(r"[/@]", dialstring):
        number = spelled(part.rpartition(":")[2])
        if number and number != trunk:
            return number
    return ""


def _plain(number: str) -> str:
    return re.sub(r"[^0-9]", "", number).lstrip("0")

"""What a real Asterisk told of 19 calls, as recorded (README.md in the archive says how), and the facts that our readers find in it."""

import functools
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.telephony.pbx.ami_reading import AmiReader, event
from services.telephony.pbx.ari_reading import AriReader
from services.telephony.pbx.facts import Fact
from services.telephony.pbx.phones import Phones
from services.telephony.rules.legs import LegState, apply

ARCHIVE = Path(__file__).parents[2] / "data" / "telephony" / "transcripts.tar.xz"
PHONES = Phones(extensions={"PJSIP/agent1": "101", "PJSIP/agent2": "102"})
RECEIVED = datetime(2026, 11, 23, 12, tzinfo=UTC)  # every recorded event says itself when it was

Told = dict[str, Any]
Arrange = Callable[[Sequence[Told]], Sequence[Told]]


@functools.cache
def _files() -> dict[str, str]:
    with tarfile.open(ARCHIVE) as archive:
        members = [member for member in archive if member.isfile()]
        return {m.name: archive.extractfile(m).read().decode() for m in members}  # type: ignore[union-attr]


def scenario(number: int, file: str) -> str:
    """The text of one file of the scenario; empty if it has none such."""
    found = [text for name, text in _files().items() if re.fullmatch(rf"{number:02}_\w+/{file}", name)]  # fmt: skip
    return found[0] if found else ""


def ami_events(number: int) -> list[Told]:
    """The events of the scenario as the manager interface told them."""
    blocks = re.findall(r"<<< [\d.]+\n(.*?)\n\n", scenario(number, "ami.txt") + "\n", re.DOTALL)
    return [told for block in blocks if "Event" in (told := event(block))]


def ari_events(number: int) -> list[Told]:
    """The events of the scenario as the REST interface told them."""
    return [json.loads(line)["event"] for line in scenario(number, "ari.jsonl").splitlines()]


def ami_facts(number: int, arrange: Arrange = list) -> list[Fact]:
    """The facts that the reader finds in the scenario's events, arranged like this."""
    reader = AmiReader(PHONES)
    return [fact for told in arrange(ami_events(number)) for fact in reader.read(told, at=RECEIVED)]


def ari_facts(number: int, arrange: Arrange = list) -> list[Fact]:
    """The facts that the reader finds in the scenario's events, arranged like this; it knows which channels we asked for."""
    reader = AriReader(PHONES)
    facts = []
    for line in scenario(number, "ari_http.jsonl").splitlines():
        asked = json.loads(line)
        if asked["path"] == "/channels" and "originator" in asked["params"]:
            facts += reader.asked(asked["body"]["id"], asked["params"]["originator"])
    for told in arrange(ari_events(number)):
        facts += reader.read(told, at=RECEIVED)
    return facts


def legs_of(facts: Iterable[Fact]) -> dict[str, list[LegState]]:
    """The legs of each call, by the call's key."""
    legs: dict[tuple[str, str], LegState] = {}
    for fact in facts:
        if fact.leg:
            key = fact.call, fact.leg
            legs[key] = apply(legs.get(key, LegState(fact.leg)), fact)
    return {call: [leg for (c, _), leg in legs.items() if c == call] for call, _ in legs}

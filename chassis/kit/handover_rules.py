"""Who gets what in a handover: the first rule that fits a record counts, its people each in turn; pure but for the turns it counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chassis.fold import search_key
from chassis.tenant_view import TenantView
from crm.identity.v1 import handover_pb2

Key = tuple[str, str]  # object, id


@dataclass(frozen=True, slots=True)
class Described:
    """What rules look at, of one record."""

    label_ids: frozenset[str] = frozenset()
    places: tuple[tuple[str, str, str], ...] = ()
    """Country, region and city, folded."""
    follows: Key | None = None
    """The record with which it stays together."""


def described(record: Any, follows: Key | None = None, also: Sequence[Any] = ()) -> Described:
    """What a record says by its `label_ids` and `addresses`, and what the records say to which it belongs."""
    labels, places = set[str](), list[tuple[str, str, str]]()
    for one in (record, *also):
        labels.update(getattr(one, "label_ids", ()))
        places += [
            (address.country, search_key(address.region), search_key(address.city))
            for address in getattr(one, "addresses", ())
        ]
    return Described(frozenset(labels), tuple(places), follows)


class Rules:
    """A handover's rules at work. `turns` counts, by rule, how many records it has given away; it is changed in place."""

    def __init__(
        self, handover: handover_pb2.Handover, people: TenantView, turns: dict[str, int]
    ) -> None:
        self._rules, self._turns, self._leaver = list(handover.rules), turns, handover.owner_id
        self._recipients = [recipients(rule, people, handover.owner_id) for rule in self._rules]

    def choose(self, object: str, one: Described, given: Mapping[Key, str]) -> str:
        """Who gets the record, "" if nobody who works here may. `given` is who got the records that others follow.

        What belongs together stays together, where the rule allows it.
        """
        for index, rule in enumerate(self._rules):
            people = self._recipients[index]
            if not people or not fits(rule, object, one):
                continue
            together = given.get(one.follows, "") if one.follows else ""
            if together in people:
                return together
            turn = self._turns.get(str(index), 0)
            self._turns[str(index)] = turn + 1
            return people[turn % len(people)]
        return ""


def recipients(rule: handover_pb2.HandoverRule, people: TenantView, leaver: str) -> list[str]:
    """The active users whom a rule names, himself never among them: those listed, or the department's in order of id."""
    named = list(rule.user_ids) or sorted(people.members(rule.department_id))
    return [id for id in named if id != leaver and (people.user(id) or {}).get("state") == "active"]


def fits(rule: handover_pb2.HandoverRule, object: str, one: Described) -> bool:
    """True if the record meets every condition that the rule has."""
    return (
        (not rule.objects or object in rule.objects)
        and (not rule.label_ids or not one.label_ids.isdisjoint(rule.label_ids))
        and (not rule.regions or any(_lies(one, region) for region in rule.regions))
    )


def catches_all(rule: handover_pb2.HandoverRule) -> bool:
    """True for a rule without conditions."""
    return not (rule.objects or rule.label_ids or rule.regions)


def _lies(one: Described, region: handover_pb2.HandoverRegion) -> bool:
    wanted = (region.country, search_key(region.region), search_key(region.city))
    return any(
        all(not asked or asked == there for asked, there in zip(wanted, place, strict=True))
        for place in one.places
    )

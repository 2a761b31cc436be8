"""What a notice rule may say; pure."""

from collections.abc import Iterable

from chassis import contracts
from chassis.errors import Violation
from crm.notifications.v1 import notice_rule_pb2 as pb
from services.notifications import errors, ways
from services.notifications.rules import happenings

NoticeRule = pb.NoticeRule


def check(new: NoticeRule, old: NoticeRule | None) -> None:
    """NoticeRuleInvalid for what nothing could come of; KeyFixed for another key."""
    new.name = " ".join(new.name.split())
    if old is not None and new.key != old.key:
        raise errors.KeyFixed(old.key)
    wrong = [] if new.name else [Violation("name", "must say something besides blanks")]
    wrong += _events(new, old)
    if pb.RECIPIENT_UNSPECIFIED in new.recipients:
        wrong.append(
            Violation("recipients", "RECIPIENT_UNSPECIFIED means nobody; name who is told")
        )
    names_somebody = bool(new.user_ids or new.role_ids)
    if names_somebody != (pb.RECIPIENT_NAMED in new.recipients):
        said = "user_ids and role_ids belong to RECIPIENT_NAMED; give both or neither"
        wrong.append(Violation("recipients", said))
    before = set(old.ways) if old is not None else set()
    wrong += ways.not_connected("ways", (way for way in new.ways if way not in before))
    if wrong:
        raise errors.NoticeRuleInvalid(wrong)


def _events(new: NoticeRule, old: NoticeRule | None) -> Iterable[Violation]:
    """Types that a newer program has written stay; others must be events, and arguments must lead somewhere in one of them."""
    known, before = event_types(), set(old.event_types) if old is not None else set()
    before |= set(old.done_event_types) if old is not None else set()
    for field in ("event_types", "done_event_types"):
        for type in getattr(new, field):
            if type not in known and type not in before:
                said = f"{type} is no event that can be told; /v1/noticeRules:options lists them"
                yield Violation(field, said)
    found = [contracts.events()[type] for type in new.event_types if type in known]
    named = [("arguments", path) for path in new.arguments]
    named += [("unless", new.unless)] if new.unless else []
    for field, path in named:
        if found and not any(happenings.has_path(event, path) for event in found):
            yield Violation(field, f"{path} is a field of none of the events")


def event_types() -> frozenset[str]:
    """The events that rules may name."""
    return frozenset(
        name
        for name, event in contracts.events().items()
        if (option := contracts.event_option(event)) is not None
        and option.guard
        and option.guard not in happenings.OWN_OBJECTS
    )

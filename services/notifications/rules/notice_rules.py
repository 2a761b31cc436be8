"""What a notice rule may say, and the rules that every company begins with; pure."""

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
    for type in new.event_types:
        if type not in known and type not in before:
            yield Violation(
                "event_types",
                f"{type} is no event that can be told; /v1/noticeRules:options lists them",
            )
    found = [contracts.events()[type] for type in new.event_types if type in known]
    for path in new.arguments:
        if found and not any(happenings.has_path(event, path) for event in found):
            yield Violation("arguments", f"{path} is a field of none of the events")


def event_types() -> frozenset[str]:
    """The events that rules may name."""
    return frozenset(
        name
        for name, event in contracts.events().items()
        if (option := contracts.event_option(event)) is not None
        and option.guard
        and option.guard not in happenings.OWN_OBJECTS
    )


# -- what every company begins with ------------------------------------------------------------------------------------

_OWNER, _HEAD, _TOLD = pb.RECIPIENT_OWNER, pb.RECIPIENT_HEAD, pb.RECIPIENT_TOLD
_WHEN = ("task.due_time", "task.due_zone", "task.all_day")
_WHERE = ("task.visit.place", "task.visit.appointment_time", "task.visit.departure_time")


def shipped() -> list[NoticeRule]:
    """The built-in rules, new each time; of events that this program does not have, none."""
    known = event_types()
    rules = []
    for rule in _shipped():
        there = [type for type in rule.event_types if type in known]
        del rule.event_types[:]
        rule.event_types.extend(there)
        rule.built_in = True
        if there:
            rules.append(rule)
    return rules


def _shipped() -> list[NoticeRule]:
    return [
        _rule(
            "request_assigned", "A request is given to me",
            # One that is received and given away at once is told as both.
            ("contacts.RequestAssigned",), (_OWNER,),
        ),
        _rule(
            "task_assigned", "A task is given or offered to me",
            ("tasks.TaskCreated", "tasks.TaskAssigned"), (_OWNER, pb.RECIPIENT_CANDIDATES),
            arguments=(*_WHEN, *_WHERE),
        ),
        _rule(
            "task_changed", "The time or place of my task changes", ("tasks.TaskUpdated",), (_OWNER,),
            changed=("due_time", "all_day", "start_time", "visit"), arguments=(*_WHEN, *_WHERE), collapse=60,
        ),
        _rule(
            "deadline_near", "A deadline comes near", ("tasks.DeadlineNear",), (_OWNER,),
            arguments=("near_time", "minutes_before", "late_seconds", *_WHEN),
        ),
        _rule(
            "deadline_missed", "A deadline has passed", ("tasks.DeadlineMissed",), (_OWNER, _HEAD),
            arguments=(*_WHEN, "late_seconds"), urgent=True,
        ),
        _rule(
            "escalated", "Nobody has acted in time", ("tasks.Escalated",), (_TOLD,),
            arguments=("start_time", "step.number", "step.late_seconds", *_WHEN), urgent=True,
        ),
        _rule(
            "visit_tomorrow", "A visit tomorrow, and when to leave", ("notifications.VisitTomorrow",), (_OWNER,),
            arguments=_WHERE,
        ),
        _rule("mention", "I am mentioned", ("notifications.Mentioned",), (pb.RECIPIENT_MENTIONED,)),
        _rule(
            "absence_cover", "A colleague for whom I stand in goes or comes back",
            ("identity.AbsenceStarted", "identity.AbsenceEnded"), (pb.RECIPIENT_COVERS,),
            arguments=("absence.owner_id", "absence.start_time", "absence.end_time"),
        ),
        _rule(
            "day_planned", "My day in the morning", ("tasks.DayPlanned",), (pb.RECIPIENT_SUBJECT,),
            arguments=("line_count", "counts"),
        ),
    ]  # fmt: skip


def _rule(
    key: str,
    name: str,
    events: tuple[str, ...],
    recipients: tuple["pb.Recipient", ...],
    *,
    arguments: tuple[str, ...] = (),
    changed: tuple[str, ...] = (),
    collapse: int = 0,
    urgent: bool = False,
) -> NoticeRule:
    types = [
        f"crm.{service}.v1.{event}" for service, _, event in (e.partition(".") for e in events)
    ]
    return NoticeRule(
        key=key, name=name, event_types=types, recipients=recipients, arguments=arguments,
        changed_fields=changed, collapse_seconds=collapse, urgent=urgent,
        ways=[pb.WAY_FEED, pb.WAY_PUSH],
    )  # fmt: skip

"""The notice rules that every company begins with; pure."""

from crm.notifications.v1 import notice_rule_pb2 as pb
from services.notifications.rules import notice_rules

NoticeRule = pb.NoticeRule

_OWNER, _HEAD, _TOLD = pb.RECIPIENT_OWNER, pb.RECIPIENT_HEAD, pb.RECIPIENT_TOLD
_WHEN = ("task.due_time", "task.due_zone", "task.all_day")
_DEAL = ("deal.amount", "deal.currency")
_PROMISED = ("deal.promise.time", "deal.promise.text")
_QUOTED = ("quote.totals.gross", "quote.currency", "quote.deal_id")
_WHERE = ("task.visit.place", "task.visit.appointment_time", "task.visit.departure_time")


def shipped() -> list[NoticeRule]:
    """The built-in rules, new each time; of events that this program does not have, none."""
    known = notice_rules.event_types()
    rules = []
    for rule in _shipped():
        for types in (rule.event_types, rule.done_event_types):
            types[:] = [type for type in types if type in known]
        rule.built_in = True
        if rule.event_types:
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
            arguments=(*_WHEN, *_WHERE), unless="assignee_told",
        ),
        _rule(
            "task_changed", "The time or place of my task changes", ("tasks.TaskUpdated",), (_OWNER,),
            changed=("due_time", "all_day", "start_time", "visit"), arguments=(*_WHEN, *_WHERE), collapse=60,
        ),
        _rule(  # by a colleague: nobody is told of what he did himself
            "task_done_by_other", "Somebody else has done my task", ("tasks.TaskDone",), (_OWNER,),
            arguments=("task.ended_by_id", "task.outcome"),
        ),
        _rule(
            "deadline_near", "A deadline comes near", ("tasks.DeadlineNear",), (_OWNER,),
            arguments=("near_time", "minutes_before", "late_seconds", *_WHEN),
        ),
        # Where a ladder tells somebody, nobody hears it twice, nor before the ladder says so.
        _rule(
            "deadline_missed", "My deadline has passed", ("tasks.DeadlineMissed",), (_OWNER,),
            arguments=(*_WHEN, "late_seconds"), urgent=True, unless="owner_reminded",
        ),
        _rule(
            "team_deadline_missed", "A deadline of my people has passed", ("tasks.DeadlineMissed",), (_HEAD,),
            arguments=(*_WHEN, "late_seconds", "task.owner_id"), urgent=True, unless="escalates",
        ),
        _rule(
            "escalated", "A step of a ladder: nobody has acted yet", ("tasks.Escalated",), (_TOLD,),
            arguments=("start_time", "step.number", "step.step.kind", "step.late_seconds", "task.owner_id", *_WHEN),
            urgent=True,
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
        _rule("deal_assigned", "A deal is given to me", ("deals.DealCreated", "deals.DealAssigned"), (_OWNER,), arguments=_DEAL),
        _rule("deal_won", "A deal of my people is won", ("deals.DealWon",), (_HEAD,), arguments=(*_DEAL, "deal.owner_id")),
        _rule("deal_move_blocked", "A deal could not move by itself", ("deals.DealMoveBlocked",), (_OWNER,), arguments=("deal.blocked_move.missing",)),
        _rule("promise_near", "What I promised is due soon", ("deals.PromiseNear",), (_OWNER,), arguments=_PROMISED),
        _rule("promise_missed", "What was promised is late", ("deals.PromiseMissed",), (_OWNER, _HEAD), arguments=_PROMISED, urgent=True),
        _rule("ask_again", "To ask a lost customer again", ("deals.AskAgainDue",), (_OWNER,), arguments=("deal.ask_again_date",)),
        _rule("quote_answered", "A customer answers a quote", ("deals.QuoteAccepted", "deals.QuoteDeclined"), (_OWNER,), arguments=_QUOTED, urgent=True),
        _rule("quote_expired", "A quote has expired", ("deals.QuoteExpired",), (_OWNER,), arguments=_QUOTED),
        _rule("quote_to_approve", "A quote needs an approval", ("deals.QuoteSubmitted",), (_HEAD,), arguments=_QUOTED),
        _rule("payment_received", "A customer has paid", ("deals.PaymentReceived",), (_OWNER,)),
        _rule("instalment_overdue", "An invoice is overdue", ("deals.InstalmentOverdue",), (_OWNER,), arguments=("invoice.number", "invoice.open_amount", "invoice.currency")),
        _rule(
            "call_missed", "Nobody answered a call of mine, or of my queue", ("telephony.CallMissed",), (_OWNER, pb.RECIPIENT_QUEUE),
            arguments=("call.missed_reason", "call.spell_count", "call.line_id"), unless="call.imported",
            done=("telephony.CallReturned",),
        ),
        _rule("renewal_due", "A contract comes up for renewal", ("deals.RenewalDue",), (_OWNER,)),
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
    unless: str = "",
    done: tuple[str, ...] = (),
) -> NoticeRule:
    return NoticeRule(
        key=key, name=name, event_types=_types(events), done_event_types=_types(done), recipients=recipients, arguments=arguments,
        changed_fields=changed, collapse_seconds=collapse, urgent=urgent, unless=unless,
        ways=[pb.WAY_FEED, pb.WAY_PUSH],
    )  # fmt: skip


def _types(events: tuple[str, ...]) -> list[str]:
    return [f"crm.{service}.v1.{name}" for service, _, name in (e.partition(".") for e in events)]

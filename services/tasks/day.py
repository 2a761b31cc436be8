"""The day of one person: every source of reasons asked, put together by the rules.

A new reason is a code in day.proto and a line in SOURCES. A source gives what the caller may read
and nothing else; the system, which counts for the morning, reads everything.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.tasks.v1 import day_pb2 as pb
from services.tasks import day_matters, people, store
from services.tasks.rules import day as rules
from services.tasks.rules.day import Found, Today

Reason = pb.DayReason


@dataclass(frozen=True, slots=True)
class Plan:
    """A day with all its lines."""

    today: Today
    lines: list[rules.Line]
    more: bool


async def plan(tx: Tx, user_id: str) -> Plan:
    """The day of a user as the caller may see it, in the user's zone at this moment."""
    today = Today.of(user_id, people.zone_of(tx, user_id), tx.now)
    reasons: list[Found] = []
    more = False
    for source in SOURCES:
        found, is_more = await source(tx, today)
        reasons += found
        more = more or is_more
    return Plan(today, rules.lines(reasons), more)


# -- sources ---------------------------------------------------------------------------------------------------------------

Source = Callable[[Tx, Today], Awaitable[tuple[list[Found], bool]]]
"""What a source gives: reasons, and whether there are more than it gives."""


async def _tasks(tx: Tx, today: Today) -> tuple[list[Found], bool]:
    due = await store.day.due_or_waited_for(tx, today.user_id, today.end)
    begun = await store.day.begun(tx, today.user_id, today.end)
    visits = await store.visits_of(tx, [today.user_id], today.start, today.end)
    more = len(due) > store.day.MOST_TASKS or len(begun) > store.day.MOST_OTHERS
    by_id = {
        task.id: task
        for task in (*due[: store.day.MOST_TASKS], *begun[: store.day.MOST_OTHERS], *visits)
        if tx.rights.reaches("task", "read", *store.tasks.scope_of_message(task))
    }
    found = [each for task in by_id.values() if (each := rules.of_task(task, today))]
    return _without_hidden_subjects(tx, "task", found), more


async def _meetings(tx: Tx, today: Today) -> tuple[list[Found], bool]:
    found = [
        each
        for meeting in await store.meetings_of_people(tx, [today.user_id], today.start, today.end)
        if tx.rights.reaches("meeting", "read", *store.meetings.scope_of_message(meeting))
        for each in rules.of_meeting(meeting, today)
    ]
    return _without_hidden_subjects(tx, "meeting", found), False


async def _agreements(tx: Tx, today: Today) -> tuple[list[Found], bool]:
    if not _shows(tx, "agreement", "date"):
        return [], False
    rows = await store.day.agreements_of(tx, today.user_id, today.day)
    found = []
    for row in rows[: store.day.MOST_OTHERS]:
        if not _reads(tx, "agreement", row, str(row["department_id"] or "")):
            continue
        contact, company = str(row["contact_id"] or ""), str(row["company_id"] or "")
        matter = (
            rules.of_party("contact", contact) if contact else rules.of_party("company", company)
        )
        reason = Reason(agreement_id=str(row["id"]))
        found.append(
            _dated(today, matter, Reason.CODE_AGREEMENT, row["date"], str(row["id"]), reason)
        )
    return found, len(rows) > store.day.MOST_OTHERS


async def _next_contacts(tx: Tx, today: Today) -> tuple[list[Found], bool]:
    rows = await store.day.next_contacts(tx, today.user_id, today.day)
    found = [
        _dated(today, rules.of_party(row["object"], str(row["id"])), Reason.CODE_NEXT_CONTACT,
               row["next_contact_date"], str(row["id"]), Reason())
        for row in rows[: store.day.MOST_OTHERS]
        if _reads(tx, row["object"], row) and _shows(tx, row["object"], "next_contact_date")
    ]  # fmt: skip
    return found, len(rows) > store.day.MOST_OTHERS


async def _going_cold(tx: Tx, today: Today) -> tuple[list[Found], bool]:
    patience = (await store.settings_of(tx)).going_cold_days
    if not patience:
        return [], False
    before = tx.now - timedelta(days=patience)
    rows = await store.day.going_cold(tx, today.user_id, before, today.day)
    found = []
    for row in rows[: store.day.MOST_OTHERS]:
        if not _reads(tx, row["object"], row):
            continue
        last = row["touch_time"]
        reason = Reason(time=to_timestamp(last), days=(tx.now - last).days)
        matter, due = (
            rules.of_party(row["object"], str(row["id"])),
            last + timedelta(days=patience),
        )
        found.append(rules.found(matter, Reason.CODE_GOING_COLD, due, str(row["id"]), reason))
    return found, len(rows) > store.day.MOST_OTHERS


async def _birthdays(tx: Tx, today: Today) -> tuple[list[Found], bool]:
    if not _shows(tx, "contact", "birthday"):
        return [], False
    rows = await store.day.birthdays(tx, today.user_id, rules.birthdays_of(today.day))
    found = []
    for row in rows[: store.day.MOST_OTHERS]:
        if not _reads(tx, "contact", row):
            continue
        years = today.day.year - row["birth_year"] if row["birth_year"] else 0
        matter = rules.of_party("contact", str(row["id"]))
        reason = Reason(years=years)
        found.append(_dated(today, matter, Reason.CODE_BIRTHDAY, today.day, str(row["id"]), reason))
    return found, len(rows) > store.day.MOST_OTHERS


SOURCES: tuple[Source, ...] = (
    _tasks,
    _meetings,
    _agreements,
    _next_contacts,
    _going_cold,
    _birthdays,
    day_matters.matters,
    day_matters.price_lists,
)
"""Where reasons come from; the order of the day does not depend on theirs."""


# -- parts -----------------------------------------------------------------------------------------------------------------


def _dated(
    today: Today, matter: rules.Matter, code: "rules.Code", day: date, id: str, reason: Reason
) -> Found:
    reason.date.CopyFrom(rules.dated(day))
    reason.days = today.days_since(day)
    return rules.found(matter, code, today.midnight_of(day), id, reason)


def _reads(tx: Tx, object: str, row: Any, department_id: str = "") -> bool:
    """Whether a Get of the record would show it to the caller, by what was told of it last."""
    return tx.rights.reaches(
        object, "read", str(row["owner_id"] or ""), department_id, [str(id) for id in row["follower_ids"]]
    )  # fmt: skip


def _shows(tx: Tx, object: str, path: str) -> bool:
    """Whether the caller's roles and token let him see this field."""
    if path in tx.rights.hidden(object):
        return False
    readable = tx.rights.readable
    return readable is None or path in readable.get(object, ())


def _without_hidden_subjects(tx: Tx, object: str, found: list[Found]) -> list[Found]:
    if not _shows(tx, object, "subject"):
        for each in found:
            each.reason.subject = ""
    return found


def may_see_subject(tx: Tx) -> bool:
    """Whether the caller sees what tasks are about."""
    return _shows(tx, "task", "subject")

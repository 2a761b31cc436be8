"""Contracts: what one must be, when it comes up for renewal, and which one goes on where it stops. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from chassis import codec
from chassis.errors import Violation
from chassis.times import to_timestamp
from crm.deals.v1 import contract_pb2
from services.deals import errors
from services.deals.money import currencies, limits
from services.deals.rules import days

Contract = contract_pb2.Contract

REMIND_DAYS = 30
"""How many days before its renewal date a contract comes up that does not say."""
MORNING = time(7)
"""When a day begins of which somebody is told, as everybody's day plan."""
MOST_YEARS = 100
"""First and last days lie within so many years."""
_DAY = timedelta(days=1)
_DATES = ("start_date", "end_date")
_FIXED = {"deal_id", "currency"}
_TERMS = {
    "value", "period", "start_date", "end_date", "notice_days", "auto_renewal", "remind_days",
}  # fmt: skip
"""What was agreed: it stays once the contract is renewed or ended."""
_VERBS = {Contract.STATE_RENEWED: "renewed", Contract.STATE_ENDED: "ended"}


@dataclass(frozen=True, slots=True)
class Plan:
    """The moments at which something happens by itself; None for never."""

    due: datetime | None = None
    over: datetime | None = None


def plan(contract: Contract, zone: str) -> Plan:
    """When the contract comes up for renewal and when its last day is over, by the company's clock; of one that is not deleted."""
    if contract.state != Contract.STATE_ACTIVE:
        return Plan()
    remind, end = days.day_of(contract, "remind_date"), days.day_of(contract, "end_date")
    told = contract.HasField("due_time")
    return Plan(
        None if remind is None or told else _moment(remind, MORNING, zone),
        None if end is None else _moment(end + _DAY, time(), zone),
    )


def begin(contract: Contract, *, by: str) -> None:
    """A new contract, as its maker asked for it; what only the server says is set by `settle`."""
    contract.state, contract.creator_id = Contract.STATE_ACTIVE, by


def check(new: Contract, old: Contract | None, today: date) -> None:
    """ValuesInvalid with everything that is wrong with the values of a contract that is made or changed."""
    wrong = [one for field in _DATES for one in days.wrong_day(new, field)]
    start, end = days.day_of(new, "start_date"), days.day_of(new, "end_date")
    wrong += [
        Violation(field, f"{day} is more than {MOST_YEARS} years away, it is {today}")
        for field in _DATES
        if (day := days.day_of(new, field)) and abs(day.year - today.year) > MOST_YEARS
    ]
    if start and end and end < start:
        wrong.append(Violation("end_date", f"{end} is before the first day, {start}"))
    elif end and end < today and (old is None or end != days.day_of(old, "end_date")):
        wrong.append(Violation("end_date", f"{end} is over, it is {today}; give a last day that is to come, or none"))  # fmt: skip
    if not end and new.auto_renewal:
        wrong.append(Violation("auto_renewal", "needs a last day after which it goes on; give end_date, or leave it out"))  # fmt: skip
    wrong += _wrong_value(new)
    if wrong:
        raise errors.ValuesInvalid(wrong)
    new.value = currencies.shown(Decimal(new.value), new.currency)


def keep(new: Contract, old: Contract) -> None:
    """What an update cannot change: of all contracts the deal and currency, of those with an outcome what was agreed."""
    changed = {path.partition(".")[0] for path in codec.changed_paths(old, new)}
    if fixed := sorted(changed & _FIXED):
        raise errors.ValuesInvalid(
            [Violation(field, f"stays {getattr(old, field)!r}; make another contract instead") for field in fixed]
        )  # fmt: skip
    if old.state != Contract.STATE_ACTIVE and changed & _TERMS:
        raise errors.ContractWrongState("changed", _VERBS[old.state], sorted(changed & _TERMS))


def require_active(contract: Contract, verb: str) -> None:
    """ContractWrongState for one that has an outcome."""
    if contract.state != Contract.STATE_ACTIVE:
        raise errors.ContractWrongState(verb, _VERBS[contract.state])


def settle(contract: Contract, old: Contract | None) -> None:
    """Fills what follows from its days: by when somebody must decide, and from when on that is shown."""
    end = days.day_of(contract, "end_date")
    if old is not None and end != days.day_of(old, "end_date"):
        contract.ClearField("due_time")  # another last day comes up again
    if end is None:
        contract.ClearField("renewal_date")
        contract.ClearField("remind_date")
        return
    ahead = contract.remind_days if contract.HasField("remind_days") else REMIND_DAYS
    decide = end - timedelta(days=contract.notice_days)
    contract.renewal_date.CopyFrom(days.to_date(decide))
    contract.remind_date.CopyFrom(days.to_date(decide - timedelta(days=ahead)))


def following(contract: Contract, end: date | None, value: str) -> Contract:
    """The contract that goes on where this one stops, for as long and at the same value unless that is said."""
    start, last = days.day_of(contract, "start_date"), days.day_of(contract, "end_date")
    if start is None or last is None:
        told = "is missing: it runs until somebody ends it, and there is nothing to renew; use :end, or change it"
        raise errors.ValuesInvalid([Violation("end_date", told)])
    made = Contract()
    made.CopyFrom(contract)
    for field in _OF_ONE:
        made.ClearField(field)
    made.state, made.previous_id = Contract.STATE_ACTIVE, contract.id
    made.start_date.CopyFrom(days.to_date(last + _DAY))
    made.end_date.CopyFrom(days.to_date(end or next_end(start, last)))
    made.value = value or contract.value
    return made


_OF_ONE = (
    "id", "etag", "create_time", "update_time", "number", "due_time", "outcome_time", "outcome_user_id", "end_reason",
    "next_id", "creator_id", "file_ids", "note",
)  # fmt: skip
"""What belongs to one contract only."""


def last_day(contract: Contract) -> date:
    """The last day of a contract that has one."""
    last = days.day_of(contract, "end_date")
    assert last is not None, "only a contract with a last day comes to its end"
    return last


def renew(contract: Contract, next_id: str, *, at: datetime, by: str) -> None:
    """It stops, and another goes on."""
    _close(contract, Contract.STATE_RENEWED, at, by)
    contract.next_id = next_id


def end(contract: Contract, last: date, reason: str, *, at: datetime, by: str) -> None:
    """It stops on that day, and none goes on; ValuesInvalid for a day before its first."""
    start = days.day_of(contract, "start_date")
    if start is not None and last < start:
        raise errors.ValuesInvalid([Violation("end_date", f"{last} is before the first day, {start}; delete a contract that never began")])  # fmt: skip
    contract.end_date.CopyFrom(days.to_date(last))
    contract.end_reason = reason
    _close(contract, Contract.STATE_ENDED, at, by)


def next_end(start: date, last: date) -> date:
    """The last day of as long a time again: of as many months if it was whole months, else of as many days."""
    begins = last + _DAY
    months = (begins.year - start.year) * 12 + begins.month - start.month
    if months > 0 and _later(start, months) == begins:
        return _later(begins, months) - _DAY
    return last + (begins - start)


def _later(day: date, months: int) -> date:
    """So many months later; the month's last day where it has no such day."""
    years, month = divmod(day.month - 1 + months, 12)
    first = date(day.year + years, month + 1, 1)
    beyond = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return min(first + timedelta(days=day.day - 1), beyond - _DAY)


def _close(contract: Contract, state: "Contract.State", at: datetime, by: str) -> None:
    contract.state, contract.outcome_user_id = state, by
    contract.outcome_time.CopyFrom(to_timestamp(at))


def _moment(day: date, clock: time, zone: str) -> datetime:
    """Where the clocks skip that time, the offset of before (fold 0) gives the instant at which it is over."""
    return datetime.combine(day, clock, ZoneInfo(zone)).astimezone(UTC)


def _wrong_value(contract: Contract) -> list[Violation]:
    if not currencies.is_known(contract.currency):
        return [limits.no_money("currency", contract.currency)]
    return limits.amount("value", contract.value, contract.currency)

"""A program outside that keeps books of sales from the event stream alone: the metrics S104 to S126 of a period.

Every event carries the whole record, so the latest version of each is enough for what is so now; what was done is counted by its
event. Nothing is asked of the installation.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from statistics import median
from typing import Any

from tests.e2e.outside import Event

Record = dict[str, Any]
DAY_S = 86_400
_CENT = Decimal("0.01")
_OPEN_REQUESTS = {"STATE_NEW", "STATE_ASSIGNED", "STATE_IN_WORK", "STATE_ANSWERED"}


@dataclass(frozen=True)
class Period:
    """From a moment until before another."""

    start: datetime
    end: datetime

    def __contains__(self, told: str | datetime) -> bool:
        at = datetime.fromisoformat(told) if isinstance(told, str) else told
        return self.start <= at < self.end


@dataclass(frozen=True)
class Stay:
    """From when until when a deal was in a stage."""

    deal_id: str
    pipeline_id: str
    stage_id: str
    since: datetime
    until: datetime | None = None


@dataclass
class Books:
    """What was heard; records by their ids."""

    kinds: dict[str, dict[str, Record]] = field(default_factory=lambda: defaultdict(dict))
    versions: dict[str, int] = field(default_factory=dict)
    done: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    """Bodies of events by their type."""
    heard: list[tuple[str, Record]] = field(default_factory=list)
    """Type and body of each event, in the order of its stream."""

    def hear(self, events: Iterable[Event]) -> None:
        for event in sorted(events, key=lambda each: each.sequence):
            if event.body["change"].get("republished"):
                continue
            self.done[event.type].append(event.body)
            self.heard.append((event.type, event.body))
            for kind, record in event.body.items():
                of_it = isinstance(record, dict) and record.get("id") == event.subject
                if of_it and event.version >= self.versions.get(event.subject, 0):
                    self.versions[event.subject] = event.version
                    self.kinds[kind][event.subject] = record

    # -- what is so --------------------------------------------------------------------------------------------------------

    def living(self, kind: str) -> list[Record]:
        return [each for each in self.kinds[kind].values() if "deleteTime" not in each]

    def ended(self, period: Period, state: str) -> list[Record]:
        """Deals that ended so in the period and were not opened again."""
        return [
            deal
            for deal in self.living("deal")
            if deal["state"] == f"STATE_{state}" and deal["ending"]["time"] in period
        ]

    def told(self, type: str, period: Period) -> list[Record]:
        """What happened in the period."""
        return [body for body in self.done[type] if body["change"]["time"] in period]

    def received(self, period: Period) -> list[tuple[Record, Decimal]]:
        """(the deal, what was paid for it), less than 0 for what was paid back."""
        bodies = [(body, 1) for body in self.done["PaymentReceived"]]
        bodies += [(body, -1) for body in self.done["PaymentRefunded"]]
        deals = self.kinds["deal"]
        return [
            (deals[body["payment"]["dealId"]], sign * Decimal(body["payment"]["amount"]))
            for body, sign in bodies
            if body["payment"]["time"] in period
        ]

    def new_customers(self, period: Period) -> set[str]:
        """Customers whose first win lies in the period."""
        first: dict[str, datetime] = {}
        for deal in self.living("deal"):
            if deal["state"] == "STATE_WON":
                at = datetime.fromisoformat(deal["ending"]["time"])
                first[deal["contactId"]] = min(at, first.get(deal["contactId"], at))
        return {customer for customer, at in first.items() if period.start <= at < period.end}

    def stays(self) -> list[Stay]:
        """Through which stages living deals went, and are in."""
        living = {deal["id"] for deal in self.living("deal")}
        moves = ("DealCreated", "DealStageChanged", "DealWon", "DealLost", "DealReopened")
        bodies = [(body, type) for type in moves for body in self.done[type]]
        since: dict[str, Stay] = {}
        found = []
        for body, type in sorted(bodies, key=lambda each: int(each[0]["change"]["version"])):
            deal, at = body["deal"], datetime.fromisoformat(body["change"]["time"])
            if deal["id"] in since and type != "DealReopened":
                found.append(replace(since.pop(deal["id"]), until=at))
            if type not in ("DealWon", "DealLost"):
                since[deal["id"]] = Stay(deal["id"], deal["pipelineId"], deal["stageId"], at)
        return [stay for stay in (*found, *since.values()) if stay.deal_id in living]

    def worth(self, amount: Decimal, currency: str, on: date) -> Decimal | None:
        """What an amount is worth in złoty by the last rate until that day; None if there is none."""
        if currency == "PLN":
            return amount
        rates = [
            (_day(each["date"]), Decimal(each["rate"]))
            for each in self.living("currencyRate")
            if each["currency"] == currency and _day(each["date"]) <= on
        ]
        return (amount * max(rates)[1]).quantize(_CENT, ROUND_HALF_UP) if rates else None

    # -- the metrics -------------------------------------------------------------------------------------------------------

    def s104_prospects(self) -> tuple[int, int]:
        """(open requests, contacts without a won deal) by the end."""
        waiting = [each for each in self.living("request") if each["state"] in _OPEN_REQUESTS]
        won = {d["contactId"] for d in self.living("deal") if d["state"] == "STATE_WON"}
        return len(waiting), len({each["id"] for each in self.living("contact")} - won)

    def s105_retained(self, before: Period, period: Period) -> set[str]:
        earlier, later = [
            {deal["contactId"] for deal in self.ended(each, "WON")} for each in (before, period)
        ]
        return earlier & later

    def s106_close_rate(self, period: Period) -> Fraction:
        won, lost = [len(self.ended(period, state)) for state in ("WON", "LOST")]
        return Fraction(won, won + lost)

    def s107_renewal_rate(self, period: Period) -> Fraction:
        """Renewed contracts of those whose last day for notice lies in the period."""
        due = [
            each["state"]
            for each in self.living("contract")
            if period.start.date() <= _day(each["renewalDate"]) < period.end.date()
        ]
        return Fraction(due.count("STATE_RENEWED"), len(due))

    def s109_through_calls(self, period: Period) -> tuple[int, int, Decimal]:
        """(calls about deals, deals won after a call, what those came to)."""
        calls = {each["id"] for each in self.living("taskType") if each["key"] == "call"}
        made = [
            body
            for body in self.told("TaskDone", period)
            if body["task"].get("typeId") in calls and "dealId" in body["task"].get("link", {})
        ]
        won = [
            deal
            for deal in self.ended(period, "WON")
            if deal["ending"].get("lastTouch", {}).get("way") == "call"
        ]
        return len(made), len(won), sum(map(net, won), Decimal(0))

    def s110_opportunities(self, period: Period) -> int:
        return len(self.told("DealCreated", period))

    def s111_new_revenue(self, period: Period) -> tuple[Decimal, Decimal]:
        """(paid by new customers, won from them)."""
        new = self.new_customers(period)
        paid = [sum_ for deal, sum_ in self.received(period) if deal["contactId"] in new]
        won = [net(deal) for deal in self.ended(period, "WON") if deal["contactId"] in new]
        return sum(paid, Decimal(0)), sum(won, Decimal(0))

    def s112_open(self) -> tuple[int, Decimal]:
        found = [each for each in self.living("deal") if each["state"] == "STATE_OPEN"]
        return len(found), sum((Decimal(each["amount"]) for each in found), Decimal(0))

    def s113_days_in_stages(self, period: Period) -> dict[str, list[float]]:
        """Stage -> how many days each stay took that ended in the period."""
        names = {s["id"]: s["key"] for each in self.living("pipeline") for s in each["stages"]}
        found: defaultdict[str, list[float]] = defaultdict(list)
        for stay in self.stays():
            if stay.until is not None and stay.until in period:
                took = (stay.until - stay.since).total_seconds() / DAY_S
                found[names[stay.stage_id]].append(took)
        return {stage: sorted(days) for stage, days in found.items()}

    def s114_cycle_days(self, period: Period) -> tuple[float, float]:
        """(median, nine of ten at most) from the first request until the win; of deals that stayed won."""
        won = {deal["id"] for deal in self.ended(period, "WON")}
        took = sorted(
            int(body["cycleSeconds"]) / DAY_S
            for body in self.told("DealWon", period)
            if body["deal"]["id"] in won
        )
        return median(took), took[-(-9 * len(took) // 10) - 1]

    def s115_proposals(self, period: Period) -> int:
        return len(self.told("QuoteSent", period))

    def s119_revenue_of(self, campaign: str, period: Period) -> Decimal:
        """What came from deals that the campaign's link brought last."""
        return sum(
            (
                sum_
                for deal, sum_ in self.received(period)
                if deal.get("lastTouch", {}).get("utmCampaign") == campaign
            ),
            Decimal(0),
        )

    def s124_lifetime_value(self, ever: Period) -> dict[str, tuple[Decimal, Decimal]]:
        """Customer -> (what he paid, what was earned by what he bought)."""
        paid: defaultdict[str, Decimal] = defaultdict(Decimal)
        earned: defaultdict[str, Decimal] = defaultdict(Decimal)
        for deal, sum_ in self.received(ever):
            paid[deal["contactId"]] += sum_
        for deal in self.ended(ever, "WON"):
            earned[deal["contactId"]] += net(deal) - Decimal(deal["totals"]["cost"])
        return {each: (paid[each], earned[each]) for each in paid.keys() | earned.keys()}

    def s125_cross_sell(self, ever: Period) -> Fraction:
        """Customers who have two families or more, of all customers."""
        families: defaultdict[str, set[str]] = defaultdict(set)
        for deal in self.ended(ever, "WON"):
            families[deal["contactId"]] |= {line["familyId"] for line in deal["lines"]}
        return Fraction(sum(len(each) > 1 for each in families.values()), len(families))

    def s126_up_sell(self, period: Period) -> Fraction:
        """Deals in which more or dearer is sold than before, of those that were opened."""
        ids = [body["deal"]["id"] for body in self.told("DealCreated", period)]
        lines = [self.kinds["deal"][id].get("lines", []) for id in ids]
        raised = [any(line["selling"] == "SELLING_UP_SELL" for line in each) for each in lines]
        return Fraction(sum(raised), len(ids))


def _day(told: dict[str, int]) -> date:
    return date(told["year"], told["month"], told["day"])


def day_of(told: dict[str, int] | None) -> date | None:
    """The date, if there is one."""
    return _day(told) if told else None


def net(deal: Record) -> Decimal:
    """What a deal comes to without tax."""
    return Decimal(deal["totals"]["net"] if deal.get("lines") else deal["amount"])

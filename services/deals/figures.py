"""Forecasts, statistics and sales of what the caller may read; each figure comes with the filter that shows what it is made of."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from chassis.errors import Violation
from chassis.kit import listing, showing
from chassis.times import to_datetime, to_timestamp
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2, pipeline_pb2
from crm.deals.v1 import statistics_pb2 as pb
from services.deals import boards, converting, errors, people, store
from services.deals.money import currencies
from services.deals.rules import figures as rules
from services.deals.rules.figures import between, dated, every, named, within
from services.deals.rules.rates import Known

Deal = deal_pb2.Deal
Pipeline = pipeline_pb2.Pipeline
By = pb.GetSalesRequest.By

_MONTHS, _DAYS = 12, 30
_MOST_REFUSALS, _MOST_ROWS = 1_000, 5_000
_TIMES = (By.BY_DAY, By.BY_WEEK, By.BY_MONTH)
_NOTHING = Decimal(0)


def _checked(tx: Tx, filter: str) -> None:
    """Refuses a filter that cannot be followed by itself, before it becomes a part of others."""
    asked = deal_pb2.ListDealsRequest(filter=filter)
    listing.checked(tx, store.deals, asked, tx.runtime.page_tokens)


def _period(tx: Tx, request: Any) -> tuple[datetime, datetime]:
    until = to_datetime(request.end_time) if request.HasField("end_time") else tx.now
    since = until - timedelta(days=_DAYS)
    if request.HasField("start_time"):
        since = to_datetime(request.start_time)
    if since >= until:
        told = f"{since.isoformat()} is not before the end of the period, {until.isoformat()}"
        raise errors.ValuesInvalid([Violation("start_time", told)])
    return since, until


def _amount(value: Decimal | None, currency: str, *, seen: bool) -> str:
    return currencies.shown(value or _NOTHING, currency) if seen else ""


# -- the forecast ----------------------------------------------------------------------------------------------------------


async def forecast(tx: Tx, request: pb.GetForecastRequest) -> pb.Forecast:
    """By month of the expected close and owner: open, weighted and won; late ones and those without a date apart."""
    _checked(tx, request.filter)
    showing.refuse_unreadable(tx, store.deals, ["expected_close_date", "owner_id", "currency", "ending"])  # fmt: skip
    pipeline = await store.pipelines.get(tx, request.id)
    first, end = _months(tx, request)
    today, zone = people.today_of(tx), people.zone_of(tx)
    filter = every(named("pipeline_id", request.id), within(request.filter))
    found = _Forecast(pipeline, filter, today, boards.shown(tx))
    for row in await store.statistics.expected(tx, filter, today=today, first=first, end=end):
        found.add_open(row)
    since, until = _midnight(first, zone), _midnight(end, zone)
    for row in await store.statistics.won_by_month(tx, filter, zone=zone, since=since, until=until):
        found.add_won(row, zone)
    return found.answer()


def _months(tx: Tx, request: pb.GetForecastRequest) -> tuple[date, date]:
    """(first day, day after the last) of the months that are asked for."""
    asked = request.start_date
    start = people.today_of(tx)
    if request.HasField("start_date"):
        try:
            start = date(asked.year, asked.month, asked.day or 1)
        except ValueError:
            text = f"{asked.year}-{asked.month}-{asked.day} is no date"
            raise errors.ValuesInvalid([Violation("start_date", text)]) from None
    first = start.replace(day=1)
    return first, rules.month_after(first, request.months or _MONTHS)


def _midnight(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


_Key = tuple[bool, date | None, str, str]
"""Whether it is late, the month, the owner and the currency of a row."""


class _Forecast:
    """The rows of a forecast as they come together."""

    def __init__(self, pipeline: Pipeline, filter: str, today: date, shown: Any) -> None:
        self._filter, self._today, self._shown = filter, today, shown
        self._likely = {stage.id: stage.probability for stage in pipeline.stages}
        self._rows: dict[_Key, pb.ForecastRow] = {}
        self._open: dict[_Key, tuple[Decimal, Decimal]] = defaultdict(lambda: (_NOTHING, _NOTHING))

    def _row(self, key: _Key) -> pb.ForecastRow:
        if key not in self._rows:
            late, month, owner_id, currency = key
            self._rows[key] = pb.ForecastRow(
                late=late, owner_id=owner_id, currency=currency, month=rules.shown_date(month)
            )
        return self._rows[key]

    def add_open(self, row: Any) -> None:
        """Open deals of one stage and likelihood more."""
        key = (row["late"], row["month"], str(row["owner_id"] or ""), row["currency"])
        made = self._row(key)
        percent = row["probability"]
        if percent is None:
            percent = self._likely.get(str(row["stage_id"]), 0)
        amount, weighted = self._open[key]
        total = (amount + row["amount"], weighted + row["amount"] * percent / 100)
        self._open[key] = total
        made.open_count += row["count"]
        made.open_amount = _amount(total[0], made.currency, seen=self._shown.amount)
        seen = self._shown.amount and self._shown.weighted
        made.weighted_amount = _amount(total[1], made.currency, seen=seen)
        made.open_unconverted_count += row["unconverted"] if self._shown.base_amount else 0
        made.open_filter = every(self._filter, self._open_filter(row))

    def _open_filter(self, row: Any) -> str:
        whose = every("state = OPEN", named("owner_id", row["owner_id"]), f'currency = "{row["currency"]}"')  # fmt: skip
        if row["late"]:
            return every(whose, f"expected_close_date < {self._today}")
        if row["month"] is None:
            return every(whose, "expected_close_date = null")
        end = rules.month_after(row["month"], 1)
        return every(whose, dated("expected_close_date", max(row["month"], self._today), end))

    def add_won(self, row: Any, zone: str) -> None:
        """What one owner won in one month and currency."""
        made = self._row((False, row["month"], str(row["credit_owner_id"] or ""), row["currency"]))
        made.won_count = row["count"]
        made.won_amount = _amount(row["amount"], made.currency, seen=self._shown.amount)
        since, until = row["month"], rules.month_after(row["month"], 1)
        made.won_filter = every(
            self._filter, "state = WON", named("ending.owner_id", row["credit_owner_id"]), f'currency = "{made.currency}"',
            between("ending.time", _midnight(since, zone), _midnight(until, zone)),
        )  # fmt: skip

    def answer(self) -> pb.Forecast:
        """Months first, then late ones, then those without a date."""
        keys = sorted(self._rows, key=lambda k: (k[1] or date.max, not k[0], k[2], k[3]))
        return pb.Forecast(rows=[self._rows[key] for key in keys])


# -- statistics ------------------------------------------------------------------------------------------------------------


async def statistics(tx: Tx, request: pb.GetPipelineStatisticsRequest) -> pb.PipelineStatistics:
    """What went through each stage in the period, and where, after what and why deals were lost."""
    _checked(tx, request.filter)
    showing.refuse_unreadable(tx, store.deals, ["stage_time", "idle_time", "owner_id", "ending"])
    pipeline = await store.pipelines.get(tx, request.id)
    since, until = _period(tx, request)
    more = within(request.filter)
    filter = every(named("pipeline_id", request.id), more)
    passages = await store.statistics.passages(tx, more, request.id, since, until)
    departures = await store.statistics.departures(tx, more, request.id, since, until)
    arrivals = await store.statistics.arrivals(tx, more, request.id, since, until)
    endings = await store.statistics.endings(tx, filter, since, until)
    standing = await store.statistics.standing(tx, filter, tx.now)
    base = await converting.base_of(tx)
    made = _Stages(tx, pipeline, filter, (since, until), base)
    made.passed(passages, rules.forward_counts(pipeline, departures))
    made.skipped(rules.skipped_counts(pipeline, arrivals))
    made.ended(endings)
    made.stand(standing)
    lost = await store.statistics.refusals(tx, filter, since, until, _MOST_REFUSALS)
    return pb.PipelineStatistics(
        start_time=to_timestamp(since), end_time=to_timestamp(until),
        stages=made.answer(), refusals=[_refusals(tx, filter, row, (since, until), base) for row in lost],
    )  # fmt: skip


class _Stages:
    """The figures of the stages as they come together."""

    def __init__(
        self,
        tx: Tx,
        pipeline: Pipeline,
        filter: str,
        period: tuple[datetime, datetime],
        base: str,
    ) -> None:
        self._tx, self._filter, self._period = tx, filter, period
        self._currency, self._seen = base, boards.sees(tx, "base_amount")
        self._used: set[str] = set()
        self._living = {stage.id for stage in pipeline.stages if not stage.retired}
        self._rows = {
            stage.id: pb.StageStatistics(stage_id=stage.id, name=stage.name)
            for stage in pipeline.stages
        }

    def _row(self, stage_id: Any) -> pb.StageStatistics:
        id = str(stage_id)
        self._used.add(id)
        return self._rows.setdefault(id, pb.StageStatistics(stage_id=id))

    def passed(self, passages: Any, forward: Any) -> None:
        for row in passages:
            made = self._row(row["stage_id"])
            made.entered_count, made.left_count = row["entered"], row["left"]
            made.forward_count = forward[made.stage_id]
            made.conversion_percent = rules.percent(made.forward_count, made.left_count)
            made.median_days = rules.days(row["median_s"])
            made.p90_days = rules.days(row["p90_s"])

    def skipped(self, counts: Any) -> None:
        for id, count in counts.items():
            self._row(id).skipped_count = count

    def ended(self, endings: Any) -> None:
        for row in endings:
            made = self._row(row["end_stage_id"])
            amount = _amount(row["base_amount"], self._currency, seen=self._seen)
            how = every(self._filter, named("ending.stage_id", made.stage_id), between("ending.time", *self._period))  # fmt: skip
            lacking = row["unconverted"] if self._seen else 0
            if row["state"] == Deal.STATE_WON:
                made.won_unconverted_count = lacking
                made.won_count, made.won_base_amount = row["count"], amount
                made.won_filter = every(how, "state = WON")
            else:
                made.lost_unconverted_count = lacking
                made.lost_count, made.lost_base_amount = row["count"], amount
                made.lost_filter = every(how, "state = LOST")

    def stand(self, standing: Any) -> None:
        now = f'"{self._tx.now.isoformat()}"'
        for row in standing:
            made = self._row(row["stage_id"])
            made.open_count, made.idle_count = row["count"], row["idle"]
            made.open_base_amount = _amount(row["base_amount"], self._currency, seen=self._seen)
            made.open_unconverted_count = row["unconverted"] if self._seen else 0
            made.open_filter = every(self._filter, "state = OPEN", named("stage_id", made.stage_id))
            made.idle_filter = every(made.open_filter, f"idle_time <= {now}")

    def answer(self) -> list[pb.StageStatistics]:
        """In the stages' order; retired ones only where something was in them."""
        return [row for id, row in self._rows.items() if id in self._living or id in self._used]


def _refusals(
    tx: Tx, filter: str, row: Any, period: tuple[datetime, datetime], currency: str
) -> pb.Refusals:
    way = row["touch_way"]
    told = every(
        filter, "state = LOST", named("ending.stage_id", row["end_stage_id"]), named("ending.reason_id", row["reason_id"]),
        named("ending.owner_id", row["credit_owner_id"]), between("ending.time", *period),
        f'ending.last_touch.way = "{way}"' if way else "ending.last_touch.way = null",
    )  # fmt: skip
    seen = boards.sees(tx, "base_amount")
    return pb.Refusals(
        stage_id=str(row["end_stage_id"] or ""), last_touch_way=way, reason_id=str(row["reason_id"] or ""),
        owner_id=str(row["credit_owner_id"] or ""), count=row["count"],
        base_amount=_amount(row["base_amount"], currency, seen=seen), filter=told,
        unconverted_count=row["unconverted"] if seen else 0,
    )  # fmt: skip


# -- sales -----------------------------------------------------------------------------------------------------------------


async def sales(tx: Tx, request: pb.GetSalesRequest) -> pb.Sales:
    """What was sold and received; before any payment there are already the deals that were won (S48)."""
    _checked(tx, request.filter)
    showing.refuse_unreadable(tx, store.deals, ["pipeline_id", "source_id", "currency", "ending"])
    since, until = _period(tx, request)
    by = list(dict.fromkeys(request.by)) or [By.BY_OWNER]
    if len([each for each in by if each in _TIMES]) > 1:
        told = "must name at most one of BY_DAY, BY_WEEK and BY_MONTH"
        raise errors.ValuesInvalid([Violation("by", told)])
    names = [By.Name(each).removeprefix("BY_").lower() for each in by]
    filter, base = within(request.filter), await converting.base_of(tx)
    rows = await store.statistics.sold(tx, filter, names, since, until, base, _MOST_ROWS + 1)
    if len(rows) > _MOST_ROWS:
        told = f"gives more than {_MOST_ROWS} figures; ask by fewer, or for a shorter period"
        raise errors.ValuesInvalid([Violation("by", told)])
    late = _Late(Known(base, ()), names)
    if any(row["waiting"] for row in rows):
        late.rates = await converting.known(tx)
        for row in await store.statistics.sold_waiting(tx, filter, names, since, until, base):
            late.add(row)
    answer = pb.Sales(start_time=to_timestamp(since), end_time=to_timestamp(until))
    answer.rows.extend(_sold(tx, request.filter, row, late, (since, until)) for row in rows)
    return answer


class _Late:
    """Facts that were recorded without an amount in the base currency, worth what the rates of their days say today."""

    def __init__(self, rates: Known, names: list[str]) -> None:
        self.rates, self.names = rates, names
        self.amounts: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
        self.lacking: dict[tuple[Any, ...], int] = defaultdict(int)

    def key_of(self, row: Any) -> tuple[Any, ...]:
        """Of which row of the answer it is."""
        return row["currency"], *(row[f"by_{name}"] for name in self.names)

    def add(self, row: Any) -> None:
        """Facts of one row, day and amount."""
        worth = self.rates.worth(row["amount"], row["currency"], row["fact_date"])
        if worth is None:
            self.lacking[self.key_of(row)] += row["deals"]
        else:
            self.amounts[self.key_of(row)] += worth * row["count"]


def _sold(
    tx: Tx, filter: str, row: Any, late: _Late, period: tuple[datetime, datetime]
) -> pb.SalesRow:
    currency, shown, key = row["currency"], boards.shown(tx), late.key_of(row)
    base = (row["base"] or _NOTHING) + late.amounts[key]
    pays = tx.rights.may("payment", "read")
    made = pb.SalesRow(
        currency=currency, sold_count=row["deals"], sold_amount=_amount(row["sold"], currency, seen=shown.amount),
        sold_base_amount=_amount(base, late.rates.base, seen=shown.base_amount),
        received_amount=_amount(row["received"], currency, seen=pays),
        sold_unconverted_count=late.lacking[key] if shown.base_amount else 0,
    )  # fmt: skip
    told = [within(filter), "state = WON", f'currency = "{currency}"']
    since, until = period
    fields = {
        "owner": "ending.owner_id", "department": "ending.department_id", "pipeline": "pipeline_id", "source": "source_id",
    }  # fmt: skip
    for name in late.names:
        value = row[f"by_{name}"]
        if name in fields:
            setattr(made, f"{name}_id", str(value or ""))
            told.append(named(fields[name], value))
            continue
        made.period.CopyFrom(rules.shown_date(value))  # type: ignore[arg-type]
        since, until = _span(tx, name, value, since, until)
    made.sold_filter = every(*told, between("ending.time", since, until))
    return made


def _span(
    tx: Tx, unit: str, day: date, since: datetime, until: datetime
) -> tuple[datetime, datetime]:
    """The part of the period that lies in this day, week or month where the company is."""
    after = {"day": day + timedelta(days=1), "week": day + timedelta(days=7)}.get(unit)
    zone = people.zone_of(tx)
    end = _midnight(after or rules.month_after(day, 1), zone)
    return max(since, _midnight(day, zone)), min(until, end)

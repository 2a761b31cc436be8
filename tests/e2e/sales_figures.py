"""The figures of the API as a program outside reckons them from its books alone, row by row in the API's own words.

What only the API can know, the filters by which it looks a figure up, is left out; so is what is empty. Amounts are of currencies with
two places.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.e2e.market import WARSAW, dated
from tests.e2e.sales_books import DAY_S, Books, Period, Record, Stay, day_of, net

Row = dict[str, Any]
_NOTHING = Decimal(0)
_OWED = {"INVOICE_TYPE_INVOICE", "INVOICE_TYPE_ADVANCE"}


def shown(row: Row) -> Row:
    """What a row of the API says of figures: no filters, no records."""
    left_out = ("filter", "deals", "nextPageToken")
    return {k: v for k, v in row.items() if v and k not in left_out and not k.endswith("Filter")}


def _row(**fields: Any) -> Row:
    return {name: value for name, value in fields.items() if value}


def money(amount: Decimal) -> str:
    return f"{amount.quantize(Decimal('0.01'), ROUND_HALF_UP) + 0:f}"


def _tenth(value: Decimal) -> str:
    return f"{value.quantize(Decimal('0.1'), ROUND_HALF_UP):f}"


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, _NOTHING)


def _amount(deal: Record) -> Decimal:
    return Decimal(deal.get("amount") or 0)


def _base(deal: Record) -> Decimal:
    return Decimal(deal.get("baseAmount") or 0)


def _lacks(deal: Record) -> bool:
    """Worth something, and nobody knows what in the company's currency."""
    return bool(_amount(deal)) and not deal.get("baseAmount")


def _local(told: str) -> date:
    return datetime.fromisoformat(told).astimezone(WARSAW).date()


@dataclass(frozen=True)
class Sale:
    """What was won or received once, or is not any more."""

    kind: str
    time: datetime
    by: dict[str, str]
    """Whose it is, as rows of sales name it."""
    currency: str
    amount: Decimal
    deals: int = 0
    day: date | None = None
    """By whose rate it is worth something, where that is not its own day."""


class Figures:
    """What the API says today, from what was heard until now."""

    def __init__(self, books: Books, pipeline: Record, now: datetime) -> None:
        self.books, self.pipeline, self.now = books, pipeline, now
        self.likely = {s["id"]: s.get("probability", 0) for s in pipeline["stages"]}
        self.deals = [d for d in books.living("deal") if d["pipelineId"] == pipeline["id"]]
        self.open = [deal for deal in self.deals if deal["state"] == "STATE_OPEN"]
        self.stays = [s for s in books.stays() if s.pipeline_id == pipeline["id"]]

    @property
    def today(self) -> date:
        return self.now.astimezone(WARSAW).date()

    def _weighted(self, deals: Iterable[Record], worth: Any = _amount) -> Decimal:
        percents = ((d, d.get("probability", self.likely[d["stageId"]])) for d in deals)
        return _sum(worth(deal) * percent / 100 for deal, percent in percents)

    # -- what is open ------------------------------------------------------------------------------------------------------

    def board(self) -> list[Row]:
        """The columns of the board."""
        return [self._column(stage) for stage in self.pipeline["stages"]]

    def _column(self, stage: Record) -> Row:
        here = [deal for deal in self.open if deal["stageId"] == stage["id"]]
        sums = []
        for currency in sorted({deal["currency"] for deal in here}):
            some = [deal for deal in here if deal["currency"] == currency]
            sums.append(_row(
                currency=currency, count=len(some), amount=money(_sum(map(_amount, some))),
                weightedAmount=money(self._weighted(some)),
            ))  # fmt: skip
        return _row(
            stageId=stage["id"], name=stage["name"], color=stage.get("color"), count=len(here), sums=sums,
            probability=stage.get("probability"), baseAmount=money(_sum(map(_base, here))),
            weightedBaseAmount=money(self._weighted(here, _base)), unconvertedCount=sum(map(_lacks, here)),
        )  # fmt: skip

    def forecast(self) -> list[Row]:
        """The forecast of the year that begins with this month."""
        first = self.today.replace(day=1)
        rows: defaultdict[tuple[Any, ...], dict[str, list[Record]]] = defaultdict(lambda: {"open": [], "won": []})  # fmt: skip
        for deal in self.open:
            day = day_of(deal.get("expectedCloseDate"))
            late = day is not None and day < self.today
            month = None if day is None or late else day.replace(day=1)
            rows[month or date.max, not late, deal["ownerId"], deal["currency"]]["open"].append(deal)  # fmt: skip
        for deal in self.deals:
            if deal["state"] == "STATE_WON" and (day := _local(deal["ending"]["time"])) >= first:
                whose = deal["ending"]["ownerId"]
                rows[day.replace(day=1), True, whose, deal["currency"]]["won"].append(deal)
        return [self._expected(key, rows[key]) for key in sorted(rows)]

    def _expected(self, key: tuple[Any, ...], deals: dict[str, list[Record]]) -> Row:
        month, in_time, owner_id, currency = key
        made = _row(
            ownerId=owner_id, currency=currency, late=not in_time, openCount=len(deals["open"]), wonCount=len(deals["won"]),
            month=None if month == date.max else dated(month), openUnconvertedCount=sum(map(_lacks, deals["open"])),
        )  # fmt: skip
        if deals["open"]:
            made["openAmount"] = money(_sum(map(_amount, deals["open"])))
            made["weightedAmount"] = money(self._weighted(deals["open"]))
        if deals["won"]:
            made["wonAmount"] = money(_sum(map(_amount, deals["won"])))
        return made

    def receipts(self, weeks: int) -> dict[str, Row]:
        """Currency -> what is expected to come in: overdue, Mondays of weeks, later, undated."""
        found: dict[str, dict[Any, Any]] = defaultdict(lambda: defaultdict(Counter))
        billed = set()
        for invoice in self.books.living("invoice"):
            if invoice["type"] in _OWED and invoice.get("number"):
                billed.add(invoice.get("dealId"))
                for part in invoice.get("instalments", ()):
                    if left := Decimal(part.get("openAmount") or 0):
                        place = self._week(day_of(part.get("dueDate")), weeks)
                        found[invoice["currency"]][place] += Counter(invoiced=left, instalmentCount=1)  # type: ignore[arg-type] # fmt: skip
        for deal in self.books.living("deal"):
            if deal["state"] == "STATE_OPEN" and deal["id"] not in billed:
                place = self._week(day_of(deal.get("expectedCloseDate")), weeks)
                worth = Counter(expected=_amount(deal), weighted=self._weighted([deal]), dealCount=1)  # type: ignore[arg-type] # fmt: skip
                found[deal["currency"]][place].update(worth)
        return {
            currency: {place: self._receipts(sums) for place, sums in places.items()}
            for currency, places in found.items()
        }

    def _week(self, day: date | None, weeks: int) -> str:
        if day is None or day < self.today:
            return "undated" if day is None else "overdue"
        monday, this = [each - timedelta(days=each.weekday()) for each in (day, self.today)]
        return "later" if monday >= this + timedelta(weeks=weeks) else monday.isoformat()

    def _receipts(self, sums: Any) -> Row:
        amounts = {
            name: money(Decimal(sums[name])) for name in ("invoiced", "expected", "weighted")
        }
        return amounts | _row(**{name: sums[name] for name in ("instalmentCount", "dealCount")})

    # -- what went through -------------------------------------------------------------------------------------------------

    def stages(self, period: Period) -> list[Row]:
        """What went through each stage in the period, and what stands in it now."""
        places = {stage["id"]: at for at, stage in enumerate(self.pipeline["stages"])}
        skipped: Counter[str] = Counter()
        for one, after in self._steps():
            if after is not None and after.since in period:
                between = range(places[one.stage_id] + 1, places[after.stage_id])
                skipped.update(self.pipeline["stages"][at]["id"] for at in between)
        return [
            self._passed(stage, period, skipped[stage["id"]]) for stage in self.pipeline["stages"]
        ]

    def _steps(self) -> list[tuple[Stay, Stay | None]]:
        """Each stay with the next one of its deal."""
        of_deal = defaultdict(list)
        for stay in self.stays:
            of_deal[stay.deal_id].append(stay)
        return [
            pair for some in of_deal.values() for pair in zip(some, [*some[1:], None], strict=True)
        ]

    def _goes_on(self, stay: Stay, after: Stay | None) -> bool:
        if after is None:
            return self.books.kinds["deal"][stay.deal_id]["state"] == "STATE_WON"
        order = [stage["id"] for stage in self.pipeline["stages"]]
        return order.index(after.stage_id) > order.index(stay.stage_id)

    def _passed(self, stage: Record, period: Period, skipped: int) -> Row:
        here = [(stay, after) for stay, after in self._steps() if stay.stage_id == stage["id"]]
        left = [(s, after) for s, after in here if s.until is not None and s.until in period]
        forward = sum(self._goes_on(*each) for each in left)
        days = sorted((s.until - s.since).total_seconds() / DAY_S for s, _ in left if s.until)
        stand = [deal for deal in self.open if deal["stageId"] == stage["id"]]
        idle = [
            d
            for d in stand
            if "idleTime" in d and datetime.fromisoformat(d["idleTime"]) <= self.now
        ]
        made = _row(
            stageId=stage["id"], name=stage["name"], enteredCount=sum(s.since in period for s, _ in here), leftCount=len(left),
            forwardCount=forward, skippedCount=skipped, openCount=len(stand), idleCount=len(idle),
            openUnconvertedCount=sum(map(_lacks, stand)),
        )  # fmt: skip
        if stand:
            made["openBaseAmount"] = money(_sum(map(_base, stand)))
        if days:
            made["conversionPercent"] = _tenth(Decimal(100 * forward) / len(left))
            made["medianDays"], made["p90Days"] = _share(days, 0.5), _share(days, 0.9)
        for state in ("won", "lost"):
            ended = self._ended(state, period, stage["id"])
            made |= _row(
                **{f"{state}Count": len(ended), f"{state}UnconvertedCount": sum(map(_lacks, ended))}
            )
            if ended:
                made[f"{state}BaseAmount"] = money(_sum(map(_base, ended)))
        return made

    def _ended(self, state: str, period: Period, stage_id: str) -> list[Record]:
        ended = self.books.ended(period, state.upper())
        return [d for d in ended if d in self.deals and d["ending"]["stageId"] == stage_id]

    def refusals(self, period: Period) -> list[Row]:
        """Where, after what and why deals were lost, in no order."""
        found = defaultdict(list)
        for deal in self.books.ended(period, "LOST"):
            ending = deal["ending"]
            way = ending.get("lastTouch", {}).get("way", "")
            found[ending["stageId"], way, ending["reasonId"], ending["ownerId"]].append(deal)
        return [
            _row(
                stageId=stage_id, lastTouchWay=way, reasonId=reason_id, ownerId=owner_id, count=len(deals),
                baseAmount=money(_sum(map(_base, deals))), unconvertedCount=sum(map(_lacks, deals)),
            )
            for (stage_id, way, reason_id, owner_id), deals in found.items()
        ]  # fmt: skip

    # -- what was sold -----------------------------------------------------------------------------------------------------

    def sales(self, period: Period, *by: str) -> list[Row]:
        """Sold and received by these, e.g. ownerId, and `period`, a month; in no order."""
        rows: defaultdict[tuple[Any, ...], list[Sale]] = defaultdict(list)
        for sale in self._sales():
            if sale.time in period:
                month = dated(sale.time.astimezone(WARSAW).date().replace(day=1))
                fields = sale.by | {"period": tuple(month.items())}
                rows[(sale.currency, *(fields[name] for name in by))].append(sale)
        return [self._sold(key, by, sales) for key, sales in rows.items()]

    def _sold(self, key: tuple[Any, ...], by: Sequence[str], sales: list[Sale]) -> Row:
        won = [sale for sale in sales if sale.kind == "won"]
        worths = [(sale, self._worth(sale)) for sale in won]
        named = {name: dict(value) if name == "period" else value for name, value in zip(by, key[1:], strict=True)}  # fmt: skip
        return _row(
            currency=key[0], soldCount=sum(sale.deals for sale in won), soldAmount=money(_sum(s.amount for s in won)),
            soldBaseAmount=money(_sum(worth for _, worth in worths if worth is not None)),
            receivedAmount=money(_sum(s.amount for s in sales if s.kind == "received")),
            soldUnconvertedCount=sum(sale.deals for sale, worth in worths if worth is None), **named,
        )  # fmt: skip

    def _worth(self, sale: Sale) -> Decimal | None:
        return self.books.worth(
            sale.amount, sale.currency, sale.day or sale.time.astimezone(WARSAW).date()
        )

    def _sales(self) -> list[Sale]:
        """Everything that was won and received of deals that live, as it came."""
        deals: dict[str, Record] = {}
        won: dict[str, list[Sale]] = defaultdict(list)
        found: list[tuple[str, Sale]] = []

        def add(deal: Record, sale: Sale) -> None:
            found.append((deal["id"], sale))
            if sale.kind == "won":
                won[deal["id"]].append(sale)

        for type, body in self.books.heard:
            at = datetime.fromisoformat(body["change"]["time"])
            if "deal" in body:
                deal = deals[body["deal"]["id"]] = body["deal"]
                if type == "DealWon":
                    when = datetime.fromisoformat(deal["ending"]["time"])
                    add(deal, Sale("won", when, _whose(deal), deal["currency"], net(deal), 1, _local(deal["ending"]["time"])))  # fmt: skip
                elif type == "DealReopened":
                    for sale in won.pop(deal["id"], []):
                        found.append((deal["id"], Sale("won", at, sale.by, sale.currency, -sale.amount, -sale.deals, sale.day)))  # fmt: skip
            elif type in ("PaymentReceived", "PaymentRefunded") and "dealId" in body["payment"]:
                deal, payment = deals[body["payment"]["dealId"]], body["payment"]
                amount = Decimal(payment["amount"]) * (1 if type == "PaymentReceived" else -1)
                when = datetime.fromisoformat(payment["time"])
                add(deal, Sale("received", when, _whose(deal), deal["currency"], amount))
            elif type == "InvoiceIssued" and won.get(body["invoice"].get("dealId", "")):
                note = body["invoice"]
                if "creditedInvoiceId" in note:
                    first = won[note["dealId"]][0]
                    add(deals[note["dealId"]], Sale("won", at, first.by, note["currency"], Decimal(note["totals"]["net"]), 0, first.day))  # fmt: skip
        living = {deal["id"] for deal in self.books.living("deal")}
        return [sale for id, sale in found if id in living]

    def progress(self, plan: Record, period: Period) -> Row:
        """How far the company's plan of what is won is reached; the period is its time."""
        parts: defaultdict[str, dict[str, Decimal]] = defaultdict(lambda: {"actual": _NOTHING, "forecast": _NOTHING})  # fmt: skip
        for sale in self._sales():
            worth = self._worth(sale)
            if sale.kind == "won" and sale.time in period and worth is not None:
                parts[sale.by["ownerId"]]["actual"] += worth
        for deal in self.open:
            day = day_of(deal.get("expectedCloseDate"))
            if day is not None and period.start.date() <= day < period.end.date():
                parts[deal["ownerId"]]["forecast"] += self._weighted([deal], _base)
        actual, expected = [_sum(each[name] for each in parts.values()) for name in ("actual", "forecast")]  # fmt: skip
        target = Decimal(plan["target"])
        return _row(
            actual=money(actual), forecast=money(expected), gap=money(max(_NOTHING, target - actual)),
            gapAfterForecast=money(max(_NOTHING, target - actual - expected)), percent=money(100 * actual / target),
            people={user: {name: money(value) for name, value in each.items()} for user, each in parts.items()},
        )  # fmt: skip

    def commissions(self) -> dict[str, tuple[str, str]]:
        """Person -> (what he earned, by how many entries)."""
        found: defaultdict[str, list[Decimal]] = defaultdict(list)
        for type, body in self.books.heard:
            if type in ("CommissionEarned", "CommissionAdjusted"):
                found[body["commission"]["ownerId"]].append(Decimal(body["commission"]["amount"]))
        return {user: (money(_sum(amounts)), str(len(amounts))) for user, amounts in found.items()}

    # -- customers ---------------------------------------------------------------------------------------------------------

    def customer(self, contact_id: str) -> Row:
        """What the facts of a customer say of deals and bills."""
        his = [deal for deal in self.books.living("deal") if deal.get("contactId") == contact_id]
        won = [deal for deal in his if deal["state"] == "STATE_WON"]
        waiting = [deal for deal in his if deal["state"] == "STATE_OPEN"]
        bills = [
            each for each in self.books.living("invoice") if each.get("contactId") == contact_id and each["type"] in _OWED
        ]  # fmt: skip
        owed = [bill for bill in bills if Decimal(bill.get("openAmount") or 0)]
        times = sorted(deal["ending"]["time"] for deal in won)
        mean = {
            c: amounts / sum(deal["currency"] == c for deal in won)
            for c, amounts in _by_currency(won).items()
        }
        return _row(
            wonCount=len(won), revenue=_monies(_by_currency(won)), averageBill=_monies(mean), openDealCount=len(waiting),
            openDealValue=_monies(_by_currency(waiting)), debt=_monies(_by_currency(owed, "openAmount")),
            firstPurchaseTime=times[0] if times else "", lastPurchaseTime=times[-1] if times else "",
        )  # fmt: skip

    def paid(self) -> dict[str, str]:
        """Deal -> what was paid for it, less what was paid back."""
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        for type, sign in (("PaymentReceived", 1), ("PaymentRefunded", -1)):
            for body in self.books.done[type]:
                sums[body["payment"]["dealId"]] += sign * Decimal(body["payment"]["amount"])
        return {id: money(amount) for id, amount in sums.items()}


def _whose(deal: Record) -> dict[str, str]:
    """To whom a sale of the deal is credited, and by what else it is told apart."""
    credited = deal["ending"] if deal["state"] == "STATE_WON" else deal
    return {
        "ownerId": credited.get("ownerId", ""), "departmentId": credited.get("departmentId", ""),
        "pipelineId": deal["pipelineId"], "sourceId": deal.get("sourceId", ""),
    }  # fmt: skip


def _by_currency(records: Iterable[Record], name: str = "amount") -> dict[str, Decimal]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for record in records:
        sums[record["currency"]] += Decimal(record[name])
    return dict(sorted(sums.items()))


def _monies(sums: dict[str, Decimal]) -> list[dict[str, str]]:
    return [{"currency": currency, "amount": money(amount)} for currency, amount in sums.items()]


def _share(values: list[float], share: float) -> str:
    """The value up to which such a share of the sorted values lies, between two of them where it falls between."""
    place = share * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return _tenth(Decimal(str(values[low] + (values[high] - values[low]) * (place - low))))

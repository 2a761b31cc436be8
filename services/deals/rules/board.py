"""Boards: what the columns say about the deals that stand in them. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from crm.deals.v1 import board_pb2, deal_pb2, pipeline_pb2
from services.deals.money import currencies

Deal = deal_pb2.Deal
Pipeline = pipeline_pb2.Pipeline
Stage = pipeline_pb2.Stage
BoardColumn = board_pb2.BoardColumn


@dataclass(frozen=True, slots=True)
class Group:
    """Deals of one stage, currency and likelihood of their own, and what they come to."""

    stage_id: str
    currency: str
    probability: int | None
    count: int
    amount: Decimal
    base_amount: Decimal
    """Of those for which a rate is known."""
    unconverted: int
    """How many have none."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Which figures the caller may see, because he may see what they are made of."""

    amount: bool
    base_amount: bool
    weighted: bool


def columns(
    pipeline: Pipeline, groups: Iterable[Group], shown: Shown, base_currency: str
) -> list[BoardColumn]:
    """A column for each stage in use, in the stages' order; then for stages that are gone and still hold deals."""
    by_stage: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        by_stage[group.stage_id].append(group)
    stages = [stage for stage in pipeline.stages if not stage.retired or stage.id in by_stage]
    known = {stage.id for stage in pipeline.stages}
    stages += [Stage(id=id, retired=True) for id in sorted(by_stage.keys() - known)]
    return [_column(stage, by_stage[stage.id], shown, base_currency) for stage in stages]


def _column(stage: Stage, groups: list[Group], shown: Shown, base_currency: str) -> BoardColumn:
    column = BoardColumn(
        stage_id=stage.id, name=stage.name, color=stage.color, probability=stage.probability,
        retired=stage.retired, count=sum(group.count for group in groups),
    )  # fmt: skip
    if shown.amount:
        for currency in sorted({group.currency for group in groups}):
            some = [group for group in groups if group.currency == currency]
            total = sum((group.amount for group in some), Decimal(0))
            expected = sum((group.amount * likely(group, stage) for group in some), Decimal(0))
            column.sums.add(
                currency=currency, count=sum(group.count for group in some),
                amount=currencies.shown(total, currency),
                weighted_amount=currencies.shown(expected, currency) if shown.weighted else "",
            )  # fmt: skip
    if shown.base_amount:
        total = sum((group.base_amount for group in groups), Decimal(0))
        column.base_amount = currencies.shown(total, base_currency)
        column.unconverted_count = sum(group.unconverted for group in groups)
    if shown.base_amount and shown.weighted:
        expected = sum((group.base_amount * likely(group, stage) for group in groups), Decimal(0))
        column.weighted_base_amount = currencies.shown(expected, base_currency)
    return column


def likely(group: Group, stage: Stage) -> Decimal:
    """How likely the deals are won, 0 to 1: as they say themselves, else as their stage says."""
    percent = stage.probability if group.probability is None else group.probability
    return Decimal(percent) / 100


def column_filter(pipeline_id: str, stage_id: str, more: str = "") -> str:
    """The filter of the list of deals that gives a column of the board."""
    here = f"pipeline_id = {pipeline_id} AND stage_id = {stage_id} AND state = OPEN"
    return f"{here} AND ({more})" if more.strip() else here


def board_filter(pipeline_id: str, more: str = "") -> str:
    """The filter of the list of deals that gives the whole board."""
    here = f"pipeline_id = {pipeline_id} AND state = OPEN"
    return f"{here} AND ({more})" if more.strip() else here


def is_unconverted(deal: Deal) -> bool:
    """Whether it is worth something, and nobody knows what in the company's own currency."""
    return not deal.base_amount and bool(Decimal(deal.amount or 0))


def groups_of(messages: Iterable[Deal]) -> list[Group]:
    """What deals that are at hand come to."""
    return [
        Group(
            deal.stage_id, deal.currency, deal.probability if deal.HasField("probability") else None,
            1, Decimal(deal.amount or 0), Decimal(deal.base_amount or 0), is_unconverted(deal),
        )
        for deal in messages
    ]  # fmt: skip

"""What a change of many deals does to each of them, what it leaves, and how it is taken back. Pure."""

from typing import Any

from google.protobuf.message import Message

from chassis.errors import Violation
from crm.deals.v1 import deal_change_pb2, deal_pb2
from services.deals import errors

Deal = deal_pb2.Deal
DealChange = deal_change_pb2.DealChange
Item = deal_change_pb2.DealChangeItem
DealPlacement = deal_change_pb2.DealPlacement

_PLACED = {
    "move": ("pipeline_id", "stage_id", "stage_time", "activity_time", "idle_time", "done_steps", "current_step",
             "following_step", "blocked_move"),
    "assign": ("owner_id", "department_id", "activity_time", "idle_time"),
    "label": ("label_ids", "activity_time", "idle_time"),
}  # fmt: skip
"""What a change has to do with, by its kind."""
_DECIDES = {"move": ("stage_id", "stage_time"), "assign": ("owner_id", "department_id"), "label": ()}  # fmt: skip
"""What must be as the change left it, so that the change is taken back. Labels are taken back one by one."""
_OUTLASTS = ("activity_time", "idle_time")
"""What something that happened since keeps from being put back."""
_ACTIONS = {"move": "move", "assign": "assign", "label": "update"}
_WRITES = {"move": ("stage_id",), "assign": ("owner_id", "department_id"), "label": ("label_ids",)}


class Left(Exception):
    """A deal that the change leaves as it is."""

    def __init__(self, reason: "Item.Reason", missing: list[str] | None = None) -> None:
        super().__init__(Item.Reason.Name(reason))
        self.reason, self.missing = reason, missing or []


# -- the change itself -----------------------------------------------------------------------------------------------------


def check(change: DealChange) -> None:
    """ValuesInvalid unless it says which deals, and one thing to do with them."""
    wrong = []
    if bool(change.filter.strip()) == bool(change.ids):
        wrong.append(Violation("filter", "or ids must say which deals, not both"))
    kind = change.WhichOneof("change")
    if kind is None:
        wrong.append(Violation("move", "or assign or label must say what changes"))
    elif kind == "assign" and not change.assign.owner_ids:
        wrong.append(Violation("assign.owner_ids", "must name who gets the deals"))
    elif kind == "label":
        wrong += _wrong_labels(change.label)
    if wrong:
        raise errors.ValuesInvalid(wrong)


def _wrong_labels(label: deal_change_pb2.LabelDeals) -> list[Violation]:
    if not label.add_ids and not label.remove_ids:
        return [Violation("label.add_ids", "or remove_ids must name a label")]
    both = sorted(set(label.add_ids) & set(label.remove_ids))
    return [Violation("label.remove_ids", f"{id} is also added; choose one") for id in both]


def kind_of(change: DealChange) -> str:
    """What it does: move, assign or label."""
    return str(change.WhichOneof("change"))


def action(change: DealChange) -> str:
    """The right on each deal that the change demands."""
    return _ACTIONS[kind_of(change)]


def fields(change: DealChange) -> tuple[str, ...]:
    """The fields of a deal that it writes."""
    return _WRITES[kind_of(change)]


def placement(deal: Deal, change: DealChange) -> DealPlacement:
    """Where, whose or how labelled the deal is, as far as the change has to do with it."""
    made = DealPlacement()
    for name in _PLACED[kind_of(change)]:
        _copy(deal, made, name)
    return made


def state_name(state: "DealChange.State") -> str:
    """`done` of STATE_DONE."""
    return DealChange.State.Name(state).removeprefix("STATE_").lower()


# -- forth -----------------------------------------------------------------------------------------------------------------


def demand_open(deal: Deal) -> None:
    """Left unless it is still worked on."""
    if deal.HasField("delete_time"):
        raise Left(Item.REASON_DELETED)
    if deal.state != Deal.STATE_OPEN:
        raise Left(Item.REASON_ENDED)


def assign(deal: Deal, owner_id: str, home: str) -> None:
    """Gives the deal to the user, whose department is `home`; nothing for who has it already."""
    if owner_id != deal.owner_id:
        deal.owner_id, deal.department_id = owner_id, home


def label(deal: Deal, wanted: deal_change_pb2.LabelDeals) -> None:
    """Labels the deal; those that it has keep their order."""
    kept = [id for id in deal.label_ids if id not in wanted.remove_ids]
    deal.label_ids[:] = list(dict.fromkeys([*kept, *wanted.add_ids]))


# -- and back --------------------------------------------------------------------------------------------------------------


def put_back(deal: Deal, item: Item, change: DealChange) -> None:
    """Makes the deal as it was before the change; Left if it is over, or if somebody moved it or gave it on since."""
    demand_open(deal)
    kind = kind_of(change)
    if any(getattr(deal, name) != getattr(item.after, name) for name in _DECIDES[kind]):
        raise Left(Item.REASON_CHANGED_SINCE)
    happened = deal.activity_time != item.after.activity_time
    for name in _PLACED[kind]:
        if name == "label_ids":
            _labels_back(deal, list(item.before.label_ids), list(item.after.label_ids))
        elif not (happened and name in _OUTLASTS):
            _copy(item.before, deal, name)


def _labels_back(deal: Deal, before: list[str], after: list[str]) -> None:
    """The labels before; with those that came since, and without those that went since."""
    now = list(deal.label_ids)
    came = [id for id in now if id not in after]
    went = {id for id in after if id not in now}
    deal.label_ids[:] = list(dict.fromkeys([*(id for id in before if id not in went), *came]))


def _copy(source: Any, target: Any, name: str) -> None:
    """Makes the named field of the target that of the source, absent if it is absent there."""
    target.ClearField(name)
    value = getattr(source, name)
    if isinstance(value, str):
        setattr(target, name, value)
    elif isinstance(value, Message):
        if source.HasField(name):
            getattr(target, name).CopyFrom(value)
    else:
        getattr(target, name).extend(value)

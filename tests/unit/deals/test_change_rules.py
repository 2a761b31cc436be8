"""What a change of many deals does to each, and how it is taken back."""

import pytest

from crm.deals.v1 import deal_change_pb2, deal_pb2
from services.deals import errors
from services.deals.rules import changes as rules

Deal = deal_pb2.Deal
DealChange = deal_change_pb2.DealChange
Item = deal_change_pb2.DealChangeItem

LABEL = DealChange(ids=["d"], label={"add_ids": ["new"], "remove_ids": ["old"]})
ASSIGN = DealChange(ids=["d"], assign={"owner_ids": ["ola"]})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (DealChange(assign={"owner_ids": ["ola"]}), "filter"),
        (DealChange(ids=["d"], filter="state = OPEN", assign={"owner_ids": ["ola"]}), "filter"),
        (DealChange(ids=["d"]), "move"),
        (DealChange(ids=["d"], assign={}), "assign.owner_ids"),
        (DealChange(ids=["d"], label={}), "label.add_ids"),
        (DealChange(ids=["d"], label={"add_ids": ["a"], "remove_ids": ["a"]}), "label.remove_ids"),
    ],
)
def test_a_change_that_does_not_say_what_is_refused_by_field(
    change: DealChange, field: str
) -> None:
    with pytest.raises(errors.ValuesInvalid) as refused:
        rules.check(change)
    assert [violation.field for violation in refused.value.violations] == [field]


def test_what_is_over_is_left() -> None:
    with pytest.raises(rules.Left) as left:
        rules.demand_open(Deal(state=Deal.STATE_LOST))
    assert left.value.reason == Item.REASON_ENDED


def changed(deal: Deal, change: DealChange) -> Item:
    """The deal after the change, and its item."""
    item = Item(before=rules.placement(deal, change))
    if change.HasField("label"):
        rules.label(deal, change.label)
    else:
        rules.assign(deal, change.assign.owner_ids[0], "sales")
    item.after.CopyFrom(rules.placement(deal, change))
    return item


def test_labels_keep_their_order_and_come_back_to_it() -> None:
    deal = Deal(state=Deal.STATE_OPEN, label_ids=["a", "old", "b"])
    item = changed(deal, LABEL)
    assert list(deal.label_ids) == ["a", "b", "new"]
    rules.put_back(deal, item, LABEL)
    assert list(deal.label_ids) == ["a", "old", "b"]


def test_labels_given_and_taken_since_stay_as_they_are() -> None:
    deal = Deal(state=Deal.STATE_OPEN, label_ids=["a", "old", "b"])
    item = changed(deal, LABEL)
    deal.label_ids[:] = ["b", "new", "since"]
    rules.put_back(deal, item, LABEL)
    assert list(deal.label_ids) == ["old", "b", "since"]


def test_a_deal_that_somebody_gave_on_is_kept() -> None:
    deal = Deal(state=Deal.STATE_OPEN, owner_id="jan", department_id="service")
    item = changed(deal, ASSIGN)
    assert (deal.owner_id, deal.department_id) == ("ola", "sales")
    deal.owner_id = "ewa"
    with pytest.raises(rules.Left) as left:
        rules.put_back(deal, item, ASSIGN)
    assert (left.value.reason, deal.owner_id) == (Item.REASON_CHANGED_SINCE, "ewa")


def test_who_has_it_already_keeps_his_department() -> None:
    deal = Deal(owner_id="ola", department_id="service")
    rules.assign(deal, "ola", "sales")
    assert deal.department_id == "service"


def test_what_happened_since_a_move_is_not_undone_with_it() -> None:
    change = DealChange(ids=["d"], move={"stage_id": "agreed"})
    deal = Deal(state=Deal.STATE_OPEN, stage_id="new", pipeline_id="p")
    deal.stage_time.seconds = deal.activity_time.seconds = 100
    item = Item(before=rules.placement(deal, change))
    deal.stage_id = "agreed"
    deal.stage_time.seconds = deal.activity_time.seconds = 200
    item.after.CopyFrom(rules.placement(deal, change))
    deal.activity_time.seconds = 300  # a call since
    rules.put_back(deal, item, change)
    assert (deal.stage_id, deal.stage_time.seconds, deal.activity_time.seconds) == ("new", 100, 300)

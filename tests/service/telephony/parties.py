"""What contacts, deals and tasks tell telephony, for tests."""

from collections.abc import Sequence
from typing import Any

from chassis.keys import uuid7
from crm.common.v1 import common_pb2
from crm.contacts.v1 import company_pb2, contact_pb2, duplicate_events_pb2
from crm.contacts.v1 import events_pb2 as contacts_events
from crm.deals.v1 import deal_pb2
from crm.deals.v1 import events_pb2 as deals_events
from crm.tasks.v1 import events_pb2 as tasks_events
from crm.tasks.v1 import task_pb2
from services.telephony import consumers_matters, consumers_parties, following
from tests.service.telephony.scenes import CUSTOMER
from tests.service.telephony.world import World


async def contact(
    world: World, *numbers: str, id: str = "", version: int = 1, deleted: bool = False, **given: Any
) -> str:
    """contacts told of a contact with these numbers; its id."""
    record = contact_pb2.Contact(id=id or uuid7(), **{"display_name": "Ana", **given})
    for number in numbers:
        record.phones.add(number=number)
    if deleted:
        record.delete_time.GetCurrentTime()
    await _tell(world, contacts_events.ContactUpdated(change=_change(version), contact=record))
    return record.id


async def company(world: World, *numbers: str, id: str = "", version: int = 1, **given: Any) -> str:
    record = company_pb2.Company(id=id or uuid7(), **{"name": "Glass", **given})
    for number in numbers:
        record.phones.add(number=number)
    await _tell(world, contacts_events.CompanyUpdated(change=_change(version), company=record))
    return record.id


async def deal(world: World, *, version: int = 1, deleted: bool = False, **given: Any) -> str:
    """deals told of a deal, an open one unless it says otherwise; its id."""
    record = deal_pb2.Deal(**{"id": uuid7(), "state": deal_pb2.Deal.STATE_OPEN, **given})
    if deleted:
        record.delete_time.GetCurrentTime()
    event = deals_events.DealUpdated(change=_change(version), deal=record)
    await world.system(lambda tx: consumers_matters.follow(event, tx))
    return record.id


async def task(world: World, *, version: int = 1, **given: Any) -> str:
    record = task_pb2.Task(**{"id": uuid7(), "state": task_pb2.Task.STATE_OPEN, **given})
    event = tasks_events.TaskUpdated(change=_change(version), task=record)
    await world.system(lambda tx: consumers_matters.follow(event, tx))
    return record.id


async def merge(world: World, survivor: str, *merged: str) -> str:
    """contacts has merged these contacts; the merge's id."""
    id = uuid7()
    event = duplicate_events_pb2.ContactMerged(merge_id=id, contact_id=survivor, merged_ids=merged)
    await world.system(lambda tx: following.parties.hear(event, tx))
    return id


async def unmerge(world: World, merge_id: str, survivor: str, restored: Sequence[str]) -> None:
    event = duplicate_events_pb2.ContactUnmerged(
        merge_id=merge_id, contact_id=survivor, restored_ids=restored
    )
    await world.system(lambda tx: following.parties.hear(event, tx))


def _change(version: int) -> common_pb2.Change:
    return common_pb2.Change(version=version)


async def _tell(world: World, event: Any) -> None:
    await world.system(lambda tx: consumers_parties.follow(event, tx))


__all__ = ["CUSTOMER", "company", "contact", "deal", "merge", "task", "unmerge"]

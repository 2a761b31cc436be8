"""Contracts: what is made for deals, how each goes on or ends, and what the clock does by itself."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.events import eventually
from chassis.testing.installation import Person
from crm.deals.v1 import contract_pb2, deal_verbs_pb2
from crm.deals.v1.contract_pb2 import Contract
from crm.deals.v1.contracts_service_pb2_grpc import ContractsServiceStub
from services.deals.rules import days
from services.deals.timers_contracts import turn
from tests.service.deals.earnings import today
from tests.service.deals.moving import system
from tests.service.deals.world import World
from tests.service.worlds import Refused

YEAR = timedelta(days=365)


class ContractWorld(World):
    tables = (*World.tables, "contracts_history")


class Contracts:
    """The contracts of a world's tenant."""

    def __init__(self, world: World) -> None:
        self.world = ContractWorld(world.running, world.tenant)
        self.stub = self.of(world.tenant.admin)

    def of(self, person: Person) -> Any:
        return self.world.stub(person, ContractsServiceStub)

    async def make(self, **given: Any) -> Contract:
        values: dict[str, Any] = {
            "title": "Maintenance", "value": "100", "start_date": days.to_date(today() - YEAR),
            "end_date": days.to_date(today() + YEAR),
        }  # fmt: skip
        if not given.keys() & {"deal_id", "contact_id", "company_id"}:
            given["company_id"] = uuid7()
        made = Contract(**{k: v for k, v in (values | given).items() if v is not None})
        return await self.stub.CreateContract(contract_pb2.CreateContractRequest(contract=made))

    async def get(self, id: str, by: Person | None = None) -> Contract:
        stub = self.of(by) if by else self.stub
        return await stub.GetContract(contract_pb2.GetContractRequest(id=id))

    async def update(self, contract: Contract, **values: Any) -> Contract:
        changed = Contract(id=contract.id, **values)
        return await self.stub.UpdateContract(
            contract_pb2.UpdateContractRequest(
                contract=changed, update_mask={"paths": sorted(values)}
            )
        )

    async def renew(self, contract: Contract, **given: Any) -> Contract:
        return await self.stub.RenewContract(
            contract_pb2.RenewContractRequest(id=contract.id, **given)
        )

    async def end(self, contract: Contract, **given: Any) -> Contract:
        request = contract_pb2.EndContractRequest(id=contract.id, **{"reason": "too dear", **given})
        return await self.stub.EndContract(request)

    async def timer(self, contract: Contract) -> datetime | None:
        """When the contract's timer rings."""
        sql = (
            "SELECT due_at FROM timers WHERE tenant_id = $1 AND kind = 'contract-turn' AND key = $2"
        )
        rows = await self.world.running.rows("deals", sql, self.world.tenant.id, contract.id)
        return rows[0]["due_at"] if rows else None

    async def ring(self, contract: Contract, on: datetime) -> None:
        """The contract's timer rings at that time."""

        async def body(tx: Any) -> None:
            tx._draws.now = on
            await turn({"contract_id": contract.id}, tx)

        await system(self.world, body)


@pytest.fixture
def contracts(world: World) -> Contracts:
    return Contracts(world)


async def test_a_contract_is_its_deals_and_goes_along_with_it(contracts: Contracts) -> None:
    world = contracts.world
    seller, other = await world.seller(), await world.seller()
    company = uuid7()
    deal = await world.make(owner_id=seller.id, company_id=company, currency="EUR")

    made = await contracts.make(deal_id=deal.id)

    assert (made.owner_id, made.company_id, made.currency, made.value) == (seller.id, company, "EUR", "100.00")  # fmt: skip
    assert (made.state, made.creator_id) == (Contract.STATE_ACTIVE, world.tenant.admin.id)
    [told] = await world.events("ContractCreated")
    assert told["contract"]["id"] == made.id
    await world.admin.AssignDeal(deal_verbs_pb2.AssignDealRequest(id=deal.id, owner_id=other.id))
    assert (await contracts.get(made.id)).owner_id == other.id


async def test_a_contract_needs_somebody_and_a_deal_that_is_there(contracts: Contracts) -> None:
    world = contracts.world
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "company_id"):
        await contracts.make(company_id="")
    async with Refused(world, errors.InvalidArgument, "REFERENCE_UNKNOWN", "deal_id"):
        await contracts.make(deal_id=uuid7())
    yesterday = days.to_date(today() - timedelta(days=2))
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "end_date", "value"):
        await contracts.make(end_date=yesterday, value="-1")


async def test_a_renewal_links_both_and_happens_once(contracts: Contracts) -> None:
    made = await contracts.make()

    tries = await asyncio.gather(
        *(contracts.renew(made, value="120.5") for _ in range(6)), return_exceptions=True
    )

    [new] = [each for each in tries if isinstance(each, Contract)]
    refused = {each.reason for each in tries if isinstance(each, errors.CrmError)}
    assert refused == {"CONTRACT_WRONG_STATE"}
    old = await contracts.get(made.id)
    assert (old.state, old.next_id, new.previous_id) == (Contract.STATE_RENEWED, new.id, old.id)
    assert (new.value, new.state) == ("120.50", Contract.STATE_ACTIVE)
    assert days.day_of(new, "start_date") == today() + YEAR + timedelta(days=1)
    [told] = await contracts.world.events("ContractRenewed")
    assert (told["contract"]["id"], told["nextId"], told["nextValue"]) == (old.id, new.id, "120.50")
    assert len(await contracts.world.events("ContractCreated", 2)) == 2
    assert (await contracts.timer(old), await contracts.timer(new) is not None) == (None, True)


async def test_an_ended_contract_stays_as_it_was_agreed(contracts: Contracts) -> None:
    world, made = contracts.world, await contracts.make()
    last = today() + timedelta(days=9)

    ended = await contracts.end(made, end_date=days.to_date(last))

    assert (ended.state, ended.end_reason) == (Contract.STATE_ENDED, "too dear")
    assert (days.day_of(ended, "end_date"), ended.outcome_user_id) == (last, world.tenant.admin.id)
    assert await contracts.timer(made) is None
    [told] = await world.events("ContractEnded")
    assert told["contract"]["endReason"] == "too dear"
    async with Refused(world, errors.FailedPrecondition, "CONTRACT_WRONG_STATE", "value"):
        await contracts.update(ended, value="5")
    for verb in (contracts.end, contracts.renew):
        async with Refused(world, errors.FailedPrecondition, "CONTRACT_WRONG_STATE"):
            await verb(ended)
    assert (await contracts.update(ended, note="wants to come back")).note == "wants to come back"


async def test_days_that_cannot_be_are_refused_by_the_verbs(contracts: Contracts) -> None:
    world, made = contracts.world, await contracts.make()
    before = days.to_date(today() - 2 * YEAR)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "end_date"):
        await contracts.end(made, end_date=before)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "end_date"):
        await contracts.renew(made, end_date=before)
    endless = await contracts.make(end_date=None)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "end_date"):
        await contracts.renew(endless)
    async with Refused(world, errors.InvalidArgument, "VALUES_INVALID", "currency"):
        await contracts.update(made, currency="USD")
    ended = await contracts.end(endless)
    assert days.day_of(ended, "end_date") == today()


async def test_what_is_due_already_is_told_once(contracts: Contracts) -> None:
    end = today() + timedelta(days=10)
    made = await contracts.make(end_date=days.to_date(end), notice_days=5)

    [told] = await contracts.world.events("RenewalDue")

    assert told["contract"]["id"] == made.id
    assert told["contract"]["renewalDate"] == {"year": (d := end - timedelta(days=5)).year, "month": d.month, "day": d.day}  # fmt: skip
    found = await contracts.get(made.id)
    assert found.HasField("due_time")

    async def waits_for_its_end() -> bool:
        due = await contracts.timer(made)
        return due is not None and due.date() > today()

    await eventually(waits_for_its_end, "the timer waits for the last day")


async def test_one_that_renews_itself_goes_on_at_its_midnight(contracts: Contracts) -> None:
    end = today() + timedelta(days=90)
    made = await contracts.make(end_date=days.to_date(end), auto_renewal=True)
    at = await contracts.timer(made)
    assert at is not None
    assert at.date() <= end - timedelta(days=29)

    await contracts.ring(made, datetime.now(UTC) + timedelta(days=92))

    old = await contracts.get(made.id)
    assert (old.state, old.outcome_user_id) == (Contract.STATE_RENEWED, "")
    new = await contracts.get(old.next_id)
    assert (new.auto_renewal, new.value) == (True, "100.00")
    assert days.day_of(new, "start_date") == end + timedelta(days=1)
    assert len(await contracts.world.events("RenewalDue")) == 1
    assert len(await contracts.world.events("ContractRenewed")) == 1


async def test_one_that_does_not_ends_by_itself(contracts: Contracts) -> None:
    end = today() + timedelta(days=90)
    made = await contracts.make(end_date=days.to_date(end))

    await contracts.ring(made, datetime.now(UTC) + timedelta(days=92))

    old = await contracts.get(made.id)
    assert (old.state, old.end_reason, old.next_id) == (Contract.STATE_ENDED, "", "")
    assert len(await contracts.world.events("ContractEnded")) == 1


async def test_a_deleted_contract_waits_for_nothing_until_it_is_back(contracts: Contracts) -> None:
    made = await contracts.make()
    at = await contracts.timer(made)
    await contracts.stub.DeleteContract(contract_pb2.DeleteContractRequest(id=made.id))
    assert await contracts.timer(made) is None
    await contracts.stub.UndeleteContract(contract_pb2.UndeleteContractRequest(id=made.id))
    assert await contracts.timer(made) == at

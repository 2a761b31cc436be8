"""Contracts: the standard methods, :renew and :end."""

from chassis.handlers import Servicer, writes
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.deals.v1 import contract_pb2 as pb
from services.deals import contracts, errors, people, store
from services.deals.rules import contracts as rules
from services.deals.rules import days


async def _go_on(tx: Tx, contract: pb.Contract) -> None:
    """What comes back is told of again, at its time."""
    await contracts.follow(tx, contract)


StandardContract = standard(
    store.contracts, on_save=contracts.check, on_delete=contracts.stop, on_undelete=_go_on
)


class ContractsRpcs(StandardContract, Servicer):  # type: ignore[misc, valid-type]
    """Every RPC of contracts_service.proto."""

    service = "crm.deals.v1.ContractsService"

    @writes
    async def RenewContract(self, request: pb.RenewContractRequest, tx: Tx) -> pb.Contract:
        contract = await store.contracts.get(tx, request.id, etag=request.etag)
        rules.require_active(contract, "renewed")
        _check_day(request)
        last = days.day_of(request, "end_date")
        return await contracts.renew(
            tx, contract, end=last, value=request.value, deal_id=request.deal_id
        )

    @writes
    async def EndContract(self, request: pb.EndContractRequest, tx: Tx) -> pb.Contract:
        contract = await store.contracts.get(tx, request.id, etag=request.etag)
        rules.require_active(contract, "ended")
        _check_day(request)
        last = days.day_of(request, "end_date") or days.day_of(contract, "end_date")
        await contracts.end(tx, contract, last or people.today_of(tx), request.reason)
        return contract


def _check_day(request: pb.RenewContractRequest | pb.EndContractRequest) -> None:
    if wrong := days.wrong_day(request, "end_date"):
        raise errors.ValuesInvalid(wrong)

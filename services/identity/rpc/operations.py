"""Long-running operations of this service."""

from google.longrunning import operations_pb2
from google.protobuf.struct_pb2 import Struct

from chassis.errors import NotFound
from chassis.handlers import Servicer, reads, writes
from chassis.kit.resource import checked_id
from chassis.tx import Tx
from crm.identity.v1 import operation_pb2 as pb


class Operations(Servicer):
    """`/v1/operations/identity`: one's own, or all of the company's with the scope all."""

    @reads
    async def GetOperation(
        self, request: pb.GetOperationRequest, tx: Tx
    ) -> operations_pb2.Operation:
        return await self._own(tx, request.id, "read")

    @reads
    async def ListOperations(
        self, request: pb.ListOperationsRequest, tx: Tx
    ) -> operations_pb2.ListOperationsResponse:
        size = request.page_size or 50
        before = checked_id("operation", request.page_token) if request.page_token else ""
        user_id = "" if tx.rights.scope("operation", "read") == "all" else tx.actor.user_id
        found = await self.runtime.operations.list(
            tx, before=before, size=size + 1, user_id=user_id
        )
        token = found[size - 1].name.rpartition("/")[2] if len(found) > size else ""
        return operations_pb2.ListOperationsResponse(operations=found[:size], next_page_token=token)

    @writes
    async def CancelOperation(
        self, request: pb.CancelOperationRequest, tx: Tx
    ) -> operations_pb2.Operation:
        await self._own(tx, request.id, "cancel")
        return await self.runtime.operations.cancel(tx, request.id)

    async def _own(self, tx: Tx, id: str, action: str) -> operations_pb2.Operation:
        operation = await self.runtime.operations.get(tx, checked_id("operation", id))
        facts = _facts(operation)
        if (
            tx.rights.scope("operation", action) != "all"
            and facts.get("userId") != tx.actor.user_id
        ):
            raise NotFound(f"there is no operation {id}")
        return operation


def _facts(operation: operations_pb2.Operation) -> dict[str, str]:
    facts = Struct()
    operation.metadata.Unpack(facts)
    return {key: value for key, value in facts.items() if isinstance(value, str)}

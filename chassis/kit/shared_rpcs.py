"""RPCs that every service offers alike: its long-running operations, lists as of an instant, custom fields, saved views."""

from typing import Any

from google.longrunning import operations_pb2
from google.protobuf.struct_pb2 import Struct

from chassis.errors import NotFound
from chassis.handlers import reads, writes
from chassis.kit import as_of_file, custom, saved_views
from chassis.kit.resource import Resource, checked_id
from chassis.kit.standard import standard
from chassis.tx import Tx


class OperationRpcs:
    """GetOperation, ListOperations and CancelOperation of a service: one's own, or all with the scope all; and ListAsOf."""

    @reads
    async def GetOperation(self, request: Any, tx: Tx) -> operations_pb2.Operation:
        return _shown(tx, await _operation(tx, request.id, "read"))

    @reads
    async def ListOperations(self, request: Any, tx: Tx) -> Any:
        size = request.page_size or 50
        before = checked_id("operation", request.page_token) if request.page_token else ""
        user_id = "" if tx.rights.scope("operation", "read") == "all" else tx.actor.user_id
        found = await tx.runtime.operations.list(tx, before=before, size=size + 1, user_id=user_id)
        token = found[size - 1].name.rpartition("/")[2] if len(found) > size else ""
        shown = [_shown(tx, operation) for operation in found[:size]]
        return tx.call.method.output(operations=shown, next_page_token=token)  # type: ignore[union-attr]

    @writes
    async def CancelOperation(self, request: Any, tx: Tx) -> operations_pb2.Operation:
        await _operation(tx, request.id, "cancel")
        return await tx.runtime.operations.cancel(tx, request.id)

    @writes
    async def ListAsOf(self, request: Any, tx: Tx) -> Any:
        return await as_of_file.start(tx, request)


async def _operation(tx: Tx, id: str, action: str) -> operations_pb2.Operation:
    operation = await tx.runtime.operations.get(tx, checked_id("operation", id))
    facts = _facts(operation)
    if tx.rights.scope("operation", action) != "all" and facts["userId"] != tx.actor.user_id:
        raise NotFound(f"there is no operation {id}")
    return operation


def _facts(operation: operations_pb2.Operation) -> Struct:
    facts = Struct()
    operation.metadata.Unpack(facts)
    return facts


def _shown(tx: Tx, operation: operations_pb2.Operation) -> operations_pb2.Operation:
    """Without its result for an API token that did not ask for it itself.

    A result may be a file that was made with rights of the user which the token does not have.
    """
    facts = _facts(operation)
    is_own = "tokenId" in facts and facts["tokenId"] == tx.actor.id
    if tx.actor.kind == "token" and not is_own:
        operation.ClearField("response")
    return operation


def custom_field_rpcs(resource: Resource[Any]) -> type:
    """The standard RPCs of custom fields; lists may be limited to one resource."""

    async def announce(tx: Tx, field: Any) -> None:
        custom.announce(tx, field)

    return _of_resource(
        standard(resource, custom.check_definition, announce, announce), "ListCustomFields"
    )


def saved_view_rpcs(resource: Resource[Any]) -> type:
    """The standard RPCs of saved views; lists may be limited to one resource."""
    return _of_resource(standard(resource, saved_views.check), "ListSavedViews")


def _of_resource(base: type, name: str) -> type:
    """The list with `resource` in the request as one more condition of its filter."""
    listed = getattr(base, name).rpc.body

    async def list_of_resource(servicer: Any, request: Any, tx: Tx) -> Any:
        if request.resource:
            condition = f'resource = "{_quoted(request.resource)}"'
            request.filter = f"({request.filter}) AND {condition}" if request.filter else condition
        return await listed(servicer, request, tx)

    return type(f"{name}OfResource", (base,), {name: reads(list_of_resource)})


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')

"""The id of a record that was merged answers with the survivor, however many merges lie between."""

from typing import Any

from chassis.errors import Aborted, NotFound
from chassis.handlers import reads, writes
from chassis.kit.resource import Resource
from chassis.tx import Tx
from services.contacts import errors, store


def answering_old_ids(base: type, resource: Resource[Any]) -> type:
    """`base` with its Get, BatchGet and Update led to the survivor, and its Delete and Undelete refused, for merged ids.

    An id that lives costs nothing more: only what was not found is looked up among the merged.
    """
    name, object = resource.message.DESCRIPTOR.name, resource.object
    plural = resource.plural[0].upper() + resource.plural[1:]
    get, batch_get, update, delete, undelete = (
        getattr(base, rpc).rpc.body
        for rpc in (
            f"Get{name}",
            f"BatchGet{plural}",
            f"Update{name}",
            f"Delete{name}",
            f"Undelete{name}",
        )
    )

    async def get_any(servicer: Any, request: Any, tx: Tx) -> Any:
        """As it was at an instant before the merge, the merged record itself."""
        try:
            return await get(servicer, request, tx)
        except NotFound as refusal:
            return await _again(get, servicer, request, tx, refusal)

    async def _again(body: Any, servicer: Any, request: Any, tx: Tx, refusal: NotFound) -> Any:
        asked = request.id
        request.id = await _survivor(tx, object, asked)
        if not request.id:
            raise refusal
        try:
            return await body(servicer, request, tx)
        except NotFound:
            raise resource.not_found(asked) from None

    async def batch_get_any(servicer: Any, request: Any, tx: Tx) -> Any:
        answer = await batch_get(servicer, request, tx)
        old = await store.merges.survivors(tx, object, _well_formed(answer.missing_ids))
        if not old:
            return answer
        asked = list(request.ids)
        request.ids[:] = dict.fromkeys(old.get(id, id) for id in asked)
        answer = await batch_get(servicer, request, tx)
        unseen = set(answer.missing_ids)
        answer.missing_ids[:] = [id for id in dict.fromkeys(asked) if old.get(id, id) in unseen]
        return answer

    async def update_any(servicer: Any, request: Any, tx: Tx) -> Any:
        sent = getattr(request, object)
        try:
            return await update(servicer, request, tx)
        except NotFound:
            asked, survivor_id = sent.id, await _survivor(tx, object, sent.id)
            if not survivor_id:
                raise
        await _readable(tx, asked, survivor_id)
        if request.etag:
            raise Aborted(
                f"the {object} {asked} was merged into {survivor_id} and your etag is of the merged one; read it again"
            )
        sent.id = survivor_id
        return await update(servicer, request, tx)

    async def delete_any(servicer: Any, request: Any, tx: Tx) -> Any:
        try:
            return await delete(servicer, request, tx)
        except NotFound:
            survivor_id = await _survivor(tx, object, request.id)
            if not survivor_id:
                raise
        await _readable(tx, request.id, survivor_id)
        raise errors.RecordMerged(object, request.id, survivor_id, "delete that one if you mean it")

    async def undelete_any(servicer: Any, request: Any, tx: Tx) -> Any:
        survivor_id = await _survivor(tx, object, request.id)
        if survivor_id:
            await _readable(tx, request.id, survivor_id)
            raise errors.RecordMerged(
                object, request.id, survivor_id, "undo the merge to have it back"
            )
        return await undelete(servicer, request, tx)

    async def _readable(tx: Tx, asked: str, survivor_id: str) -> None:
        """NotFound of the id asked for, if the caller may not know of the survivor."""
        try:
            await resource.row(tx, survivor_id)
        except NotFound:
            raise resource.not_found(asked) from None

    bodies = {
        f"Get{name}": reads(get_any),
        f"BatchGet{plural}": reads(batch_get_any),
        f"Update{name}": writes(update_any),
        f"Delete{name}": writes(delete_any),
        f"Undelete{name}": writes(undelete_any),
    }
    return type(f"{name}ByAnyId", (base,), bodies)


async def _survivor(tx: Tx, object: str, id: str) -> str:
    ids = _well_formed([id])
    return (await store.merges.survivors(tx, object, ids)).get(ids[0], "") if ids else ""


def _well_formed(ids: Any) -> list[str]:
    """Only what may be an id reaches a statement; an id is written in small letters where it is kept."""
    return [id for id in ids if len(id) == 36]

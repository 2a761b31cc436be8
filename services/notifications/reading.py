"""Who may read a record of another service, asked of what its events have told: one place for notices and comments."""

from collections.abc import Sequence

from chassis import contracts
from chassis.rights import Rights
from chassis.tx import Tx
from services.notifications import store
from services.notifications.rules import happenings
from services.notifications.rules.guards import Guard


def rights_of(tx: Tx, user_id: str) -> Rights:
    """The present rights of a user of the tenant, with those of the people he stands in for."""
    assert tx.tenant is not None
    return tx.runtime.authentication.rights_of_user(tx.tenant, user_id)


def may_read(rights: Rights, object: str, guard: Guard | None) -> bool:
    """As a Get of the record would decide now; of a guarded record of which nothing was heard only who may read all of them."""
    resource = contracts.resources().get(object)
    if resource is None or not happenings.is_guarded(resource):
        return rights.may(object, "read")
    guard = guard or Guard()
    return rights.reaches(object, "read", guard.owner_id, guard.department_id, guard.reader_ids)


async def readable(
    tx: Tx, rights: Rights, records: Sequence[tuple[str, str]]
) -> frozenset[tuple[str, str]]:
    """Those of the records, as (object, id), that may be read with these rights; one statement for all."""
    guards = await store.guards.of(tx, sorted({id for _, id in records if id}))
    return frozenset(
        (object, id) for object, id in records if may_read(rights, object, guards.get((object, id)))
    )

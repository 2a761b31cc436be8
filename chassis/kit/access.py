"""Whose a record is, for explanations of rights: the RPC that every service with records offers alike."""

from typing import Any

from chassis import errors
from chassis.errors import Violation
from chassis.handlers import reads
from chassis.kit import showing
from chassis.kit.resource import Resource
from chassis.tx import Tx
from crm.common.v1 import access_pb2 as pb


class AccessRpcs:
    """GetRecordAccess: owner, department and followers of a record that the caller may read."""

    @reads
    async def GetRecordAccess(self, request: pb.GetRecordAccessRequest, tx: Tx) -> pb.RecordAccess:
        resource = _resource(tx, request.object)
        if not tx.rights.may(resource.object, "read"):
            raise errors.PermissionDenied(
                f"your role does not allow to read a {resource.object}; ask an administrator for"
                f" {resource.object}.read"
            )
        user_id = request.user_id or tx.actor.user_id
        if user_id != tx.actor.user_id and not tx.rights.may("user", "explain"):
            raise errors.PermissionDenied(
                "your role does not allow to explain a user; ask an administrator for user.explain"
            )
        showing.refuse_unreadable(tx, resource, resource.scope_columns)
        row = await resource.row(tx, request.id)
        owner_id, department_id, follower_ids = resource.scope_of(row)
        return pb.RecordAccess(
            object=resource.object,
            id=str(row["id"]),
            owner_id=owner_id,
            department_id=department_id,
            follower_ids=follower_ids,
            unowned=not resource.scope_columns,
            shared=bool(resource.shared_column and row[resource.shared_column]),
            hidden_custom_fields=sorted(await _hidden_custom(tx, resource, user_id)),
        )


def _resource(tx: Tx, object: str) -> Resource[Any]:
    known = {resource.object: resource for resource in tx.runtime.resources.values()}
    if object not in known:
        raise errors.InvalidArgument(
            f"this service has no {object}; it has {', '.join(sorted(known))}",
            [Violation("object", f"{object} is unknown here")],
        )
    return known[object]


async def _hidden_custom(tx: Tx, resource: Resource[Any], user_id: str) -> frozenset[str]:
    """Paths of the custom fields that none of the user's roles may see."""
    if not resource.has_custom:
        return frozenset()
    await tx.runtime.schemas.load(tx)
    roles = (tx.directory.user(user_id) or {}).get("role_ids", ())
    return tx.runtime.schemas.known(tx.tenant, resource).hidden_from(frozenset(roles))

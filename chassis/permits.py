"""Whether somebody may call an RPC at all: what its contract asks for, decided in one place.

An RPC that joins the answers of others (`joins` in its contract) asks here for each of its parts.
"""

from typing import TYPE_CHECKING

from chassis import contracts, errors
from chassis.contracts import Method
from chassis.features import FeatureOff, check_feature
from chassis.rights import Rights
from crm.options.v1 import options_pb2

if TYPE_CHECKING:
    from chassis.directory import Directory
    from chassis.tx import Tx


class MethodNotGranted(errors.PermissionDenied):
    """The API token is limited to other methods."""

    reason = "METHOD_NOT_GRANTED"


def check(directory: "Directory", tenant: str, rights: Rights, method: Method) -> None:
    """Raises MethodNotGranted, FeatureOff or PermissionDenied if the contract does not let this caller call it."""
    wanted = method.permission
    if not any(map(rights.allows_method, wanted.joins or (method.full_name,))):
        raise MethodNotGranted(f"this API token may not call {method.full_name}")
    check_feature(directory, tenant, wanted.feature)
    if wanted.access != options_pb2.ACCESS_SIGNED_IN and not rights.may(
        wanted.object, wanted.action
    ):
        raise errors.PermissionDenied(
            f"your role does not allow to {wanted.action} a {wanted.object}; ask an administrator for"
            f" {wanted.object}.{wanted.action}"
        )


def require(tx: "Tx", full_name: str) -> None:
    """As `check`, for the caller of a body that gives what the RPC of this name gives."""
    assert tx.tenant is not None
    check(tx.runtime.directory, tx.tenant, tx.rights, contracts.method_named(full_name))


def may(tx: "Tx", full_name: str) -> bool:
    """Whether the caller may call the RPC of this name."""
    try:
        require(tx, full_name)
    except (errors.PermissionDenied, FeatureOff):
        return False
    return True

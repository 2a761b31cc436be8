"""What tasks asks the directory about people."""

from chassis.call import Actor
from chassis.rights import Rights
from chassis.tx import Tx
from services.tasks import errors


def user_of(actor: Actor) -> str:
    """The user who acts, himself or through a token; empty for the system."""
    return actor.user_id or (actor.id if actor.kind == "user" else "")


def rights_of(tx: Tx, user_id: str) -> Rights:
    """The present rights of a user of the tenant, with those over the records of the people he stands in for."""
    assert tx.tenant is not None
    return tx.runtime.authentication.rights_of_user(tx.tenant, user_id)


def is_active(tx: Tx, user_id: str) -> bool:
    """True if the user can get tasks. Who is away can: his stand-in hears of them."""
    return (tx.directory.user(user_id) or {}).get("state") == "active"


def require_active(tx: Tx, user_id: str, field: str = "owner_id") -> None:
    """AssigneeNotActive unless the user can get tasks."""
    if not is_active(tx, user_id):
        raise errors.AssigneeNotActive(user_id, field)


def home_of(tx: Tx, user_id: str) -> str:
    """The user's department; empty if he has none."""
    return str((tx.directory.user(user_id) or {}).get("department_id") or "")


def zone_of(tx: Tx, user_id: str) -> str:
    """The user's time zone; the tenant's where he has none, or where there is no user."""
    user = tx.directory.user(user_id) if user_id else None
    zone = (user or {}).get("time_zone") or tx.directory.tenant().get("time_zone")
    return str(zone or "UTC")


def name_of(tx: Tx, user_id: str) -> str:
    """What colleagues call the user."""
    return str((tx.directory.user(user_id) or {}).get("name") or "somebody")

"""What deals asks the directory about people and the company."""

from datetime import date
from zoneinfo import ZoneInfo

from chassis.call import Actor
from chassis.tx import Tx
from services.deals import errors


def user_of(actor: Actor) -> str:
    """The user who acts, himself or through a token; empty for the system."""
    return actor.user_id or (actor.id if actor.kind == "user" else "")


def is_active(tx: Tx, user_id: str) -> bool:
    """True if the user can get deals."""
    return (tx.directory.user(user_id) or {}).get("state") == "active"


def require_active(tx: Tx, user_id: str, field: str = "owner_id") -> None:
    """OwnerNotActive unless the user can get deals."""
    if not is_active(tx, user_id):
        raise errors.OwnerNotActive(user_id, field)


def home_of(tx: Tx, user_id: str) -> str:
    """The user's department; empty if he has none."""
    return str((tx.directory.user(user_id) or {}).get("department_id") or "")


def zone_of(tx: Tx) -> str:
    """The company's time zone."""
    return str(tx.directory.tenant().get("time_zone") or "UTC")


def today_of(tx: Tx) -> date:
    """The company's day."""
    return tx.now.astimezone(ZoneInfo(zone_of(tx))).date()


def currency_of(tx: Tx) -> str:
    """The company's currency."""
    return str(tx.directory.tenant()["currency"])

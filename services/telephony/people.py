"""What telephony asks the directory about people and the company."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chassis.call import Actor
from chassis.hours.resolving import department_hours, hours_of
from chassis.stand_in import is_away, stand_in
from chassis.tx import Tx


def user_of(actor: Actor) -> str:
    """The user who acts, himself or through a token; empty for the system."""
    return actor.user_id or (actor.id if actor.kind == "user" else "")


def act_as(tx: Tx, user_ids: Sequence[str]) -> None:
    """What is written is told in the name of the first of these: he hears nothing of what he did himself."""
    if user_ids:
        tx.actor = replace(tx.actor, user_id=user_ids[0])


def country_of(tx: Tx) -> str:
    """The company's country, in which numbers without one are read."""
    return str(tx.directory.tenant().get("country", ""))


def home_of(tx: Tx, user_id: str) -> str:
    """The user's department; empty if he has none."""
    return str((tx.directory.user(user_id) or {}).get("department_id") or "")


def is_active(tx: Tx, user_id: str) -> bool:
    """True if the user works here."""
    return (tx.directory.user(user_id) or {}).get("state") == "active"


def is_there(tx: Tx, user_id: str) -> bool:
    """True if the user works here, is not absent, and it is his working time."""
    user = tx.directory.user(user_id) or {}
    return (
        user.get("state") == "active"
        and not is_away(user, tx.now)
        and hours_of(tx.directory, user_id).is_open(tx.now)
    )


def acting_for(tx: Tx, user_id: str) -> str:
    """Who acts for the user now: himself unless he is away; empty if nobody is there."""
    return stand_in(tx.directory, user_id, tx.now)


def members(tx: Tx, department_id: str) -> list[str]:
    """The people of a department, as a fixed order."""
    users = tx.directory.users().items()
    return sorted(id for id, user in users if department_id and user.get("department_id") == department_id)  # fmt: skip


def is_open(tx: Tx, department_id: str, at: datetime) -> bool:
    """True if the department works then; the company where there is no department."""
    return department_hours(tx.directory, department_id).is_open(at)


def zone_of(tx: Tx) -> str:
    """The company's time zone."""
    return str(tx.directory.tenant().get("time_zone") or "UTC")

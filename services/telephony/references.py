"""Whether what a record of telephony names exists."""

from chassis.tx import Tx
from services.telephony import errors, store


def user(tx: Tx, id: str, field: str = "user_id") -> None:
    """ReferenceUnknown if there is no such user."""
    if id and tx.directory.user(id) is None:
        raise errors.ReferenceUnknown(field, f"user {id}")


def department(tx: Tx, id: str, field: str = "department_id") -> None:
    """ReferenceUnknown if there is no such department."""
    if id and tx.directory.department(id) is None:
        raise errors.ReferenceUnknown(field, f"department {id}")


async def connection(tx: Tx, id: str, field: str = "connection_id") -> None:
    """ReferenceUnknown if there is no such exchange."""
    if id and await store.connections.find(tx, id) is None:
        raise errors.ReferenceUnknown(field, f"telephone exchange {id}")

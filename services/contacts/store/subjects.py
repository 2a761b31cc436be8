"""What stands on a contact, company or request has in common: whose it is, copied from there, and how it is found from there."""

from typing import Any

from sqlalchemy import Column, Uuid, bindparam
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.db import Statement
from chassis.kit.columns import reference
from chassis.kit.filter import Field
from chassis.kit.resource import Resource
from chassis.tx import Tx
from services.contacts.store.parties import PARTIES
from services.contacts.store.reception import requests

SUBJECTS: dict[str, Resource[Any]] = {**PARTIES, "request": requests}
"""Object -> the records on which others stand."""


def subject_columns(*ends: str) -> list[Column[Any]]:
    """The columns of the copied scope and of the ends, e.g. contact_id."""
    return [
        Column("owner_id", Uuid), Column("department_id", Uuid),
        Column("follower_ids", ARRAY(Uuid), nullable=False), *(Column(end, Uuid) for end in ends),
    ]  # fmt: skip


def subject_values(record: Any, *ends: str) -> dict[str, Any]:
    """The values of those columns."""
    return {
        "owner_id": reference(record.owner_id),
        "department_id": reference(record.department_id),
        "follower_ids": list(record.follower_ids),
        **{end: reference(getattr(record, end)) for end in ends},
    }


def subject_fields(*ends: str) -> dict[str, Field]:
    """What lists filter by: the ends."""
    return {end: Field(end, "uuid") for end in ends}


class Standing:
    """The records of one kind that stand on others, found from there."""

    def __init__(self, resource: Resource[Any], *ends: str) -> None:
        self.resource = resource
        self._of: dict[str, Statement] = {
            end.removesuffix("_id"): resource.select(
                resource.view.c[end] == bindparam("ids", type_=ARRAY(Uuid)).any_(),
                order=(resource.view.c.create_time, resource.view.c.id),
            )
            for end in ends
        }

    async def on(self, tx: Tx, object: str, ids: list[str]) -> list[Any]:
        """Those that live and stand on these records, oldest first; whoever asks."""
        statement = self._of.get(object)
        return await self.resource.find_where(tx, statement, ids=ids) if statement and ids else []

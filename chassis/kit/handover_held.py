"""Records that name a person: where, which of them, and how another takes his place."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import DateTime, Uuid, bindparam, cast, func, literal_column, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, array
from sqlalchemy.sql.elements import ColumnElement

from chassis.db.statement import Statement
from chassis.kit.handover_moves import BATCH, Move
from chassis.kit.resource import Resource
from crm.common.v1 import handover_pb2 as pb


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Held:
    """Records of one kind that name a person in one field; a list is left, a single reference goes to somebody else."""

    resource: Resource[Any]
    field: str = "owner_id"
    condition: ColumnElement[bool] | None = None
    """Which of them, over the resource's view; None for all."""
    unfinished: ColumnElement[bool] | None = None
    """Which of them are lent while the person is away; None for those of `condition`."""
    lent: bool = True
    """False if an absence changes nothing about them."""
    finished: Callable[[Any], bool] = lambda record: False
    """True for a record that is done: it stays with who did it when what was lent returns."""
    settle: Callable[[Any, str, str], None] | None = None
    """Puts right what else of a record depends on the field: (record, who was named, who is)."""

    @property
    def is_list(self) -> bool:
        return bool(self.resource.message.DESCRIPTOR.fields_by_name[self.field].is_repeated)

    @property
    def object(self) -> str:
        return self.resource.object


def planned(one: Held, record: Any, user_id: str, to: str) -> Move:
    """The move that lets `to` take the place of the user."""
    position = list(getattr(record, one.field)).index(user_id) if one.is_list else 0
    return Move(one.object, record.id, one.field, user_id, to, position)


def name(one: Held, record: Any, before: str, after: str) -> None:
    """Puts the new person in the field; from a list the old one is only taken."""
    if one.is_list:
        getattr(record, one.field).remove(before)
    else:
        setattr(record, one.field, after)
    if one.settle is not None:
        one.settle(record, before, after)


def name_again(one: Held, record: Any, move: Move) -> None:
    """Puts the former person back, in a list at the former place."""
    if one.is_list:
        names = getattr(record, one.field)
        if move.from_user_id not in names:
            names.insert(move.position, move.from_user_id)
    else:
        setattr(record, one.field, move.from_user_id)
    if one.settle is not None:
        one.settle(record, move.to_user_id, move.from_user_id)


def why_not(one: Held, record: Any, move: Move, *, lent: bool) -> Any:
    """Why the record does not go back; None if it does."""
    if record is None or record.HasField("delete_time"):
        return pb.HandoverKept.REASON_DELETED
    if not one.is_list and getattr(record, one.field) != move.to_user_id:
        return pb.HandoverKept.REASON_MOVED_ON
    if lent and one.finished(record):
        return pb.HandoverKept.REASON_FINISHED
    return None


# -- statements -----------------------------------------------------------------------------------


def _naming(one: Held, lent: bool) -> list[ColumnElement[bool]]:
    """The living records that name the person in the field."""
    v, user = one.resource.view.c, bindparam("user_id", type_=Uuid)
    column = v[one.field]
    named = column.contains(cast(array([user]), ARRAY(Uuid))) if one.is_list else column == user
    conditions = [v.tenant_id == bindparam("tenant_id", type_=Uuid), v.delete_time.is_(None), named]
    if one.is_list:  # as the partial index says it
        conditions.append(column != literal_column("'{}'"))
    wanted = one.unfinished if lent and one.unfinished is not None else one.condition
    return conditions if wanted is None else [*conditions, wanted]


@cache
def page(one: Held, lent: bool) -> Statement:
    """In order of creation, along the index over owners, with the documents read for one page only."""
    v = one.resource.view.c
    after = tuple_(
        bindparam("after_time", type_=DateTime(timezone=True)), bindparam("after_id", type_=Uuid)
    )
    return Statement(
        select(v.id, v.create_time, v.doc)
        .where(*_naming(one, lent), tuple_(v.create_time, v.id) > after)
        .order_by(v.create_time, v.id)
        .limit(BATCH)
    )


@cache
def count(one: Held, lent: bool) -> Statement:
    """How many records name the person."""
    return Statement(select(func.count()).select_from(one.resource.view).where(*_naming(one, lent)))


@cache
def by_ids(resource: Resource[Any]) -> Statement:
    """The rows of these records, deleted ones too."""
    t = resource.table.c
    mine = t.tenant_id == bindparam("tenant_id", type_=Uuid)
    return Statement(
        select(t.id, t.doc).where(mine, t.id == bindparam("ids", type_=ARRAY(Uuid)).any_())
    )

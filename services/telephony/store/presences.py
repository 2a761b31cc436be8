"""Who takes calls at the moment: one row for everybody of whom something else than "yes" was ever so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Boolean, Column, Table, Uuid, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db.statement import Statement
from chassis.kit.tables import Moment
from chassis.tx import Tx
from services.telephony.store.schema import metadata

presences = Table(
    "phone_presences",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("user_id", Uuid, primary_key=True),
    Column("do_not_disturb", Boolean, nullable=False),
    Column("until", Moment),  # of do_not_disturb
    Column("call_id", Uuid),
    Column("speaking", Boolean, nullable=False),
    Column("wrap_up_until", Moment),
)


@dataclass(frozen=True, slots=True)
class Presence:
    """What is so of somebody; the times may be over."""

    user_id: str
    do_not_disturb: bool = False
    until: datetime | None = None
    call_id: str = ""
    speaking: bool = False
    wrap_up_until: datetime | None = None

    def disturbed(self, now: datetime) -> bool:
        """True if he takes calls as far as he said."""
        return not self.do_not_disturb or (self.until is not None and self.until <= now)


_P = presences.c
_TENANT = bindparam("tenant_id", type_=Uuid)
_ALL = Statement(
    select(*(c for c in presences.columns if c.name != "tenant_id")).where(
        _P.tenant_id == _TENANT, _P.user_id == bindparam("user_ids", type_=ARRAY(Uuid)).any_()
    )
)
_put = upsert(presences).values({c.name: bindparam(c.name, type_=c.type) for c in presences.columns})  # fmt: skip
_PUT = Statement(
    _put.on_conflict_do_update(
        index_elements=["tenant_id", "user_id"],
        set_={c.name: _put.excluded[c.name] for c in presences.columns if not c.primary_key},
    )
)


async def presences_of(tx: Tx, user_ids: Sequence[str]) -> dict[str, Presence]:
    """User -> what is so of him, for each of these."""
    found = {id: Presence(id) for id in user_ids}
    for row in await tx.fetch(_ALL, user_ids=list(user_ids)):
        id = str(row["user_id"])
        found[id] = Presence(
            id, row["do_not_disturb"], row["until"], str(row["call_id"] or ""), row["speaking"], row["wrap_up_until"]
        )  # fmt: skip
    return found


async def put_presence(tx: Tx, presence: Presence) -> None:
    """Keeps what is so of somebody."""
    await tx.begin()
    await tx.execute(
        _PUT, user_id=presence.user_id, do_not_disturb=presence.do_not_disturb, until=presence.until,
        call_id=presence.call_id or None, speaking=presence.speaking, wrap_up_until=presence.wrap_up_until,
    )  # fmt: skip

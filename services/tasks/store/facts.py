"""What the day plan knows of contacts, companies and agreements: a projection of contacts' events, without names.

Every row holds the version that was told last, and something older changes nothing. A party that is deleted, or has no owner,
is in nobody's day: its row has no owner. Of somebody who was erased only the id is left, so that what was told before and is
heard late leaves no trace.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    delete,
    exists,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db.statement import Statement
from chassis.kit.columns import reference
from chassis.kit.tables import Moment
from chassis.tx import Tx
from services.tasks.store.schema import metadata

_ERASED = 2**62
"""The version of what was erased: nothing comes after it."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)

parties = Table(
    "day_parties",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("object", Text, primary_key=True),  # contact or company
    Column("id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("owner_id", Uuid),
    Column("follower_ids", ARRAY(Uuid), nullable=False),
    Column("birth_day", SmallInteger, nullable=False),  # month * 100 + day; 0 for none
    Column("birth_year", SmallInteger, nullable=False),  # 0 if not known
    Column("next_contact_date", Date),
    Column("touch_time", Moment, nullable=False),  # the last contact; until there is one, since when he is known
    Index("ix_day_parties_next", "tenant_id", "owner_id", "next_contact_date", "id",
          postgresql_where=text("owner_id IS NOT NULL AND next_contact_date IS NOT NULL")),
    Index("ix_day_parties_touch", "tenant_id", "owner_id", "touch_time", "id",
          postgresql_where=text("owner_id IS NOT NULL")),
    Index("ix_day_parties_birth", "tenant_id", "owner_id", "birth_day", "id",
          postgresql_where=text("owner_id IS NOT NULL AND birth_day > 0")),
)  # fmt: skip

agreements = Table(
    "day_agreements",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("contact_id", Uuid),
    Column("company_id", Uuid),
    Column("assignee_id", Uuid),  # who sees to it; nobody once it is settled
    Column("date", Date, nullable=False),
    Column("owner_id", Uuid),
    Column("department_id", Uuid),
    Column("follower_ids", ARRAY(Uuid), nullable=False),
    Index("ix_day_agreements_assignee", "tenant_id", "assignee_id", "date", "id",
          postgresql_where=text("assignee_id IS NOT NULL")),
    Index("ix_day_agreements_contact", "tenant_id", "contact_id", postgresql_where=text("contact_id IS NOT NULL")),
    Index("ix_day_agreements_company", "tenant_id", "company_id", postgresql_where=text("company_id IS NOT NULL")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Party:
    """What an event told of a contact or company."""

    object: str
    id: str
    version: int
    owner_id: str
    follower_ids: list[str]
    birth_day: int
    birth_year: int
    next_contact_date: date | None
    known_since: datetime


@dataclass(frozen=True, slots=True)
class Agreement:
    """What an event told of an agreement; no assignee if there is nothing to see to."""

    id: str
    version: int
    contact_id: str
    company_id: str
    assignee_id: str
    date: date
    owner_id: str
    department_id: str
    follower_ids: list[str]


_TENANT = bindparam("tenant_id", type_=Uuid)
_OBJECT = bindparam("of_object", type_=Text)
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_P, _A = parties.c, agreements.c

# -- following -------------------------------------------------------------------------------------------------------------

_party = upsert(parties).values({c.name: bindparam(c.name, type_=c.type) for c in _P})
_PUT_PARTY = Statement(
    _party.on_conflict_do_update(
        index_elements=["tenant_id", "object", "id"],
        set_={c.name: _party.excluded[c.name] for c in _P if not c.primary_key}
        | {"touch_time": func.greatest(_P.touch_time, _party.excluded.touch_time)},
        where=_P.version < _party.excluded.version,
    )
)
_touched = upsert(parties).values({c.name: bindparam(c.name, type_=c.type) for c in _P})
_TOUCH = Statement(
    _touched.on_conflict_do_update(
        index_elements=["tenant_id", "object", "id"],
        set_={"touch_time": _touched.excluded.touch_time},
        where=(_P.touch_time < _touched.excluded.touch_time) & (_P.version < text(str(_ERASED))),
    )
)
_KNOWN_AGREEMENT = select(*(bindparam(c.name, type_=c.type).label(c.name) for c in _A)).where(
    ~exists(
        select(_P.id).where(
            _P.tenant_id == _TENANT, _P.object == text("'contact'"),
            _P.id == bindparam("contact_id", type_=Uuid), _P.version == text(str(_ERASED)),
        )
    )
)  # fmt: skip
_agreement = upsert(agreements).from_select([c.name for c in _A], _KNOWN_AGREEMENT)
_PUT_AGREEMENT = Statement(
    _agreement.on_conflict_do_update(
        index_elements=["tenant_id", "id"],
        set_={c.name: _agreement.excluded[c.name] for c in _A if not c.primary_key},
        where=_A.version < _agreement.excluded.version,
    )
)


async def put_party(tx: Tx, party: Party) -> None:
    """Keeps what was told last of a contact or company, and when somebody was last in touch."""
    await tx.execute(
        _PUT_PARTY, object=party.object, id=party.id, version=party.version, owner_id=reference(party.owner_id),
        follower_ids=party.follower_ids, birth_day=party.birth_day, birth_year=party.birth_year,
        next_contact_date=party.next_contact_date, touch_time=party.known_since,
    )  # fmt: skip


async def touch(tx: Tx, object: str, ids: Sequence[str], at: datetime) -> None:
    """Notes that somebody was in touch with these; also with those that nothing was told of yet."""
    for id in sorted(ids):  # in one order, so that two of these never wait for each other
        await tx.execute(
            _TOUCH, object=object, id=id, version=0, owner_id=None, follower_ids=[], birth_day=0,
            birth_year=0, next_contact_date=None, touch_time=at,
        )  # fmt: skip


async def put_agreement(tx: Tx, agreement: Agreement) -> None:
    """Keeps what was told last of an agreement; nothing of one with somebody who was erased."""
    await tx.execute(
        _PUT_AGREEMENT, id=agreement.id, version=agreement.version, contact_id=reference(agreement.contact_id),
        company_id=reference(agreement.company_id), assignee_id=reference(agreement.assignee_id), date=agreement.date,
        owner_id=reference(agreement.owner_id), department_id=reference(agreement.department_id),
        follower_ids=agreement.follower_ids,
    )  # fmt: skip


# -- merging and erasing ---------------------------------------------------------------------------------------------------

_M = parties.alias("merged").c
_LAST_TOUCH = Statement(
    update(parties)
    .where(_P.object == _OBJECT, _P.id == bindparam("of_id", type_=Uuid), _P.version < text(str(_ERASED)))
    .values(
        touch_time=func.greatest(
            _P.touch_time,
            select(func.max(_M.touch_time)).where(_M.object == _OBJECT, _M.id == _IDS.any_()).scalar_subquery(),
        )
    )
)  # fmt: skip
_MOVE = {
    object: Statement(
        update(agreements)
        .where(_A[f"{object}_id"] == _IDS.any_())
        .values({f"{object}_id": bindparam("of_id", type_=Uuid)})
    )
    for object in ("contact", "company")
}
_FORGET = Statement(
    _party.on_conflict_do_update(
        index_elements=["tenant_id", "object", "id"],
        set_={c.name: _party.excluded[c.name] for c in _P if not c.primary_key},
    )
)
_FORGET_AGREEMENTS = Statement(delete(agreements).where(_A.contact_id == _IDS.any_()))


async def merge(tx: Tx, object: str, id: str, merged_ids: Sequence[str]) -> None:
    """Gives the survivor the last touch and the agreements of those who went into it."""
    await tx.execute(_LAST_TOUCH, of_object=object, of_id=id, ids=list(merged_ids))
    await tx.execute(_MOVE[object], of_id=id, ids=list(merged_ids))


async def forget(tx: Tx, contact_ids: Sequence[str]) -> None:
    """Removes all that is known of these people; for good."""
    for id in sorted(contact_ids):
        await tx.execute(
            _FORGET, object="contact", id=id, version=_ERASED, owner_id=None, follower_ids=[], birth_day=0,
            birth_year=0, next_contact_date=None, touch_time=_NEVER,
        )  # fmt: skip
    await tx.execute(_FORGET_AGREEMENTS, ids=list(contact_ids))

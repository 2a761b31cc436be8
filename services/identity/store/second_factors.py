"""Second factors and recovery codes: plain rows, no history; secrets sealed, codes hashed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    LargeBinary,
    Table,
    Uuid,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.kit.tables import Moment
from chassis.tx import Tx
from services.identity.store.schema import metadata

__all__ = [
    "SecondFactor",
    "begin_second_factor",
    "confirm_second_factor",
    "drop_second_factor",
    "find_second_factor",
    "has_recovery_code",
    "note_step",
    "recovery_codes_left",
    "replace_recovery_codes",
    "second_factor_for_update",
    "use_recovery_code",
]

second_factors = Table(
    "second_factors",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("user_id", Uuid, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("confirm_time", Moment),
    Column("last_step", BigInteger, nullable=False),
)
recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("user_id", Uuid, primary_key=True),
    Column("hash", LargeBinary, primary_key=True),
)

_TENANT = bindparam("tenant_id", type_=Uuid)
_USER = bindparam("user_id", type_=Uuid)
_F, _R = second_factors.c, recovery_codes.c
_OF_USER = (_F.tenant_id == _TENANT) & (_F.user_id == _USER)
_CODES_OF_USER = (_R.tenant_id == _TENANT) & (_R.user_id == _USER)


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """One person's device; it counts once it was confirmed by a code."""

    user_id: str
    sealed: bytes
    confirm_time: datetime | None
    last_step: int
    """The time step of the newest code that was accepted."""


_FIND = Statement(select(second_factors).where(_OF_USER))
_LOCK = Statement(select(second_factors).where(_OF_USER).with_for_update())
_begin = upsert(second_factors).values(
    tenant_id=_TENANT, user_id=_USER, sealed=bindparam("sealed", type_=LargeBinary),
    create_time=bindparam("now", type_=Moment), last_step=0,
)  # fmt: skip
_BEGIN = Statement(
    _begin.on_conflict_do_update(
        index_elements=["tenant_id", "user_id"],
        set_={name: _begin.excluded[name] for name in ("sealed", "create_time", "last_step")},
        where=_F.confirm_time.is_(None),
    )
)
_CONFIRM = Statement(
    update(second_factors).where(_OF_USER).values(confirm_time=bindparam("now", type_=Moment))
)
_NOTE_STEP = Statement(
    update(second_factors).where(_OF_USER).values(last_step=bindparam("step", type_=BigInteger))
)
_DROP = Statement(delete(second_factors).where(_OF_USER))
_DROP_CODES = Statement(delete(recovery_codes).where(_CODES_OF_USER))
_ADD_CODES = Statement(
    insert(recovery_codes).from_select(
        ["tenant_id", "user_id", "hash"],
        select(_TENANT, _USER, func.unnest(bindparam("hashes", type_=ARRAY(LargeBinary)))),
    )
)
_USE_CODE = Statement(
    delete(recovery_codes).where(_CODES_OF_USER, _R.hash == bindparam("hash", type_=LargeBinary))
)
_HAS_CODE = Statement(
    select(_R.hash).where(_CODES_OF_USER, _R.hash == bindparam("hash", type_=LargeBinary))
)
_CODES_LEFT = Statement(select(func.count()).select_from(recovery_codes).where(_CODES_OF_USER))


async def find_second_factor(tx: Tx, user_id: str) -> SecondFactor | None:
    """The user's second factor, confirmed or not."""
    return _factor(await tx.fetchrow(_FIND, user_id=user_id))


async def second_factor_for_update(tx: Tx, user_id: str) -> SecondFactor | None:
    """As `find_second_factor`, locked until the end: of two who send the same code, one is second."""
    await tx.begin()
    return _factor(await tx.fetchrow(_LOCK, user_id=user_id))


async def begin_second_factor(tx: Tx, user_id: str, sealed: bytes, now: datetime) -> bool:
    """Keeps a new secret that waits for its confirmation; False if a confirmed one is there."""
    return bool(await tx.execute(_BEGIN, user_id=user_id, sealed=sealed, now=now))


async def confirm_second_factor(tx: Tx, user_id: str, now: datetime) -> None:
    """From now on sign-ins ask for it."""
    await tx.execute(_CONFIRM, user_id=user_id, now=now)


async def note_step(tx: Tx, user_id: str, step: int) -> None:
    """The code of this step was used; call under `second_factor_for_update`."""
    await tx.execute(_NOTE_STEP, user_id=user_id, step=step)


async def drop_second_factor(tx: Tx, user_id: str) -> bool:
    """Takes device and recovery codes away; False if there was nothing."""
    await tx.execute(_DROP_CODES, user_id=user_id)
    return bool(await tx.execute(_DROP, user_id=user_id))


async def replace_recovery_codes(tx: Tx, user_id: str, hashes: list[bytes]) -> None:
    """These recovery codes, and no others."""
    await tx.execute(_DROP_CODES, user_id=user_id)
    await tx.execute(_ADD_CODES, user_id=user_id, hashes=hashes)


async def has_recovery_code(tx: Tx, user_id: str, hash: bytes) -> bool:
    """True if this recovery code was not used yet."""
    return await tx.fetchval(_HAS_CODE, user_id=user_id, hash=hash) is not None


async def use_recovery_code(tx: Tx, user_id: str, hash: bytes) -> bool:
    """Uses a recovery code up; False if there is no such code any more."""
    return bool(await tx.execute(_USE_CODE, user_id=user_id, hash=hash))


async def recovery_codes_left(tx: Tx, user_id: str) -> int:
    """How many recovery codes have not been used."""
    return int(await tx.fetchval(_CODES_LEFT, user_id=user_id))


def _factor(row: Any) -> SecondFactor | None:
    if row is None:
        return None
    return SecondFactor(
        str(row["user_id"]), bytes(row["sealed"]), row["confirm_time"], row["last_step"]
    )

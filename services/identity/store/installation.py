"""What belongs to the installation and to no company: who signs in where, failed attempts, signing keys, the companies."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.db import Statement
from chassis.kit.tables import Moment
from chassis.tx import Tx
from services.identity import errors
from services.identity.signing import SigningKey
from services.identity.store.schema import metadata

__all__ = [
    "add_company",
    "add_signing_key",
    "attempts_for_update",
    "claim_installation",
    "companies",
    "count_attempt",
    "drop_retired_keys",
    "find_login",
    "forget_attempts",
    "forgive_attempt",
    "locked_signing_keys",
    "move_login",
    "set_login",
    "signing_keys",
    "touch_attempt",
]

# `company_id`, not `tenant_id`: these tables are read before anybody knows which company is meant.
logins = Table(
    "logins",
    metadata,
    Column("email_key", Text, primary_key=True),
    Column("company_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
)
attempts = Table(
    "attempts",
    metadata,
    Column("key", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_time", Moment, nullable=False),
)
signing_keys_table = Table(
    "signing_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("public_pem", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("create_time", Moment, nullable=False),
)
companies_table = Table(
    "companies",
    metadata,
    Column("company_id", Uuid, primary_key=True),
    Column("create_time", Moment, nullable=False),
)
installation = Table(
    "installation",
    metadata,
    Column("only", Boolean, primary_key=True),
    Column("setup_time", Moment, nullable=False),
)

_NOW = bindparam("now", type_=Moment)
_KEYS = bindparam("keys", type_=ARRAY(Text))

# --- companies ------------------------------------------------------------------------------------------------------------

_CLAIM = Statement(insert(installation).values(only=True, setup_time=_NOW))
_ADD_COMPANY = Statement(
    insert(companies_table).values(company_id=bindparam("id", type_=Uuid), create_time=_NOW)
)
_COMPANIES = Statement(
    select(companies_table.c.company_id)
    .where(companies_table.c.company_id > bindparam("after", type_=Uuid))
    .order_by(companies_table.c.company_id)
    .limit(500)
)


async def claim_installation(tx: Tx) -> None:
    """Marks the installation as set up; SetupDone if it was."""
    await tx.execute(_CLAIM, now=tx.now, constraints={"installation_pkey": errors.SetupDone()})


async def add_company(tx: Tx, id: str) -> None:
    """Notes a new company among those of the installation."""
    await tx.execute(_ADD_COMPANY, id=id, now=tx.now)


async def companies(tx: Tx, after: str) -> list[str]:
    """Up to 500 ids of companies after the given one."""
    return [str(row["company_id"]) for row in await tx.fetch(_COMPANIES, after=after)]


# --- who signs in where ---------------------------------------------------------------------------------------------------

_G = logins.c
_FIND_LOGIN = Statement(
    select(_G.company_id, _G.user_id).where(_G.email_key == bindparam("email_key"))
)
_SET_LOGIN = Statement(
    insert(logins).values(
        email_key=bindparam("email_key"),
        company_id=bindparam("company", type_=Uuid),
        user_id=bindparam("user_id", type_=Uuid),
    )
)
_MOVE_LOGIN = Statement(
    update(logins)
    .where(
        _G.email_key == bindparam("old_key"), _G.company_id == bindparam("company", type_=Uuid),
        _G.user_id == bindparam("user_id", type_=Uuid),
    )
    .values(email_key=bindparam("new_key"))
)  # fmt: skip
_TAKEN = {"logins_pkey": errors.EmailTaken()}


async def find_login(tx: Tx, email_key: str) -> tuple[str, str] | None:
    """(company, user) who signs in with this address, or None."""
    row = await tx.fetchrow(_FIND_LOGIN, email_key=email_key)
    return (str(row["company_id"]), str(row["user_id"])) if row else None


async def set_login(tx: Tx, email_key: str, user_id: str) -> None:
    """A new address to sign in with; EmailTaken if anybody in the installation has it."""
    await tx.execute(
        _SET_LOGIN, email_key=email_key, company=tx.tenant, user_id=user_id, constraints=_TAKEN
    )


async def move_login(tx: Tx, old_key: str, new_key: str, user_id: str) -> None:
    """Another address for the same user; EmailTaken if anybody in the installation has it."""
    await tx.execute(
        _MOVE_LOGIN,
        old_key=old_key,
        new_key=new_key,
        company=tx.tenant,
        user_id=user_id,
        constraints=_TAKEN,
    )


# --- failed attempts ------------------------------------------------------------------------------------------------------

_T = attempts.c
# An update that changes nothing locks the row. Inserting and then selecting would lose a row that a success deletes between.
_BEGIN_COUNTING = Statement(
    upsert(attempts)
    .from_select(["key", "failures", "last_time"], select(func.unnest(_KEYS), literal(0), _NOW))
    .on_conflict_do_update(index_elements=["key"], set_={"failures": _T.failures})
    .returning(attempts)
)
_COUNT = Statement(
    update(attempts)
    .where(_T.key == bindparam("name"))
    .values(failures=bindparam("failures", type_=Integer), last_time=_NOW)
)
_TOUCH = Statement(update(attempts).where(_T.key == bindparam("name")).values(last_time=_NOW))
_FORGIVE = Statement(
    update(attempts)
    .where(_T.key == bindparam("name"), _T.failures > 0)
    .values(failures=_T.failures - 1)
)
_FORGET = Statement(
    delete(attempts).where(
        (_T.key == func.any(_KEYS)) | (_T.last_time < bindparam("before", type_=Moment))
    )
)


async def attempts_for_update(
    tx: Tx, keys: list[str], now: datetime
) -> dict[str, tuple[int, datetime]]:
    """(failures, last one) of each key, locked until the end, in one order so that two sign-ins never block each other."""
    await tx.begin()
    rows = await tx.fetch(_BEGIN_COUNTING, keys=sorted(keys), now=now)
    return {row["key"]: (row["failures"], row["last_time"]) for row in rows}


async def count_attempt(tx: Tx, key: str, failures: int, now: datetime) -> None:
    """Notes the number of failures so far."""
    await tx.execute(_COUNT, name=key, failures=failures, now=now)


async def touch_attempt(tx: Tx, key: str, now: datetime) -> None:
    """Writes the counter as it is: costs what noting a refusal costs."""
    await tx.execute(_TOUCH, name=key, now=now)


async def forgive_attempt(tx: Tx, key: str) -> None:
    """Takes one failure back: the attempt that was counted beforehand succeeded."""
    await tx.execute(_FORGIVE, name=key)


async def forget_attempts(tx: Tx, keys: list[str], before: datetime) -> None:
    """Takes these counters away, and all that are older."""
    await tx.execute(_FORGET, keys=keys, before=before)


# --- signing keys ---------------------------------------------------------------------------------------------------------

_K = signing_keys_table.c
_SIGNING_KEYS = Statement(select(signing_keys_table).order_by(_K.create_time.desc(), _K.kid.desc()))
_ADD_KEY = Statement(
    insert(signing_keys_table).values(
        {c.name: bindparam(c.name, type_=c.type) for c in signing_keys_table.columns}
    )
)
_DROP_KEYS = Statement(delete(signing_keys_table).where(_K.kid == func.any(_KEYS)))


async def signing_keys(tx: Tx) -> list[SigningKey]:
    """All keys, the newest first: that one signs, the others only prove."""
    return [
        SigningKey(row["kid"], row["public_pem"], bytes(row["sealed"]), row["create_time"])
        for row in await tx.fetch(_SIGNING_KEYS)
    ]


async def locked_signing_keys(tx: Tx) -> list[SigningKey]:
    """As `signing_keys`; until the end of the transaction nobody else makes or drops one."""
    await tx.lock("signing-keys")
    return await signing_keys(tx)


async def add_signing_key(tx: Tx, key: SigningKey) -> None:
    """A new key, which signs from now on."""
    values: dict[str, Any] = {
        "kid": key.kid, "public_pem": key.public_pem, "sealed": key.sealed, "create_time": key.create_time,
    }  # fmt: skip
    await tx.execute(_ADD_KEY, **values)


async def drop_retired_keys(tx: Tx, kids: list[str]) -> None:
    """Forgets keys whose tokens have all ended."""
    await tx.execute(_DROP_KEYS, keys=kids)

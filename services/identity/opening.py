"""Opening a session: after the password, a code or another provider has proved who it is. The tokens are made here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from chassis import keys
from chassis.call import Call
from crm.identity.v1 import session_pb2 as pb
from crm.identity.v1 import tenant_pb2, user_pb2
from services.identity import auditing, errors, signing, signing_in, store
from services.identity.key_rotation import SEALING_KEY
from services.identity.signing_in import (
    ACCESS_TOKEN_S,
    CHALLENGE_LIFE,
    SESSION_LIFE,
    LinkKind,
    RefreshToken,
)

if TYPE_CHECKING:
    from chassis.settings import Settings
    from chassis.tx import Tx

REFRESH_KEY = "identity:refresh"
REQUIRED_SETTING = "identity.second_factor_required"
"""The company's setting that demands a second factor of everybody."""
KEY_SETTLES_S = (
    10  # a new signing key is used when every process has had time to learn its public half
)


@dataclass(frozen=True, slots=True)
class Device:
    """Where somebody signs in: the address and how the program names itself."""

    address: str = ""
    program: str = ""


def device_of(call: Call | None) -> Device:
    """The device of a call; nothing is known of a call from within."""
    return Device(call.peer, _program(call.metadata)) if call else Device()


def _program(metadata: Mapping[str, str]) -> str:
    """How the caller's program names itself; a gRPC library's own name says nothing to a person."""
    named = metadata.get("crm-user-agent") or metadata.get("user-agent", "")
    return "" if named.startswith("grpc-") else named[:300]


async def admit(
    tx: "Tx",
    user: user_pb2.User,
    device: Device,
    now: datetime,
    *,
    by: str,
    second_factor_verified: bool = False,
) -> pb.LoginResponse:
    """A session, or the challenge of a person who has, or must have, a second factor. `by` is told to the audit."""
    factor = await store.find_second_factor(tx, user.id)
    active = factor is not None and factor.confirm_time is not None
    if not second_factor_verified and (active or await second_factor_required(tx, user)):
        await _check_company(tx)
        return await _challenge(tx, user, now, enrolment=not active)
    return await session(tx, user, device, now, by=by)


async def session(
    tx: "Tx", user: user_pb2.User, device: Device, now: datetime, *, by: str
) -> pb.LoginResponse:
    """A new session with its first tokens; call it when everything is proved."""
    session_id = tx.new_id()
    await store.add_session(
        tx,
        {
            "id": session_id,
            "user_id": user.id,
            "create_time": now,
            "refresh_time": now,
            "expire_time": now + SESSION_LIFE,
            "generation": 1,
            "user_agent": device.program,
            "peer": device.address,
        },
    )
    await auditing.note(
        tx,
        "sign_in",
        object="user",
        object_id=user.id,
        details={"by": by},
        actor=auditing.person(user.id, session_id),
        address=device.address,
    )
    return await tokens(tx, user, session_id, 1, now)


async def tokens(
    tx: "Tx", user: user_pb2.User, session_id: str, generation: int, now: datetime
) -> pb.LoginResponse:
    """The tokens of a session's generation; WrongCredentials where the company may not work."""
    assert tx.tenant is not None
    await _check_company(tx)
    settings: Settings = tx.runtime.settings
    key = _settled(await store.signing_keys(tx), now)
    refresh = RefreshToken(tx.tenant, session_id, generation)
    access = signing.access_token(
        signing.unseal(key, settings.derived(SEALING_KEY)),
        key.kid,
        user_id=user.id,
        tenant_id=tx.tenant,  # allow tenant-by-hand: a claim of the token
        session_id=session_id,
        now_s=int(now.timestamp()),
        life_s=ACCESS_TOKEN_S,
    )
    return pb.LoginResponse(
        access_token=access,
        expires_in=ACCESS_TOKEN_S,
        refresh_token=refresh.signed(settings.derived(REFRESH_KEY)),
        refresh_expires_in=int(SESSION_LIFE.total_seconds()),
        user=_greeted(user),
    )


async def second_factor_required(tx: "Tx", user: user_pb2.User) -> bool:
    """True if the company, or a role of the user, demands a second factor."""
    assert tx.tenant is not None
    tenant = await store.tenants.find(tx, tx.tenant)
    settings = tenant.settings if tenant is not None else {}
    if REQUIRED_SETTING in settings and settings[REQUIRED_SETTING].bool_value:
        return True
    roles = await store.roles.find_many(tx, list(user.role_ids))
    return any(role.second_factor_required for role in roles)


async def _check_company(tx: "Tx") -> None:
    assert tx.tenant is not None
    tenant = await store.tenants.find(tx, tx.tenant)
    if tenant is None or tenant.state != tenant_pb2.TENANT_STATE_ACTIVE:
        raise errors.WrongCredentials


async def _challenge(
    tx: "Tx", user: user_pb2.User, now: datetime, *, enrolment: bool
) -> pb.LoginResponse:
    assert tx.tenant is not None
    token = keys.new_key(tx.tenant)
    await store.drop_ended_links(tx, user.id, now)
    await store.add_link(
        tx,
        hash=signing_in.link_hash(token),
        user_id=user.id,
        kind=LinkKind.CHALLENGE,
        expire_time=now + CHALLENGE_LIFE,
    )
    return pb.LoginResponse(
        second_factor=pb.SecondFactorChallenge(
            challenge=token, expires_in=int(CHALLENGE_LIFE.total_seconds()), enrolment=enrolment
        )
    )


def _greeted(user: user_pb2.User) -> user_pb2.User:
    """What a client needs to greet; the rest is `GET /v1/me`, which knows what the caller may see."""
    return user_pb2.User(
        id=user.id,
        email=user.email,
        name=user.name,
        state=user.state,
        language=user.language,
        time_zone=user.time_zone,
    )


def _settled(known: list[signing.SigningKey], now: datetime) -> signing.SigningKey:
    """The newest key that every process knows; the only one, where there is only one."""
    for key in known:
        if (now - key.create_time).total_seconds() >= KEY_SETTLES_S:
            return key
    return known[-1]

"""Setting up, checking and giving up a person's second factor; the codes themselves are `totp`."""

from datetime import datetime
from typing import TYPE_CHECKING

from chassis import sealing
from chassis.call import Cause
from crm.identity.v1 import second_factor_pb2 as pb
from crm.identity.v1 import user_pb2
from services.identity import attempts, auditing, errors, signing_in, store, totp
from services.identity.opening import Device
from services.identity.signing_in import CODE, PEER
from services.identity.store import SecondFactor

if TYPE_CHECKING:
    from chassis.runtime import Runtime
    from chassis.settings import Settings
    from chassis.tx import Tx

_SEALING_KEY = "identity:second-factors"
_RECOVERY_KEY = "identity:recovery-codes"


async def enrol(tx: "Tx", user: user_pb2.User, now: datetime) -> pb.SecondFactorEnrolment:
    """A new secret that waits for its first code; SecondFactorPresent where one is confirmed."""
    secret = totp.new_secret()
    sealed = sealing.seal(_key(tx.runtime.settings), secret.encode(), user.id)
    if not await store.begin_second_factor(tx, user.id, sealed, now):
        raise errors.SecondFactorPresent
    assert tx.tenant is not None
    tenant = await store.tenants.find(tx, tx.tenant)
    uri = totp.uri(secret, account=user.email, issuer=tenant.name if tenant else "")
    return pb.SecondFactorEnrolment(secret=secret, uri=uri, qr_svg=totp.qr_svg(uri))


async def confirm(tx: "Tx", user_id: str, code: str, now: datetime) -> list[str]:
    """The first code: from now on sign-ins ask for one. Returns the recovery codes; SecondFactorWrong otherwise."""
    factor = await store.second_factor_for_update(tx, user_id)
    if factor is None:
        raise errors.SecondFactorAbsent
    if factor.confirm_time is not None:
        raise errors.SecondFactorPresent
    await _use_step(tx, factor, code, now)
    await store.confirm_second_factor(tx, user_id, now)
    await auditing.note(
        tx,
        "second_factor_enabled",
        object="user",
        object_id=user_id,
        actor=auditing.person(user_id, tx.actor.session_id),
    )
    return await new_recovery_codes(tx, user_id)


async def use(tx: "Tx", user_id: str, code: str, now: datetime) -> None:
    """Accepts a code of the device or a recovery code, once; SecondFactorWrong or SecondFactorAbsent otherwise."""
    factor = await store.second_factor_for_update(tx, user_id)
    if factor is None or factor.confirm_time is None:
        raise errors.SecondFactorAbsent
    if not totp.is_recovery_code(code):
        await _use_step(tx, factor, code, now)
        return
    if not await store.use_recovery_code(tx, user_id, _recovery_hash(tx, user_id, code)):
        raise errors.SecondFactorWrong
    await auditing.note(
        tx,
        "recovery_code_used",
        object="user",
        object_id=user_id,
        actor=auditing.person(user_id, tx.actor.session_id),
    )


async def new_recovery_codes(tx: "Tx", user_id: str) -> list[str]:
    """Ten new recovery codes in place of all others; only their hashes are kept."""
    codes = totp.new_recovery_codes()
    hashes = [_recovery_hash(tx, user_id, code) for code in codes]
    await store.replace_recovery_codes(tx, user_id, hashes)
    return codes


async def begin_check(
    tx: "Tx", runtime: "Runtime", user_id: str, code: str, device: Device, now: datetime
) -> str:
    """Counts an attempt to give a code, and refuses a wrong one, noted in the audit; returns the attempt's counter.

    Call it before the body's first statement. The body itself then uses the code up (`use`, `confirm`): here nothing changes,
    so that a refusal stays in the audit and a body that runs again finds the code as good as before.
    """
    assert tx.tenant is not None
    counter = signing_in.counter_key("code", f"{tx.tenant}/{user_id}")
    peer = peer_of(device)
    await attempts.begin(tx, {counter: CODE, **({peer: PEER} if peer else {})}, now)

    async def look(own: "Tx") -> bool:
        factor = await store.find_second_factor(own, user_id)
        if factor is None or await _is_right(own, factor, code, now):
            return True  # without a factor there is nothing to guess: the body says so
        await auditing.note(
            own,
            "second_factor_refused",
            object="user",
            object_id=user_id,
            address=device.address,
        )
        return False

    if not await runtime.run_system(tx.tenant, Cause("rpc", tx.cause.id), look):
        raise errors.SecondFactorWrong
    return counter


async def end_check(tx: "Tx", counter: str, device: Device, now: datetime) -> None:
    """The code was right: failures are forgotten."""
    await attempts.succeeded(tx, counter, peer_of(device), now)


def peer_of(device: Device) -> str:
    """The name under which attempts from this address are counted; empty where it is not known."""
    return signing_in.counter_key("peer", device.address) if device.address else ""


async def _is_right(tx: "Tx", factor: SecondFactor, code: str, now: datetime) -> bool:
    if totp.is_recovery_code(code):
        hash = _recovery_hash(tx, factor.user_id, code)
        return await store.has_recovery_code(tx, factor.user_id, hash)
    return _step(tx, factor, code, now) is not None


async def _use_step(tx: "Tx", factor: SecondFactor, code: str, now: datetime) -> None:
    step = _step(tx, factor, code, now)
    if step is None:
        raise errors.SecondFactorWrong
    await store.note_step(tx, factor.user_id, step)


def _step(tx: "Tx", factor: SecondFactor, code: str, now: datetime) -> int | None:
    secret = sealing.unseal(_key(tx.runtime.settings), factor.sealed, factor.user_id).decode()
    return totp.matching_step(secret, code.strip(), now=now, after_step=factor.last_step)


def _key(settings: "Settings") -> bytes:
    return settings.derived(_SEALING_KEY)


def _recovery_hash(tx: "Tx", user_id: str, code: str) -> bytes:
    return totp.recovery_hash(code, tx.runtime.settings.derived(_RECOVERY_KEY), user_id)

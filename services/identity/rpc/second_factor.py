"""The second factor: at sign-in, in one's own settings, and taken away by an administrator."""

from datetime import datetime

from chassis import errors as refusals
from chassis import keys
from chassis.call import Cause
from chassis.errors import Violation
from chassis.handlers import Servicer, reads, writes
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.identity.v1 import events_pb2, session_pb2, user_pb2
from crm.identity.v1 import second_factor_pb2 as pb
from services.identity import (
    attempts,
    auditing,
    errors,
    opening,
    passwords,
    saving,
    second_factors,
    signing_in,
    store,
)
from services.identity.real_time import real_now
from services.identity.rpc.signing_in import person
from services.identity.rpc.users import check_roles_given
from services.identity.signing_in import ACCOUNT, LinkKind


def company_of_challenge(request: pb.EnrolAtSignInRequest | pb.VerifySecondFactorRequest) -> str:
    """The company that a challenge names; ChallengeInvalid if it is none of ours."""
    try:
        return keys.tenant_of(request.challenge)
    except refusals.NotFound:
        raise errors.ChallengeInvalid from None


class SecondFactors(Servicer):
    """`/v1/auth:verifySecondFactor`, `/v1/me/secondFactor`, `/v1/users/{id}:resetSecondFactor`."""

    service = "crm.identity.v1.SecondFactorService"

    @writes(tenant=company_of_challenge, secret_answer=True)
    async def EnrolAtSignIn(
        self, request: pb.EnrolAtSignInRequest, tx: Tx
    ) -> pb.SecondFactorEnrolment:
        now = real_now()
        user = await _challenged(tx, await self._owner(tx, request.challenge, now))
        return await second_factors.enrol(tx, user, now)

    @writes(tenant=company_of_challenge, secret_answer=True)
    async def VerifySecondFactor(
        self, request: pb.VerifySecondFactorRequest, tx: Tx
    ) -> session_pb2.LoginResponse:
        now, device = real_now(), opening.device_of(tx.call)
        user_id = await self._owner(tx, request.challenge, now)
        counter = await second_factors.begin_check(
            tx, self.runtime, user_id, request.code, device, now
        )
        hash = signing_in.link_hash(request.challenge)
        if await store.use_link(tx, hash=hash, kind=LinkKind.CHALLENGE, now=now) != user_id:
            raise errors.ChallengeInvalid
        user = await _challenged(tx, user_id)
        factor = await store.find_second_factor(tx, user_id)
        codes: list[str] = []
        if factor is not None and factor.confirm_time is None:
            codes = await second_factors.confirm(tx, user_id, request.code, now)
        else:
            await second_factors.use(tx, user_id, request.code, now)
        await second_factors.end_check(tx, counter, device, now)
        answer = await opening.session(tx, user, device, now, by="second_factor")
        answer.recovery_codes.extend(codes)
        return answer

    async def _owner(self, tx: Tx, challenge: str, now: datetime) -> str:
        """Who is in the middle of signing in, read apart: no connection is held while the attempt is counted."""
        assert tx.tenant is not None
        hash = signing_in.link_hash(challenge)
        owner: str | None = await self.runtime.run_system(
            tx.tenant,
            Cause("rpc", tx.cause.id),
            lambda own: store.link_owner(own, hash=hash, kind=LinkKind.CHALLENGE, now=now),
        )
        if owner is None:
            raise errors.ChallengeInvalid
        return owner

    @reads
    async def GetSecondFactor(self, request: pb.GetSecondFactorRequest, tx: Tx) -> pb.SecondFactor:
        user_id, _ = person(tx)
        return await _shown(tx, user_id)

    @writes(secret_answer=True)
    async def EnrolSecondFactor(
        self, request: pb.EnrolSecondFactorRequest, tx: Tx
    ) -> pb.SecondFactorEnrolment:
        user_id, _ = person(tx)
        return await second_factors.enrol(tx, await store.users.get(tx, user_id), real_now())

    @writes(secret_answer=True)
    async def ConfirmSecondFactor(
        self, request: pb.ConfirmSecondFactorRequest, tx: Tx
    ) -> pb.RecoveryCodes:
        user_id, _ = person(tx)
        now, device = real_now(), opening.device_of(tx.call)
        counter = await second_factors.begin_check(
            tx, self.runtime, user_id, request.code, device, now
        )
        codes = await second_factors.confirm(tx, user_id, request.code, now)
        await second_factors.end_check(tx, counter, device, now)
        return pb.RecoveryCodes(recovery_codes=codes)

    @writes(secret_answer=True)
    async def RenewRecoveryCodes(
        self, request: pb.RenewRecoveryCodesRequest, tx: Tx
    ) -> pb.RecoveryCodes:
        user_id, _ = person(tx)
        now, device = real_now(), opening.device_of(tx.call)
        counter = await second_factors.begin_check(
            tx, self.runtime, user_id, request.code, device, now
        )
        await second_factors.use(tx, user_id, request.code, now)
        await second_factors.end_check(tx, counter, device, now)
        await auditing.note(tx, "recovery_codes_renewed", object="user", object_id=user_id)
        return pb.RecoveryCodes(recovery_codes=await second_factors.new_recovery_codes(tx, user_id))

    @writes
    async def DisableSecondFactor(
        self, request: pb.DisableSecondFactorRequest, tx: Tx
    ) -> pb.SecondFactor:
        user_id, _ = person(tx)
        if request.code:
            await self._prove_by_code(tx, user_id, request.code)
        elif request.password:
            await self._prove_by_password(tx, user_id, request.password)
        else:
            why = "send your password or a code"
            raise errors.ValueInvalid([Violation("password", why), Violation("code", why)])
        if not await store.drop_second_factor(tx, user_id):
            raise errors.SecondFactorAbsent
        await auditing.note(tx, "second_factor_disabled", object="user", object_id=user_id)
        return await _shown(tx, user_id)

    async def _prove_by_code(self, tx: Tx, user_id: str, code: str) -> None:
        now, device = real_now(), opening.device_of(tx.call)
        counter = await second_factors.begin_check(tx, self.runtime, user_id, code, device, now)
        await second_factors.use(tx, user_id, code, now)
        await second_factors.end_check(tx, counter, device, now)

    async def _prove_by_password(self, tx: Tx, user_id: str, password: str) -> None:
        now, counter = real_now(), signing_in.counter_key("password", f"{tx.tenant}/{user_id}")
        await attempts.begin(tx, {counter: ACCOUNT}, now)
        if not await passwords.matches(await store.password_hash(tx, user_id), password):
            raise errors.PasswordWrong("password")
        await attempts.succeeded(tx, counter, "", now)

    @writes
    async def ResetUserSecondFactor(
        self, request: pb.ResetUserSecondFactorRequest, tx: Tx
    ) -> pb.ResetUserSecondFactorResponse:
        user = await store.users.get(tx, request.id)
        await check_roles_given(tx, user, None)  # whoever resets it is half-way to being that user
        if not await store.drop_second_factor(tx, user.id):
            raise errors.SecondFactorAbsent
        await auditing.note(tx, "second_factor_reset", object="user", object_id=user.id)
        now = real_now()
        await store.void_links(tx, user.id, now)
        reason = events_pb2.SESSION_REVOKED_REASON_BY_ADMINISTRATOR
        return pb.ResetUserSecondFactorResponse(
            sessions_ended=await saving.end_sessions(tx, user.id, reason, now)
        )


async def _challenged(tx: Tx, user_id: str) -> user_pb2.User:
    """The person in the middle of a sign-in; ChallengeInvalid if he has been deactivated meanwhile."""
    user = await store.users.find(tx, user_id)
    if user is None or user.state != user_pb2.USER_STATE_ACTIVE:
        raise errors.ChallengeInvalid
    return user


async def _shown(tx: Tx, user_id: str) -> pb.SecondFactor:
    factor = await store.find_second_factor(tx, user_id)
    user = await store.users.find(tx, user_id)
    shown = pb.SecondFactor(
        required=user is not None and await opening.second_factor_required(tx, user)
    )
    if factor is not None and factor.confirm_time is not None:
        shown.active = True
        shown.confirm_time.CopyFrom(to_timestamp(factor.confirm_time))
        shown.recovery_codes_left = await store.recovery_codes_left(tx, user_id)
    return shown

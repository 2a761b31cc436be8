"""Signing keys that rotate without signing anybody out, and a directory that mends itself."""

from datetime import timedelta

import jwt
import pytest

from chassis import directory, errors
from chassis.testing import servers
from chassis.tx import Tx
from crm.identity.v1 import session_pb2 as pb
from services.identity import key_rotation, signing, store, tasks
from services.identity.attempts import INSTALLATION
from services.identity.real_time import real_now
from tests.service.identity.conftest import Company, grpc, until


def age_keys(by: str) -> None:
    servers.run_sql(
        f"UPDATE signing_keys SET create_time = create_time - interval '{by}'", "crm_identity"
    )


async def run(company: Company, work: object) -> object:
    runtime = company.crm.process.runtimes["identity"]
    return await runtime.run_system(INSTALLATION, tasks._CAUSE, work)  # type: ignore[arg-type]


async def test_a_rotated_key_signs_and_nobody_is_signed_out(company: Company) -> None:
    age_keys("2 minutes")
    old_kid = jwt.get_unverified_header(company.admin.token)["kid"]
    new = await company.stub.RotateSigningKeys(pb.RotateSigningKeysRequest())
    await company.crm.process.directory.until(
        lambda: company.crm.process.directory.of("_").entry("key", new.key_id) is not None
    )
    assert (await company.stub.GetMe(pb.GetMeRequest())).user.id == company.admin_id
    young = await company.person(company.email)
    assert jwt.get_unverified_header(young.token)["kid"] == old_kid, (
        "not before every process knows the new key"
    )
    age_keys("15 seconds")
    settled = await company.person(company.email)
    assert jwt.get_unverified_header(settled.token)["kid"] == new.key_id
    for person in (young, settled):
        me = await person.stub(grpc.IdentityServiceStub).GetMe(pb.GetMeRequest())
        assert me.user.id == company.admin_id

    with pytest.raises(errors.FailedPrecondition) as refusal:
        await company.stub.RotateSigningKeys(pb.RotateSigningKeysRequest())
    assert refusal.value.reason == "KEYS_ROTATED_RECENTLY"


async def test_a_key_that_no_token_needs_any_more_is_forgotten_everywhere(company: Company) -> None:
    settings, view = company.crm.process.settings, company.crm.process.directory.of("_")
    kid, sealing = f"old-{company.id}", settings.derived(key_rotation.SEALING_KEY)

    async def add(tx: Tx) -> None:  # older than all others, whose tokens other tests hold
        key = signing.new_key(kid, sealing, real_now() - timedelta(days=4000))
        await store.add_signing_key(tx, key)
        await store.add_signing_key(
            tx, signing.new_key(f"{kid}-next", sealing, real_now() - timedelta(days=3900))
        )
        key_rotation.put(tx, key)

    await run(company, add)
    await company.crm.process.directory.until(lambda: view.entry("key", kid) is not None)
    await run(company, lambda tx: key_rotation.ensure(tx, settings, real_now()))
    await company.crm.process.directory.until(lambda: view.entry("key", kid) is None)
    assert kid not in {key.kid for key in await run(company, store.signing_keys)}  # type: ignore[attr-defined]


async def test_private_keys_rest_sealed(company: Company) -> None:
    (row, *_) = await company.rows("SELECT sealed, public_pem FROM signing_keys")
    assert len(row["sealed"]) == 12 + 32 + 16
    assert "PUBLIC KEY" in row["public_pem"]


@pytest.mark.large
async def test_a_lost_directory_is_written_anew(company: Company) -> None:
    user, _ = await company.joined()
    bucket = await company.crm.process.nats.js.key_value(directory.BUCKET)
    entry = company.directory.user(user.id)
    await bucket.delete(f"{company.id}.user.{user.id}")
    await bucket.put(
        f"{company.id}.role.0190aaaa-0000-7000-8000-000000000001",
        b'{"name": "ghost", "grants": []}',
    )
    await company.forgotten("user", user.id)
    await company.known("role", "0190aaaa-0000-7000-8000-000000000001")

    await tasks.compare(company.crm.process.runtimes["identity"])

    assert await company.known("user", user.id) == entry
    await company.forgotten("role", "0190aaaa-0000-7000-8000-000000000001")


async def test_the_beat_keeps_the_directory_fresh(company: Company) -> None:
    async def fresh() -> bool:
        return company.crm.process.directory.fresh

    await until(fresh, 5)


@pytest.mark.large
async def test_ended_sessions_stay_in_the_directory_until_their_tokens_have_ended(
    company: Company,
) -> None:
    await company.person(company.email)
    sessions = (await company.stub.ListSessions(pb.ListSessionsRequest())).sessions
    other = next(s for s in sessions if not s.current)
    await company.stub.RevokeSession(pb.RevokeSessionRequest(id=other.id))
    await company.known("session", other.id)
    runtime = company.crm.process.runtimes["identity"]
    await tasks.compare(runtime)
    assert company.directory.session(other.id) is not None
    servers.run_sql(
        f"UPDATE sessions SET revoke_time = revoke_time - interval '40 minutes' WHERE id = '{other.id}'",
        "crm_identity",
    )
    await tasks.compare(runtime)
    await company.forgotten("session", other.id)

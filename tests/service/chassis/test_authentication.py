"""What makes a request wait for the directory, and what is refused at once."""

import asyncio
import time
from collections.abc import AsyncIterator

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis import authentication, keys
from chassis.authentication import Authentication, TokenExpired, TokenInvalid
from chassis.keys import uuid7
from chassis.testing.installation import (
    EVERYTHING,
    Installation,
    Tenant,
    access_token,
    installation,
)

READ = [{"object": "contact", "action": "read", "scope": "all"}]
AT_ONCE_S = authentication._YOUNG_S / 2
"""Waiting takes all of `_YOUNG_S`; refusing at once takes milliseconds, and more on a busy machine."""


@pytest_asyncio.fixture(scope="module")
async def crm() -> AsyncIterator[Installation]:
    async with installation(["contacts"]) as made:
        yield made


@pytest_asyncio.fixture
async def tenant(crm: Installation) -> Tenant:
    return await crm.tenant()


async def refused_after(
    crm: Installation, token: str, kind: type[TokenInvalid] | type[TokenExpired]
) -> float:
    """The seconds until the token is refused."""
    began = time.monotonic()
    with pytest.raises(kind):
        await crm.process.authentication.authenticate(f"Bearer {token}")
    return time.monotonic() - began


def forged(kid: str = "test", *, life_s: int = 900) -> str:
    """An access token made this moment and signed by a stranger."""
    now = int(time.time())
    claims = {"tid": uuid7(), "sub": uuid7(), "sid": uuid7(), "iat": now, "exp": now + life_s}
    key = Ed25519PrivateKey.generate()
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": kid})


async def test_a_token_younger_than_the_directory_is_waited_for(tenant: Tenant) -> None:
    token_id = uuid7()
    text, hash = keys.new_api_token(tenant.id, token_id)
    authenticate = tenant.installation.process.authentication.authenticate
    waiting = asyncio.create_task(authenticate(f"Bearer {text}"))
    await asyncio.sleep(0)  # it has looked, and found nothing
    assert not waiting.done()

    await tenant.put("token", token_id, {"hash": hash, "user_id": tenant.admin.id})

    of, actor, rights = await waiting
    assert (of, actor.id, rights.scope("contact", "read")) == (tenant.id, token_id, "all")


async def test_what_the_directory_cannot_mend_is_refused_at_once(tenant: Tenant) -> None:
    crm, admin = tenant.installation, tenant.admin.id
    expired = access_token(tenant.id, admin, life_s=-1)

    assert await refused_after(crm, forged(), TokenInvalid) < AT_ONCE_S
    assert await refused_after(crm, expired, TokenExpired) < AT_ONCE_S
    # Its id says that it was made a minute ago: every process knows it by now.
    old, _ = keys.new_api_token(tenant.id, keys.uuid7(time.time() - 60))
    assert await refused_after(crm, old, TokenInvalid) < AT_ONCE_S


async def test_a_caller_is_remembered_until_anything_about_him_changes(tenant: Tenant) -> None:
    who, people = tenant.installation.process.authentication, tenant.installation.process.directory
    person, session = await tenant.person(READ), uuid7()
    header = f"Bearer {access_token(tenant.id, person.id, session_id=session)}"

    assert who.known(header) is None
    answer = await who.authenticate(header)
    assert who.known(header) is answer

    await tenant.put("session", uuid7(), {"until": 0})  # somebody else's
    assert who.known(header) is answer
    user = people.of(tenant.id).user(person.id) or {}
    await tenant.put("user", person.id, {**user, "role_ids": []})
    assert who.known(header) is None
    assert not (await who.authenticate(header))[2].may("contact", "read")
    await tenant.put("session", session, {"until": 0})
    assert who.known(header) is None
    with pytest.raises(authentication.SessionEnded):
        await who.authenticate(header)


async def test_a_remembered_caller_is_forgotten_when_his_token_expires(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = tenant.installation.process.authentication
    access = f"Bearer {access_token(tenant.id, tenant.admin.id, life_s=60)}"
    text, hash = keys.new_api_token(tenant.id, token_id := uuid7())
    entry = {"hash": hash, "user_id": tenant.admin.id, "expires": time.time() + 60}
    await tenant.put("token", token_id, entry)
    both = (access, f"Bearer {text}")
    for header in both:
        assert who.known(header) is None
        assert await who.authenticate(header) is who.known(header)

    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)

    for header in both:
        assert who.known(header) is None
        with pytest.raises(TokenExpired):
            await who.authenticate(header)


@pytest.mark.large
async def test_the_time_does_not_tell_a_wrong_secret_from_a_token_that_does_not_exist(
    tenant: Tenant,
) -> None:
    known = uuid7()
    _, hash = keys.new_api_token(tenant.id, known)
    await tenant.put("token", known, {"hash": hash, "user_id": tenant.admin.id})
    guesses = [keys.new_api_token(tenant.id, id)[0] for id in (known, uuid7())]

    times = await asyncio.gather(
        *(refused_after(tenant.installation, text, TokenInvalid) for text in guesses)
    )

    assert min(times) >= authentication._YOUNG_S * 0.9


@pytest.mark.large
async def test_forged_tokens_occupy_few_places_and_nobody_elses_request(tenant: Tenant) -> None:
    crm = tenant.installation
    judge: Authentication = crm.process.authentication
    texts = [keys.new_api_token(tenant.id, uuid7())[0] for _ in range(200)]
    texts += [forged(kid=f"unknown-{n}") for n in range(200)]
    waiting = [asyncio.create_task(refused_after(crm, text, TokenInvalid)) for text in texts]
    await asyncio.sleep(0)

    _, actor, _ = await judge.authenticate(f"Bearer {tenant.admin.token}")
    newcomer = access_token(tenant.id, later := uuid7())
    joining = asyncio.create_task(judge.authenticate(f"Bearer {newcomer}"))
    await asyncio.sleep(0)
    await tenant.put("role", role := uuid7(), {"name": "r", "grants": EVERYTHING, "hidden": []})
    await tenant.put("user", later, {"state": "active", "role_ids": [role]})

    assert actor.id == tenant.admin.id
    assert (await joining)[1].id == later  # its signature is ours: it needs no place among them
    times = await asyncio.gather(*waiting)
    assert sum(time_s >= authentication._YOUNG_S * 0.9 for time_s in times) == (
        authentication._MOST_STRANGERS
    )
    assert judge._strangers == 0

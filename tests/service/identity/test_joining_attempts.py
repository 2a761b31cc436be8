"""Founding companies does not use up an address's tries to sign in; failing to found one does."""

import pytest

from chassis import errors
from chassis.testing import servers
from chassis.testing.installation import Installation
from crm.identity.v1 import session_pb2 as pb
from services.identity import signing_in
from tests.service.identity.conftest import (
    Company,
    new_company,
    new_email,
    new_peer,
    sign_in,
    stranger,
)


async def failures(crm: Installation, peer: str) -> int:
    """What is counted against the address."""
    key = signing_in.counter_key("peer", peer)
    (row,) = await crm.rows(
        "identity", "SELECT coalesce(sum(failures), 0) AS n FROM attempts WHERE key = $1", key
    )
    return int(row["n"])


async def test_a_company_that_was_founded_counts_nothing(crm: Installation) -> None:
    peer = new_peer()
    for _ in range(3):
        await stranger(crm, peer).SignUp(new_company(new_email()))
    assert await failures(crm, peer) == 0


async def test_a_sign_up_that_was_refused_counts(company: Company) -> None:
    peer = new_peer()
    for taken in range(1, 3):
        async with company.unchanged():
            with pytest.raises(errors.AlreadyExists):
                await stranger(company.crm, peer).SignUp(new_company(company.email))
        assert await failures(company.crm, peer) == taken


async def test_a_set_up_with_a_wrong_token_counts(crm: Installation) -> None:
    peer, asked = new_peer(), new_company(new_email())
    request = pb.SetupRequest(
        token="wrong", company=asked.company, administrator=asked.administrator
    )
    with pytest.raises(errors.PermissionDenied):
        await stranger(crm, peer).Setup(request)
    assert await failures(crm, peer) == 1


async def test_founding_gives_back_no_more_than_its_own_try(company: Company) -> None:
    peer = new_peer()
    with pytest.raises(errors.Unauthenticated):
        await sign_in(company.crm, new_email(), "not-the-password", peer)
    await stranger(company.crm, peer).SignUp(new_company(new_email()))
    assert await failures(company.crm, peer) == 1


async def test_an_address_that_has_to_wait_founds_nothing(company: Company) -> None:
    peer = new_peer()
    with pytest.raises(errors.Unauthenticated):
        await sign_in(company.crm, new_email(), "not-the-password", peer)
    key = signing_in.counter_key("peer", peer)
    servers.run_sql(
        f"UPDATE attempts SET failures = 36, last_time = now() WHERE key = '{key}'", "crm_identity"
    )
    email = new_email()
    with pytest.raises(errors.ResourceExhausted) as refusal:
        await stranger(company.crm, peer).SignUp(new_company(email))
    assert refusal.value.reason == "TOO_MANY_ATTEMPTS"
    assert await company.rows("SELECT 1 FROM users WHERE json LIKE $1", f"%{email}%") == []
    assert await failures(company.crm, peer) == 36

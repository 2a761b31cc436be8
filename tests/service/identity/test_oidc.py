"""Signing in through an identity provider, and everything that must not pass for it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis import errors, keys
from crm.identity.v1 import oidc_pb2 as pb
from tests.service.identity.conftest import Company, sign_up
from tests.service.identity.oidc_desk import (
    back,
    begun,
    connected,
    finish,
    known,
    refused,
    rpcs,
    sessions,
    sign_in,
)
from tests.service.identity.provider import (
    CLIENT,
    Provider,
    provider,
    signed_by_secret,
    unsigned,
)


@pytest.fixture
async def google() -> AsyncIterator[Provider]:
    async with provider() as running:
        yield running


async def test_a_verified_email_signs_in_and_is_remembered_by_its_subject(
    company: Company, google: Provider
) -> None:
    one = await connected(company, google)
    google.person = known(company)

    first = await sign_in(company, one, "/deals?open=1")
    google.person = {"sub": google.person["sub"]}  # no e-mail any more
    second = await sign_in(company, one)

    assert (first.login.user.id, first.return_path) == (company.admin_id, "/deals?open=1")
    assert (second.login.user.id, second.return_path) == (company.admin_id, "/")
    rows = await company.rows(
        "SELECT issuer, subject, user_id FROM linked_identities WHERE tenant_id = $1", company.id
    )
    assert [(r["issuer"], r["subject"], str(r["user_id"])) for r in rows] == [
        (google.issuer, google.person["sub"], company.admin_id)
    ]


async def test_a_public_client_signs_in_by_pkce_alone(company: Company, google: Provider) -> None:
    one = await connected(company, google)
    await rpcs(company).SetClientSecret(pb.SetClientSecretRequest(id=one.id))
    google.public, google.person = True, known(company)

    assert (await sign_in(company, one)).login.user.id == company.admin_id


async def test_new_keys_of_the_provider_are_found(company: Company, google: Provider) -> None:
    one = await connected(company, google)
    google.person = known(company)
    await sign_in(company, one)
    await sign_in(company, one)
    google.rotate()

    assert (await sign_in(company, one)).login.user.id == company.admin_id
    assert google.asked.count("/jwks") == 2, "read once, and once more for the new key"


LIES: dict[str, tuple[Any, str]] = {
    "wrong nonce": (lambda claims: {**claims, "nonce": "other"}, "PROVIDER_TOKEN_INVALID"),
    "no nonce": (lambda claims: _without(claims, "nonce"), "PROVIDER_TOKEN_INVALID"),
    "wrong audience": (lambda claims: {**claims, "aud": "other"}, "PROVIDER_TOKEN_INVALID"),
    "shared audience": (
        lambda claims: {**claims, "aud": [CLIENT, "other"]},
        "PROVIDER_TOKEN_INVALID",
    ),
    "other party": (lambda claims: {**claims, "azp": "other"}, "PROVIDER_TOKEN_INVALID"),
    "wrong issuer": (
        lambda claims: {**claims, "iss": "https://other.example"},
        "PROVIDER_TOKEN_INVALID",
    ),
    "expired": (lambda claims: {**claims, "exp": claims["iat"] - 3600}, "PROVIDER_TOKEN_INVALID"),
    "of the future": (
        lambda claims: {**claims, "iat": claims["iat"] + 3600},
        "PROVIDER_TOKEN_INVALID",
    ),
    "no subject": (lambda claims: _without(claims, "sub"), "PROVIDER_TOKEN_INVALID"),
    "unverified e-mail": (
        lambda claims: {**claims, "email_verified": False},
        "EMAIL_NOT_VERIFIED",
    ),
    "nothing said of the e-mail": (
        lambda claims: _without(claims, "email_verified"),
        "EMAIL_NOT_VERIFIED",
    ),
    "no e-mail": (lambda claims: _without(claims, "email"), "EMAIL_NOT_VERIFIED"),
    "somebody else": (
        lambda claims: {**claims, "email": "stranger@example.com"},
        "PROVIDER_USER_UNKNOWN",
    ),
}


def _without(claims: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in claims.items() if key != name}


@pytest.mark.parametrize("lie", LIES)
async def test_what_is_not_said_rightly_signs_nobody_in(
    company: Company, google: Provider, lie: str
) -> None:
    one = await connected(company, google)
    google.person, google.lie = known(company), LIES[lie][0]

    await refused(company, one, LIES[lie][1])


async def test_an_address_of_which_nothing_is_said_counts_where_the_company_trusts_the_provider(
    company: Company, google: Provider
) -> None:
    domain = company.email.rpartition("@")[2]
    one = await connected(company, google, trusts_email=True, allowed_domains=[domain])
    google.person = {**known(company), "email_verified": False}
    await refused(company, one, "EMAIL_NOT_VERIFIED")
    google.person = _without(known(company), "email_verified") | {"email": "a@elsewhere.example"}
    await refused(company, one, "PROVIDER_USER_UNKNOWN")

    google.person = _without(known(company), "email_verified")

    assert (await sign_in(company, one)).login.user.id == company.admin_id


async def test_trusting_a_providers_addresses_needs_its_domains(
    company: Company, google: Provider
) -> None:
    async with company.unchanged():
        with pytest.raises(errors.InvalidArgument) as refusal:
            await connected(company, google, trusts_email=True)
    assert [v.field for v in refusal.value.violations] == ["allowed_domains"]


@pytest.mark.parametrize("sign", [unsigned, signed_by_secret], ids=lambda s: s.__name__)
async def test_a_token_without_the_providers_own_signature_signs_nobody_in(
    company: Company, google: Provider, sign: Any
) -> None:
    one = await connected(company, google)
    google.person, google.sign = known(company), sign

    await refused(company, one, "PROVIDER_TOKEN_INVALID")


async def test_a_token_of_another_key_signs_nobody_in(company: Company, google: Provider) -> None:
    one = await connected(company, google)
    google.person = known(company)
    async with provider() as thief:
        thief.keys = {kid: next(iter(thief.keys.values())) for kid in google.keys}
        google.sign = thief.token

        await refused(company, one, "PROVIDER_TOKEN_INVALID")


async def test_a_code_comes_back_once(company: Company, google: Provider) -> None:
    one = await connected(company, google)
    google.person = known(company)
    beginning = await begun(company, one)
    said = await back(beginning)
    await finish(company, beginning, said)

    async with company.unchanged():
        with pytest.raises(errors.Unauthenticated) as replayed:
            await finish(company, beginning, said)
    assert replayed.value.reason == "PROVIDER_SIGN_IN_INVALID"

    again = await begun(company, one)  # the old code in a new sign-in
    async with company.unchanged():
        with pytest.raises(errors.Unauthenticated) as reused:
            await finish(company, again, {**said, "state": (await back(again))["state"]})
    assert reused.value.reason == "PROVIDER_REFUSED"


async def test_a_stolen_code_does_not_fit_another_sign_in(
    company: Company, google: Provider
) -> None:
    one = await connected(company, google)
    google.person = known(company)
    theirs = await back(await begun(company, one))

    await refused(company, one, "PROVIDER_REFUSED", code=theirs["code"])  # PKCE


async def test_only_the_browser_that_went_comes_back(company: Company, google: Provider) -> None:
    one = await connected(company, google)
    google.person = known(company)
    went, other = await begun(company, one), await begun(company, one)
    said = await back(went)

    for beginning, state in ((other, said["state"]), (went, keys.new_key(company.id)), (went, "x")):
        async with company.unchanged():
            with pytest.raises(errors.Unauthenticated) as refusal:
                await finish(company, beginning, {**said, "state": state})
        assert refusal.value.reason == "PROVIDER_SIGN_IN_INVALID"


async def test_an_answer_of_another_provider_is_mixed_up(
    company: Company, google: Provider
) -> None:
    one = await connected(company, google)
    google.person = known(company)

    await refused(company, one, "PROVIDER_TOKEN_INVALID", iss="https://evil.example")
    await refused(company, one, "PROVIDER_TOKEN_INVALID", iss="")


async def test_a_code_of_one_provider_is_worth_nothing_at_another(
    company: Company, google: Provider
) -> None:
    async with provider() as evil:
        ours, theirs = await connected(company, google), await connected(company, evil, name="E")
        google.person = evil.person = known(company)
        stolen = (await back(await begun(company, ours)))["code"]

        await refused(company, theirs, "PROVIDER_REFUSED", code=stolen)


async def test_a_provider_cannot_speak_for_anothers_issuer(
    company: Company, google: Provider
) -> None:
    one = await connected(company, google)
    google.document = {"issuer": "https://accounts.google.com"}

    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refusal:
            await begun(company, one)
    assert refusal.value.reason == "PROVIDER_UNUSABLE"


async def test_a_provider_of_one_company_vouches_for_nobody_of_another(
    company: Company, google: Provider
) -> None:
    other = await sign_up(company.crm)
    one = await connected(company, google)
    google.person = known(other)

    await refused(company, one, "PROVIDER_USER_UNKNOWN")
    assert await sessions(other) == 1


async def test_a_refusal_at_the_provider_is_told(company: Company, google: Provider) -> None:
    one = await connected(company, google)
    google.refusal = "access_denied"

    refusal = await refused(company, one, "PROVIDER_REFUSED")

    assert "access_denied" in refusal.message


@pytest.mark.parametrize(
    "path", ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "x"]
)
async def test_nobody_is_sent_to_another_site(
    company: Company, google: Provider, path: str
) -> None:
    one = await connected(company, google)

    async with company.unchanged():
        with pytest.raises(errors.InvalidArgument) as refusal:
            await begun(company, one, path)
    assert refusal.value.reason == "RETURN_PATH_INVALID"
    assert google.asked == []

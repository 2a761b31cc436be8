"""The steps of a sign-in through a provider, as a browser and an administrator make them."""

from typing import Any

import httpx
import pytest

from chassis import errors
from chassis.keys import uuid7
from chassis.testing.installation import Installation
from crm.identity.v1 import oidc_pb2 as pb
from crm.identity.v1 import oidc_service_pb2_grpc as grpc
from tests.service.identity.conftest import Company, new_peer
from tests.service.identity.provider import CLIENT, CLIENT_SECRET, Provider, arguments


def rpcs(company: Company) -> Any:
    """The administrator's stub."""
    return company.admin.stub(grpc.IdentityProviderServiceStub)


def browser(crm: Installation) -> Any:
    """The stub of somebody who is not signed in."""
    return crm.stranger.stub(grpc.IdentityProviderServiceStub, **{"crm-peer": new_peer()})


async def connected(company: Company, at: Provider, **fields: Any) -> pb.IdentityProvider:
    """The provider as the company's, with its client secret."""
    fields = {"name": "Google", "issuer": at.issuer, "client": CLIENT, **fields}
    made = await rpcs(company).CreateIdentityProvider(
        pb.CreateIdentityProviderRequest(identity_provider=pb.IdentityProvider(**fields))
    )
    return await rpcs(company).SetClientSecret(
        pb.SetClientSecretRequest(id=made.id, client_secret=CLIENT_SECRET)
    )


async def begun(
    company: Company, one: pb.IdentityProvider, path: str = ""
) -> pb.BeginProviderSignInResponse:
    return await browser(company.crm).BeginProviderSignIn(
        pb.BeginProviderSignInRequest(key=one.key, return_path=path)
    )


async def back(beginning: pb.BeginProviderSignInResponse) -> dict[str, str]:
    """What the provider sends the browser back with, after its page."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(beginning.authorization_url)
    assert answer.status_code == 303
    return arguments(answer.headers["location"])


async def finish(
    company: Company, beginning: pb.BeginProviderSignInResponse, said: dict[str, str]
) -> pb.FinishProviderSignInResponse:
    return await browser(company.crm).FinishProviderSignIn(
        pb.FinishProviderSignInRequest(
            code=said.get("code", ""),
            state=said["state"],
            browser_key=beginning.browser_key,
            issuer=said.get("iss", ""),
            error=said.get("error", ""),
        )
    )


async def sign_in(
    company: Company, one: pb.IdentityProvider, path: str = ""
) -> pb.FinishProviderSignInResponse:
    beginning = await begun(company, one, path)
    return await finish(company, beginning, await back(beginning))


def known(company: Company, subject: str = "") -> dict[str, Any]:
    """The administrator, as an honest provider describes her."""
    return {"sub": subject or uuid7(), "email": company.email, "email_verified": True}


async def sessions(company: Company) -> int:
    rows = await company.rows("SELECT count(*) AS n FROM sessions WHERE tenant_id = $1", company.id)
    return int(rows[0]["n"])


async def refused(
    company: Company, one: pb.IdentityProvider, reason: str, **changes: str
) -> errors.CrmError:
    """The refusal of a sign-in: no session, no link and no user come of it."""
    beginning = await begun(company, one)
    said = {**await back(beginning), **changes}
    before = await sessions(company)
    async with company.unchanged():
        with pytest.raises(errors.CrmError) as refusal:
            await finish(company, beginning, said)
    assert refusal.value.reason == reason
    assert await sessions(company) == before
    links = await company.rows("SELECT 1 FROM linked_identities WHERE tenant_id = $1", company.id)
    assert links == []
    return refusal.value

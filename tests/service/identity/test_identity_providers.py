"""Who may vouch for people: identity providers, their secrets, whom they bring in, and the accounts people linked."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis import errors
from chassis.keys import uuid7
from crm.identity.v1 import identity_service_pb2_grpc as identity_grpc
from crm.identity.v1 import oidc_pb2 as pb
from crm.identity.v1 import oidc_service_pb2_grpc as grpc
from crm.identity.v1 import role_pb2, user_pb2
from tests.service.identity.conftest import Company, grant, new_email
from tests.service.identity.oidc_desk import (
    back,
    begun,
    connected,
    finish,
    known,
    rpcs,
    sign_in,
)
from tests.service.identity.provider import (
    CLIENT_SECRET,
    Provider,
    provider,
)


@pytest.fixture
async def google() -> AsyncIterator[Provider]:
    async with provider() as running:
        yield running


async def test_the_client_secret_is_sealed_and_shown_nowhere(
    company: Company, google: Provider
) -> None:
    one = await connected(company, google)

    assert one.confidential
    rows = await company.rows("SELECT sealed FROM client_secrets WHERE tenant_id = $1", company.id)
    assert CLIENT_SECRET.encode() not in bytes(rows[0]["sealed"])
    dump = await company.rows(
        "SELECT string_agg(t::text, '|') AS all FROM identity_providers_history t WHERE tenant_id = $1",
        company.id,
    )
    assert CLIENT_SECRET not in dump[0]["all"]


async def test_another_issuer_never_gets_the_old_ones_secret(
    company: Company, google: Provider
) -> None:
    one = await connected(company, google)

    changed = await rpcs(company).UpdateIdentityProvider(
        pb.UpdateIdentityProviderRequest(
            identity_provider=pb.IdentityProvider(id=one.id, issuer="https://evil.example"),
            update_mask={"paths": ["issuer"]},
        )
    )

    assert not changed.confidential
    rows = await company.rows("SELECT 1 FROM client_secrets WHERE tenant_id = $1", company.id)
    assert rows == []


async def test_a_provider_that_is_off_or_gone_signs_nobody_in(
    company: Company, google: Provider
) -> None:
    one = await connected(company, google)
    google.person = known(company)
    beginning = await begun(company, one)
    said = await back(beginning)
    await rpcs(company).UpdateIdentityProvider(
        pb.UpdateIdentityProviderRequest(
            identity_provider=pb.IdentityProvider(id=one.id, off=True),
            update_mask={"paths": ["off"]},
        )
    )

    with pytest.raises(errors.NotFound):
        await begun(company, one)
    with pytest.raises(errors.Unauthenticated) as late:
        await finish(company, beginning, said)
    assert late.value.reason == "PROVIDER_SIGN_IN_INVALID"


async def test_unknown_people_become_users_only_where_the_company_says_so(
    company: Company, google: Provider
) -> None:
    domain = f"{uuid7()}.example"
    role = await company.role_id("observer")
    one = await connected(
        company, google, creates_users=True, allowed_domains=[domain], role_ids=[role]
    )
    google.person = {
        "sub": "1", "email": f"Eva@{domain}", "email_verified": True, "name": "Eva Nowak",
    }  # fmt: skip

    made = (await sign_in(company, one)).login.user

    assert (made.name, made.email) == ("Eva Nowak", f"eva@{domain}")
    user = await company.stub.GetUser(user_pb2.GetUserRequest(id=made.id))
    assert (list(user.role_ids), user.state) == ([role], user_pb2.USER_STATE_ACTIVE)
    google.person = {"sub": "2", "email": new_email(), "email_verified": True}
    with pytest.raises(errors.PermissionDenied) as refusal:
        await sign_in(company, one)
    assert refusal.value.reason == "PROVIDER_USER_UNKNOWN"


async def test_an_invited_person_joins_through_the_provider(
    company: Company, google: Provider
) -> None:
    invited = await company.user()
    one = await connected(company, google)
    google.person = {"sub": "3", "email": invited.email, "email_verified": True}

    assert (await sign_in(company, one)).login.user.id == invited.id

    user = await company.stub.GetUser(user_pb2.GetUserRequest(id=invited.id))
    assert user.state == user_pb2.USER_STATE_ACTIVE


async def test_a_deactivated_user_stays_out(company: Company, google: Provider) -> None:
    user, _ = await company.joined()
    one = await connected(company, google)
    google.person = {"sub": "4", "email": user.email, "email_verified": True}
    await sign_in(company, one)
    await company.stub.DeactivateUser(user_pb2.DeactivateUserRequest(id=user.id))

    with pytest.raises(errors.PermissionDenied) as refusal:
        await sign_in(company, one)
    assert refusal.value.reason == "PROVIDER_USER_UNKNOWN"


async def test_people_see_and_forget_their_accounts(company: Company, google: Provider) -> None:
    one = await connected(company, google)
    google.person = known(company)
    await sign_in(company, one)
    listed = await rpcs(company).ListLinkedIdentities(pb.ListLinkedIdentitiesRequest())
    assert [(i.provider_id, i.issuer) for i in listed.identities] == [(one.id, google.issuer)]
    _, colleague = await company.joined()

    with pytest.raises(errors.NotFound):
        await colleague.stub(grpc.IdentityProviderServiceStub).UnlinkIdentity(
            pb.UnlinkIdentityRequest(id=listed.identities[0].id)
        )
    await rpcs(company).UnlinkIdentity(pb.UnlinkIdentityRequest(id=listed.identities[0].id))

    left = await rpcs(company).ListLinkedIdentities(pb.ListLinkedIdentitiesRequest())
    assert list(left.identities) == []


async def test_only_who_may_do_everything_chooses_who_vouches(company: Company) -> None:
    role = await company.stub.CreateRole(
        role_pb2.CreateRoleRequest(
            role=role_pb2.Role(name="IT", grants=[grant("identity_provider", "*")])
        )
    )
    _, it = await company.joined(role_ids=[role.id])

    async with company.unchanged():
        with pytest.raises(errors.PermissionDenied) as refusal:
            await it.stub(grpc.IdentityProviderServiceStub).CreateIdentityProvider(
                pb.CreateIdentityProviderRequest(
                    identity_provider=pb.IdentityProvider(
                        name="Mine", issuer="https://mine.example", client="c"
                    )
                )
            )
    assert refusal.value.reason == "GRANT_NOT_HELD"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"issuer": "https://a.example/?x=1"}, "ISSUER_NOT_ALLOWED"),
        ({"creates_users": True}, "VALUE_INVALID"),
        ({"role_ids": [uuid7()]}, "REFERENCE_UNKNOWN"),
    ],
)
async def test_a_provider_that_makes_no_sense_is_refused(
    company: Company, fields: dict[str, Any], reason: str
) -> None:
    fields = {"name": "P", "issuer": "https://a.example", "client": "c", **fields}
    async with company.unchanged():
        with pytest.raises(errors.CrmError) as refusal:
            await rpcs(company).CreateIdentityProvider(
                pb.CreateIdentityProviderRequest(identity_provider=pb.IdentityProvider(**fields))
            )
    assert refusal.value.reason == reason


async def test_nobody_moves_a_more_powerful_user_to_an_address_of_his_own(
    company: Company,
) -> None:
    """A provider that vouches for the new address would let him in as that user."""
    role = await company.stub.CreateRole(
        role_pb2.CreateRoleRequest(
            role=role_pb2.Role(name="HR", grants=[grant("user", "read"), grant("user", "update")])
        )
    )
    _, clerk = await company.joined(role_ids=[role.id])

    async with company.unchanged():
        with pytest.raises(errors.PermissionDenied) as refusal:
            await clerk.stub(identity_grpc.IdentityServiceStub).UpdateUser(
                user_pb2.UpdateUserRequest(
                    user=user_pb2.User(id=company.admin_id, email=new_email("thief")),
                    update_mask={"paths": ["email"]},
                )
            )
    assert refusal.value.reason == "GRANT_NOT_HELD"

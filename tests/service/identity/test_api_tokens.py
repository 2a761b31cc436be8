"""CreateApiToken, UpdateApiToken, DeleteApiToken and what a token may do."""

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import errors
from chassis.testing.installation import Person
from crm.identity.v1 import api_token_pb2 as pb
from crm.identity.v1 import role_pb2, session_pb2, user_pb2
from tests.service.identity.conftest import Company, grant, grpc, until

USERS = "/crm.identity.v1.IdentityService/ListUsers"
ME = "/crm.identity.v1.IdentityService/GetMe"


async def token(
    company: Company, person: Person | None = None, **fields: Any
) -> tuple[pb.CreateApiTokenResponse, Any]:
    """A new token and the stub of the program that has it."""
    stub = (person or company.admin).stub(grpc.IdentityServiceStub)
    made = await stub.CreateApiToken(
        pb.CreateApiTokenRequest(api_token=pb.ApiToken(**{"name": "shop", **fields}))
    )
    program = Person(company.crm, company.id, made.api_token.id, made.secret)
    return made, program.stub(grpc.IdentityServiceStub)


async def test_a_token_works_for_its_user_and_its_secret_is_kept_nowhere(company: Company) -> None:
    made, program = await token(company)
    me = await program.GetMe(session_pb2.GetMeRequest())
    assert (me.user.id, me.session_id) == (company.admin_id, "")
    assert made.secret.endswith(made.api_token.hint)
    assert len(made.api_token.hint) == 4
    for table in ("api_tokens", "api_tokens_history", "api_token_hashes", "answers"):
        rows = await company.rows(f"SELECT 1 FROM {table} t WHERE tenant_id = $1 AND t::text LIKE '%' || $2 || '%'",
                                  company.id, made.secret[60:])  # fmt: skip
        assert rows == []
    assert made.secret not in str(await company.event("ApiTokenCreated"))


async def test_a_token_does_what_its_methods_say_and_nothing_else(company: Company) -> None:
    _, program = await token(company, methods=[USERS])
    assert len((await program.ListUsers(user_pb2.ListUsersRequest())).users) == 1
    with pytest.raises(errors.PermissionDenied) as refusal:
        await program.GetMe(session_pb2.GetMeRequest())
    assert refusal.value.reason == "METHOD_NOT_GRANTED"


async def test_a_token_has_at_most_the_rights_of_its_user(company: Company) -> None:
    role = await company.stub.CreateRole(
        role_pb2.CreateRoleRequest(
            role=role_pb2.Role(
                name="Integrator",
                grants=[grant("api_token", "*", role_pb2.SCOPE_OWN), grant("user", "read")],
            )
        )
    )
    _, person = await company.joined(role_ids=[role.id])
    _, program = await token(company, person, grants=[grant("*", "*")])
    assert len((await program.ListUsers(user_pb2.ListUsersRequest())).users) == 2
    with pytest.raises(errors.PermissionDenied):
        await program.ListRoles(role_pb2.ListRolesRequest())


async def test_a_token_reads_only_its_fields(company: Company) -> None:
    _, program = await token(company, readable={"user": pb.FieldList(fields=["name"])})
    (user,) = (await program.ListUsers(user_pb2.ListUsersRequest())).users
    assert (user.name, user.email, user.id) == ("Ana Kowalska", "", company.admin_id)


async def test_a_token_writes_only_its_fields(company: Company) -> None:
    user = await company.user()
    _, program = await token(company, writable={"user": pb.FieldList(fields=["job_title"])})

    def change(**fields: str) -> user_pb2.UpdateUserRequest:
        return user_pb2.UpdateUserRequest(
            user=user_pb2.User(id=user.id, **fields), update_mask=FieldMask(paths=list(fields))
        )

    assert (await program.UpdateUser(change(job_title="Measurer"))).job_title == "Measurer"
    async with company.unchanged():
        with pytest.raises(errors.PermissionDenied):
            await program.UpdateUser(change(name="Somebody else"))


@pytest.mark.large
async def test_a_revoked_token_is_refused_within_five_seconds(company: Company) -> None:
    made, program = await token(company)
    await program.GetMe(session_pb2.GetMeRequest())
    await company.stub.DeleteApiToken(pb.DeleteApiTokenRequest(id=made.api_token.id))

    async def refused() -> bool:
        try:
            await program.GetMe(session_pb2.GetMeRequest())
        except errors.Unauthenticated:
            return True
        return False

    await until(refused, 5)


async def test_an_expired_token_is_refused(company: Company) -> None:
    past = Timestamp(seconds=1_700_000_000)
    made, program = await token(company, expire_time=past)
    await company.known("token", made.api_token.id)
    with pytest.raises(errors.Unauthenticated) as refusal:
        await program.GetMe(session_pb2.GetMeRequest())
    assert refusal.value.reason == "TOKEN_EXPIRED"


async def test_a_narrowed_token_is_narrow_in_every_process(company: Company) -> None:
    made, program = await token(company)
    await company.stub.UpdateApiToken(
        pb.UpdateApiTokenRequest(
            api_token=pb.ApiToken(id=made.api_token.id, methods=[ME]),
            update_mask=FieldMask(paths=["methods"]),
        )
    )
    await company.crm.process.directory.until(
        lambda: company.directory.token(made.api_token.id)["methods"] == [ME]
    )
    await program.GetMe(session_pb2.GetMeRequest())
    with pytest.raises(errors.PermissionDenied):
        await program.ListUsers(user_pb2.ListUsersRequest())


async def test_a_repeated_request_makes_no_second_token(company: Company) -> None:
    request = pb.CreateApiTokenRequest(api_token=pb.ApiToken(name="shop"), request_id="token-1")
    await company.stub.CreateApiToken(request)
    async with company.unchanged():
        with pytest.raises(errors.AlreadyExists) as refusal:
            await company.stub.CreateApiToken(request)
    assert refusal.value.reason == "SECRET_SHOWN_ONCE"


async def test_a_program_makes_no_further_programs(company: Company) -> None:
    _, program = await token(company)
    async with company.unchanged():
        with pytest.raises(errors.PermissionDenied) as refusal:
            await program.CreateApiToken(
                pb.CreateApiTokenRequest(api_token=pb.ApiToken(name="second"))
            )
        with pytest.raises(errors.PermissionDenied):
            await program.Logout(session_pb2.LogoutRequest())
    assert refusal.value.reason == "CALLER_IS_TOKEN"


async def test_tokens_work_for_active_users_whose_rights_the_maker_has(company: Company) -> None:
    role = await company.stub.CreateRole(
        role_pb2.CreateRoleRequest(
            role=role_pb2.Role(name="Token desk", grants=[grant("api_token", "*")])
        )
    )
    _, desk = await company.joined(role_ids=[role.id])
    invited = await company.user()
    async with company.unchanged():
        with pytest.raises(errors.PermissionDenied) as stronger:
            await token(company, desk, owner_id=company.admin_id)
        with pytest.raises(errors.FailedPrecondition) as inactive:
            await token(company, owner_id=invited.id)
        with pytest.raises(errors.PermissionDenied) as events:
            await token(company, desk, nats=True)
    assert stronger.value.reason == events.value.reason == "GRANT_NOT_HELD"
    assert inactive.value.reason == "OWNER_NOT_ACTIVE"


async def test_owner_and_events_of_a_token_are_fixed(company: Company) -> None:
    made, _ = await token(company)
    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refusal:
            await company.stub.UpdateApiToken(
                pb.UpdateApiTokenRequest(
                    api_token=pb.ApiToken(id=made.api_token.id, nats=True),
                    update_mask=FieldMask(paths=["nats"]),
                )
            )
    assert refusal.value.reason == "FIELD_FIXED"


async def test_a_users_own_tokens_are_all_he_sees(company: Company) -> None:
    role = await company.stub.CreateRole(
        role_pb2.CreateRoleRequest(
            role=role_pb2.Role(
                name="Own tokens", grants=[grant("api_token", "*", role_pb2.SCOPE_OWN)]
            )
        )
    )
    _, person = await company.joined(role_ids=[role.id])
    theirs, _ = await token(company)
    mine, _ = await token(company, person)
    stub = person.stub(grpc.IdentityServiceStub)
    assert [t.id for t in (await stub.ListApiTokens(pb.ListApiTokensRequest())).api_tokens] == [
        mine.api_token.id
    ]
    with pytest.raises(errors.NotFound):
        await stub.GetApiToken(pb.GetApiTokenRequest(id=theirs.api_token.id))
    with pytest.raises(errors.NotFound):
        await stub.DeleteApiToken(pb.DeleteApiTokenRequest(id=theirs.api_token.id))

"""CreateUser, UpdateUser, DeactivateUser, ReactivateUser, SignOutUser and the reads of users."""

import asyncio
import time

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.keys import uuid7
from crm.common.v1 import common_pb2
from crm.identity.v1 import api_token_pb2, department_pb2, role_pb2, session_pb2, working_hours_pb2
from crm.identity.v1 import user_pb2 as pb
from tests.service.identity.conftest import (
    PASSWORD,
    Company,
    grant,
    grpc,
    new_email,
    sign_in,
    sign_up,
    until,
)


def change(user: pb.User, *paths: str, etag: str = "") -> pb.UpdateUserRequest:
    return pb.UpdateUserRequest(user=user, update_mask=FieldMask(paths=paths), etag=etag)


async def test_a_created_user_is_invited_and_known_everywhere(company: Company) -> None:
    department = await company.stub.CreateDepartment(
        department_pb2.CreateDepartmentRequest(department=department_pb2.Department(name="Sales"))
    )
    user = await company.user(
        department_id=department.id, capacity=7, extension="21", time_zone="Asia/Jakarta",
        working_hours=[working_hours_pb2.WorkingHours(weekday=1, start="09:00", end="17:00")],
        hourly_cost=common_pb2.Money(currency="PLN", amount="80.00"),
    )  # fmt: skip
    assert user.state == pb.USER_STATE_INVITED
    assert user.etag == "1"
    entry = await company.known("user", user.id)
    assert (entry["state"], entry["department_id"], entry["capacity"]) == (
        "invited",
        department.id,
        7,
    )
    assert entry["working_hours"] == [{"weekday": 1, "start": "09:00", "end": "17:00"}]
    assert (await company.event("UserCreated", count=2))["user"]["id"] == user.id


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"department_id": uuid7()}, "REFERENCE_UNKNOWN"),
        ({"role_ids": [uuid7()]}, "REFERENCE_UNKNOWN"),
        ({"delegate_id": uuid7()}, "REFERENCE_UNKNOWN"),
        (
            {
                "working_hours": [
                    working_hours_pb2.WorkingHours(weekday=1, start="17:00", end="09:00")
                ]
            },
            "VALUE_INVALID",
        ),
    ],
)
async def test_a_user_with_wrong_facts_is_refused(
    company: Company, fields: dict[str, object], reason: str
) -> None:
    await company.role_id("salesperson")
    async with company.unchanged():
        with pytest.raises(errors.CrmError) as refusal:
            await company.user(**fields)
    assert refusal.value.reason == reason


async def test_an_address_in_use_is_refused_even_from_another_company(company: Company) -> None:
    other = await sign_up(company.crm)
    async with company.unchanged():
        for email in (company.email, other.email.upper()):
            with pytest.raises(errors.AlreadyExists) as refusal:
                await company.user(email=email)
            assert refusal.value.reason == "EMAIL_TAKEN"


async def test_a_changed_address_signs_in_and_the_old_one_does_not(company: Company) -> None:
    user, _ = await company.joined()
    new = new_email("changed")
    changed = await company.stub.UpdateUser(change(pb.User(id=user.id, email=new.upper()), "email"))
    assert changed.email == new
    assert (await sign_in(company.crm, new)).user.id == user.id
    with pytest.raises(errors.Unauthenticated):
        await sign_in(company.crm, user.email)
    await company.user(email=user.email)  # free again


async def test_state_cannot_be_set_by_update(company: Company) -> None:
    user = await company.user()
    async with company.unchanged():
        with pytest.raises(errors.InvalidArgument) as refusal:
            await company.stub.UpdateUser(
                change(pb.User(id=user.id, state=pb.USER_STATE_ACTIVE), "state")
            )
    assert refusal.value.reason == "INVALID_MASK"


async def test_the_last_administrator_stays_one(company: Company) -> None:
    salesperson = await company.role_id("salesperson")
    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refusal:
            await company.stub.UpdateUser(
                change(pb.User(id=company.admin_id, role_ids=[salesperson]), "role_ids")
            )
    assert refusal.value.reason == "LAST_ADMINISTRATOR"


async def test_of_two_administrators_who_remove_each_other_one_stays(company: Company) -> None:
    _, second = await company.joined("administrator")
    stubs = [(company.stub, second.id), (second.stub(grpc.IdentityServiceStub), company.admin_id)]
    outcomes = await asyncio.gather(
        *(stub.DeactivateUser(pb.DeactivateUserRequest(id=id)) for stub, id in stubs),
        return_exceptions=True,
    )
    assert sum(isinstance(o, pb.User) for o in outcomes) == 1
    refused = [o.reason for o in outcomes if isinstance(o, errors.CrmError)]
    assert refused == ["LAST_ADMINISTRATOR"] or refused == ["SIGNED_OUT"]


async def test_nobody_deactivates_himself(company: Company) -> None:
    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refusal:
            await company.stub.DeactivateUser(pb.DeactivateUserRequest(id=company.admin_id))
    assert refusal.value.reason == "NOT_YOURSELF"


@pytest.mark.large
async def test_a_deactivated_user_is_out_within_five_seconds(company: Company) -> None:
    user, person = await company.joined("administrator")
    token = await person.stub(grpc.IdentityServiceStub).CreateApiToken(
        api_token_pb2.CreateApiTokenRequest(api_token=api_token_pb2.ApiToken(name="shop"))
    )
    program = type(person)(company.crm, company.id, token.api_token.id, token.secret)
    assert (
        await program.stub(grpc.IdentityServiceStub).GetMe(session_pb2.GetMeRequest())
    ).user.id == user.id

    began = time.monotonic()
    left = await company.stub.DeactivateUser(pb.DeactivateUserRequest(id=user.id, etag=""))

    async def out() -> bool:
        for caller in (person, program):
            try:
                await caller.stub(grpc.IdentityServiceStub).GetMe(session_pb2.GetMeRequest())
                return False
            except errors.Unauthenticated:
                pass
        return True

    await until(out, 5)
    assert time.monotonic() - began < 5
    assert left.state == pb.USER_STATE_DEACTIVATED
    assert (await company.event("UserDeactivated"))["user"]["id"] == user.id
    assert (await company.event("ApiTokenDeleted"))["apiToken"]["id"] == token.api_token.id


async def test_a_user_who_comes_back_signs_in_anew(company: Company) -> None:
    user, person = await company.joined()
    session = (
        await person.stub(grpc.IdentityServiceStub).GetMe(session_pb2.GetMeRequest())
    ).session_id
    await company.stub.DeactivateUser(pb.DeactivateUserRequest(id=user.id))
    await company.known("session", session)
    back = await company.stub.ReactivateUser(pb.ReactivateUserRequest(id=user.id))
    assert back.state == pb.USER_STATE_ACTIVE
    await company.crm.process.directory.until(
        lambda: company.directory.user(user.id)["state"] == "active"
    )
    with pytest.raises(errors.Unauthenticated):
        await person.stub(grpc.IdentityServiceStub).GetMe(session_pb2.GetMeRequest())
    again = await company.person(user.email)
    assert (
        await again.stub(grpc.IdentityServiceStub).GetMe(session_pb2.GetMeRequest())
    ).user.id == user.id


async def test_who_never_joined_comes_back_as_invited(company: Company) -> None:
    user = await company.user()
    await company.stub.DeactivateUser(pb.DeactivateUserRequest(id=user.id))
    back = await company.stub.ReactivateUser(pb.ReactivateUserRequest(id=user.id))
    assert back.state == pb.USER_STATE_INVITED


async def test_only_a_deactivated_user_is_reactivated(company: Company) -> None:
    user = await company.user()
    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refusal:
            await company.stub.ReactivateUser(pb.ReactivateUserRequest(id=user.id))
    assert refusal.value.reason == "USER_STATE_WRONG"


async def test_an_administrator_signs_somebody_out(company: Company) -> None:
    user, person = await company.joined()
    await company.person(user.email)
    answer = await company.stub.SignOutUser(pb.SignOutUserRequest(id=user.id))
    assert answer.sessions_ended == 2

    async def out() -> bool:
        try:
            await person.stub(grpc.IdentityServiceStub).GetMe(session_pb2.GetMeRequest())
        except errors.Unauthenticated as refusal:
            return refusal.reason == "SIGNED_OUT"
        return False

    await until(out, 5)


async def test_nobody_gives_a_role_beyond_his_own_rights(company: Company) -> None:
    role = await company.stub.CreateRole(
        role_pb2.CreateRoleRequest(
            role=role_pb2.Role(
                name="Staff desk", grants=[grant("user", "*"), grant("role", "read")]
            )
        )
    )
    _, desk = await company.joined(role_ids=[role.id])
    stub = desk.stub(grpc.IdentityServiceStub)
    administrator = await company.role_id("administrator")
    async with company.unchanged():
        with pytest.raises(errors.PermissionDenied) as created:
            await stub.CreateUser(
                pb.CreateUserRequest(
                    user=pb.User(email=new_email(), name="X", role_ids=[administrator])
                )
            )
        with pytest.raises(errors.PermissionDenied) as promoted:
            await stub.UpdateUser(change(pb.User(id=desk.id, role_ids=[administrator]), "role_ids"))
    assert created.value.reason == promoted.value.reason == "GRANT_NOT_HELD"


async def test_users_are_listed_by_name_state_and_part_of_a_name(company: Company) -> None:
    for name in ("Łukasz Wiśniewski", "Lena Nowak", "Maria Duda"):
        await company.user(name=name)
    listed = await company.stub.ListUsers(
        pb.ListUsersRequest(order_by="name", filter="state = USER_STATE_INVITED")
    )
    found = await company.stub.ListUsers(pb.ListUsersRequest(q="wisniewski"))
    assert [user.name for user in listed.users] == ["Lena Nowak", "Łukasz Wiśniewski", "Maria Duda"]
    assert [user.name for user in found.users] == ["Łukasz Wiśniewski"]


async def test_a_hidden_hourly_cost_is_not_shown(company: Company) -> None:
    cost = common_pb2.Money(currency="PLN", amount="80.00")
    user, person = await company.joined("salesperson", hourly_cost=cost)
    stub = person.stub(grpc.IdentityServiceStub)
    me = await stub.GetMe(session_pb2.GetMeRequest())
    read = await stub.GetUser(pb.GetUserRequest(id=user.id))
    assert not me.user.HasField("hourly_cost")
    assert not read.HasField("hourly_cost")
    changed = await stub.UpdateMe(
        session_pb2.UpdateMeRequest(
            user=pb.User(name="Dewi"), update_mask=FieldMask(paths=["name"])
        )
    )
    assert not changed.HasField("hourly_cost")
    assert "user.hourly_cost" in me.hidden_fields
    assert (await company.stub.GetUser(pb.GetUserRequest(id=user.id))).hourly_cost == cost


async def test_everybody_changes_his_own_profile_and_nothing_else(company: Company) -> None:
    user, person = await company.joined()
    stub = person.stub(grpc.IdentityServiceStub)
    changed = await stub.UpdateMe(
        session_pb2.UpdateMeRequest(
            user=pb.User(name="Dewi", language="id"),
            update_mask=FieldMask(paths=["name", "language"]),
        )
    )
    assert (changed.name, changed.language, changed.id) == ("Dewi", "id", user.id)
    async with company.unchanged():
        for path in ("role_ids", "department_id", "capacity", "email"):
            with pytest.raises(errors.PermissionDenied):
                await stub.UpdateMe(
                    session_pb2.UpdateMeRequest(
                        user=pb.User(email="a@b.pl"), update_mask=FieldMask(paths=[path])
                    )
                )
        with pytest.raises(errors.PermissionDenied):
            await stub.UpdateUser(change(pb.User(id=user.id, capacity=3), "capacity"))


async def test_history_tells_who_changed_what(company: Company) -> None:
    user = await company.user()
    await company.stub.UpdateUser(change(pb.User(id=user.id, job_title="Measurer"), "job_title"))
    history = await company.stub.ListUserHistory(pb.ListUserHistoryRequest(id=user.id))
    assert [r.action for r in history.revisions] == ["updated", "created"]
    assert [c.field for c in history.revisions[0].changes] == ["job_title"]
    assert history.revisions[0].actor.user_id == company.admin_id


async def test_several_users_are_read_at_once(company: Company) -> None:
    user, missing = await company.user(), uuid7()
    answer = await company.stub.BatchGetUsers(pb.BatchGetUsersRequest(ids=[user.id, missing]))
    assert [u.id for u in answer.users] == [user.id]
    assert list(answer.missing_ids) == [missing]


async def test_the_password_is_in_no_record_event_or_answer(company: Company) -> None:
    await company.joined()
    for table in ("users", "users_history", "answers", "outbox"):
        rows = await company.rows(f"SELECT 1 FROM {table} t WHERE tenant_id = $1 AND t::text LIKE '%' || $2 || '%'",
                                  company.id, PASSWORD)  # fmt: skip
        assert rows == []

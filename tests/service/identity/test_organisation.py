"""The company, its departments and roles."""

import asyncio

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.keys import uuid7
from crm.identity.v1 import (
    api_token_pb2,
    department_pb2,
    operation_pb2,
    role_pb2,
    session_pb2,
    tenant_pb2,
    user_pb2,
)
from tests.service.identity.conftest import Company, grant, grpc, until


async def department(
    company: Company, name: str = "Sales", **fields: str
) -> department_pb2.Department:
    return await company.stub.CreateDepartment(
        department_pb2.CreateDepartmentRequest(
            department=department_pb2.Department(name=name, **fields)
        )
    )


def move(id: str, parent_id: str) -> department_pb2.UpdateDepartmentRequest:
    return department_pb2.UpdateDepartmentRequest(
        department=department_pb2.Department(id=id, parent_id=parent_id),
        update_mask=FieldMask(paths=["parent_id"]),
    )


# --- the company ----------------------------------------------------------------------------------------------------------


async def test_a_company_changes_its_own_settings(company: Company) -> None:
    tenant = tenant_pb2.Tenant(
        name="Okna i Drzwi",
        legal=tenant_pb2.LegalProfile(tax_number="PL5252248481"),
        features_off=["timeline"],
    )
    tenant.settings["contacts.assign_by"].string_value = "round_robin"
    changed = await company.stub.UpdateTenant(
        tenant_pb2.UpdateTenantRequest(
            tenant=tenant,
            update_mask=FieldMask(
                paths=["name", "legal.tax_number", "features_off", "settings.contacts.assign_by"]
            ),
        )
    )
    read = await company.stub.GetTenant(tenant_pb2.GetTenantRequest())
    assert changed.id == company.id
    assert read.legal.tax_number == "PL5252248481"
    await company.crm.process.directory.until(
        lambda: company.directory.tenant()["name"] == "Okna i Drzwi"
    )
    entry = company.directory.tenant()
    assert entry["features_off"] == ["timeline"]
    assert entry["settings"] == {"contacts.assign_by": "round_robin"}


async def test_a_switched_off_feature_refuses_its_calls_and_keeps_its_data(
    company: Company,
) -> None:
    token = await company.stub.CreateApiToken(
        api_token_pb2.CreateApiTokenRequest(api_token=api_token_pb2.ApiToken(name="shop"))
    )
    switch = tenant_pb2.UpdateTenantRequest(
        tenant=tenant_pb2.Tenant(features_off=["api_tokens"]),
        update_mask=FieldMask(paths=["features_off"]),
    )
    await company.stub.UpdateTenant(switch)
    await company.crm.process.directory.until(
        lambda: company.directory.features_off() == {"api_tokens"}
    )
    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refusal:
            await company.stub.ListApiTokens(api_token_pb2.ListApiTokensRequest())
    assert refusal.value.reason == "FEATURE_OFF"
    assert "api_tokens" not in (await company.stub.GetMe(session_pb2.GetMeRequest())).features
    features = (await company.stub.ListFeatures(tenant_pb2.ListFeaturesRequest())).features
    assert [f.key for f in features if not f.on] == ["api_tokens"]

    switch.tenant.ClearField("features_off")
    await company.stub.UpdateTenant(switch)
    await company.crm.process.directory.until(lambda: not company.directory.features_off())
    listed = await company.stub.ListApiTokens(api_token_pb2.ListApiTokensRequest())
    assert [t.id for t in listed.api_tokens] == [token.api_token.id]


async def test_an_unknown_feature_is_refused(company: Company) -> None:
    async with company.unchanged():
        with pytest.raises(errors.InvalidArgument) as refusal:
            await company.stub.UpdateTenant(
                tenant_pb2.UpdateTenantRequest(
                    tenant=tenant_pb2.Tenant(features_off=["rockets"]),
                    update_mask=FieldMask(paths=["features_off"]),
                )
            )
    assert refusal.value.reason == "FEATURE_UNKNOWN"


async def test_the_company_has_a_history(company: Company) -> None:
    history = await company.stub.ListTenantHistory(
        tenant_pb2.ListTenantHistoryRequest(id=company.id)
    )
    assert [r.action for r in history.revisions] == ["created"]


async def test_only_those_with_the_right_change_the_company(company: Company) -> None:
    _, person = await company.joined("head")
    async with company.unchanged():
        with pytest.raises(errors.PermissionDenied):
            await person.stub(grpc.IdentityServiceStub).UpdateTenant(
                tenant_pb2.UpdateTenantRequest(
                    tenant=tenant_pb2.Tenant(name="X"), update_mask=FieldMask(paths=["name"])
                )
            )


# --- departments ----------------------------------------------------------------------------------------------------------


async def test_departments_form_a_tree_in_the_directory(company: Company) -> None:
    top = await department(company, "Company", head_id=company.admin_id)
    leaf = await department(company, "North", parent_id=top.id)
    await company.known("department", leaf.id)
    assert company.directory.subtree(top.id) == {top.id, leaf.id}
    assert company.directory.head_of(leaf.id) == company.admin_id
    listed = await company.stub.ListDepartments(
        department_pb2.ListDepartmentsRequest(filter=f'parent_id = "{top.id}"')
    )
    assert [d.id for d in listed.departments] == [leaf.id]


async def test_two_moves_that_together_make_a_cycle_do_not_both_happen(company: Company) -> None:
    one, other = await department(company, "One"), await department(company, "Other")
    outcomes = await asyncio.gather(
        company.stub.UpdateDepartment(move(one.id, other.id)),
        company.stub.UpdateDepartment(move(other.id, one.id)),
        return_exceptions=True,
    )
    assert sum(isinstance(o, department_pb2.Department) for o in outcomes) == 1
    assert [o.reason for o in outcomes if isinstance(o, errors.CrmError)] == ["DEPARTMENT_CYCLE"]


@pytest.mark.parametrize("field", ["parent_id", "head_id", "deputy_id"])
async def test_a_department_names_only_what_exists(company: Company, field: str) -> None:
    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refusal:
            await department(company, **{field: uuid7()})
    assert refusal.value.reason == "REFERENCE_UNKNOWN"
    assert [v.field for v in refusal.value.violations] == [field]


async def test_a_department_in_use_is_not_deleted(company: Company) -> None:
    top = await department(company)
    leaf = await department(company, "Leaf", parent_id=top.id)
    await company.user(department_id=leaf.id)
    async with company.unchanged():
        for id in (top.id, leaf.id):
            with pytest.raises(errors.FailedPrecondition) as refusal:
                await company.stub.DeleteDepartment(department_pb2.DeleteDepartmentRequest(id=id))
            assert refusal.value.reason == "DEPARTMENT_IN_USE"


async def test_a_deleted_department_leaves_the_directory_and_comes_back(company: Company) -> None:
    made = await department(company)
    await company.known("department", made.id)
    await company.stub.DeleteDepartment(department_pb2.DeleteDepartmentRequest(id=made.id))
    await company.forgotten("department", made.id)
    back = await company.stub.UndeleteDepartment(
        department_pb2.UndeleteDepartmentRequest(id=made.id)
    )
    assert not back.HasField("delete_time")
    assert (await company.known("department", made.id))["name"] == "Sales"


async def test_a_department_does_not_come_back_below_a_deleted_one(company: Company) -> None:
    top = await department(company)
    leaf = await department(company, "Leaf", parent_id=top.id)
    for id in (leaf.id, top.id):
        await company.stub.DeleteDepartment(department_pb2.DeleteDepartmentRequest(id=id))
    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refusal:
            await company.stub.UndeleteDepartment(
                department_pb2.UndeleteDepartmentRequest(id=leaf.id)
            )
    assert refusal.value.reason == "REFERENCE_UNKNOWN"


# --- roles ----------------------------------------------------------------------------------------------------------------


def role(
    name: str, *grants: role_pb2.Grant, hidden: tuple[str, ...] = ()
) -> role_pb2.CreateRoleRequest:
    return role_pb2.CreateRoleRequest(
        role=role_pb2.Role(name=name, grants=grants, hidden_fields=hidden)
    )


async def test_a_changed_role_changes_what_its_holders_may(company: Company) -> None:
    made = await company.stub.CreateRole(role("Reader", grant("tenant", "read")))
    _, person = await company.joined(role_ids=[made.id])
    stub = person.stub(grpc.IdentityServiceStub)
    with pytest.raises(errors.PermissionDenied):
        await stub.ListUsers(user_pb2.ListUsersRequest())
    await company.stub.UpdateRole(
        role_pb2.UpdateRoleRequest(
            role=role_pb2.Role(id=made.id, grants=[grant("user", "read")]),
            update_mask=FieldMask(paths=["grants"]),
        )
    )
    await company.crm.process.directory.until(
        lambda: (
            company.directory.role(made.id)["grants"]
            == [{"object": "user", "action": "read", "scope": "all"}]
        )
    )
    assert len((await stub.ListUsers(user_pb2.ListUsersRequest())).users) == 2


async def test_a_role_name_is_unique_and_free_after_deletion(company: Company) -> None:
    made = await company.stub.CreateRole(role("Fitters"))
    async with company.unchanged():
        with pytest.raises(errors.AlreadyExists) as refusal:
            await company.stub.CreateRole(role("fitters"))
    assert refusal.value.reason == "NAME_TAKEN"
    await company.stub.DeleteRole(role_pb2.DeleteRoleRequest(id=made.id))
    await company.forgotten("role", made.id)
    await company.stub.CreateRole(role("Fitters"))
    async with company.unchanged():
        with pytest.raises(errors.AlreadyExists):
            await company.stub.UndeleteRole(role_pb2.UndeleteRoleRequest(id=made.id))


async def test_the_administrator_role_is_neither_changed_nor_deleted(company: Company) -> None:
    id = await company.role_id("administrator")
    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as changed:
            await company.stub.UpdateRole(
                role_pb2.UpdateRoleRequest(
                    role=role_pb2.Role(id=id, name="Boss"), update_mask=FieldMask(paths=["name"])
                )
            )
        with pytest.raises(errors.FailedPrecondition) as deleted:
            await company.stub.DeleteRole(role_pb2.DeleteRoleRequest(id=id))
    assert changed.value.reason == deleted.value.reason == "ROLE_BUILT_IN"


async def test_a_role_in_use_is_not_deleted(company: Company) -> None:
    user = await company.user("observer")
    async with company.unchanged():
        with pytest.raises(errors.FailedPrecondition) as refusal:
            await company.stub.DeleteRole(role_pb2.DeleteRoleRequest(id=user.role_ids[0]))
    assert refusal.value.reason == "ROLE_IN_USE"


async def test_nobody_adds_to_a_role_what_he_does_not_hold(company: Company) -> None:
    made = await company.stub.CreateRole(
        role("Role desk", grant("role", "*"), grant("tenant", "read"))
    )
    _, desk = await company.joined(role_ids=[made.id])
    stub = desk.stub(grpc.IdentityServiceStub)
    await stub.CreateRole(role("Company readers", grant("tenant", "read")))
    async with company.unchanged():
        with pytest.raises(errors.PermissionDenied) as created:
            await stub.CreateRole(role("Kings", grant("*", "*")))
        with pytest.raises(errors.PermissionDenied) as widened:
            await stub.UpdateRole(
                role_pb2.UpdateRoleRequest(
                    role=role_pb2.Role(id=made.id, grants=[grant("role", "*"), grant("user", "*")]),
                    update_mask=FieldMask(paths=["grants"]),
                )
            )
    assert created.value.reason == widened.value.reason == "GRANT_NOT_HELD"


async def test_republishing_sends_every_department_again(company: Company) -> None:
    made = await department(company)
    operation = await company.stub.RepublishDepartments(
        department_pb2.RepublishDepartmentsRequest()
    )

    async def done() -> bool:
        found = await company.stub.GetOperation(
            operation_pb2.GetOperationRequest(id=operation.name.rpartition("/")[2])
        )
        return found.done

    await until(done)
    again = await company.event("DepartmentUpdated")
    assert (again["department"]["id"], again["change"]["republished"]) == (made.id, True)
    listed = await company.stub.ListOperations(operation_pb2.ListOperationsRequest())
    assert [o.name for o in listed.operations] == [operation.name]
    _, person = await company.joined()
    with pytest.raises(errors.NotFound):
        await person.stub(grpc.IdentityServiceStub).GetOperation(
            operation_pb2.GetOperationRequest(id=operation.name.rpartition("/")[2])
        )
    with pytest.raises(errors.FailedPrecondition) as over:
        await company.stub.CancelOperation(
            operation_pb2.CancelOperationRequest(id=operation.name.rpartition("/")[2])
        )
    assert over.value.reason == "OPERATION_OVER"


async def test_departments_roles_and_tokens_are_read_one_by_one_together_and_in_history(
    company: Company,
) -> None:
    made = await department(company)
    fitters = await company.stub.CreateRole(role("Fitters", grant("user", "read")))
    token = await company.stub.CreateApiToken(
        api_token_pb2.CreateApiTokenRequest(api_token=api_token_pb2.ApiToken(name="shop"))
    )
    stub, missing = company.stub, uuid7()
    got = [
        await stub.GetDepartment(department_pb2.GetDepartmentRequest(id=made.id)),
        await stub.GetRole(role_pb2.GetRoleRequest(id=fitters.id)),
        await stub.GetApiToken(api_token_pb2.GetApiTokenRequest(id=token.api_token.id)),
    ]
    assert [(r.id, r.name) for r in got] == [
        (made.id, "Sales"),
        (fitters.id, "Fitters"),
        (token.api_token.id, "shop"),
    ]
    several = await stub.BatchGetDepartments(
        department_pb2.BatchGetDepartmentsRequest(ids=[made.id, missing])
    )
    assert ([d.id for d in several.departments], list(several.missing_ids)) == (
        [made.id],
        [missing],
    )
    roles = await stub.BatchGetRoles(role_pb2.BatchGetRolesRequest(ids=[missing, fitters.id]))
    assert ([r.id for r in roles.roles], list(roles.missing_ids)) == ([fitters.id], [missing])
    histories = [
        await stub.ListDepartmentHistory(department_pb2.ListDepartmentHistoryRequest(id=made.id)),
        await stub.ListRoleHistory(role_pb2.ListRoleHistoryRequest(id=fitters.id)),
        await stub.ListApiTokenHistory(
            api_token_pb2.ListApiTokenHistoryRequest(id=token.api_token.id)
        ),
    ]
    assert [[r.action for r in h.revisions] for h in histories] == [["created"]] * 3


async def test_users_and_roles_are_republished_too(company: Company) -> None:
    for call, request in (
        (company.stub.RepublishUsers, user_pb2.RepublishUsersRequest()),
        (company.stub.RepublishRoles, role_pb2.RepublishRolesRequest()),
    ):
        await call(request)
    assert (await company.event("UserUpdated"))["user"]["id"] == company.admin_id
    assert (await company.event("RoleUpdated", count=5))["change"]["republished"] is True

"""The company itself, its departments and its roles."""

from chassis.handlers import Servicer, reads, writes
from chassis.kit import showing
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.identity.v1 import department_pb2, role_pb2, tenant_pb2
from services.identity import auditing, directory_entries, errors, rules, saving, store
from services.identity.features import FEATURES


async def check_tenant(tx: Tx, new: tenant_pb2.Tenant, old: tenant_pb2.Tenant | None) -> None:
    """Keeps I6."""
    await store.lock_people(tx)
    rules.tenant(new)
    await auditing.tenant_saved(tx, new, old)
    tx.directory_put("tenant", new.id, directory_entries.tenant(new))


class Tenants(standard(store.tenants, on_save=check_tenant), Servicer):  # type: ignore[misc]
    """`/v1/tenant`: always the caller's own."""

    @reads
    async def GetTenant(self, request: tenant_pb2.GetTenantRequest, tx: Tx) -> tenant_pb2.Tenant:
        assert tx.call is not None
        assert tx.tenant is not None
        fields = showing.checked_fields(tx, store.tenants, request.fields.paths)
        tenant = await store.tenants.get(tx, tx.tenant)
        tx.call.trailing["crm-etag"] = tenant.etag
        tenant.can.extend(tx.rights.can(store.tenants.object))
        return showing.limited(tx, store.tenants, tenant, fields)

    @writes
    async def UpdateTenant(
        self, request: tenant_pb2.UpdateTenantRequest, tx: Tx
    ) -> tenant_pb2.Tenant:
        assert tx.tenant is not None
        request.tenant.id = tx.tenant
        changed: tenant_pb2.Tenant = await super().UpdateTenant(request, tx)
        return changed

    @reads
    async def ListFeatures(
        self, request: tenant_pb2.ListFeaturesRequest, tx: Tx
    ) -> tenant_pb2.ListFeaturesResponse:
        off = tx.directory.features_off()
        return tenant_pb2.ListFeaturesResponse(
            features=[
                tenant_pb2.Feature(key=key, description=description, on=key not in off)
                for key, description in FEATURES.items()
            ]
        )


async def check_department(
    tx: Tx, new: department_pb2.Department, old: department_pb2.Department | None
) -> None:
    """Keeps I4 and I6."""
    await store.lock_people(tx)
    new.id = new.id or tx.new_id()
    rules.department(new)
    leaders = {"head_id": new.head_id, "deputy_id": new.deputy_id}
    known = {
        user.id for user in await store.users.find_many(tx, [id for id in leaders.values() if id])
    }
    if unknown := {field: id for field, id in leaders.items() if id and id not in known}:
        raise errors.ReferenceUnknown(unknown)
    rules.department_parent(new.id, new.parent_id, (await store.parents(tx)).get)
    saving.put_department(tx, new)
    await auditing.department_saved(tx, new, old)


async def check_department_unused(tx: Tx, department: department_pb2.Department) -> None:
    """Only an empty department goes."""
    await store.lock_people(tx)
    if any(use := await store.department_use(tx, department.id)):
        raise errors.DepartmentInUse(*use)
    tx.directory_delete("department", department.id)


class Departments(
    standard(store.departments, on_save=check_department, on_delete=check_department_unused),  # type: ignore[misc]
    Servicer,
):
    """`/v1/departments`."""

    @writes
    async def UndeleteDepartment(
        self, request: department_pb2.UndeleteDepartmentRequest, tx: Tx
    ) -> department_pb2.Department:
        department: department_pb2.Department = await super().UndeleteDepartment(request, tx)
        await check_department(tx, department, department)
        return department


async def check_role(tx: Tx, new: role_pb2.Role, old: role_pb2.Role | None) -> None:
    """Keeps I3 and I6."""
    await store.lock_people(tx)
    new.id = new.id or tx.new_id()
    rules.role(new, old)
    held = rules.grant_rows(old.grants) if old is not None else []
    added = [row for row in rules.grant_rows(new.grants) if row not in held]
    if missing := rules.not_held(tx.rights.scope, added):
        raise errors.GrantNotHeld(missing, "grants")
    tx.directory_put("role", new.id, directory_entries.role(new))
    await auditing.role_saved(tx, new, old)


async def check_role_unused(tx: Tx, role: role_pb2.Role) -> None:
    """Only a role that nobody has goes, and never the administrator's."""
    await store.lock_people(tx)
    if role.built_in == rules.ADMINISTRATOR:
        raise errors.RoleBuiltIn
    if users := await store.role_use(tx, role.id):
        raise errors.RoleInUse(users)
    tx.directory_delete("role", role.id)
    await auditing.note(tx, "role_deleted", object="role", object_id=role.id)


class Roles(standard(store.roles, on_save=check_role, on_delete=check_role_unused), Servicer):  # type: ignore[misc]
    """`/v1/roles`."""

    @writes
    async def UndeleteRole(self, request: role_pb2.UndeleteRoleRequest, tx: Tx) -> role_pb2.Role:
        role: role_pb2.Role = await super().UndeleteRole(request, tx)
        await check_role(tx, role, None)
        return role

"""A new company: its record, the roles that every company begins with, and its first administrator."""

from chassis.tx import Tx
from crm.identity.v1 import role_pb2, session_pb2, tenant_pb2, user_pb2
from services.identity import passwords, rules, saving, store
from services.identity.builtin_roles import BUILT_IN, BuiltInRole


def check(administrator: session_pb2.NewAdministrator) -> None:
    """Raises PasswordWeak."""
    passwords.check(
        administrator.password, email=administrator.email, field="administrator.password"
    )


async def found(
    tx: Tx,
    tenant_id: str,
    company: session_pb2.NewCompany,
    administrator: session_pb2.NewAdministrator,
    hash: str,
) -> session_pb2.SetupResponse:
    """Makes the company in a transaction that has entered `tenant_id`; EmailTaken if the administrator works elsewhere."""
    tenant = tenant_pb2.Tenant(
        id=tenant_id,
        name=company.name,
        state=tenant_pb2.TENANT_STATE_ACTIVE,
        country=company.country,
        currency=company.currency,
        language=company.language,
        time_zone=company.time_zone,
    )
    rules.tenant(tenant)
    await store.add_company(tx, tenant_id)
    saving.save_tenant(tx, tenant)
    roles = {built_in.key: _role(tx, built_in) for built_in in BUILT_IN}
    user = user_pb2.User(
        id=tx.new_id(),
        email=administrator.email,
        name=administrator.name,
        state=user_pb2.USER_STATE_ACTIVE,
        role_ids=[roles[rules.ADMINISTRATOR].id],
    )
    rules.user(user)
    await store.set_login(tx, rules.email_key(user.email), user.id)
    await store.set_password_hash(tx, user.id, hash)
    saving.save_user(tx, user)
    return session_pb2.SetupResponse(tenant=tenant, user=user)


def _role(tx: Tx, built_in: BuiltInRole) -> role_pb2.Role:
    role = role_pb2.Role(
        id=tx.new_id(),
        name=built_in.name,
        description=built_in.description,
        grants=rules.grants(rules.widest(built_in.grants)),
        hidden_fields=built_in.hidden,
        built_in=built_in.key,
    )
    saving.save_role(tx, role)
    return role

"""Whose account at a provider this is: remembered by issuer and subject, found the first time by a verified e-mail."""

from datetime import datetime
from typing import TYPE_CHECKING

from crm.identity.v1 import events_pb2, oidc_pb2, user_pb2
from services.identity import auditing, errors, provider_rules, rules, saving, store
from services.identity.oidc import Person
from services.identity.opening import Device

if TYPE_CHECKING:
    from chassis.tx import Tx


async def user_of(
    tx: "Tx", provider: oidc_pb2.IdentityProvider, person: Person, device: Device, now: datetime
) -> user_pb2.User:
    """The active user who may sign in with this account; EmailNotVerified or ProviderUserUnknown otherwise."""
    await store.lock_people(tx)  # two first sign-ins of one person make one user and one link
    if user_id := await store.use_linked_identity(tx, person.issuer, person.subject, now):
        user = await store.users.find(tx, user_id)
        if user is None or user.state != user_pb2.USER_STATE_ACTIVE:
            raise errors.ProviderUserUnknown
        return user
    if not person.email or not provider_rules.vouches(provider, person.email_verified):
        raise errors.EmailNotVerified
    if not provider_rules.accepts(provider, person.email):
        raise errors.ProviderUserUnknown
    user = await _by_email(tx, provider, person, device)
    await store.add_linked_identity(
        tx,
        id=tx.new_id(),
        user_id=user.id,
        provider_id=provider.id,
        issuer=person.issuer,
        subject=person.subject,
        create_time=now,
        use_time=now,
    )
    await _note(tx, "identity_linked", user, provider, device)
    return user


async def _by_email(
    tx: "Tx", provider: oidc_pb2.IdentityProvider, person: Person, device: Device
) -> user_pb2.User:
    found = await store.find_login(tx, rules.email_key(person.email))
    if found is None:
        return await _create(tx, provider, person, device)
    company, user_id = found
    user = await store.users.find(tx, user_id) if company == tx.tenant else None
    if user is not None and user.state == user_pb2.USER_STATE_INVITED:
        user.state = user_pb2.USER_STATE_ACTIVE
        saving.save_user(tx, user)
        tx.emit(events_pb2.UserJoined(user=user))
        await _note(tx, "user_joined", user, provider, device)
    if user is None or user.state != user_pb2.USER_STATE_ACTIVE:
        raise errors.ProviderUserUnknown
    return user


async def _create(
    tx: "Tx", provider: oidc_pb2.IdentityProvider, person: Person, device: Device
) -> user_pb2.User:
    if not provider.creates_users:
        raise errors.ProviderUserUnknown
    roles = await store.roles.find_many(tx, list(provider.role_ids))
    user = user_pb2.User(
        id=tx.new_id(),
        email=person.email,
        name=person.name or person.email.partition("@")[0],
        state=user_pb2.USER_STATE_ACTIVE,
        role_ids=[role.id for role in roles],
    )
    rules.user(user)
    await store.set_login(tx, rules.email_key(user.email), user.id)
    saving.save_user(tx, user)
    await _note(tx, "user_created", user, provider, device)
    return user


async def _note(
    tx: "Tx",
    kind: str,
    user: user_pb2.User,
    provider: oidc_pb2.IdentityProvider,
    device: Device,
) -> None:
    await auditing.note(
        tx,
        kind,
        object="user",
        object_id=user.id,
        details={"provider": provider.id},
        actor=auditing.person(user.id),
        address=device.address,
    )

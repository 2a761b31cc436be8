"""Pushing a notice to its user's devices: the carrier of the way PUSH, and what ends a device.

A device whose push service answers 404 or 410 is unsubscribed; one that is refused otherwise stays and shows the problem. What
may be taken later is tried again by the deliveries' loop, on those devices only that do not have the notice yet.
"""

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec

from chassis import outbound
from chassis.call import Cause
from chassis.handlers import on
from chassis.times import to_timestamp
from chassis.tx import Tx
from crm.identity.v1 import events_pb2 as identity_events
from crm.notifications.v1 import push_pb2
from services.notifications import store, ways
from services.notifications.rules import push as rules
from services.notifications.store.push import Address
from services.notifications.ways import Outcome, Parcel, State

if TYPE_CHECKING:
    from chassis.runtime import Runtime

OTHER_USER, USER_NOT_ACTIVE = "OTHER_USER", "USER_NOT_ACTIVE"
_GIVEN_UP = timedelta(days=7)  # no delivery is tried for so long


def own_key(runtime: "Runtime", tenant: str) -> ec.EllipticCurvePrivateKey:
    """The company's VAPID key."""
    return rules.own_key(runtime.settings.derived("web-push"), tenant)


@dataclass(frozen=True, slots=True)
class _Try:
    """One device and what its push service said."""

    address: Address
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    unanswered: outbound.Problem | None = None

    @property
    def is_sent(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        return rules.is_gone(self.status)

    @property
    def is_temporary(self) -> bool:
        return self.unanswered is outbound.Problem.NO_ANSWER or rules.is_temporary(self.status)

    @property
    def problem(self) -> str:
        """A code without personal data."""
        return "" if self.is_sent else self.unanswered or f"HTTP_{self.status}"


async def deliver(runtime: "Runtime", parcel: Parcel) -> Outcome:
    """Pushes the notice to each device of its owner that does not have it; no transaction is open while it waits."""
    notice = parcel.notice

    async def look(tx: Tx) -> tuple[list[Address], bool]:
        user = tx.directory.user(notice.owner_id)
        if user is None or user["state"] != "active":
            return [], False
        reached = await store.push.has_sent(tx, notice.id)
        return await store.push.to_reach(tx, notice.owner_id, notice.id), reached

    cause = Cause("timer", notice.id)
    addresses, reached = await runtime.run_system(parcel.tenant, cause, look)
    tries = await _push(runtime, parcel, addresses)

    async def note(tx: Tx) -> None:
        await _note(tx, notice.id, tries)

    if tries:
        await runtime.run_system(parcel.tenant, cause, note)
    return _outcome(tries, runtime.clock.now(), reached=reached)


async def _push(runtime: "Runtime", parcel: Parcel, addresses: list[Address]) -> list[_Try]:
    if not addresses:
        return []
    text = rules.payload(parcel.notice, personal=parcel.preferences.push_personal_text)
    key = own_key(runtime, parcel.tenant)
    settings = runtime.service_settings

    async def one(address: Address) -> _Try:
        to = address.browser
        sender = ec.generate_private_key(ec.SECP256R1())
        body = rules.sealed(text, to, salt=os.urandom(16), sender=sender)
        # Push services compare with their own clock, so a test's clock has no say in it.
        says = rules.authorization(
            to.endpoint, key, contact=settings.push_contact, now_s=int(time.time())
        )
        sent = outbound.Content({**rules.headers(parcel.notice), "authorization": says}, body)
        try:
            answer = await outbound.call(
                "POST", to.endpoint, sent, private=settings.push_private
            )  # its body interests nobody
        except outbound.Unanswered as failed:
            return _Try(address, unanswered=failed.problem)
        return _Try(address, answer.status, answer.headers)

    return list(await asyncio.gather(*(one(address) for address in addresses)))


async def _note(tx: Tx, notice_id: str, tries: list[_Try]) -> None:
    """What the tries mean for the devices, and for the next try."""
    later = any(each.is_temporary for each in tries)
    for each in tries:
        id = each.address.subscription_id
        if each.is_sent and later:
            await store.push.note_sent(tx, notice_id, id, tx.now)
        subscription = await store.push.push_subscriptions.find(tx, id)
        if subscription is None or each.is_temporary:
            continue
        if each.is_gone:
            await end(tx, subscription.id, each.problem)
        elif subscription.problem != each.problem:
            _set_problem(subscription, each.problem, tx.now)
            store.push.push_subscriptions.save(tx, subscription)
    if not later:
        await store.push.forget_sent(tx, notice_id)


def _outcome(tries: list[_Try], now: datetime, *, reached: bool) -> Outcome:
    """What all tries together mean for the delivery; `reached` if an earlier one has reached some device."""
    later = [each for each in tries if each.is_temporary]
    if later:
        waits = [rules.retry_after(each.headers, now) for each in later]
        after = max((wait for wait in waits if wait is not None), default=None)
        return Outcome(State.LATER, later[0].problem, after)
    if reached or any(each.is_sent for each in tries):
        return Outcome(State.SENT)
    refused = [each for each in tries if not each.is_gone]
    if refused:
        return Outcome(State.REFUSED, refused[0].problem)
    return Outcome(State.NOWHERE)


def _set_problem(subscription: push_pb2.PushSubscription, problem: str, at: datetime) -> None:
    subscription.problem = problem
    if problem:
        subscription.problem_time.CopyFrom(to_timestamp(at))
    else:
        subscription.ClearField("problem_time")


async def end(tx: Tx, id: str, problem: str = "") -> None:
    """Unsubscribes a device; its address is forgotten at once."""
    await store.push.drop_addresses(tx, [id])
    subscription = await store.push.push_subscriptions.find(tx, id)
    if subscription is not None:
        if problem:
            _set_problem(subscription, problem, tx.now)
        store.push.push_subscriptions.delete(tx, subscription)


@on(identity_events.UserDeactivated, durable="notifications-push-leaver")
async def leaver(event: identity_events.UserDeactivated, tx: Tx) -> None:
    """Nothing is pushed any more to whoever has left; should he come back, his browsers subscribe again."""
    for subscription in await store.push.of_owner(tx, event.user.id):
        await end(tx, subscription.id, USER_NOT_ACTIVE)


async def forget(runtime: "Runtime", tenant: str, now: datetime) -> int:
    """Each night: what was noted for deliveries that were given up."""

    async def work(tx: Tx) -> int:
        return await store.push.forget_sent_before(tx, now - _GIVEN_UP)

    return int(await runtime.run_system(tenant, Cause("timer", "push-forget"), work))


ways.connect(ways.PUSH, deliver)

"""Web Push: the company's key, and the devices of each user."""

import hashlib
from urllib.parse import urlsplit

from chassis.handlers import Servicer, reads, writes
from chassis.kit.standard import standard
from chassis.tx import Tx
from crm.notifications.v1 import push_pb2 as pb
from services.notifications import errors, push, store
from services.notifications.rules import push as rules

MOST_DEVICES = 20
"""Of one user; a person has four or five, and each notice costs a call for each."""


async def check(tx: Tx, new: pb.PushSubscription, old: pb.PushSubscription | None) -> None:
    """Only the name of a device is its user's to change."""
    new.device_name = " ".join(new.device_name.split())


async def unsubscribe(tx: Tx, subscription: pb.PushSubscription) -> None:
    """Where it is reached is forgotten at once."""
    await store.push.drop_addresses(tx, [subscription.id])


class PushRpcs(standard(store.push.push_subscriptions, check, unsubscribe), Servicer):  # type: ignore[misc]
    """`/v1/pushSubscriptions` and `/v1/me/pushKey`."""

    service = "crm.notifications.v1.PushService"

    @reads
    async def GetPushKey(self, request: pb.GetPushKeyRequest, tx: Tx) -> pb.PushKey:
        key = push.own_key(self.runtime, tx.tenant or "")
        return pb.PushKey(public_key=rules.encoded(rules.point(key)))

    @writes
    async def SubscribePush(self, request: pb.SubscribePushRequest, tx: Tx) -> pb.PushSubscription:
        private = self.settings.push_private
        browser = rules.browser(request.endpoint, request.p256dh, request.auth, private=private)
        hash, owner_id = hashlib.sha256(browser.endpoint.encode()).digest(), tx.actor.user_id
        await tx.lock(f"push/{owner_id}", f"push/{hash.hex()}")  # two tabs of a browser ask at once
        subscription = await _known(tx, hash, owner_id)
        if subscription is None:
            if await store.push.count_of(tx, owner_id) >= MOST_DEVICES:
                raise errors.PushTooManyDevices(MOST_DEVICES)
            subscription = pb.PushSubscription(id=tx.new_id(), owner_id=owner_id)
        subscription.device_name = " ".join(request.device_name.split()) or subscription.device_name
        subscription.push_service = (urlsplit(browser.endpoint).hostname or "")[:255]
        subscription.problem = ""
        subscription.ClearField("problem_time")
        store.push.push_subscriptions.save(tx, subscription)
        await store.push.put_address(tx, subscription.id, owner_id, hash, browser)
        return subscription


async def _known(tx: Tx, hash: bytes, owner_id: str) -> pb.PushSubscription | None:
    """The caller's subscription of this browser; one that a colleague had there before is ended."""
    id = await store.push.subscription_at(tx, hash)
    found = await store.push.push_subscriptions.find(tx, id) if id else None
    if id and (found is None or found.owner_id != owner_id):
        await push.end(tx, id, push.OTHER_USER)
        return None
    return found

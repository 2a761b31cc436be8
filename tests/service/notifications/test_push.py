"""Web Push: subscribing, what reaches a browser, what ends a device. The push service is the tests' own."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import errors
from chassis.keys import uuid7
from chassis.outbound import Problem
from chassis.testing.installation import Person
from crm.identity.v1 import events_pb2 as identity
from crm.notifications.v1 import push_pb2 as pb
from crm.notifications.v1.push_service_pb2_grpc import PushServiceStub
from services.notifications import push
from services.notifications.rpc.push import MOST_DEVICES
from services.notifications.ways import Outcome, Parcel, State
from tests.service.notifications.browsers import Device, PushService, push_service
from tests.service.notifications.world import WORKER, Notice, Preferences, World, eventually

MINE = [
    {"object": "push_subscription", "action": action, "scope": "own"}
    for action in ("read", "create", "update", "delete")
]


@pytest_asyncio.fixture
async def outside() -> AsyncIterator[PushService]:
    async with push_service() as made:
        yield made


async def person(world: World) -> Person:
    return await world.tenant.person([*WORKER, *MINE])


def desk(who: Person) -> Any:
    return who.stub(PushServiceStub)


async def subscribe(
    who: Person, outside: PushService, path: str, **values: Any
) -> tuple[Device, pb.PushSubscription]:
    device = Device()
    made = await desk(who).SubscribePush(device.request(f"{outside.origin}{path}", **values))
    return device, made


async def listed(who: Person, **given: Any) -> list[pb.PushSubscription]:
    return list(
        (
            await desk(who).ListPushSubscriptions(pb.ListPushSubscriptionsRequest(**given))
        ).push_subscriptions
    )


async def deliver(world: World, notice: Notice, *, personal: bool = False) -> Outcome:
    """As the deliveries' loop calls it."""
    wants = Preferences(push_personal_text=personal)
    runtime = world.running.process.runtimes["notifications"]
    return await push.deliver(runtime, Parcel(world.tenant.id, notice, wants, 1))


def notice_for(who: Person, **values: Any) -> Notice:
    made = {
        "code": "task_assigned",
        "object": "task",
        "object_id": uuid7(),
        "headline": "Call Ana",
        "count": 1,
    }
    return Notice(id=uuid7(), owner_id=who.id, **{**made, **values})


async def tables(world: World) -> list[int]:
    names = ("push_subscriptions_history", "push_addresses", "push_sent")
    told = await world.running.told("notifications", world.tenant)
    return [*[await world.count(name) for name in names], told]


# -- subscribing -------------------------------------------------------------------------------------------------------------


async def test_the_key_is_the_company_s_own(world: World) -> None:
    other = await world.running.tenant()

    mine, again = [
        (await desk(world.tenant.admin).GetPushKey(pb.GetPushKeyRequest())).public_key
        for _ in range(2)
    ]
    others = (await desk(other.admin).GetPushKey(pb.GetPushKeyRequest())).public_key

    assert mine == again != others
    assert len(mine) == 87  # 65 bytes in base64url


async def test_a_device_is_listed_named_and_unsubscribed_by_its_user(
    world: World, outside: PushService
) -> None:
    ola, jan = await person(world), await person(world)
    _, made = await subscribe(ola, outside, "/a", device_name="  work   phone ")

    renamed = await desk(ola).UpdatePushSubscription(
        pb.UpdatePushSubscriptionRequest(
            push_subscription=pb.PushSubscription(id=made.id, device_name="old phone"),
            update_mask=FieldMask(paths=["device_name"]),
        )
    )
    for_others = await listed(jan)
    mine = await listed(ola)
    await desk(ola).DeletePushSubscription(pb.DeletePushSubscriptionRequest(id=made.id))

    assert (made.device_name, made.owner_id, made.push_service) == (
        "work phone",
        ola.id,
        "127.0.0.1",
    )
    assert renamed.device_name == "old phone"
    assert [s.id for s in mine] == [made.id]
    assert for_others == []
    assert await listed(ola) == []
    assert await world.count("push_addresses") == 0


async def test_nobody_unsubscribes_another_s_device(world: World, outside: PushService) -> None:
    ola, jan = await person(world), await person(world)
    _, made = await subscribe(ola, outside, "/a")
    before = await tables(world)

    with pytest.raises(errors.CrmError) as refused:
        await desk(jan).DeletePushSubscription(pb.DeletePushSubscriptionRequest(id=made.id))
    got = await desk(ola).GetPushSubscription(pb.GetPushSubscriptionRequest(id=made.id))

    assert refused.value.reason == "NOT_FOUND"
    assert got.id == made.id
    assert await tables(world) == before


async def test_where_a_device_is_reached_is_in_no_message_history_or_event(
    world: World, outside: PushService
) -> None:
    ola = await person(world)
    device, made = await subscribe(ola, outside, "/very-secret-path")
    (event,) = await world.running.events(world.tenant, "PushSubscriptionCreated")

    rows = await world.running.rows(
        "notifications",
        "SELECT doc FROM push_subscriptions_history WHERE id = $1 UNION ALL SELECT answer FROM answers WHERE tenant_id = $2",
        made.id, world.tenant.id,
    )  # fmt: skip

    said = str(event).encode() + b"".join(row["doc"] for row in rows)
    assert b"very-secret-path" not in said
    assert device.auth not in said


async def test_a_browser_that_subscribes_again_or_twice_at_once_is_one_device(
    world: World, outside: PushService
) -> None:
    ola = await person(world)
    device = Device()
    request = device.request(f"{outside.origin}/same")

    made = await asyncio.gather(*(desk(ola).SubscribePush(request) for _ in range(8)))
    again, _ = (
        Device(),
        await desk(ola).SubscribePush(
            Device().request(f"{outside.origin}/same", device_name="tablet")
        ),
    )

    assert len({each.id for each in made}) == 1
    assert [(s.id, s.device_name) for s in await listed(ola)] == [(made[0].id, "tablet")]
    assert await world.count("push_addresses") == 1
    assert again.auth != device.auth


async def test_a_browser_follows_the_user_who_is_signed_in_there(
    world: World, outside: PushService
) -> None:
    ola, jan = await person(world), await person(world)
    device, first = await subscribe(ola, outside, "/shared")

    second = await desk(jan).SubscribePush(device.request(f"{outside.origin}/shared"))
    outcome = await deliver(world, notice_for(ola))

    assert second.id != first.id
    assert await listed(ola) == []
    (gone,) = await listed(ola, show_deleted=True)
    assert gone.problem == "OTHER_USER"
    assert [s.id for s in await listed(jan)] == [second.id]
    assert (outcome, outside.pushed) == (Outcome(State.NOWHERE), [])


async def test_a_person_has_a_limited_number_of_devices(world: World, outside: PushService) -> None:
    ola = await person(world)
    for n in range(MOST_DEVICES):
        await subscribe(ola, outside, f"/{n}")
    before = await tables(world)

    with pytest.raises(errors.CrmError) as refused:
        await subscribe(ola, outside, "/one-more")
    await subscribe(ola, outside, "/0")  # one that is known may always

    assert refused.value.reason == "PUSH_TOO_MANY_DEVICES"
    assert str(MOST_DEVICES) in str(refused.value)
    assert (await tables(world))[1] == before[1]


async def test_what_no_browser_gives_is_refused_by_name(world: World, outside: PushService) -> None:
    ola = await person(world)
    request = Device().request(f"{outside.origin}/a")
    request.auth = "c2hvcnQ"
    before = await tables(world)

    with pytest.raises(errors.CrmError) as refused:
        await desk(ola).SubscribePush(request)

    assert refused.value.reason == "PUSH_SUBSCRIPTION_INVALID"
    assert [(v.field, v.description) for v in refused.value.violations] == [
        ("auth", "has 5 bytes; it must be 16")
    ]
    assert await tables(world) == before


# -- pushing -----------------------------------------------------------------------------------------------------------------


async def test_a_notice_reaches_the_browser_from_the_company_s_key_without_personal_text(
    world: World, outside: PushService
) -> None:
    await world.begin()
    ola = await person(world)
    device, _ = await subscribe(ola, outside, "/a")
    key = (await desk(ola).GetPushKey(pb.GetPushKeyRequest())).public_key

    await world.assigned(ola, subject="Call Ana Nowak")
    (notice,) = await world.told(ola)
    await eventually(lambda: _async(outside.at("/a")), "a push")

    (pushed,) = outside.at("/a")
    (shown,) = outside.read("/a", device)
    sender, claims = pushed.sender(outside.origin)
    assert sender == key
    assert claims["aud"] == outside.origin
    assert (shown["noticeId"], shown["code"], shown["id"]) == (
        notice.id,
        "task_assigned",
        notice.object_id,
    )
    assert [action["name"] for action in shown["actions"]] == ["done", "snooze"]
    assert "Ana" not in str(shown)
    assert (pushed.headers["content-encoding"], pushed.headers["ttl"]) == ("aes128gcm", "86400")
    assert (pushed.headers["urgency"], pushed.headers["topic"]) == ("normal", shown["topic"])


async def _async(value: Any) -> Any:
    return value


async def test_the_record_s_text_is_pushed_where_its_user_allows_it(
    world: World, outside: PushService
) -> None:
    ola = await person(world)
    device, _ = await subscribe(ola, outside, "/a")

    outcome = await deliver(world, notice_for(ola, urgent=True), personal=True)

    assert outcome == Outcome(State.SENT)
    assert outside.read("/a", device)[0]["headline"] == "Call Ana"
    assert outside.pushed[0].headers["urgency"] == "high"


@pytest.mark.parametrize("status", [404, 410])
async def test_a_device_that_its_push_service_does_not_know_any_more_is_dropped(
    world: World, outside: PushService, status: int
) -> None:
    ola = await person(world)
    await subscribe(ola, outside, "/dead")
    await subscribe(ola, outside, "/alive")
    outside.answers["/dead"] = [(status, {})]

    outcome = await deliver(world, notice_for(ola))
    again = await deliver(world, notice_for(ola))

    assert (outcome, again) == (Outcome(State.SENT), Outcome(State.SENT))
    assert (len(outside.at("/dead")), len(outside.at("/alive"))) == (1, 2)
    (gone,) = [s for s in await listed(ola, show_deleted=True) if s.HasField("delete_time")]
    assert (gone.problem, gone.HasField("problem_time")) == (f"HTTP_{status}", True)
    assert await world.count("push_addresses") == 1


async def test_a_busy_push_service_is_tried_again_when_it_says_and_only_where_the_notice_is_missing(
    world: World, outside: PushService
) -> None:
    ola = await person(world)
    await subscribe(ola, outside, "/busy")
    await subscribe(ola, outside, "/quick")
    outside.answers["/busy"] = [(429, {"Retry-After": "120"})]
    notice = notice_for(ola)

    first = await deliver(world, notice)
    second = await deliver(world, notice)

    assert (first.state, first.problem) == (State.LATER, "HTTP_429")
    assert first.after is not None
    assert first.after.total_seconds() == 120
    assert second == Outcome(State.SENT)
    assert (len(outside.at("/busy")), len(outside.at("/quick"))) == (2, 1)
    assert await world.count("push_sent") == 0
    assert [s.problem for s in await listed(ola)] == ["", ""]


async def test_what_was_noted_for_a_delivery_that_was_given_up_is_forgotten_at_night(
    world: World, outside: PushService
) -> None:
    ola = await person(world)
    await subscribe(ola, outside, "/busy")
    await subscribe(ola, outside, "/quick")
    outside.answers["/busy"] = [(503, {})]
    await deliver(world, notice_for(ola))
    runtime, tenant_id = world.running.process.runtimes["notifications"], world.tenant.id

    young = await push.forget(runtime, tenant_id, world.now + timedelta(days=6))
    old = await push.forget(runtime, tenant_id, world.now + timedelta(days=8))

    assert (young, old) == (0, 1)
    assert await world.count("push_sent") == 0


async def test_a_push_service_that_does_not_answer_is_tried_again(
    world: World, outside: PushService
) -> None:
    ola = await person(world)
    device = Device()
    await desk(ola).SubscribePush(device.request("http://127.0.0.1:1/nobody"))

    outcome = await deliver(world, notice_for(ola))

    assert outcome == Outcome(State.LATER, Problem.NO_ANSWER)


async def test_a_refused_device_stays_and_shows_why_until_it_is_reached_again(
    world: World, outside: PushService
) -> None:
    ola = await person(world)
    await subscribe(ola, outside, "/a")
    outside.answers["/a"] = [(403, {})]

    refused = await deliver(world, notice_for(ola))
    (shown,) = await listed(ola, filter='problem = "HTTP_403"')
    reached = await deliver(world, notice_for(ola))
    (better,) = await listed(ola)

    assert refused == Outcome(State.REFUSED, "HTTP_403")
    assert shown.HasField("problem_time")
    assert reached == Outcome(State.SENT)
    assert (better.problem, better.HasField("problem_time")) == ("", False)


async def test_nothing_is_pushed_to_who_has_left(world: World, outside: PushService) -> None:
    ola = await person(world)
    await subscribe(ola, outside, "/a")

    await world.publish(identity.UserDeactivated(user={"id": ola.id, "name": "Ola"}))

    async def ended() -> bool:
        return await world.count("push_addresses") == 0

    await eventually(ended, "the end of his devices")
    (gone,) = await listed(ola, show_deleted=True)
    assert gone.problem == "USER_NOT_ACTIVE"
    assert await deliver(world, notice_for(ola)) == Outcome(State.NOWHERE)


async def test_redirects_are_not_followed(world: World, outside: PushService) -> None:
    ola = await person(world)
    await subscribe(ola, outside, "/a")
    outside.answers["/a"] = [(307, {"Location": f"{outside.origin}/elsewhere"})]

    outcome = await deliver(world, notice_for(ola))

    assert outcome == Outcome(State.REFUSED, "HTTP_307")
    assert outside.at("/elsewhere") == []

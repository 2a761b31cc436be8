"""API tokens on NATS (M1): exactly the events of their own company, through the real server's auth callout."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import nats
import orjson
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoServersError
from nats.js.errors import NotFoundError

from chassis.testing.installation import Installation
from crm.identity.v1 import api_token_pb2 as pb
from crm.identity.v1 import department_pb2
from tests.service.identity.conftest import Company, sign_up, until


async def token(company: Company, **fields: Any) -> pb.CreateApiTokenResponse:
    """A token with NATS, once its consumer stands."""
    made = await company.stub.CreateApiToken(
        pb.CreateApiTokenRequest(
            api_token=pb.ApiToken(**{"name": "warehouse", "nats": True, **fields})
        )
    )
    js = company.crm.process.nats.js

    async def stands() -> bool:
        with contextlib.suppress(NotFoundError):
            return bool(await js.consumer_info("IDENTITY", made.api_token.id))
        return False

    await until(stands)
    return made


@contextlib.asynccontextmanager
async def connected(
    access: pb.NatsAccess, refusals: list[Exception] | None = None
) -> AsyncIterator[Client]:
    async def note(error: Exception) -> None:
        if refusals is not None:
            refusals.append(error)

    client = await nats.connect(
        access.server, user=access.user, password=access.password, inbox_prefix=access.inbox_prefix.encode(),
        allow_reconnect=False, error_cb=note, connect_timeout=5,
    )  # fmt: skip
    try:
        yield client
    finally:
        await client.close()


async def pull(
    client: Client, access: pb.NatsAccess, count: int, stream: str = "IDENTITY"
) -> list[dict[str, Any]]:
    """The next events, acknowledged, as any JetStream client pulls them."""
    subscription = await client.jetstream().pull_subscribe_bind(access.consumer, stream)
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            for message in await subscription.fetch(count - len(found), timeout=5):
                await message.ack_sync()
                found.append({"subject": message.subject, **orjson.loads(message.data)})
    await subscription.unsubscribe()
    return found


async def department(company: Company, name: str) -> None:
    await company.stub.CreateDepartment(
        department_pb2.CreateDepartmentRequest(department=department_pb2.Department(name=name))
    )


async def test_a_subscriber_that_was_away_gets_every_event_of_its_company_once(
    crm: Installation,
) -> None:
    company, other = await sign_up(crm), await sign_up(crm)
    access = (await token(company)).nats
    await department(company, "One")
    async with connected(access) as client:
        events = await pull(client, access, 2)
        await department(other, "Not yours")
    for name in ("Two", "Three"):
        await department(company, name)
    async with connected(access) as client:
        events += await pull(client, access, 2)
        with pytest.raises(nats.errors.TimeoutError):
            await (await client.jetstream().pull_subscribe_bind(access.consumer, "IDENTITY")).fetch(
                1, timeout=1
            )
    names = [event.get("department", {}).get("name") for event in events]
    assert names == [None, "One", "Two", "Three"]  # the first is the token's own creation
    assert {event["subject"].split(".")[1] for event in events} == {company.id}


async def test_a_newcomer_reads_from_the_beginning(crm: Installation) -> None:
    company = await sign_up(crm)
    access = (await token(company, nats_start=pb.NATS_START_ALL)).nats
    async with connected(access) as client:
        events = await pull(client, access, 1)
    assert events[0]["tenant"]["name"] == "Okna Kowalski"


async def test_a_token_may_do_nothing_else_on_nats(crm: Installation) -> None:
    company, other = await sign_up(crm), await sign_up(crm)
    access, theirs = (await token(company)).nats, (await token(other)).nats
    refusals: list[Exception] = []
    async with connected(access, refusals) as client:
        subscribed = [
            f"crm.{other.id}.>",
            f"crm.{company.id}.>",
            "$KV.DIRECTORY.>",
            ">",
            "_INBOX.>",
            "$SYS.REQ.USER.AUTH",
        ]
        published = [
            f"$JS.API.CONSUMER.MSG.NEXT.IDENTITY.{theirs.consumer}",
            "$JS.API.CONSUMER.CREATE.IDENTITY",
            f"$JS.API.CONSUMER.DURABLE.CREATE.IDENTITY.{access.consumer}",
            "$JS.API.STREAM.MSG.GET.IDENTITY",
            "$JS.API.DIRECT.GET.IDENTITY",
            "$JS.API.STREAM.PURGE.IDENTITY",
            "$JS.API.STREAM.INFO.KV_DIRECTORY",
            f"$KV.DIRECTORY.{company.id}.user.x",
            f"crm.{company.id}.identity.UserCreated",
        ]
        for subject in subscribed:
            await client.subscribe(subject)
        for subject in published:
            await client.publish(subject, b"{}", reply=f"{access.inbox_prefix}.1")
        await client.flush()

        async def all_refused() -> bool:
            return len(refusals) == len(subscribed) + len(published)

        await until(all_refused)
    told = " ".join(str(refusal).lower() for refusal in refusals)
    for subject in [*subscribed, *published]:
        assert f'"{subject.lower()}"' in told, subject


@pytest.mark.parametrize("wrong", ["password", "user", "nothing"])
async def test_only_a_token_with_nats_is_let_in(crm: Installation, wrong: str) -> None:
    company = await sign_up(crm)
    access = (await token(company)).nats
    plain = await company.stub.CreateApiToken(
        pb.CreateApiTokenRequest(api_token=pb.ApiToken(name="plain"))
    )
    await company.known("token", plain.api_token.id)
    user, password = {
        "password": (access.user, plain.secret),
        "user": (plain.api_token.id, access.password),
        "nothing": (plain.api_token.id, plain.secret),
    }[wrong]
    with pytest.raises((NoServersError, NatsError)):
        async with connected(pb.NatsAccess(server=access.server, user=user, password=password)):
            pass


async def test_a_revoked_token_gets_nothing_more_within_five_seconds(crm: Installation) -> None:
    company = await sign_up(crm)
    made = await token(company)
    async with connected(made.nats) as client:
        await pull(client, made.nats, 1)
        await company.stub.DeleteApiToken(pb.DeleteApiTokenRequest(id=made.api_token.id))
        js = crm.process.nats.js

        async def gone() -> bool:
            try:
                await js.consumer_info("IDENTITY", made.api_token.id)
            except NotFoundError:
                return True
            return False

        await until(gone, 5)
        await department(company, "Secret")
        with pytest.raises((NatsError, TimeoutError)):
            await pull(client, made.nats, 1)
    with pytest.raises((NoServersError, NatsError)):
        async with connected(made.nats):
            pass


async def test_streams_that_appear_later_get_the_consumer_too(crm: Installation) -> None:
    company = await sign_up(crm)
    made = await token(company)
    await crm.process.nats.ensure_streams(["contacts"])
    other = await token(company)  # any token wakes the keeper; else it looks every 20 seconds
    assert other.api_token.id != made.api_token.id

    async def stands() -> bool:
        with contextlib.suppress(NotFoundError):
            return bool(await crm.process.nats.js.consumer_info("CONTACTS", made.api_token.id))
        return False

    await until(stands)

"""Programs outside: a copy is built from nothing, a revoked token reads nothing, a secret is shown once. What a program does that was away
for days is in test_shop_orders.py (scenario 25)."""

from collections import Counter

import pytest
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

from chassis.testing.events import eventually
from tests.e2e.company import Company, becomes, ok, refused
from tests.e2e.outside import is_let_in, reading


async def changed(company: Company, id: str, times: int) -> None:
    for number in range(times):
        ok(
            await company.admin.http.patch(
                f"/v1/contacts/{id}", json={"position": f"position {number}"}
            )
        )


@pytest.mark.large
async def test_a_copy_is_built_from_nothing_by_republish(company: Company) -> None:
    contacts = {(await company.contact())["id"]: 1 for _ in range(7)}
    gone = (await company.contact())["id"]
    ok(await company.admin.http.delete(f"/v1/contacts/{gone}"))
    changed_one = next(iter(contacts))
    await changed(company, changed_one, 2)
    contacts[changed_one] = 3

    async def told() -> bool:
        card = f"/v1/contacts/{changed_one}/timeline"
        return len(ok(await company.admin.http.get(card))["entries"]) == 3

    await eventually(told, "what was done before is published", 30)
    access = (await company.token(nats=True, natsStart="NATS_START_NEW"))["nats"]

    async with reading(access) as reader:
        operation = ok(await company.admin.http.post("/v1/contacts:republish", json={}))
        events = await reader.until(
            lambda found: len(found) >= len(contacts), "every contact's present state"
        )
        done = await finished(company, operation["name"])
        events += await reader.rest()

    assert "error" not in done
    copy = {event.subject: event for event in events if "deleteTime" not in event.body["contact"]}
    assert {id: event.version for id, event in copy.items()} == contacts
    assert {event.body["change"].get("republished") for event in events} == {True}
    assert set(Counter(event.id for event in events).values()) == {1}
    for id in contacts:
        record = ok(await company.admin.http.get(f"/v1/contacts/{id}"))
        record.pop("can")
        assert copy[id].body["contact"] == record
    timeline = ok(await company.admin.http.get(f"/v1/contacts/{changed_one}/timeline"))["entries"]
    assert [e["type"].rpartition(".")[2] for e in timeline] == [
        "ContactUpdated",
        "ContactUpdated",
        "ContactCreated",
    ]


async def finished(company: Company, name: str) -> dict[str, object]:
    """The operation, once it is done."""
    last: list[dict[str, object]] = []

    async def done() -> bool:
        last[:] = [ok(await company.admin.http.get(f"/v1/{name}"))]
        return bool(last[0].get("done"))

    await eventually(done, f"{name} is done", 30)
    return last[0]


async def test_a_revoked_token_reads_nothing_more_anywhere(company: Company) -> None:
    token = await company.token(nats=True, natsStart="NATS_START_ALL")
    program = await company.open(token["secret"])

    async def status() -> int:
        return (await program.get("/v1/contacts")).status_code

    async def let_in() -> bool:
        return await is_let_in(token["nats"])

    async with reading(token["nats"]) as reader:
        assert await status() == 200
        ok(await company.admin.http.delete(f"/v1/apiTokens/{token['apiToken']['id']}"))
        assert await becomes(status, 401, "HTTP refuses the token") < 5
        assert await becomes(let_in, False, "NATS refuses the token") < 5
        assert await becomes(reader.stands, False, "its consumer is gone") < 5
        await company.contact(familyName="Secret")
        with pytest.raises((NatsError, JetStreamError)):
            await reader.more()


async def test_a_program_s_secret_is_shown_once(company: Company) -> None:
    body, key = {"name": "shop"}, {"idempotency-key": "shop-1"}
    made = ok(await company.admin.http.post("/v1/apiTokens", json=body, headers=key))

    refused(
        await company.admin.http.post("/v1/apiTokens", json=body, headers=key),
        409,
        "SECRET_SHOWN_ONCE",
    )

    assert made["secret"].startswith("akt_")
    stored = ok(await company.admin.http.get(f"/v1/apiTokens/{made['apiToken']['id']}"))
    assert made["secret"] not in str(stored)
    assert len(ok(await company.admin.http.get("/v1/apiTokens"))["apiTokens"]) == 1

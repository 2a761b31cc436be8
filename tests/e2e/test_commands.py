"""Commands over HTTP: sent twice, sent late, sent against each other (M24, U37)."""

import asyncio
from collections import Counter

from chassis.keys import uuid7
from tests.e2e.company import Company, client, ok, refused


async def test_one_key_makes_one_contact_and_the_same_answer(company: Company) -> None:
    body, key = {"givenName": "Ana", "familyName": "Once"}, {"idempotency-key": "order-17"}

    answers = await asyncio.gather(
        *(company.admin.http.post("/v1/contacts", json=body, headers=key) for _ in range(5))
    )

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert {answer.headers["etag"] for answer in answers} == {'"1"'}
    assert await company.admin.ids("/v1/contacts") == {answers[0].json()["id"]}


async def test_a_key_of_another_request_is_refused(company: Company) -> None:
    key = {"idempotency-key": "order-17"}
    made = ok(await company.admin.http.post("/v1/contacts", json={"givenName": "Ana"}, headers=key))

    refused(
        await company.admin.http.post("/v1/contacts", json={"givenName": "Eve"}, headers=key),
        409,
        "REQUEST_ID_REUSED",
    )

    assert await company.admin.ids("/v1/contacts") == {made["id"]}


async def test_a_visitor_s_reload_makes_one_request(company: Company) -> None:
    form = await company.form()
    body, key = {"fields": {"name": "Wanda", "phone": "601 000 111"}}, {"idempotency-key": "page-1"}
    async with client(company.url) as visitor:
        path = f"/v1/public/forms/{form['key']}"
        receipts = await asyncio.gather(
            *(visitor.post(path, json=body, headers=key) for _ in range(4))
        )

    assert len({ok(receipt)["receiptId"] for receipt in receipts}) == 1
    assert len(await company.admin.ids("/v1/requests")) == 1
    assert len(await company.admin.ids("/v1/contacts")) == 1


async def test_two_devices_edit_one_card_offline_and_both_edits_land(company: Company) -> None:
    contact = await company.contact(position="Buyer")
    path = f"/v1/contacts/{contact['id']}"

    first = await company.admin.http.patch(
        path, json={"position": "Owner"}, headers={"if-match": '"1"'}
    )
    second = await company.admin.http.patch(
        path, json={"salutation": "Pani"}, headers={"if-match": '"1"'}
    )

    assert (ok(first)["etag"], ok(second)["etag"]) == ("2", "3")
    now = ok(await company.admin.http.get(path))
    assert (now["position"], now["salutation"]) == ("Owner", "Pani")


async def test_a_late_edit_of_the_same_field_is_told_who_when_and_both_values(
    company: Company,
) -> None:
    contact = await company.contact(position="Buyer")
    path = f"/v1/contacts/{contact['id']}"
    ok(
        await company.admin.http.patch(
            path, json={"position": "Owner"}, headers={"if-match": '"1"'}
        )
    )

    late = await company.admin.http.patch(
        path, json={"position": "Clerk", "salutation": "Pan"}, headers={"if-match": '"1"'}
    )

    problem = refused(late, 412, "FIELDS_CHANGED")
    assert problem["metadata"] == {"etag": "2"}
    (violation,) = problem["violations"]
    assert violation["field"] == "position"
    for word in ("Ada Nowak", "'Buyer' when you read it", "'Owner' now", "you sent 'Clerk'"):
        assert word in violation["description"]
    now = ok(await company.admin.http.get(path))
    assert (now["etag"], now["position"], now.get("salutation", "")) == ("2", "Owner", "")

    decided = await company.admin.http.patch(
        path, json={"position": "Clerk"}, headers={"if-match": '"2"'}
    )
    assert ok(decided)["position"] == "Clerk"


async def test_a_late_edit_that_wants_what_is_there_already_lands(company: Company) -> None:
    contact = await company.contact(position="Buyer")
    path = f"/v1/contacts/{contact['id']}"
    ok(await company.admin.http.patch(path, json={"position": "Owner"}))

    assert (
        ok(
            await company.admin.http.patch(
                path, json={"position": "Owner"}, headers={"if-match": '"1"'}
            )
        )["position"]
        == "Owner"
    )


async def test_an_etag_that_was_never_given_is_refused(company: Company) -> None:
    contact = await company.contact()
    path = f"/v1/contacts/{contact['id']}"

    for etag in ('"99"', '"abc"', 'W/"0"'):
        answer = await company.admin.http.patch(
            path, json={"position": "x"}, headers={"if-match": etag}
        )
        refused(answer, 412, "CHANGED_MEANWHILE")
    refused(
        await company.admin.http.delete(path, headers={"if-match": '"99"'}),
        412,
        "CHANGED_MEANWHILE",
    )

    assert ok(await company.admin.http.get(path))["etag"] == "1"


async def test_conflicts_without_if_match_are_409(company: Company) -> None:
    external = {"system": "shop", "id": uuid7()}
    await company.contact(externalIds=[external])

    again = await company.admin.http.post(
        "/v1/contacts", json={"givenName": "Eve", "externalIds": [external]}
    )

    assert again.status_code == 409, again.text
    etag_in_body = await company.contact()
    path = f"/v1/contacts/{etag_in_body['id']}"
    ok(await company.admin.http.patch(path, json={"position": "Owner"}))
    late = await company.admin.http.patch(path, params={"etag": "1"}, json={"position": "Clerk"})
    refused(late, 409, "FIELDS_CHANGED")


async def test_twenty_close_one_request_at_the_same_moment_and_it_is_closed_once(
    company: Company,
) -> None:
    request = ok(
        await company.admin.http.post("/v1/requests", json={"text": "How much?", "name": "Wanda"})
    )
    path = f"/v1/requests/{request['id']}"
    body = {"reason": "CLOSE_REASON_DUPLICATE"}

    answers = await asyncio.gather(
        *(company.admin.http.post(f"{path}:close", json=body) for _ in range(20))
    )

    assert Counter(answer.status_code for answer in answers) == {200: 1, 422: 19}
    assert ok(await company.admin.http.get(path))["state"] == "STATE_CLOSED"
    assert len(ok(await company.admin.http.get(f"{path}/history"))["revisions"]) == 2


async def test_a_read_that_changed_nothing_is_304(company: Company) -> None:
    contact = await company.contact()
    path = f"/v1/contacts/{contact['id']}"
    etag = (await company.admin.http.get(path)).headers["etag"]

    assert (await company.admin.http.get(path, headers={"if-none-match": etag})).status_code == 304
    ok(await company.admin.http.patch(path, json={"position": "Owner"}))
    assert (await company.admin.http.get(path, headers={"if-none-match": etag})).status_code == 200

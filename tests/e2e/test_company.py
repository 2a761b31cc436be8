"""The company's own settings, as its administrator sees and changes them."""

from tests.e2e.company import Company, ok


async def test_the_company_is_read_and_changed_by_the_etag_that_was_seen(company: Company) -> None:
    http = company.admin.http
    seen = await http.get("/v1/tenant")

    changed = ok(
        await http.patch(
            "/v1/tenant", json={"language": "de"}, headers={"if-match": seen.headers["etag"]}
        )
    )

    assert "update" in ok(seen)["can"]
    assert (changed["language"], changed["etag"]) == ("de", "2")
    chosen = ok(await http.get("/v1/tenant?fields=language"))
    assert chosen.keys() == {"id", "etag", "language", "can"}

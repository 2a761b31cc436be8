"""The pages that people open without a client: each is there, works offline and runs nothing but our own scripts."""

import re

import pytest

PAGES = ["/", "/docs", "/setup", "/join", "/reset-password"]


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_asks_nobody_else(http, path: str) -> None:  # type: ignore[no-untyped-def]
    answer = await http.get(path)

    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", answer.text)
    for asset in re.findall(r"(?:src|href)=\"(/static/[^\"]+)\"", answer.text):
        assert (await http.get(asset)).status_code == 200

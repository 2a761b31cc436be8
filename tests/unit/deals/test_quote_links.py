"""Links to quotes: computed, unguessable, and one answer to every wrong one."""

import base64
import uuid

import pytest

from chassis.errors import NotFound
from chassis.keys import new_key, uuid7
from chassis.settings import Settings
from services.deals import quote_links

SETTINGS = Settings(postgres_url="", nats_url="", secret="one")
TENANT, QUOTE = uuid7(), uuid7()


def test_a_link_leads_to_its_quote_whenever_it_is_computed() -> None:
    key = quote_links.key_of(SETTINGS, TENANT, QUOTE)
    assert key == quote_links.key_of(SETTINGS, TENANT, QUOTE)
    assert len(key) == 64
    assert (quote_links.tenant_of(key), quote_links.quote_of(SETTINGS, key)) == (TENANT, QUOTE)


def test_another_secret_tenant_or_quote_makes_another_link() -> None:
    other = Settings(postgres_url="", nats_url="", secret="two")
    keys = {
        quote_links.key_of(SETTINGS, TENANT, QUOTE), quote_links.key_of(other, TENANT, QUOTE),
        quote_links.key_of(SETTINGS, uuid7(), QUOTE), quote_links.key_of(SETTINGS, TENANT, uuid7()),
    }  # fmt: skip
    assert len({key[-20:] for key in keys}) == 4
    with pytest.raises(NotFound):
        quote_links.quote_of(SETTINGS, quote_links.key_of(other, TENANT, QUOTE))


def test_every_bit_counts() -> None:
    raw = base64.urlsafe_b64decode(quote_links.key_of(SETTINGS, TENANT, QUOTE))
    for at in range(len(raw) * 8):
        wrong = bytearray(raw)
        wrong[at // 8] ^= 1 << at % 8
        with pytest.raises(NotFound):
            quote_links.quote_of(SETTINGS, base64.urlsafe_b64encode(wrong).decode())


@pytest.mark.parametrize(
    "key",
    ["", "nonsense", "x" * 64, "+" * 64, "ł" * 64, "x" * 900, new_key(TENANT), str(uuid.uuid4())],
    ids=["empty", "word", "length", "sign", "letter", "long", "other door", "id"],
)
def test_what_is_no_key_is_answered_like_a_wrong_one(key: str) -> None:
    told = set()
    for wrong in (key, quote_links.key_of(SETTINGS, TENANT, QUOTE)[:-4] + "AAAA"):
        with pytest.raises(NotFound) as refused:
            quote_links.quote_of(SETTINGS, wrong)
        told.add(str(refused.value))
    assert len(told) == 1

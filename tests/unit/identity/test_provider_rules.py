"""What identity providers may say, where browsers may be sent, and which addresses are asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.identity.v1 import oidc_pb2 as pb
from services.identity import errors, oidc, provider_rules

KEY = b"k" * 32


@pytest.mark.parametrize(
    "path", ["/", "/deals", "/deals/1?open=1&x=%2F", "/#now", "/a//b", "/.well-known", "/~ana"]
)
def test_pages_of_this_installation_are_taken(path: str) -> None:
    assert provider_rules.return_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["x", "//evil.example", "/\\evil", "\\\\evil", "https://evil.example", "/\t/evil", "/\n", "/ a",
     "/żółw", "javascript:alert(1)", " /deals", "/" + "a" * 1000],
)  # fmt: skip
def test_other_addresses_are_refused(path: str) -> None:
    with pytest.raises(errors.ReturnPathInvalid):
        provider_rules.return_path(path)


@given(st.text(max_size=20))
def test_what_is_taken_begins_with_exactly_one_slash_and_is_plain(text: str) -> None:
    try:
        path = provider_rules.return_path(text)
    except errors.ReturnPathInvalid:
        return
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
    assert path.isascii()
    assert path.isprintable()
    assert "\\" not in path
    assert " " not in path


def provider(**fields: object) -> pb.IdentityProvider:
    return pb.IdentityProvider(
        **{"name": "P", "issuer": "https://id.example", "client": "c", **fields}
    )


def test_addresses_are_accepted_by_whole_domain_only() -> None:
    one = provider(allowed_domains=["okna.pl"])

    assert provider_rules.accepts(one, "ana@OKNA.PL")
    assert not provider_rules.accepts(one, "ana@evil-okna.pl")
    assert not provider_rules.accepts(one, "ana@sub.okna.pl")
    assert not provider_rules.accepts(one, "ana@okna.pl.evil.example")
    assert not provider_rules.accepts(one, "okna.pl")
    assert provider_rules.accepts(provider(), "ana@anywhere.example")


@pytest.mark.parametrize(
    "issuer", ["http://id.example", "https://id.example/?x", "https://id.example/#x", "https://a:b@id.example"]
)  # fmt: skip
def test_issuers_are_plain_https_addresses(issuer: str) -> None:
    with pytest.raises(errors.IssuerNotAllowed):
        provider_rules.provider(provider(issuer=issuer), private=False)


def test_everything_of_a_sign_in_follows_from_its_state_and_our_key() -> None:
    one = oidc.secrets_of("state", KEY)

    assert one == oidc.secrets_of("state", KEY)
    assert len({one.nonce, one.verifier, one.challenge}) == 3
    assert 43 <= len(one.verifier) <= 128, "RFC 7636"
    assert oidc.secrets_of("other", KEY).verifier != one.verifier
    assert oidc.secrets_of("state", b"x" * 32).nonce != one.nonce


@pytest.mark.parametrize("issuer", ["https://127.0.0.1/", "https://[::1]/", "http://1.1.1.1/"])
async def test_a_provider_in_our_own_network_is_unusable(issuer: str) -> None:
    with pytest.raises(errors.ProviderUnusable, match=r"public address|begin with https"):
        await oidc.Client(private=False).discover(issuer)

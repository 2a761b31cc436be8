"""Which passwords are refused, and that a hash proves what it should."""

import argon2
import pytest

from services.identity import errors, passwords


@pytest.fixture(autouse=True)
def real_strength(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of RPCs, which may share a worker with these, make weaker hashes."""
    monkeypatch.setattr(passwords, "hasher", argon2.PasswordHasher(**passwords.STRENGTH))


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short7!", "has 7 characters of at least 8"),
        ("Password123", "everybody guesses first"),
        ("abababab", "everybody guesses first"),
        ("Dewi.Lestari", "made of your e-mail address"),
        ("dewi.lestari@example.com", "made of your e-mail address"),
    ],
)
def test_guessable_password_is_refused(password: str, why: str) -> None:
    with pytest.raises(errors.PasswordWeak, match=why) as refusal:
        passwords.check(password, email="dewi.lestari@example.com", field="password")
    assert [v.field for v in refusal.value.violations] == ["password"]


@pytest.mark.parametrize(
    "password", ["kaca-jendela-9", "zażółć gęślą jaźń", "correct horse battery"]
)
def test_long_uncommon_password_is_accepted(password: str) -> None:
    passwords.check(password, email="dewi.lestari@example.com", field="password")


async def test_only_the_password_itself_matches_its_hash() -> None:
    stored = await passwords.hashed("kaca-jendela-9")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.matches(stored, "kaca-jendela-9")
    assert not await passwords.matches(stored, "kaca-jendela-8")
    assert not passwords.outdated(stored)


async def test_an_account_without_password_matches_nothing() -> None:
    assert not await passwords.matches(None, "nobody has this password")


def test_a_weaker_hash_is_outdated() -> None:
    assert passwords.outdated(
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$KDtMlZ9ijjUU0EJpPUUlrWdT7kPSTmHsx9xNV7pGJjQ"
    )

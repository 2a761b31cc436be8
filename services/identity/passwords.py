"""Passwords: argon2id, the same time for unknown accounts, and the few rules that stop guessing."""

import asyncio
import functools

import argon2

from services.identity import errors

# OWASP's second choice (m=19 MiB, t=2, p=1): about 30 ms of one core, so that a burst of sign-ins cannot eat the memory.
STRENGTH = {"time_cost": 2, "memory_cost": 19 * 1024, "parallelism": 1}
hasher = argon2.PasswordHasher(**STRENGTH)

MIN_LENGTH = 8

# What guessers try first and what is long enough to pass the length rule.
_COMMON = frozenset(
    [
        "password",
        "password1",
        "password12",
        "password123",
        "passw0rd",
        "p@ssw0rd",
        "p@ssword",
        "12345678",
        "123456789",
        "1234567890",
        "0123456789",
        "987654321",
        "0987654321",
        "11111111",
        "00000000",
        "12341234",
        "11223344",
        "88888888",
        "qwertyui",
        "qwerty12",
        "qwerty123",
        "qwertyuiop",
        "qwerty1234",
        "1q2w3e4r",
        "1q2w3e4r5t",
        "1qaz2wsx",
        "zaq12wsx",
        "asdfghjk",
        "asdfghjkl",
        "zxcvbnm1",
        "zxcvbnm123",
        "abcd1234",
        "abc12345",
        "a1b2c3d4",
        "iloveyou",
        "iloveyou1",
        "sunshine",
        "princess",
        "football",
        "baseball",
        "superman",
        "batman123",
        "starwars",
        "welcome1",
        "welcome123",
        "letmein1",
        "letmein123",
        "trustno1",
        "admin123",
        "admin1234",
        "administrator",
        "changeme",
        "changeme1",
        "default1",
        "testtest",
        "test1234",
        "computer",
        "internet",
        "michelle",
        "jennifer",
        "whatever",
        "liverpool",
        "chocolate",
        "dragon123",
        "monkey123",
        "master123",
        "shadow123",
        "rahasia123",
        "rahasia1",
        "indonesia",
        "sayang123",
        "polska12",
        "polska123",
        "haslo123",
        "haslo1234",
        "mojehaslo",
        "zaq1@wsx",
        "katasandi",
        "malaysia",
    ]
)


def check(password: str, *, email: str, field: str) -> None:
    """Raises PasswordWeak, naming `field`, for a password that is short, well known or made of the address."""
    if len(password) < MIN_LENGTH:
        raise errors.PasswordWeak(field, f"has {len(password)} characters of at least {MIN_LENGTH}")
    folded = password.casefold()
    if folded in _COMMON or len(set(password)) < 4:
        raise errors.PasswordWeak(field, "is among those that everybody guesses first")
    name, _, domain = email.casefold().partition("@")
    if folded in {name, email.casefold(), domain, name + domain.partition(".")[0]}:
        raise errors.PasswordWeak(field, "is made of your e-mail address")


async def hashed(password: str) -> str:
    """The argon2id hash in PHC form; in a thread, because it takes tens of milliseconds of CPU."""
    return await asyncio.to_thread(hasher.hash, password)


async def matches(stored: str | None, password: str) -> bool:
    """True if `password` made the hash; without a hash it takes the same time and is False."""
    return await asyncio.to_thread(_verify, stored or _nobody(), password) and stored is not None


def outdated(stored: str) -> bool:
    """True if the hash was made with weaker parameters than today's."""
    return hasher.check_needs_rehash(stored)


def _verify(stored: str, password: str) -> bool:
    try:
        return hasher.verify(stored, password)
    except argon2.exceptions.VerifyMismatchError:
        return False


@functools.cache
def _nobody() -> str:
    """A hash that no account has: unknown addresses cost as much as known ones."""
    return hasher.hash("nobody has this password")

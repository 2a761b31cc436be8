"""What holds for all tests of RPCs and consumers."""

import argon2
import pytest

from services.identity import passwords


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> None:
    """A password takes 30 ms of a core on purpose, and these tests make some thousand; unit/identity tests the real measure."""
    passwords.hasher = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

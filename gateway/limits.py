"""Polite limits of one process. What must hold over all processes (sign-in, forms) counts in its service's database."""

import ipaddress
import time
from collections.abc import Callable

from chassis import errors

# Enough for every customer of a big company at once; beyond it, keys that have rested are forgotten.
_MAX_KEYS = 20_000


class RateExceeded(errors.ResourceExhausted):
    """One session, token or address asks faster than this process answers politely."""

    reason = "RATE_EXCEEDED"


class Buckets:
    """A token bucket per key: `rate` a second for ever, twice as many at once."""

    __slots__ = ("_burst", "_clock", "_rate", "_state", "_what")

    def __init__(self, rate: float, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = 2 * rate
        self._what = what
        self._clock = clock
        self._state: dict[bytes | str, list[float]] = {}

    def take(self, key: bytes | str) -> None:
        """Counts one request of `key`; raises RateExceeded with the time to wait when its bucket is empty."""
        now = self._clock()
        state = self._state.get(key)
        if state is None:
            if len(self._state) >= _MAX_KEYS:
                self._forget(now)
            self._state[key] = [self._burst - 1, now]
            return
        level = min(self._burst, state[0] + (now - state[1]) * self._rate)
        state[1] = now
        if level < 1:
            state[0] = level
            raise RateExceeded(
                f"more than {self._rate:g} requests a second from one {self._what}; wait and go slower",
                retry_after_s=(1 - level) / self._rate,
            )
        state[0] = level - 1

    def _forget(self, now: float) -> None:
        """Drops the keys whose buckets are full again; if all are busy, drops everything rather than grow."""
        full_after_s = self._burst / self._rate
        self._state = {
            key: state for key, state in self._state.items() if now - state[1] < full_after_s
        }
        if len(self._state) >= _MAX_KEYS:
            self._state.clear()


def network_of(address: str) -> str:
    """The key under which an address is limited: itself, or its /64 for IPv6, which one person owns whole."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address

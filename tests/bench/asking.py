"""Requests one after the other on one connection: what somebody waits for who opens a screen."""

import http.client
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.bench.installation import Installation


def times(
    installation: Installation,
    token: str,
    paths: Sequence[str],
    count: int,
    *,
    warm: int,
    right: Callable[[Any], bool] = bool,
) -> list[float]:
    """Milliseconds from the request to the last byte of `count` answers, in order of length; `warm` more come before.

    RuntimeError for an answer that is not 200, or not `right`.
    """
    connection = http.client.HTTPConnection("127.0.0.1", installation.port, timeout=30)
    found = []
    try:
        for number in range(warm + count):
            path = paths[number % len(paths)]
            began = time.perf_counter()
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            body = answer.read()
            found.append((time.perf_counter() - began) * 1e3)
            if answer.status != 200 or not right(json.loads(body)):
                raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
    finally:
        connection.close()
    return sorted(found[warm:])


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The value below which so many percent of the others are."""
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]

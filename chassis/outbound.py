"""One HTTP request to an address that came from outside: typed in by a customer, or handed over by a browser.

Such an address could lead into our own network. So a name is resolved once, refused unless every address behind it is public,
and the connection goes to the address that was checked, with the certificate checked for the name. Redirects are not followed.
Services call addresses from outside through here only.
"""

import asyncio
import functools
import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

import httpx

TIMEOUT_S = 10.0
"""For one answer, connecting included: somebody waits for it, or a loop that has others to serve."""


class Problem(StrEnum):
    """Why there is no answer; without personal data, so it may be stored and counted."""

    NO_ANSWER = "NO_ANSWER"
    """Not in time, not at all, or the address cannot be read."""
    NOT_HTTPS = "ADDRESS_NOT_HTTPS"
    NOT_PUBLIC = "ADDRESS_NOT_PUBLIC"
    TOO_LONG = "ANSWER_TOO_LONG"


class Unanswered(Exception):
    """There is no complete answer; the text names the address without its query, which may hold secrets."""

    def __init__(self, problem: Problem, text: str) -> None:
        super().__init__(text)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said, whatever its status."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent: headers, and raw bytes or a form; `basic` is user and password."""

    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    form: Mapping[str, str] | None = None
    basic: tuple[str, str] | None = None


_NOTHING = Content()


async def call(
    method: str,
    url: str,
    content: Content = _NOTHING,
    *,
    private: bool,
    most_bytes: int = 0,
    within_s: float = TIMEOUT_S,
) -> Answer:
    """The answer with up to `most_bytes` of body (0: its body is not read); Unanswered for whatever prevents it.

    `private`: also plain http and addresses that are not public, for partners in one's own network.
    """
    named = url.partition("?")[0][:200]
    try:
        async with asyncio.timeout(within_s):
            target, name, host_header = await _target(url, named, private=private)
            async with httpx.AsyncClient(verify=_tls(), trust_env=False, timeout=None) as client:
                request = client.build_request(
                    method,
                    target,
                    content=content.body,
                    data=content.form,
                    headers={**content.headers, "host": host_header},
                )
                request.extensions["sni_hostname"] = name
                auth = httpx.BasicAuth(*content.basic) if content.basic else None
                answer = await client.send(request, auth=auth, stream=True)
                try:
                    body = await _body(answer, most_bytes, named) if most_bytes else b""
                finally:
                    await answer.aclose()
                return Answer(answer.status_code, answer.headers, body)
    except TimeoutError:
        text = f"{named} gave no answer within {within_s:.0f} seconds"
        raise Unanswered(Problem.NO_ANSWER, text) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        text = f"{named} cannot be reached ({type(error).__name__})"
        raise Unanswered(Problem.NO_ANSWER, text) from error


async def _target(url: str, named: str, *, private: bool) -> tuple[httpx.URL, str, str]:
    """The address to connect to, the name that its certificate must have, and the Host header."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise Unanswered(Problem.NOT_HTTPS, f"{named} does not begin with https://")
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=0, proto=6)  # 6 = TCP
    addresses = [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found]
    if not addresses or not (private or all(address.is_global for address in addresses)):
        raise Unanswered(Problem.NOT_PUBLIC, f"{host} is not at a public address")
    checked = httpx.URL(url).copy_with(host=str(addresses[0]))
    return checked, host, parts.netloc.rpartition("@")[2]


async def _body(answer: httpx.Response, most_bytes: int, named: str) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > most_bytes:
            raise Unanswered(Problem.TOO_LONG, f"{named} answers more than {most_bytes} bytes")
    return bytes(body)


@functools.cache
def _tls() -> ssl.SSLContext:
    """Reading the certificates of all authorities costs 20 ms: once."""
    return httpx.create_ssl_context()

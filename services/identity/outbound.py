"""Asking an identity provider over HTTPS: the only place where identity calls an address that a customer has typed in.

Such an address could lead into our own network. So a name is resolved once, refused unless every address behind it is public,
and the connection goes to the address that was checked, with the certificate checked for the name.
"""

import asyncio
import functools
import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from services.identity import errors

TIMEOUT_S = 10.0
"""For one answer, connecting included: somebody waits for it with an open browser."""
MOST_BYTES = 512 * 1024  # the largest discovery documents and key sets in use are a tenth of it


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of an answer."""

    status: int
    body: bytes


async def ask(
    method: str,
    url: str,
    *,
    private: bool,
    form: Mapping[str, str] | None = None,
    basic: tuple[str, str] | None = None,
) -> Answer:
    """One request without redirects; ProviderUnusable if there is no complete answer in time.

    private: also plain http and addresses that are not public, for providers in one's own network.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise errors.ProviderUnusable(f"{_named(url)} does not begin with https://")
    try:
        async with asyncio.timeout(TIMEOUT_S):
            address = await _checked_address(host, parts.port or 443, private=private)
            target = httpx.URL(url).copy_with(host=address)
            async with httpx.AsyncClient(verify=_tls(), trust_env=False, timeout=None) as client:
                request = client.build_request(
                    method, target, data=form, headers={"host": parts.netloc.rpartition("@")[2]}
                )
                request.headers["accept"] = "application/json"
                request.extensions["sni_hostname"] = host
                auth = httpx.BasicAuth(*basic) if basic else None
                answer = await client.send(request, auth=auth, stream=True)
                try:
                    return Answer(answer.status_code, await _body(answer, url))
                finally:
                    await answer.aclose()
    except TimeoutError:
        raise errors.ProviderUnusable(
            f"{_named(url)} gave no answer within {TIMEOUT_S:.0f} seconds"
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise errors.ProviderUnusable(
            f"{_named(url)} cannot be reached ({type(error).__name__})"
        ) from error


async def _checked_address(host: str, port: int, *, private: bool) -> str:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=0, proto=6)  # 6 = TCP
    addresses = [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found]
    if not private and (not addresses or not all(address.is_global for address in addresses)):
        raise errors.ProviderUnusable(f"{host} is not at a public address")
    return str(addresses[0])


async def _body(answer: httpx.Response, url: str) -> bytes:
    body = b""
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > MOST_BYTES:
            raise errors.ProviderUnusable(f"{_named(url)} answers more than {MOST_BYTES} bytes")
    return body


@functools.cache
def _tls() -> ssl.SSLContext:
    """Reading the certificates of all authorities costs 20 ms: once."""
    return httpx.create_ssl_context()


def _named(url: str) -> str:
    """The address without its query, which may hold secrets."""
    return url.partition("?")[0][:200]

"""One POST to a push service: the only place where notifications calls an address that came from outside.

Such an address could lead into our own network. So its name is resolved once, refused unless every address behind it is public,
and the connection goes to the address that was checked, with the certificate checked for the name. Redirects are not followed.
"""

import asyncio
import functools
import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

TIMEOUT_S = 10.0
"""For one push, connecting included; the loop tries again."""

NO_ANSWER, NOT_PUBLIC = "NO_ANSWER", "ADDRESS_NOT_PUBLIC"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the push service said; `problem` is a code where there was no answer."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


async def post(endpoint: str, body: bytes, headers: Mapping[str, str], *, private: bool) -> Answer:
    """Sends a push and never raises for what the network does. `private`: also addresses that are not public."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            port = parts.port or (443 if parts.scheme == "https" else 80)
            address = await _address(host, port, private=private)
            if address is None:
                return Answer(problem=NOT_PUBLIC)
            target = httpx.URL(endpoint).copy_with(host=address)
            async with httpx.AsyncClient(verify=_tls(), trust_env=False, timeout=None) as client:
                request = client.build_request(
                    "POST", target, content=body, headers={**headers, "host": parts.netloc}
                )
                request.extensions["sni_hostname"] = host
                answer = await client.send(request, stream=True)  # its body interests nobody
                await answer.aclose()
                return Answer(answer.status_code, answer.headers)
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
        return Answer(problem=NO_ANSWER)


async def _address(host: str, port: int, *, private: bool) -> str | None:
    """The address to connect to; None if one behind the name is not public."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=0, proto=6)  # 6 = TCP
    addresses = [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found]
    if not private and not all(address.is_global for address in addresses):
        return None
    return str(addresses[0]) if addresses else None


@functools.cache
def _tls() -> ssl.SSLContext:
    """Reading the certificates of all authorities costs 20 ms: once."""
    return httpx.create_ssl_context()

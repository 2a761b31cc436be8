"""Pages and files that lie in gateway/static: the start page, the API's documentation, styles, the site snippet. All work offline."""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

from gateway.exchange import HTML, Exchange, Header, Response
from gateway.routes import Handler, Table

_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".html": HTML,
    ".js": b"text/javascript; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
}
_PAGE_POLICY: Header = (
    b"content-security-policy",
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
)
_SOON_STALE: Header = (b"cache-control", b"public, max-age=300")
_ANYWHERE: Header = (b"cross-origin-resource-policy", b"cross-origin")

SNIPPET = "/v1/public/snippet.js"


def bind(table: Table, openapi: Callable[[], bytes], asyncapi: Callable[[], bytes]) -> None:
    """Adds `/`, `/docs`, `/static/*`, the snippet and the two documents, which are made when first asked for."""
    table.add("GET", "/", _file("start.html", [_PAGE_POLICY]))
    for path in ("/setup", "/join", "/reset-password"):  # where one-time links lead
        table.add("GET", path, _file("once.html", [_PAGE_POLICY]))
    table.add("GET", "/docs", _file("docs.html", [_PAGE_POLICY]))
    for path in sorted(_FOLDER.iterdir()):
        if path.suffix in (".js", ".css"):
            table.add("GET", f"/static/{path.name}", _file(path.name, [_SOON_STALE]))
    table.add("GET", SNIPPET, _file("snippet.js", [_SOON_STALE, _ANYWHERE]))
    table.add("GET", "/v1/openapi.json", _answer(functools.cache(openapi), b"application/json", []))
    table.add(
        "GET", "/v1/asyncapi.json", _answer(functools.cache(asyncapi), b"application/json", [])
    )


def _file(name: str, headers: list[Header]) -> Handler:
    content = (_FOLDER / name).read_bytes()
    return _answer(lambda: content, _TYPES[Path(name).suffix], headers)


def _answer(content: Callable[[], bytes], content_type: bytes, headers: list[Header]) -> Handler:
    async def answer(exchange: Exchange, variables: tuple[str, ...]) -> Response:
        body = content()
        tag = b'"%b"' % hashlib.sha256(body).hexdigest()[:16].encode()
        if exchange.headers.get(b"if-none-match") == tag:
            return Response(304, headers=[*headers, (b"etag", tag)])
        return Response(200, body, content_type=content_type, headers=[*headers, (b"etag", tag)])

    return answer

"""A small OpenID Connect provider: a real HTTP server on 127.0.0.1 that signs real tokens, and lies where a test tells it to."""

import asyncio
import base64
import contextlib
import hashlib
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import jwt
import orjson
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

CLIENT = "akrab"
CLIENT_SECRET = "rahasia: klien & co"

Claims = dict[str, Any]


@dataclass
class Grant:
    """What a code stands for."""

    query: dict[str, str]
    claims: Claims


@dataclass
class Provider:
    """One issuer. `person` is who signs in at its page; the rest is for lies."""

    issuer: str = ""
    person: Claims = field(default_factory=dict)
    lie: Callable[[Claims], Claims] = lambda claims: claims
    """Changes the claims of the next tokens."""
    sign: Callable[[Claims], str] | None = None
    """Signs the next tokens otherwise than honestly."""
    document: Claims = field(default_factory=dict)
    """Overrides of the discovery document."""
    refusal: str = ""
    """The error with which the next browsers are sent back."""
    public: bool = False
    """Takes clients without a secret."""
    asked: list[str] = field(default_factory=list)
    grants: dict[str, Grant] = field(default_factory=dict)
    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)

    def rotate(self) -> str:
        """A new signing key, the only one from now on."""
        kid = secrets.token_hex(4)
        self.keys = {kid: ec.generate_private_key(ec.SECP256R1())}
        return kid

    def token(self, claims: Claims) -> str:
        """The claims, honestly signed."""
        ((kid, key),) = self.keys.items()
        return jwt.encode(claims, key, algorithm="ES256", headers={"kid": kid})

    async def answer(self, path: str, query: dict[str, str], form: dict[str, str], basic: str):  # type: ignore[no-untyped-def]
        """(status, headers, body) of a request."""
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            return 200, {}, self._discovery()
        if path == "/jwks":
            made = [
                {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}
                for kid, key in self.keys.items()
            ]
            return 200, {}, {"keys": made}
        if path == "/authorize":
            return 303, {"location": self._sent_back(query)}, {}
        if path == "/token":
            return self._exchanged(form, basic)
        return 404, {}, {}

    def _discovery(self) -> Claims:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "authorization_response_iss_parameter_supported": True,
            **self.document,
        }

    def _sent_back(self, query: dict[str, str]) -> str:
        said = {"state": query["state"], "iss": self.issuer}
        if self.refusal:
            return f"{query['redirect_uri']}?{urlencode({**said, 'error': self.refusal})}"
        code = secrets.token_urlsafe(16)
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": query["client_id"],
            "iat": now,
            "exp": now + 300,
            "nonce": query["nonce"],
            **self.person,
        }
        self.grants[code] = Grant(query, claims)
        return f"{query['redirect_uri']}?{urlencode({**said, 'code': code})}"

    def _exchanged(self, form: dict[str, str], basic: str) -> tuple[int, dict[str, str], Claims]:
        name, _, secret = base64.b64decode(basic.removeprefix("Basic ")).decode().partition(":")
        honest = (unquote(name), unquote(secret)) == (CLIENT, CLIENT_SECRET)
        if not honest and not (self.public and form.get("client_id") == CLIENT):
            return 401, {}, {"error": "invalid_client"}
        grant = self.grants.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            grant is None
            or grant.query["code_challenge"] != challenge
            or grant.query["redirect_uri"] != form.get("redirect_uri")
        ):
            return 400, {}, {"error": "invalid_grant"}
        claims = self.lie(grant.claims)
        return 200, {}, {"id_token": (self.sign or self.token)(claims), "token_type": "Bearer"}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status, sent, answer = await self.answer(
            scope["path"],
            dict(parse_qsl(scope["query_string"].decode())),
            dict(parse_qsl(body.decode())),
            headers.get("authorization", ""),
        )
        sent = {"content-type": "application/json", **sent}
        pairs = [(name.encode(), value.encode()) for name, value in sent.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": orjson.dumps(answer)})


@contextlib.asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """A running provider with an issuer of its own."""
    made = Provider()
    made.rotate()
    listener = socket.create_server(("127.0.0.1", 0))  # callers queue here until it serves
    made.issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(made, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server._serve([listener]))  # serve() would take over signals
    try:
        yield made
    finally:
        server.should_exit = True
        await serving


def arguments(url: str) -> dict[str, str]:
    """The query of an address."""
    return dict(parse_qsl(urlsplit(url).query))


def unsigned(claims: Claims) -> str:
    """A token with alg none."""
    return jwt.encode(claims, "", algorithm="none")


def signed_by_secret(claims: Claims) -> str:
    """A token signed with what the client knows too."""
    return jwt.encode(claims, CLIENT_SECRET.ljust(64, "x"), algorithm="HS256")

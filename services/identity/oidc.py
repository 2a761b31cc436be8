"""OpenID Connect as a client: authorization code with PKCE, state and nonce (OpenID Connect Core 1.0, RFC 7636, RFC 9207).

Nothing here knows users or tables. Talking to the provider is `Client`; it is used outside any transaction.
"""

import asyncio
import hashlib
import hmac
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import jwt
import orjson

from chassis import outbound
from services.identity import errors

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
"""Signatures by the provider's private key only: never none, never a secret that two share."""
LEEWAY_S = 60  # clocks of two companies
_ADDRESS = re.compile(
    r"https?://[!-~]+"
)  # ASCII without blanks: browsers are sent there by a header
_DISCOVERY_LIFE_S = 3600.0
_KEYS_LIFE_S = 3600.0
_KEYS_AGAIN_S = 30.0  # an unknown key is looked for at most so often: strangers can invent key ids
_MOST_BYTES = 512 * 1024  # the largest discovery documents and key sets in use are a tenth of it
_REMEMBERED = 1000  # providers whose documents are kept


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a provider says of itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    names_itself: bool
    """It adds `iss` to the browser's return (RFC 9207), so an answer without it is not its own."""
    basic: bool
    """It takes the client's password in the Authorization header."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to the provider; without a secret we are a public client, and PKCE alone protects."""

    client: str
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the provider vouches for."""

    issuer: str
    subject: str
    email: str
    email_verified: bool | None
    """None if the provider says nothing about it."""
    name: str


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a sign-in's state proves later. All of it follows from the state, so none of it is stored."""

    nonce: str
    verifier: str

    @property
    def challenge(self) -> str:
        """The verifier as the provider sees it at the beginning (S256)."""
        return _text(hashlib.sha256(self.verifier.encode()).digest())


def secrets_of(state: str, key: bytes) -> Secrets:
    """The nonce and the PKCE verifier that belong to a state, which nobody without `key` can compute."""

    def proof(use: str) -> str:
        return _text(hmac.digest(key, f"{use}/{state}".encode(), hashlib.sha256))

    return Secrets(proof("nonce"), proof("verifier"))


def authorization_url(
    discovery: Discovery,
    client: str,
    *,
    redirect_uri: str,
    state: str,
    secrets: Secrets,
    scopes: Sequence[str],
) -> str:
    """Where the browser goes."""
    wanted = dict.fromkeys(("openid", "email", *(scopes or ("profile",))))
    query = urlencode(
        {
            "response_type": "code",
            "client_id": client,
            "redirect_uri": redirect_uri,
            "scope": " ".join(wanted),
            "state": state,
            "nonce": secrets.nonce,
            "code_challenge": secrets.challenge,
            "code_challenge_method": "S256",
        }
    )
    joint = "&" if "?" in discovery.authorization_endpoint else "?"
    return f"{discovery.authorization_endpoint}{joint}{query}"


def check_return(discovery: Discovery, issuer: str) -> None:
    """Refuses an answer that names another issuer, or none where this provider always does: mixed up (RFC 9207)."""
    if (issuer or discovery.names_itself) and issuer != discovery.issuer:
        raise errors.ProviderTokenInvalid("the answer came from another provider")


def verified(
    id_token: str, keys: Sequence[jwt.PyJWK], *, issuer: str, client: str, nonce: str
) -> Person:
    """The person in an ID token whose signature, issuer, audience, times and nonce are right; ProviderTokenInvalid else."""
    header = _header(id_token)
    usable = [key for key in keys if header.get("kid") in (None, key.key_id)]
    claims: Mapping[str, Any] | None = None
    failure = "no key of the provider signed it"
    for key in usable:
        try:
            claims = jwt.decode(
                id_token,
                key.key,
                algorithms=[header["alg"]],
                audience=client,
                issuer=issuer,
                leeway=LEEWAY_S,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
            break
        except (jwt.PyJWTError, TypeError, ValueError) as error:  # another kind of key: TypeError
            failure = _why(error)
    if claims is None:
        raise errors.ProviderTokenInvalid(failure)
    _check_claims(claims, client=client, nonce=nonce)
    return Person(
        issuer=issuer,
        subject=claims["sub"],
        email=str(claims.get("email") or "").strip(),
        email_verified=_verified(claims.get("email_verified")),
        name=str(claims.get("name") or "").strip()[:200],
    )


def _verified(claim: Any) -> bool | None:
    """Some providers send the text "true"; whatever else is said is no."""
    return None if claim is None else claim in (True, "true")


def _header(id_token: str) -> Mapping[str, Any]:
    try:
        header: Mapping[str, Any] = jwt.get_unverified_header(id_token)
    except jwt.PyJWTError:
        raise errors.ProviderTokenInvalid("the ID token is no signed JWT") from None
    if header.get("alg") not in ALGORITHMS:
        raise errors.ProviderTokenInvalid("it is not signed by a provider's private key")
    return header


def _check_claims(claims: Mapping[str, Any], *, client: str, nonce: str) -> None:
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise errors.ProviderTokenInvalid("it was made for another sign-in (nonce)")
    audience = claims["aud"]
    shared = isinstance(audience, list) and len(audience) > 1
    if (shared or "azp" in claims) and claims.get("azp") != client:
        raise errors.ProviderTokenInvalid("it was made for another client (azp)")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise errors.ProviderTokenInvalid("its subject is not a text of 1 to 255 characters")


def _why(error: Exception) -> str:
    reasons: dict[type[Exception], str] = {
        jwt.InvalidAudienceError: "it was made for another client",
        jwt.InvalidIssuerError: "it comes from another issuer",
        jwt.ExpiredSignatureError: "it has expired",
        jwt.InvalidSignatureError: "its signature is wrong",
        jwt.ImmatureSignatureError: "it is of the future",
    }
    return reasons.get(type(error), "it is not a complete ID token")


@dataclass(frozen=True, slots=True)
class _Keys:
    """A provider's keys, when they were read, and when they were last read for a key that was not among them."""

    keys: list[jwt.PyJWK] = field(default_factory=list)
    read_at: float = -1e9
    searched_at: float = -1e9


class Client:
    """Talks to providers and remembers what they publish; one per process."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._discovered: dict[str, tuple[float, Discovery]] = {}
        self._keys: dict[str, _Keys] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def discover(self, issuer: str) -> Discovery:
        """The provider's own description; ProviderUnusable if it is of another issuer or lacks a needed address."""
        known = self._discovered.get(issuer)
        if known is not None and time.monotonic() - known[0] < _DISCOVERY_LIFE_S:
            return known[1]
        url = issuer.rstrip("/") + "/.well-known/openid-configuration"
        document = await self._json("GET", url)
        found = _discovery(document, issuer)
        _keep(self._discovered, issuer, (time.monotonic(), found))
        return found

    async def exchange(
        self,
        discovery: Discovery,
        credentials: Credentials,
        *,
        code: str,
        redirect_uri: str,
        verifier: str,
    ) -> str:
        """The ID token for a code; ProviderRefused if the provider does not take the code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        basic = None
        if (
            credentials.secret and discovery.basic
        ):  # both parts form-encoded, RFC 6749 section 2.3.1
            basic = (quote(credentials.client, safe=""), quote(credentials.secret, safe=""))
        else:
            form["client_id"] = credentials.client
            if credentials.secret:
                form["client_secret"] = credentials.secret
        answer = await self._ask("POST", discovery.token_endpoint, form=form, basic=basic)
        body = _object(answer.body)
        if answer.status != 200:
            error = body.get("error", "")
            named = error if isinstance(error, str) and error.replace("_", "").isalnum() else ""
            raise errors.ProviderRefused(named[:60] or f"status {answer.status}")
        token = body.get("id_token")
        if not isinstance(token, str):
            raise errors.ProviderUnusable("it gave no ID token; ask for the scope openid")
        return token

    async def person(
        self, discovery: Discovery, id_token: str, *, client: str, nonce: str
    ) -> Person:
        """The person in an ID token, checked with the provider's keys, which are read again for a key not seen before."""
        kid = _header(id_token).get("kid")
        keys = await self._keys_of(discovery.jwks_uri, kid)
        return verified(id_token, keys, issuer=discovery.issuer, client=client, nonce=nonce)

    async def _keys_of(self, uri: str, kid: str | None) -> list[jwt.PyJWK]:
        async with self._locks.setdefault(uri, asyncio.Lock()):
            known, now = self._keys.get(uri, _Keys()), time.monotonic()
            unseen = kid is not None and all(key.key_id != kid for key in known.keys)
            again = unseen and now - known.searched_at >= _KEYS_AGAIN_S
            if now - known.read_at < _KEYS_LIFE_S and not again:
                return known.keys
            document = await self._json("GET", uri)
            try:
                keys = list(jwt.PyJWKSet.from_dict(document).keys)
            except (jwt.PyJWTError, TypeError, ValueError, AttributeError):
                raise errors.ProviderUnusable("its keys cannot be read") from None
            first = not known.keys
            _keep(self._keys, uri, _Keys(keys, now, known.searched_at if first else now))
            return keys

    async def _json(self, method: str, url: str) -> dict[str, Any]:
        answer = await self._ask(method, url)
        if answer.status != 200:
            raise errors.ProviderUnusable(
                f"{url[:200]} answers with status {answer.status}, not 200"
            )
        return _object(answer.body)

    async def _ask(
        self,
        method: str,
        url: str,
        form: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
    ) -> outbound.Answer:
        """ProviderUnusable if there is no complete answer in time."""
        said = outbound.Content({"accept": "application/json"}, form=form, basic=basic)
        try:
            return await outbound.call(
                method, url, said, private=self._private, most_bytes=_MOST_BYTES
            )
        except outbound.Unanswered as failed:
            raise errors.ProviderUnusable(str(failed)) from failed


def _discovery(document: Mapping[str, Any], issuer: str) -> Discovery:
    # Compared as text, exactly: a provider that speaks for another's issuer could vouch for his people.
    if document.get("issuer") != issuer:
        raise errors.ProviderUnusable("its discovery document is of another issuer")

    def address(name: str) -> str:
        found = document.get(name)
        if not isinstance(found, str) or not _ADDRESS.fullmatch(found):
            raise errors.ProviderUnusable(f"its discovery document has no usable {name}")
        return found

    methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Discovery(
        issuer,
        address("authorization_endpoint"),
        address("token_endpoint"),
        address("jwks_uri"),
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        basic="client_secret_basic" in methods,
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise errors.ProviderUnusable("it does not answer with a JSON object")
    return found


def _keep(cache: dict[str, Any], name: str, value: Any) -> None:
    while len(cache) >= _REMEMBERED:
        cache.pop(next(iter(cache)))
    cache[name] = value


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()

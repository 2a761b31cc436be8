"""Who calls: access tokens (signed, verified here with keys from the directory) and API tokens (hash in the directory)."""

import hmac
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
import orjson
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from chassis import errors, keys
from chassis.call import Actor
from chassis.rights import Rights
from chassis.stand_in import Cover, cover_at

if TYPE_CHECKING:
    from chassis.clock import Clock
    from chassis.directory import Directory
    from chassis.tenant_view import TenantView

Check = Callable[[str], tuple[str, Actor, Rights]]
"""Who a token's bearer is; raises Unauthenticated."""

ACCESS_TOKEN_LIFE_S = 900
_YOUNG_S = 2.0  # the directory reaches every process within milliseconds; a restarted one within two seconds
_CACHED = 20_000  # verified tokens kept; the oldest go first
_MOST_STRANGERS = 32
"""How many requests at once may wait for a token that nothing proves yet: forged ones hold no more of a process than this."""


class SignedOut(errors.Unauthenticated):
    """The session, token or user is not active any more."""

    reason = "SIGNED_OUT"

    def __init__(self) -> None:
        super().__init__("you are signed out; sign in again")


class SessionEnded(SignedOut):
    """Known to have ended: unlike an unknown session, it is not worth waiting for."""

    reason = "SIGNED_OUT"


class TokenExpired(errors.Unauthenticated):
    """The access token's time is over; a refresh gives a new one."""

    reason = "TOKEN_EXPIRED"

    def __init__(self) -> None:
        super().__init__("the access token has expired; refresh it or sign in again")


class TokenInvalid(errors.Unauthenticated):
    """What was sent is not a token of this installation."""

    reason = "TOKEN_INVALID"

    def __init__(self, what: str = "the token is not valid here; sign in again") -> None:
        super().__init__(what)


class TokenUnknown(TokenInvalid):
    """Nothing that this process knows proves the token or disproves it; the directory may still bring what does.

    A wrong secret of a known API token counts as unknown too: refused at once, it would tell that the token exists.
    """

    reason = "TOKEN_INVALID"


def unproven_claims(token: str) -> Mapping[str, Any]:
    """What an access token says of itself, its signature not looked at; empty for anything else.

    Enough to refuse by, never to let in by.
    """
    _, _, payload = token.rpartition(".")[0].partition(".")
    try:
        claims = orjson.loads(urlsafe_b64decode(f"{payload}=="))  # JWTs leave the padding out
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}


def _is_young(token: str) -> bool:
    """True if the token was made in the last seconds, by its own word."""
    made: Any
    try:
        if keys.is_api_token(token):
            made = (
                int(keys.parse_api_token(token)[1].replace("-", "")[:12], 16) / 1000
            )  # a UUIDv7 begins with its time
        else:
            made = unproven_claims(token).get("iat")
    except errors.NotFound:
        return False
    return isinstance(made, int | float) and time.time() - _YOUNG_S <= made <= time.time() + 1


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who a header names, as long as the directory, the time and his session stay as they are."""

    people: "TenantView"
    cover: Cover
    expires: float
    answer: tuple[str, Actor, Rights]


class Authentication:
    """Verifies tokens against the directory; verified signatures and computed rights are remembered."""

    def __init__(self, directory: "Directory", clock: "Clock") -> None:
        self._directory, self._clock = directory, clock
        self._claims: dict[str, dict[str, Any]] = {}
        self._rights: dict[tuple[str, str], tuple[Cover, Rights]] = {}
        self._covers: dict[str, Cover] = {}
        self._callers: dict[str, _Caller] = {}
        self._strangers = 0

    def known(self, authorization: str) -> tuple[str, Actor, Rights] | None:
        """What `authenticate` answered for this header, if it would answer the same now: nearly every request."""
        caller = self._callers.get(authorization)
        if caller is None:
            return None
        tenant, actor, _ = caller.answer
        if (
            caller.expires > time.time()
            and caller.people.session(actor.session_id) is None
            and self._cover(tenant) is caller.cover
        ):
            return caller.answer
        del self._callers[authorization]
        return None

    async def authenticate(self, authorization: str) -> tuple[str, Actor, Rights]:
        """(tenant, actor, rights) of a bearer token; Unauthenticated with the reason otherwise.

        A session or token of the last seconds may be younger than what this process knows: then it waits for the directory.
        Only for what the directory can mend: an ended session, an expired token and a wrong signature are refused at once.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenInvalid("authorization must be 'Bearer <token>'")
        check = self._api_token if keys.is_api_token(token) else self._access_token
        try:
            return self._remember(authorization, token, check(token))
        except SessionEnded:
            raise
        except SignedOut as refusal:  # the token itself is ours
            if not _is_young(token):
                raise
            return await self._known_soon(check, token, refusal)
        except TokenUnknown as refusal:
            if not _is_young(token) or self._strangers >= _MOST_STRANGERS:
                raise
            self._strangers += 1
            try:
                return await self._known_soon(check, token, refusal)
            finally:
                self._strangers -= 1

    def _remember(
        self, authorization: str, token: str, answer: tuple[str, Actor, Rights]
    ) -> tuple[str, Actor, Rights]:
        tenant, actor, _ = answer
        people = self._directory.of(tenant)
        entry = people.token(actor.id) or {} if actor.kind == "token" else {}
        expires = entry.get("expires") if actor.kind == "token" else self._claims[token]["exp"]
        if len(self._callers) >= _CACHED:
            self._callers.clear()
        cover = self._cover(tenant)
        self._callers[authorization] = _Caller(people, cover, expires or float("inf"), answer)
        return answer

    async def _known_soon(
        self, check: Check, token: str, refusal: errors.Unauthenticated
    ) -> tuple[str, Actor, Rights]:
        """Waits until the directory proves the token; raises the refusal if it does not in time."""
        found: list[tuple[str, Actor, Rights]] = []

        def known() -> bool:
            try:
                found.append(check(token))
            except errors.Unauthenticated:
                return False
            return True

        try:
            await self._directory.until(known, timeout_s=_YOUNG_S)
        except TimeoutError:
            raise refusal from None
        return found[-1]

    def _access_token(self, token: str) -> tuple[str, Actor, Rights]:
        claims = self._claims.get(token) or self._verify(token)
        if claims["exp"] <= time.time():
            self._claims.pop(token, None)
            raise TokenExpired
        tenant, user_id, session_id = claims["tid"], claims["sub"], claims["sid"]
        people = self._directory.of(tenant)
        user = people.user(user_id)
        if people.session(session_id) is not None:
            raise SessionEnded
        if (
            user is None
            or user.get("state") != "active"
            or claims["iat"] < user.get("tokens_not_before", 0)
        ):
            raise SignedOut
        return (
            tenant,
            Actor("user", user_id, user_id, session_id),
            self.rights_of_user(tenant, user_id),
        )

    def _verify(self, token: str) -> dict[str, Any]:
        try:
            kid = jwt.get_unverified_header(token).get("kid", "")
            key = self._directory.of("_").entry("key", kid)
            if key is None:
                raise TokenUnknown
            public: Any = load_pem_public_key(key["public_pem"].encode())
            claims = jwt.decode(
                token,
                public,
                algorithms=["EdDSA"],
                options={"require": ["exp", "iat", "sub", "tid", "sid"]},  # type: ignore[arg-type]
            )
        except jwt.ExpiredSignatureError:
            raise TokenExpired from None
        except jwt.PyJWTError:
            raise TokenInvalid from None
        while len(self._claims) >= _CACHED:
            self._claims.pop(next(iter(self._claims)))
        self._claims[token] = claims
        return claims

    def _api_token(self, token: str) -> tuple[str, Actor, Rights]:
        try:
            tenant, token_id, digest = keys.parse_api_token(token)
        except errors.NotFound:
            raise TokenInvalid from None
        people = self._directory.of(tenant)
        entry = people.token(token_id)
        if entry is None or not hmac.compare_digest(entry["hash"], digest):
            raise TokenUnknown
        if entry.get("expires") and entry["expires"] <= time.time():
            raise TokenExpired
        user_id = entry.get("user_id", "")
        user = people.user(user_id)
        if user is None or user.get("state") != "active":
            raise SignedOut
        return (
            tenant,
            Actor("token", token_id, user_id),
            self._rights_of_token(tenant, token_id, entry),
        )

    def rights_of_user(self, tenant: str, user_id: str) -> Rights:
        """The rights of a user, computed again only when the tenant's directory has changed, or somebody goes or comes."""
        people = self._directory.of(tenant)
        return self._remembered(
            tenant,
            user_id,
            lambda cover: Rights.of_user(people, user_id, covers=cover.absent.get(user_id, ())),
        )

    def rights_of(self, tenant: str, actor: Actor) -> Rights:
        """The present rights of who asked for something a while ago; SignedOut if he could not ask any more."""
        people = self._directory.of(tenant)
        user = people.user(actor.user_id)
        token = people.token(actor.id) if actor.kind == "token" else None
        if user is None or user.get("state") != "active" or (actor.kind == "token" and not token):
            raise SignedOut
        if token:
            return self._rights_of_token(tenant, actor.id, token)
        return self.rights_of_user(tenant, actor.user_id)

    def _rights_of_token(self, tenant: str, token_id: str, entry: Mapping[str, Any]) -> Rights:
        limits = {
            "readable": entry.get("readable"),
            "writable": entry.get("writable"),
            "methods": entry.get("methods"),
        }
        people = self._directory.of(tenant)
        user_id = entry.get("user_id", "")

        def compute(cover: Cover) -> Rights:
            covers = cover.absent.get(user_id, ())
            of_user = Rights.of_user(people, user_id, covers=covers, **limits)
            return of_user.limited(entry["grants"]) if entry.get("grants") is not None else of_user

        return self._remembered(tenant, token_id, compute)

    def _remembered(self, tenant: str, id: str, compute: Callable[[Cover], Rights]) -> Rights:
        cover = self._cover(tenant)
        known = self._rights.get((tenant, id))
        if known is None or known[0] is not cover:
            known = self._rights[tenant, id] = (cover, compute(cover))
        return known[1]

    def _cover(self, tenant: str) -> Cover:
        people, now = self._directory.of(tenant), self._clock.now()
        known = self._covers.get(tenant)
        if known is None or not known.holds(people.revision, now):
            known = self._covers[tenant] = cover_at(people, now)
        return known

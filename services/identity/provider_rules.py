"""What an identity provider may say, and whom it may vouch for; pure."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from chassis.errors import Violation
from crm.identity.v1 import oidc_pb2
from services.identity import errors

_MOST_PATH = 1000
# Printable ASCII without a backslash, one slash first: browsers read "//host", "/\\host" and "/<tab>/host" as other sites.
_PATH = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?")


def provider(new: oidc_pb2.IdentityProvider, *, private: bool) -> None:
    """Normalises a provider in place; refuses meanings that no state could accept, all of them at once."""
    new.name = " ".join(new.name.split())
    new.issuer, new.client = new.issuer.strip(), new.client.strip()
    domains = sorted({domain.strip().casefold() for domain in new.allowed_domains})
    del new.allowed_domains[:]
    new.allowed_domains.extend(domains)
    parts = urlsplit(new.issuer)
    if parts.scheme != "https" and not private:
        raise errors.IssuerNotAllowed("begins with http://; it must begin with https://")
    if parts.query or parts.fragment or parts.username is not None:
        raise errors.IssuerNotAllowed("has a user name, a query or a fragment; leave them out")
    if violations := [*_creation(new), *_trust(new)]:
        raise errors.ValueInvalid(violations)


def _creation(new: oidc_pb2.IdentityProvider) -> Iterable[Violation]:
    if new.creates_users and not new.allowed_domains:
        # Google and others vouch for everybody's address: without domains every stranger would become a user.
        yield Violation(
            "allowed_domains", "must name the company's domains, as creates_users is set"
        )
    if new.creates_users and not new.role_ids:
        yield Violation("role_ids", "must name the roles of new users, as creates_users is set")


def _trust(new: oidc_pb2.IdentityProvider) -> Iterable[Violation]:
    if new.trusts_email and not new.allowed_domains:
        # Nobody checked the address: at least it must be one that this provider could have given out.
        yield Violation(
            "allowed_domains",
            "must name the domains that the provider gives out, as trusts_email is set",
        )


def vouches(one: oidc_pb2.IdentityProvider, verified: bool | None) -> bool:
    """True if the address that came counts as the person's own; `verified` is the provider's word, None for none."""
    return one.trusts_email if verified is None else verified


def accepts(one: oidc_pb2.IdentityProvider, email: str) -> bool:
    """True if the provider may vouch for this address."""
    name, _, domain = email.casefold().rpartition("@")
    return bool(name and domain) and (not one.allowed_domains or domain in one.allowed_domains)


def return_path(text: str) -> str:
    """The page to open after a sign-in, a path of this installation; ReturnPathInvalid for anything else."""
    if not text:
        return "/"
    if len(text) > _MOST_PATH or not _PATH.fullmatch(text):
        raise errors.ReturnPathInvalid
    return text

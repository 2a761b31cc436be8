"""identity's own settings; what every process needs is in `chassis.settings.Settings`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Read once at start from CRM_... variables."""

    signup: bool = False
    """Anybody may add a company by `POST /v1/tenants`."""
    nats_public_url: str = ""
    """The NATS address that outside programs use, told with the credentials of an API token; empty = the internal one's host."""

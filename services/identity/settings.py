"""identity's own settings; what every process needs is in `chassis.settings.Settings`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Read once at start from CRM_... variables."""

    signup: bool = False
    """Anybody may add a company by `POST /v1/tenants`."""
    nats_public_url: str = ""
    """The NATS address that outside programs use, told with the credentials of an API token; empty = the internal one's host."""
    public_url: str = ""
    """The address people type, `https://crm.example.com`: where identity providers send browsers back; empty = this machine's."""
    oidc_private: bool = False
    """Identity providers may speak plain http and have addresses that are not public: one's own network, and tests."""
    handover_services: str = ""
    """The services that take part in handovers, `contacts,deals`; empty = all that this program has, running here or not."""

"""notifications' own settings; what every process needs is in `chassis.settings.Settings`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Read once at start from CRM_... variables."""

    push_contact: str = ""
    """Whom push services may ask about our pushes, `mailto:it@example.com` or an https address; some refuse pushes without it."""
    push_private: bool = False
    """Push services may speak plain http and have addresses that are not public: one's own network, and tests."""

"""What can be set about the HTTP face; every limit here is polite and per process."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of the gateway, read from CRM_<FIELD>."""

    public_url: str = ""
    """The address people type, `https://crm.example.com`; https here makes cookies Secure and sends HSTS."""
    trusted_proxies: int = 0
    """How many proxies in front append to X-Forwarded-For; 0 = the header is ignored."""
    max_json_bytes: int = 1 << 20
    """Largest JSON or form body."""
    max_file_bytes: int = 100 << 20
    """Largest upload to /v1/files."""
    max_head_bytes: int = 32 << 10
    """Largest request line plus headers."""
    max_requests: int = 512
    """Most requests being worked on at once; more get 503 with Retry-After."""
    max_live: int = 10_000
    """Most live streams held at once."""
    rate_per_token: float = 5_000.0
    """Requests a second of one session or API token, with twice as many at once."""
    rate_per_address: float = 5_000.0
    """Requests a second from one address, with twice as many at once."""
    call_timeout_s: float = 30.0
    """The deadline given to a call of a service."""
    body_timeout_s: float = 60.0
    """How long a client may take to send a JSON body."""
    head_timeout_s: float = 20.0
    """How long a connection may take to send the head of a request."""

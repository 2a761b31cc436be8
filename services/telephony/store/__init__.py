"""The service's tables and statements, one module per kind of record."""

from services.telephony.store import (
    calls,
    leases,
    matters,
    moves,
    numbers,
    presences,
    recordings,
    statistics,
)
from services.telephony.store.catalogues import (
    dispositions,
    extensions,
    extensions_at,
    extensions_of,
    has_dispositions,
    line_numbered,
    lines,
    living_lines,
    users_with_extensions,
)
from services.telephony.store.connections import (
    connection_with_key,
    connections,
    connections_in_use,
    has_connections,
    put_secret,
    put_status,
    secret_of,
    status_of,
    webhook_counts,
)
from services.telephony.store.schema import metadata
from services.telephony.store.settings import settings, settings_of

__all__ = [
    "calls",
    "connection_with_key",
    "connections",
    "connections_in_use",
    "dispositions",
    "extensions",
    "extensions_at",
    "extensions_of",
    "has_connections",
    "has_dispositions",
    "leases",
    "line_numbered",
    "lines",
    "living_lines",
    "matters",
    "metadata",
    "moves",
    "numbers",
    "presences",
    "put_secret",
    "put_status",
    "recordings",
    "secret_of",
    "settings",
    "settings_of",
    "statistics",
    "status_of",
    "users_with_extensions",
    "webhook_counts",
]

"""identity's tables and statements: `records` (resources), `secrets` (what never is in a record), `installation` (no tenant)."""

from services.identity.store.installation import *  # noqa: F403
from services.identity.store.records import *  # noqa: F403
from services.identity.store.secrets import *  # noqa: F403

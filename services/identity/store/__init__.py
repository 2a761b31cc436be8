"""identity's tables and statements: `records` (resources), `secrets` (what never is in a record), `installation` (no tenant),
`second_factors`, `providers` (signing in through others), `audit`, `absences`, `handovers`."""

from services.identity.store.absences import *  # noqa: F403
from services.identity.store.audit import *  # noqa: F403
from services.identity.store.handovers import *  # noqa: F403
from services.identity.store.installation import *  # noqa: F403
from services.identity.store.providers import *  # noqa: F403
from services.identity.store.records import *  # noqa: F403
from services.identity.store.second_factors import *  # noqa: F403
from services.identity.store.secrets import *  # noqa: F403

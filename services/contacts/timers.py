"""What happens by itself after a while."""

from typing import Any

from chassis.handlers import timer
from chassis.tx import Tx
from services.contacts import store

_RENAMED = "company-renamed"


async def refresh_people(tx: Tx, company_id: str) -> None:
    """Lets the people of a renamed company be found by its new name, as soon as the rename is committed."""
    await tx.set_timer(_RENAMED, company_id, tx.now, {"company_id": company_id})


@timer(_RENAMED)
async def company_renamed(payload: dict[str, Any], tx: Tx) -> None:
    """A company may have any number of people: so many in one transaction, the others in the next."""
    if await store.refresh_company_names(tx, payload["company_id"]):
        await refresh_people(tx, payload["company_id"])

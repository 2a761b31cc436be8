"""What the guards of stages look at: the deal itself, and what is known here of its contact and company."""

import asyncio
from collections.abc import Collection, Mapping

from chassis.errors import Violation
from chassis.tx import Tx
from crm.deals.v1 import deal_pb2
from services.deals import errors, store
from services.deals.rules import fields
from services.deals.rules.moving import Filled

Deal = deal_pb2.Deal

_PATIENCE_S = 1.0
"""As long as a move waits for what the caller has seen already; the events of a change take some 50 ms."""
_LOOK_AGAIN_S = 0.02


async def filled(tx: Tx, deal: Deal) -> Filled:
    """Tells of a path whether it is filled, e.g. deal.amount, contact.phones, company.custom.size.

    A custom field of deals that was deleted wants nothing: nobody could fill it.
    """
    known = await store.filled_of(tx, [id for id in (deal.contact_id, deal.company_id) if id])
    return filled_by(tx, deal, known)


def filled_by(tx: Tx, deal: Deal, known: Mapping[str, Collection[str]]) -> Filled:
    """As `filled`, where what is known of the contact and the company was read before."""
    custom = tx.runtime.schemas.known(tx.tenant, store.deals).fields

    def is_filled(path: str) -> bool:
        head, _, rest = path.partition(".")
        if head == "deal":
            gone = rest.startswith(fields.CUSTOM) and rest.removeprefix(fields.CUSTOM) not in custom
            return gone or fields.is_filled(deal, rest)
        id = deal.contact_id if head == "contact" else deal.company_id
        return rest in known.get(id, ()) if rest else bool(id)

    return is_filled


async def wait_for_parties(tx: Tx, deal: Deal, contact_etag: str, company_etag: str) -> None:
    """Returns once the versions that the caller saw are known here; PartyNotHereYet after a second.

    For the beginning of a body that has written nothing: no connection is held between two looks.
    """
    assert not tx.in_transaction, "whoever waits holds no locks"
    wanted = {
        field: (id, _version(field, etag))
        for field, id, etag in (
            ("contact_etag", deal.contact_id, contact_etag),
            ("company_etag", deal.company_id, company_etag),
        )
        if id and etag
    }
    clock = asyncio.get_running_loop()
    until = clock.time() + _PATIENCE_S
    for field, (id, version) in wanted.items():
        while not await store.party_reached(tx, id, version):
            if clock.time() >= until:
                raise errors.PartyNotHereYet(field)
            await tx.abort()  # nothing to undo: the connection goes back meanwhile
            await asyncio.sleep(_LOOK_AGAIN_S)


def _version(field: str, etag: str) -> int:
    if not (etag.isascii() and etag.isdigit() and len(etag) < 19):
        told = f"{etag[:40]!r} is no etag; send the one that the answer had"
        raise errors.ValuesInvalid([Violation(field, told)])
    return int(etag)

"""Whose number it is."""

from chassis.handlers import Servicer, reads
from chassis.tx import Tx
from crm.telephony.v1 import call_pb2 as pb
from services.telephony import people, store
from services.telephony.rules.catalogues import international


class Callers(Servicer):
    """`/v1/callers:lookUp`."""

    @reads
    async def LookUpCaller(
        self, request: pb.LookUpCallerRequest, tx: Tx
    ) -> pb.LookUpCallerResponse:
        number = international(request.number, request.country_code or people.country_of(tx))
        said = pb.LookUpCallerResponse(number=number)
        for party in await store.numbers.whose(tx, number):
            scope = (party.owner_id, party.department_id, party.follower_ids)
            if tx.rights.reaches(party.kind, "read", *scope):
                caller = said.callers.add(name=party.name, owner_id=party.owner_id)
                setattr(caller, f"{party.kind}_id", party.id)
        return said

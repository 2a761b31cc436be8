"""What identity asks of every service: to preview a handover, to move its records, to give them back."""

from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from chassis.call import Cause
from crm.identity.v1 import absence_events_pb2, handover_events_pb2, handover_pb2

PREVIEW, MOVE, RETURN = "handover:preview", "handover:move", "handover:return"
"""The stages, and the kinds of their operations."""
OVER = "over"


@dataclass(frozen=True, slots=True)
class Asked:
    """A handover, or the end of an absence during which new records went to who stood in."""

    id: str
    round: int
    user_id: str
    is_lent: bool
    handover: handover_pb2.Handover

    @property
    def cause(self) -> Cause:
        """Why records are moved."""
        return Cause("absence" if self.is_lent else "handover", self.id)

    @property
    def cause_of_return(self) -> Cause:
        """Why they are given back."""
        return Cause("absence" if self.is_lent else "undo", self.id)


STAGES: dict[type[Message], str] = {
    handover_events_pb2.HandoverProposed: PREVIEW,
    handover_events_pb2.HandoverConfirmed: MOVE,
    handover_events_pb2.HandoverReverted: RETURN,
    handover_events_pb2.HandoverDeleted: OVER,
    absence_events_pb2.AbsenceEnded: RETURN,
}


def asked_by(event: Any) -> Asked:
    """What one of the events of `STAGES` asks for."""
    if isinstance(event, absence_events_pb2.AbsenceEnded):
        return Asked(event.absence.id, 0, event.absence.owner_id, True, handover_pb2.Handover())
    handover = event.handover
    lent = handover.kind == handover_pb2.Handover.KIND_TEMPORARY
    return Asked(handover.id, handover.round, handover.owner_id, lent, handover)

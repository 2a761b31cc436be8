"""What absences and handovers refuse, and why."""

from collections.abc import Iterable

from chassis import errors
from chassis.errors import Violation


class AbsenceOverlaps(errors.FailedPrecondition):
    reason = "ABSENCE_OVERLAPS"

    def __init__(self, id: str, start: str, end: str) -> None:
        super().__init__(
            f"the user is away from {start} until {end} already (absence {id}); change that one or choose another time",
            [Violation("start_time", f"overlaps the absence {id}")],
        )


class AbsenceStateWrong(errors.FailedPrecondition):
    reason = "ABSENCE_STATE_WRONG"

    def __init__(self, state: str, wanted: str) -> None:
        super().__init__(
            f"the absence is {state}; this needs one that is {wanted}",
            [Violation("state", f"is {state}")],
        )


class HandoverStateWrong(errors.FailedPrecondition):
    reason = "HANDOVER_STATE_WRONG"

    def __init__(self, state: str, wanted: str) -> None:
        super().__init__(
            f"the handover is {state}; this needs one that is {wanted}",
            [Violation("state", f"is {state}")],
        )


class HandoverUnderWay(errors.FailedPrecondition):
    reason = "HANDOVER_UNDER_WAY"

    def __init__(self, id: str) -> None:
        super().__init__(
            f"the user's handover {id} is not over; confirm, delete or revert it first",
            [Violation("owner_id", f"has the handover {id}")],
        )


class HandoverNotPreviewed(errors.FailedPrecondition):
    reason = "HANDOVER_NOT_PREVIEWED"

    def __init__(self, services: Iterable[str]) -> None:
        named = ", ".join(services)
        super().__init__(
            f"{named} has not previewed the handover; wait, or confirm with allow_missing and it does its part when it is back",
            [Violation("allow_missing", f"is not set, and {named} is missing")],
        )


class HandoverPreviewOld(errors.FailedPrecondition):
    reason = "HANDOVER_PREVIEW_OLD"

    def __init__(self, hours: float, limit: int) -> None:
        super().__init__(
            f"the preview is {hours:.0f} hours old, at most {limit} are allowed; preview it again"
        )


class RecipientNotActive(errors.FailedPrecondition):
    reason = "RECIPIENT_NOT_ACTIVE"

    def __init__(self, wrong: dict[str, str]) -> None:
        super().__init__(
            "records go to active users only; choose others for " + ", ".join(wrong),
            [Violation(field, f"{what} is not active") for field, what in wrong.items()],
        )


class DepartmentWithoutHead(errors.FailedPrecondition):
    reason = "DEPARTMENT_WITHOUT_HEAD"

    def __init__(self, wrong: dict[str, str]) -> None:
        super().__init__(
            f"{', '.join(wrong.values())} would lose the head; name a new one under heads, or let the deputy take over",
            [Violation("heads", f"{name} ({id}) has no new head") for id, name in wrong.items()],
        )


class UserLeadsDepartments(errors.FailedPrecondition):
    reason = "USER_LEADS_DEPARTMENTS"

    def __init__(self, led: dict[str, str]) -> None:
        told = ", ".join(f"{name} ({id})" for id, name in led.items())
        super().__init__(
            f"the user heads {told}; hand over with POST /v1/handovers, which names new heads, give the departments"
            " another head first, or deactivate him with force",
            [Violation("force", f"is not set, and {told} would lose the head")],
        )


class HandoverRevertLate(errors.FailedPrecondition):
    reason = "HANDOVER_REVERT_LATE"

    def __init__(self, until: str) -> None:
        super().__init__(
            f"the handover could be reverted until {until}; hand the records over anew"
        )


class UserOwnsRecords(errors.FailedPrecondition):
    reason = "USER_OWNS_RECORDS"

    def __init__(self, handover_id: str, counts: dict[str, int]) -> None:
        told = ", ".join(f"{count} {what}" for what, count in counts.items())
        super().__init__(
            f"the user owns records ({told}); confirm the handover {handover_id}, or deactivate him with force",
            [Violation("force", f"is not set, and the user owns {told}")],
        )

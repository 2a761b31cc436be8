"""Refusals, and how each looks on the wire.

CrmError
├── InvalidArgument     400  a message that no state could accept
├── Unauthenticated     401  no or no longer valid credentials
├── PermissionDenied    403  known caller, right missing
├── NotFound            404  absent, or not for this tenant or reader: the two are never told apart
├── AlreadyExists       409  a unique key is taken
├── Aborted             409  the record changed meanwhile (etag)
├── FailedPrecondition  422  right message, wrong state
├── ResourceExhausted   429  a limit of rate or size
├── DeadlineExceeded    504  the caller's deadline passed
├── Unavailable         503  a part is down; try again
└── Internal            500  a defect; the text is fixed, the trace id leads to the log

Each refusal has a `reason` (an enum value of the service's reasons.proto without the prefix), a message of fact, value
and limit written for the API's user, and violations that name fields.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with one field: its path and a sentence with value and limit."""

    field: str
    description: str


@dataclass(eq=False)
class CrmError(Exception):
    """A refusal on purpose; everything else that is raised is a defect."""

    message: str
    violations: Iterable[Violation] = ()
    metadata: dict[str, str] = field(default_factory=dict, kw_only=True)
    retry_after_s: float | None = field(default=None, kw_only=True)

    code: ClassVar[int] = code_pb2.UNKNOWN
    reason: str = field(default="", init=False, repr=False)
    domain: str = field(default="", init=False, repr=False)

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if "reason" not in cls.__dict__:
            cls.reason = getattr(cls, "reason", "") or ""

    def __post_init__(self) -> None:
        self.violations = tuple(self.violations)
        self.reason = type(self).reason
        self.domain = domain_of(type(self).__module__)
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


def domain_of(module: str) -> str:
    """`crm.<service>` for a class of a service's errors.py, else `crm`."""
    parts = module.split(".")
    return f"crm.{parts[1]}" if parts[0] == "services" and len(parts) > 1 else "crm"


class InvalidArgument(CrmError):
    code, reason = code_pb2.INVALID_ARGUMENT, "INVALID_ARGUMENT"


class Unauthenticated(CrmError):
    code, reason = code_pb2.UNAUTHENTICATED, "UNAUTHENTICATED"


class PermissionDenied(CrmError):
    code, reason = code_pb2.PERMISSION_DENIED, "PERMISSION_DENIED"


class NotFound(CrmError):
    code, reason = code_pb2.NOT_FOUND, "NOT_FOUND"


class AlreadyExists(CrmError):
    code, reason = code_pb2.ALREADY_EXISTS, "ALREADY_EXISTS"


class Aborted(CrmError):
    code, reason = code_pb2.ABORTED, "CHANGED_MEANWHILE"


class FailedPrecondition(CrmError):
    code, reason = code_pb2.FAILED_PRECONDITION, "FAILED_PRECONDITION"


class ResourceExhausted(CrmError):
    code, reason = code_pb2.RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED"


class DeadlineExceeded(CrmError):
    code, reason = code_pb2.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"


class Unavailable(CrmError):
    code, reason = code_pb2.UNAVAILABLE, "UNAVAILABLE"


class Internal(CrmError):
    code, reason = code_pb2.INTERNAL, "INTERNAL"


_BY_CODE: dict[int, type[CrmError]] = {
    cls.code: cls
    for cls in (
        InvalidArgument,
        Unauthenticated,
        PermissionDenied,
        NotFound,
        AlreadyExists,
        Aborted,
        FailedPrecondition,
        ResourceExhausted,
        DeadlineExceeded,
        Unavailable,
        Internal,
    )
}


def to_status(error: CrmError) -> status_pb2.Status:
    """The error as google.rpc.Status with ErrorInfo, and BadRequest and RetryInfo where they say something."""
    status = status_pb2.Status(code=error.code, message=error.message)
    details = [
        error_details_pb2.ErrorInfo(
            reason=error.reason, domain=error.domain, metadata=error.metadata
        )
    ]
    if error.violations:
        details.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(
                        field=v.field, description=v.description
                    )
                    for v in error.violations
                ]
            )
        )
    if error.retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(int(error.retry_after_s * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def from_status(status: status_pb2.Status) -> CrmError:
    """The error that another process sent; the inverse of `to_status` for every class of the tree."""
    info, bad, retry = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.BadRequest(),
        error_details_pb2.RetryInfo(),
    )
    for packed in status.details:
        for detail in (info, bad, retry):
            if packed.Is(detail.DESCRIPTOR):
                packed.Unpack(detail)
    error = _BY_CODE.get(status.code, Internal)(
        status.message,
        [Violation(v.field, v.description) for v in bad.field_violations],
        metadata=dict(info.metadata),
        retry_after_s=retry.retry_delay.ToMilliseconds() / 1000
        if retry.HasField("retry_delay")
        else None,
    )
    error.reason, error.domain = info.reason or error.reason, info.domain or error.domain
    return error

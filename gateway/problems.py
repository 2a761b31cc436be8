"""Refusals as RFC 9457 problem details: the same reason, violations and trace id that gRPC callers get."""

import math
from http import HTTPStatus
from typing import Any

import orjson
from google.rpc import code_pb2

from chassis import errors
from gateway.exchange import BodyTooLarge, Exchange, Response

PROBLEM = b"application/problem+json"

HTTP_OF_CODE = {
    code_pb2.CANCELLED: 499,
    code_pb2.INVALID_ARGUMENT: 400,
    code_pb2.OUT_OF_RANGE: 400,
    code_pb2.UNAUTHENTICATED: 401,
    code_pb2.PERMISSION_DENIED: 403,
    code_pb2.NOT_FOUND: 404,
    code_pb2.ALREADY_EXISTS: 409,
    code_pb2.ABORTED: 409,
    code_pb2.FAILED_PRECONDITION: 422,
    code_pb2.RESOURCE_EXHAUSTED: 429,
    code_pb2.UNIMPLEMENTED: 501,
    code_pb2.UNAVAILABLE: 503,
    code_pb2.DEADLINE_EXCEEDED: 504,
}

# A client that sees 503 without a hint retries at once and makes it worse.
_RETRY_DEFAULT_S = {429: 1, 503: 2}


class MethodNotAllowed(errors.CrmError):
    """The path exists, the HTTP method does not; `allow` lists those that do."""

    reason = "METHOD_NOT_ALLOWED"

    def __init__(self, method: str, allow: list[str]) -> None:
        super().__init__(f"{method} is not possible here; use {', '.join(allow)}")
        self.allow = allow


class HeadTooLarge(errors.CrmError):
    """The request line or a header is beyond the limit."""

    reason = "HEAD_TOO_LARGE"


class UnsupportedType(errors.CrmError):
    """The body's Content-Type is not one this path reads."""

    reason = "UNSUPPORTED_MEDIA_TYPE"


class RangeUnsatisfiable(errors.CrmError):
    """The Range lies outside the file."""

    reason = "RANGE_NOT_SATISFIABLE"


_HTTP_OF_CLASS: dict[type[errors.CrmError], int] = {
    BodyTooLarge: 413,
    HeadTooLarge: 431,
    MethodNotAllowed: 405,
    UnsupportedType: 415,
    RangeUnsatisfiable: 416,
}


def status_of(error: errors.CrmError, exchange: Exchange) -> int:
    """The HTTP status of a refusal; a lost race is 412 where the client asked with If-Match, else 409."""
    status = _HTTP_OF_CLASS.get(type(error)) or HTTP_OF_CODE.get(error.code, 500)
    if error.code == code_pb2.ABORTED and b"if-match" in exchange.headers:
        return 412
    return status


def problem(error: errors.CrmError, exchange: Exchange) -> Response:
    """The answer that tells a refusal."""
    status = status_of(error, exchange)
    document: dict[str, Any] = {
        "type": f"urn:akrab:problem:{error.reason.lower().replace('_', '-')}",
        "title": _title(status),
        "status": status,
        "detail": error.message,
        "reason": error.reason,
        "violations": [{"field": v.field, "description": v.description} for v in error.violations],
        "traceId": exchange.trace_id,
    }
    if error.metadata:
        document["metadata"] = error.metadata
    response = Response(status, orjson.dumps(document), content_type=PROBLEM)
    retry_after_s = error.retry_after_s
    if retry_after_s is None:
        retry_after_s = _RETRY_DEFAULT_S.get(status)
    if retry_after_s is not None:
        response.headers.append((b"retry-after", b"%d" % max(1, math.ceil(retry_after_s))))
    if status == 401:
        response.headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, MethodNotAllowed):
        response.headers.append((b"allow", ", ".join(error.allow).encode()))
    return response


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Client Closed Request"

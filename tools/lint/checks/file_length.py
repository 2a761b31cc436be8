"""A file has at most 400 lines: what grows longer is two things."""

from collections.abc import Iterator

from tools.lint.source import Finding, Source

RULE = "file-length"
LIMIT = 400
_SUFFIXES = (".py", ".ts", ".tsx", ".proto")
# Contracts of others, kept as they are.
_VENDORED = "protos/google/"
# protobuf cannot split a service over files; its messages have files of their own.
_UNSPLITTABLE = "_service.proto"


def check(source: Source) -> Iterator[Finding]:
    """One finding, at the first line too many."""
    if not source.path.endswith(_SUFFIXES) or source.path.endswith(_UNSPLITTABLE):
        return
    if source.path.startswith(_VENDORED):
        return
    if len(source.lines) > LIMIT:
        message = f"{len(source.lines)} lines, limit {LIMIT}; split by resource or idea"
        yield Finding(source.path, LIMIT + 1, RULE, message)

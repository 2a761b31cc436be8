"""No file names a package registry's host: which mirror is used is the installer's business."""

import re
from collections.abc import Iterator

from tools.lint.source import Finding, Source

RULE = "registry-host"
# Kept in pieces, so that this file does not name one either.
_HOSTS = (
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("npmjs", "org"),
    ("npmjs", "com"),
    ("yarnpkg", "com"),
    ("deb.debian", "org"),
    ("security.debian", "org"),
    ("snapshot.debian", "org"),
    ("archive.ubuntu", "com"),
    ("docker", "io"),
    ("ghcr", "io"),
    ("gcr", "io"),
    ("quay", "io"),
    ("registry.k8s", "io"),
    ("mcr.microsoft", "com"),
    ("proxy.golang", "org"),
    ("crates", "io"),
    ("rubygems", "org"),
    ("repo.maven.apache", "org"),
    ("repo1.maven", "org"),
)
_PATTERN = re.compile(
    r"(?<![\w-])(?:[\w-]+\.)*(?:" + "|".join(re.escape(".".join(host)) for host in _HOSTS) + r")\b",
    re.IGNORECASE,
)


def check(source: Source) -> Iterator[Finding]:
    """One finding per line that names such a host, in any tracked text file."""
    for number, line in enumerate(source.lines, start=1):
        found = _PATTERN.search(line)
        if found:
            message = f"{found[0]} is a registry's host; leave it to the installer's settings"
            yield Finding(source.path, number, RULE, message)

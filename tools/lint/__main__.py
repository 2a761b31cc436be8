"""`python -m tools.lint [PATH ...]`: prints `path:line: rule: what and what to do`; 1 on findings.

Without paths it reads every file that git tracks or would track.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tools.lint.checks import CHECKS
from tools.lint.source import Finding, Source


def main(arguments: list[str] | None = None) -> int:
    """Lints and prints; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.lint", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the repository")
    parser.add_argument("paths", nargs="*", help="relative to the root; default: all tracked")
    options = parser.parse_args(arguments)
    sources = list(read(options.root, options.paths or tracked(options.root)))
    findings = [finding for source in sources for finding in lint(source)]
    for finding in findings:
        print(finding)
    print(f"house rules: {len(sources)} files, {len(findings)} findings", file=sys.stderr)
    return 1 if findings else 0


def lint(source: Source) -> Iterator[Finding]:
    """All findings of one file that its lines do not allow with a reason."""
    try:
        for check in CHECKS:
            yield from (found for found in check(source) if not source.allows(found))
    except SyntaxError as error:
        yield Finding(source.path, error.lineno or 1, "syntax", f"{error.msg}; make it parse")


def read(root: Path, paths: Iterable[str]) -> Iterator[Source]:
    """The text files among the paths; pictures and other bytes are passed over."""
    for path in paths:
        try:
            yield Source(path, (root / path).read_text(encoding="utf-8"))
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue


def tracked(root: Path) -> list[str]:
    """Files git tracks, and new ones that it does not ignore, sorted."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(filter(None, listing.stdout.split("\0")))


if __name__ == "__main__":
    sys.exit(main())

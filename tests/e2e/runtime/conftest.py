"""Runtimes for tests; what a test starts is ended with it."""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.runtime.harness import Runtime, processes_of, until

MakeRuntime = Callable[..., Runtime]


@pytest.fixture
def make_runtime(tmp_path: Path) -> Iterator[MakeRuntime]:
    """Makes runtimes, each with its own data directory and ports."""
    made: list[Runtime] = []

    def make(data: Path | None = None, **settings: str) -> Runtime:
        made.append(Runtime(data or tmp_path / f"data{len(made)}", settings=settings))
        return made[-1]

    yield make
    for runtime in made:
        if runtime.process is not None and runtime.process.poll() is None:
            runtime.end(signal.SIGTERM)
        until(lambda one=runtime: not processes_of(one.data), "a test left processes", 20)  # type: ignore[misc]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder any user may pass through (pytest's own are closed)."""
    folder = Path(tempfile.mkdtemp(prefix="akrab-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def root() -> None:
    """Skips what only root can try."""
    if os.geteuid() != 0:
        pytest.skip("needs root: it starts programs as other users")

"""What holds for all tests."""

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Some tests start programs from a process in which gRPC runs; its fork handlers would write into their output.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

# A machine that is busy with other things is slow: that says nothing about a test.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Modules and tests live until the end: the collector need not walk through them again and again, nor while they are made."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


class Folder(pytest.Package):
    """A folder of tests: what its conftest.py has for the "package" ends with it. Our folders need no __init__.py for that."""

    def setup(self) -> None:
        pass


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> Folder:
    return Folder.from_parent(parent, path=path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Before pytest ends a test that stands still (faulthandler_timeout), tell what each task waits for: it shows threads only."""
    limit_s = float(item.config.getini("faulthandler_timeout"))
    telling = threading.Timer(limit_s * 0.9, _tell_tasks, [item.nodeid])
    telling.daemon = True
    telling.start()
    try:
        return (yield)
    finally:
        telling.cancel()


def _tell_tasks(nodeid: str) -> None:
    print(f"\n{nodeid} stands still; the tasks:", file=sys.__stderr__)
    loops = [one for one in gc.get_objects() if issubclass(type(one), asyncio.AbstractEventLoop)]
    for task in (task for loop in loops for task in asyncio.all_tasks(loop)):
        task.print_stack(file=sys.__stderr__)

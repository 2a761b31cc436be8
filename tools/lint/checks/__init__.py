"""The list of house rules. A new rule: one module here, and samples in tests/unit/tools."""

from collections.abc import Callable, Iterator

from tools.lint.checks import (
    broad_except,
    chassis_nouns,
    file_length,
    import_directions,
    publish_or_commit,
    registry_hosts,
    sleep_in_tests,
    sql_in_stores,
    tenant_by_hand,
)
from tools.lint.source import Finding, Source

CHECKS: tuple[Callable[[Source], Iterator[Finding]], ...] = (
    import_directions.check,
    sql_in_stores.check,
    tenant_by_hand.check,
    chassis_nouns.check,
    publish_or_commit.check,
    file_length.check,
    broad_except.check,
    registry_hosts.check,
    sleep_in_tests.check,
)

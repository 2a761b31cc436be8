"""Rules of the contracts, each a function from descriptors to findings; tests/contract runs them over protos/ and over bad samples."""

from collections.abc import Iterable, Mapping

import chassis  # noqa: F401  puts the generated contracts on the path


def unexcused(findings: Iterable[str], excuses: Mapping[str, str]) -> list[str]:
    """The findings about names that no excuse covers, and the excuses that nothing needs any more.

    excuses: full name, which a finding begins with -> why the rule would make this one worse.
    """
    found = list(findings)
    names = {finding.split(":")[0] for finding in found}
    open_ones = [finding for finding in found if finding.split(":")[0] not in excuses]
    return open_ones + [
        f"{name}: the excuse is not needed any more" for name in excuses if name not in names
    ]

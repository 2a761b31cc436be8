"""B4: what somebody waits for who searches a million contacts by what he remembers of one, asked one after the other over HTTP."""

from urllib.parse import urlencode

from tests.bench import asking, contacts
from tests.bench.company import Company
from tests.bench.installation import Installation
from tests.bench.report import Result, at_most, told

_BUDGET_MS = 25.0
_STEP = 7_919  # a prime, so that those searched for lie all over the table


def measure(installation: Installation, company: Company, count: int, rounds: int) -> list[Result]:
    """B4 on a running installation with so many contacts: `rounds` different searches of each kind."""
    token = company.sign_in(installation).token
    numbers = [at * _STEP % count for at in range(rounds)]
    found = []
    for what, texts in _texts(numbers, count, company).items():
        paths = [f"/v1/contacts?{urlencode({'q': text})}" for text in texts]
        times = asking.times(
            installation, token, paths, len(paths), warm=4 * len(installation.app_pids),
            right=lambda page: bool(page["contacts"]),
        )  # fmt: skip
        p50, p95 = (asking.percentile(times, share) for share in (50, 95))
        found.append(at_most("B4", f"search of {count:,} by {what}, p95", p95, "ms", _BUDGET_MS))
        found.append(told("B4", f"search of {count:,} by {what}, p50", p50, "ms"))
    return found


def _texts(numbers: list[int], count: int, company: Company) -> dict[str, list[str]]:
    """What is typed, by kind."""
    people = [contacts.contact(number, count, company) for number in numbers]
    firms = [contacts.employer(number % contacts.employers(count), company) for number in numbers]
    return {
        "part of a family name": [one.family_name[1:] for one in people],
        "a name": [one.display_name for one in people],
        "the last six digits of a phone": [one.phones[0].number[-6:] for one in people],
        "a company": [one.name for one in firms],
    }

"""Names of persons: how they are put together, split and compared."""

from chassis import fold


def display(given: str, family: str) -> str:
    """The name on screens: given name first, as all languages we serve write it."""
    return " ".join(part for part in (given.strip(), family.strip()) if part)


def split(name: str) -> tuple[str, str]:
    """(given, family) of a name written in one field; a single word is a given name, as Indonesian names often are."""
    words = name.split()
    if len(words) < 2:
        return " ".join(words), ""
    return " ".join(words[:-1]), words[-1]


def sort_text(given: str, family: str, display_name: str) -> str:
    """The text to sort by: family name first where there is one."""
    return f"{family} {given}" if family.strip() else display_name or given


def differ(given_name: str, known_name: str) -> bool:
    """True if two spellings cannot be one person's name.

    Order, case, accents and missing parts do not count: `Kowalski Jan` and `Jan` are no different from `Jan Kowalski`.
    An empty name differs from nothing.
    """
    ours, theirs = _words(given_name), _words(known_name)
    return bool(ours and theirs) and not (ours <= theirs or theirs <= ours)


def _words(name: str) -> frozenset[str]:
    return frozenset(fold.search_key(name).replace("-", " ").replace(".", " ").split())

"""Public holidays of countries and their regions, by the well-kept package `holidays`, a year at a time."""

import functools
from collections.abc import Mapping
from datetime import date
from typing import Any

_YEARS_REMEMBERED = (
    2_000  # of some hundred bytes each: several years of every region that tenants name
)


@functools.cache
def _package() -> Any:
    import holidays
    import holidays.countries  # all of them

    return holidays


def load() -> None:
    """Imports the package, for up to a third of a second: in a thread after the start, so that nobody waits for it."""
    _package()


@functools.cache
def known_countries() -> Mapping[str, tuple[str, ...]]:
    """Country (ISO 3166-1) -> its regions (ISO 3166-2 without the country's part) whose holidays are known."""
    found = _package().list_supported_countries(include_aliases=False)
    return {country: tuple(regions) for country, regions in found.items()}


def name_of(day: date, country: str, subdivision: str = "", language: str = "") -> str:
    """The holiday's name; empty if the day is none, or the country is not known here.

    In the language (BCP 47) if the country's holidays are known in it, else in English, else as the country calls them.
    """
    return _of_year(day.year, country, subdivision, _language(country, language)).get(day, "")


@functools.lru_cache(_YEARS_REMEMBERED)
def _of_year(year: int, country: str, subdivision: str, language: str) -> Mapping[date, str]:
    try:
        return dict(
            _package().country_holidays(
                country, subdiv=subdivision or None, years=year, language=language or None
            )
        )
    except NotImplementedError:  # the package's word for a country or region that it does not know
        return {}  # what a tenant names is checked where it is saved


@functools.lru_cache(_YEARS_REMEMBERED)
def _language(country: str, wanted: str) -> str:
    """The package's name of the best language; never left to it, because then the machine's locale would decide."""
    known: list[str] = _localized().get(country, [])
    short = wanted.partition("-")[0]
    best = [name for name in known if name.partition("_")[0] == short]
    return next(iter([*best, *(name for name in known if name.startswith("en"))]), "")


@functools.cache
def _localized() -> Mapping[str, list[str]]:
    found: Mapping[str, list[str]] = _package().list_localized_countries(include_aliases=False)
    return found

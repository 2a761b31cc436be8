"""Tax numbers per country: form and check digits by python-stdnum."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from stdnum.exceptions import InvalidChecksum, InvalidFormat, InvalidLength, ValidationError
from stdnum.util import get_cc_module

_USUAL = {
    "PL": "nip", "ID": "npwp", "MY": "nric", "SG": "uen", "GB": "vat", "DE": "vat", "FR": "siren", "US": "ein",
    "AU": "abn", "IN": "gstin", "TH": "tin", "VN": "mst", "JP": "cn", "KR": "brn", "CN": "uscc", "BR": "cnpj",
}  # fmt: skip
"""The number that a company of the country usually names; elsewhere the VAT number."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A verified number without separators, and which one it is. `verified` is False where no rule is known."""

    country: str
    kind: str
    number: str
    verified: bool


class WrongTaxNumber(ValueError):
    """Why a number cannot be right, as a sentence part."""


def check(country: str, kind: str, number: str) -> Checked:
    """The number in its compact form, verified by the rule of `country` and `kind` (empty = the country's usual one).

    A country or kind without a known rule is accepted as written, without separators. Raises WrongTaxNumber.
    """
    country = country.upper()
    kind = kind.lower() or _USUAL.get(country, "vat")
    rule = _rule(country, kind)
    if rule is None:
        return Checked(country, kind, _bare(number), verified=False)
    validate: Callable[[str], str] = rule.validate
    try:
        return Checked(country, kind, validate(number), verified=True)
    except InvalidLength as error:
        raise WrongTaxNumber("it has the wrong number of digits") from error
    except InvalidChecksum as error:
        raise WrongTaxNumber("its check digits do not match; a digit may be mistyped") from error
    except InvalidFormat as error:
        raise WrongTaxNumber("it has characters that do not belong there") from error
    except ValidationError as error:
        raise WrongTaxNumber("it is not a number that the tax office gives out") from error


def _rule(country: str, kind: str) -> ModuleType | None:
    if not (country.isascii() and country.isalpha() and kind.isidentifier()):
        return None
    module = get_cc_module(country.lower(), kind)
    return module if hasattr(module, "validate") else None


def _bare(number: str) -> str:
    return "".join(c for c in number.upper() if c.isalnum())

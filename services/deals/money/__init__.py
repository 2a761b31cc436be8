"""The money engine: what lines come to, how a whole is split, how a currency is rounded. Pure."""

from services.deals.money import currencies, lines, split

__all__ = ["currencies", "lines", "split"]

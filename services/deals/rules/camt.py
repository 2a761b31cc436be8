"""ISO 20022 camt.053 (bank to customer statement), versions 02 to 13: the booked movements. Pure.

Names of elements are compared without their namespace, which changes with the version. No entity is ever expanded.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from services.deals.rules.statements import Entry, Statement, Unreadable

_NO_REFERENCE = {"", "NOTPROVIDED", "NONREF", "NONE"}


def parse(content: bytes) -> Statement:
    """All statements of the file together; Unreadable if it is none."""
    try:
        root = fromstring(content, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise Unreadable(f"the file is no XML that can be read: {str(error)[:200]}") from None
    found = [each for each in root.iter() if _name(each) == "Stmt"]
    if not found:
        raise Unreadable(f"the file holds <{_name(root)[:40]}> and no statement (Stmt) of camt.053")
    whole = Statement()
    for at, each in enumerate(found):
        account, currency = _account(each), _text(each, "Acct", "Ccy")
        if at == 0:
            whole.account, whole.currency = account, currency
        for number, entry in enumerate(_children(each, "Ntry"), 1):
            if _status(entry) == "BOOK":
                whole.entries.extend(_entries(entry, account, f"movement {number}"))
            else:
                whole.pending += 1
    whole.opening = _balance(found[0], "OPBD", "PRCD")
    whole.closing = _balance(found[-1], "CLBD")
    if not whole.currency and whole.entries:
        whole.currency = whole.entries[0].currency
    return whole


def _entries(entry: Element, account: str, place: str) -> Iterator[Entry]:
    """One for each transaction of a batch where their amounts come to the movement's, else one for all."""
    amount, currency = _amount(_only(entry, "Amt", place), place)
    outgoing = _text(entry, "CdtDbtInd") == "DBIT"
    charges = _charges(entry)
    parts = [each for part in _children(entry, "NtryDtls") for each in _children(part, "TxDtls")]
    amounts = [_part_amount(part, currency, place) for part in parts]
    sums = sum((each for each in amounts if each is not None), Decimal(0))
    is_split = len(parts) > 1 and None not in amounts and sums in (amount, amount + charges)
    shared: dict[str, Any] = {
        "booked": _day(entry, place), "currency": currency, "outgoing": outgoing, "account": account,
        "is_reversal": _text(entry, "RvslInd").lower() in ("true", "1"),
    }  # fmt: skip
    reference = _reference(entry, "AcctSvcrRef")
    if is_split:
        for number, (part, share) in enumerate(zip(parts, amounts, strict=True), 1):
            own = _reference(part, "Refs", "AcctSvcrRef") or (f"{reference}/{number}" if reference else "")  # fmt: skip
            assert share is not None
            yield Entry(amount=share, bank_reference=own, **_told([part], outgoing), **shared)
        return
    kept = charges if len(parts) <= 1 and not outgoing and sums == amount + charges else Decimal(0)
    told = _told(parts if len(parts) == 1 else [], outgoing)
    if not told["text"]:
        words = [_remittance(part) for part in parts] or [_text(entry, "AddtlNtryInf")]
        told["text"] = " ".join(word for word in words if word)[:2000]
    yield Entry(
        amount=amount + kept, charges=kept, bank_reference=reference or _first_reference(parts), **told, **shared
    )  # fmt: skip


def _told(parts: list[Element], outgoing: bool) -> dict[str, Any]:
    """Who is at the other end of a transaction, and what he wrote."""
    if not parts:
        return {"text": "", "payer_name": "", "payer_account": ""}
    part, side = parts[0], "Cdtr" if outgoing else "Dbtr"
    name = _text(part, "RltdPties", side, "Nm") or _text(part, "RltdPties", side, "Pty", "Nm")
    account = _text(part, "RltdPties", f"{side}Acct", "Id", "IBAN") or _text(
        part, "RltdPties", f"{side}Acct", "Id", "Othr", "Id"
    )
    return {"text": _remittance(part), "payer_name": name[:200], "payer_account": account[:64]}


def _remittance(part: Element) -> str:
    """What was written with a transaction: free text, structured references, and the payer's own reference."""
    words = [
        (each.text or "").strip()
        for about in _children(part, "RmtInf")
        for each in about.iter()
        if _name(each) in ("Ustrd", "Ref", "Nb", "AddtlRmtInf")
    ]
    end_to_end = _text(part, "Refs", "EndToEndId")
    if end_to_end.upper() not in _NO_REFERENCE:
        words.append(end_to_end)
    words.append(_text(part, "AddtlTxInf"))
    return " ".join(dict.fromkeys(word for word in words if word))[:2000]


def _part_amount(part: Element, currency: str, place: str) -> Decimal | None:
    """A transaction's amount in the account's currency; None if it does not say one."""
    for path in (("Amt",), ("AmtDtls", "TxAmt", "Amt"), ("AmtDtls", "InstdAmt", "Amt")):
        found = _find(part, *path)
        if found is not None and found.get("Ccy", currency) == currency:
            return _amount(found, place)[0]
    return None


def _charges(entry: Element) -> Decimal:
    """What the bank kept of the movement."""
    about = _find(entry, "Chrgs")
    if about is None:
        return Decimal(0)
    total = _find(about, "TtlChrgsAndTaxAmt")
    each = [total] if total is not None else [_find(part, "Amt") for part in _children(about, "Rcrd")] or [_find(about, "Amt")]  # fmt: skip
    return sum((_amount(part, "charges")[0] for part in each if part is not None), Decimal(0))


def _amount(element: Element, place: str) -> tuple[Decimal, str]:
    try:
        amount = Decimal((element.text or "").strip())
    except InvalidOperation:
        raise Unreadable(f"{place}: {element.text!r} is no amount") from None
    if not amount.is_finite() or amount < 0:
        raise Unreadable(f"{place}: {element.text!r} is no amount")
    return amount, element.get("Ccy", "")


def _day(entry: Element, place: str) -> date:
    """When it was booked, else the day from which it counts."""
    text = ""
    for name in ("BookgDt", "ValDt"):
        text = text or _text(entry, name, "Dt") or _text(entry, name, "DtTm")
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise Unreadable(f"{place}: {text!r} is no booking date") from None


def _status(entry: Element) -> str:
    """BOOK, PDNG or INFO; later versions put it into a code of its own."""
    return _text(entry, "Sts", "Cd") or _text(entry, "Sts") or "BOOK"


def _reference(element: Element, *path: str) -> str:
    text = _text(element, *path)
    return "" if text.upper() in _NO_REFERENCE else text[:100]


def _first_reference(parts: list[Element]) -> str:
    return _reference(parts[0], "Refs", "AcctSvcrRef") if len(parts) == 1 else ""


def _account(statement: Element) -> str:
    return _text(statement, "Acct", "Id", "IBAN") or _text(statement, "Acct", "Id", "Othr", "Id")


def _balance(statement: Element, *codes: str) -> Decimal | None:
    for code in codes:
        for each in _children(statement, "Bal"):
            if _text(each, "Tp", "CdOrPrtry", "Cd") == code:
                amount = _amount(_only(each, "Amt", "a balance"), "a balance")[0]
                return -amount if _text(each, "CdtDbtInd") == "DBIT" else amount
    return None


# -- elements by their names -------------------------------------------------------------------------------------------------


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _children(element: Element, name: str) -> list[Element]:
    return [child for child in element if _name(child) == name]


def _find(element: Element, *path: str) -> Element | None:
    for name in path:
        found = _children(element, name)
        if not found:
            return None
        element = found[0]
    return element


def _only(element: Element, name: str, place: str) -> Element:
    found = _find(element, name)
    if found is None:
        raise Unreadable(f"{place} has no <{name}>")
    return found


def _text(element: Element, *path: str) -> str:
    found = _find(element, *path)
    return (found.text or "").strip() if found is not None else ""

"""camt.053 files as banks send them, for tests of what is read out of them."""

CAMT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"><BkToCstmrStmt><Stmt>
<Id>2026-11</Id><Acct><Id><IBAN>PL61109010140000071219812874</IBAN></Id><Ccy>PLN</Ccy></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="PLN">10.00</Amt><CdtDbtInd>DBIT</CdtDbtInd></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="PLN">989.00</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>
{entries}
</Stmt></BkToCstmrStmt></Document>"""
ENTRY = """<Ntry><Amt Ccy="PLN">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd>{more}<Sts>{status}</Sts>
<BookgDt><Dt>2026-11-20</Dt></BookgDt><AcctSvcrRef>{reference}</AcctSvcrRef>{charges}<NtryDtls>{details}</NtryDtls></Ntry>"""
DETAILS = """<TxDtls><Refs><EndToEndId>{end}</EndToEndId></Refs>{amount}<RltdPties><Dbtr>{name}</Dbtr>
<DbtrAcct><Id><IBAN>PL27114020040000300201355387</IBAN></Id></DbtrAcct></RltdPties>
<RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls>"""


def details_of(text: str = "FV 1", name: str = "<Nm>Ana Nowak</Nm>", amount: str = "", end: str = "NOTPROVIDED") -> str:  # fmt: skip
    return DETAILS.format(text=text, name=name, amount=amount, end=end)


def entry_of(amount: str = "100.00", side: str = "CRDT", status: str = "BOOK", reference: str = "R1", details: str = "", charges: str = "", more: str = "") -> str:  # fmt: skip
    return ENTRY.format(
        amount=amount, side=side, status=status, reference=reference, details=details or details_of(),
        charges=charges, more=more,
    )  # fmt: skip

"""Whom a file names: contacts and companies, of which only the keys are known here."""

from typing import Any

from chassis.kit.imports.named import Refs

CONTACTS: Any = Refs("contact")
COMPANIES: Any = Refs("company")

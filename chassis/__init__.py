"""Plumbing that every service shares; knows no CRM noun."""

import sys
from pathlib import Path

# The generated contracts (package crm) live in gen/, which is built and not installed.
_GEN = str(Path(__file__).parent.parent / "gen")
if _GEN not in sys.path:
    sys.path.insert(0, _GEN)

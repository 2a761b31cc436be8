"""Data directories with contacts in them, made once and kept: a million takes minutes."""

import asyncio
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.bench import contacts
from tests.bench.company import Company, found
from tests.bench.installation import Installation

CACHE = Path(tempfile.gettempdir()) / "akrab-bench-cache"
_STRANGERS_PER_TEAM_MEMBER = 49  # 1,000 owners in all, 20 of them in the team


class Kept:
    """A data directory with a number of contacts, kept for later runs of the same program."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._folder = CACHE / contacts.fingerprint() / f"contacts-{count}"
        self.data, self._company = self._folder / "data", self._folder / "company.json"

    def make(self) -> None:
        """Makes it, unless it is there."""
        if self._company.exists():
            return
        for old in CACHE.glob(
            f"*/{self._folder.name}"
        ):  # of another program, or begun and not ended
            shutil.rmtree(old)
        self._folder.mkdir(parents=True, mode=0o711)
        with Installation(self.data).running() as installation:
            company = found(installation, strangers=_STRANGERS_PER_TEAM_MEMBER * 20)
            asyncio.run(contacts.load(installation.database_url(), company, self.count))
        company.save(self._company)

    def company(self) -> Company:
        return Company.load(self._company)

    def installation(self) -> Installation:
        """To be measured without being changed."""
        return Installation(self.data)

    def copy(self, to: Path) -> Installation:
        """A copy that may be changed."""
        subprocess.run(["cp", "-a", "--reflink=auto", str(self.data), str(to)], check=True)
        return Installation(to)

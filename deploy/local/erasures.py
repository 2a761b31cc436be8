"""The erasure list over backups and restores: who was erased after a backup is erased again when it is restored.

Each erasure is a small file under `<data>/erasures/`, written by the application; it holds ids and keyed hashes, no person. It is
in every backup. A backup also leaves a copy of the list beside itself (`<folder of the backup>/erasures/`), and a restore unites
three lists: the backup's own, the one beside it, and that of the data directory it replaces. The application reads the list when
it starts, before it serves anybody.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

FOLDER = "erasures"


def unite(into: Path, others: Iterable[Path]) -> int:
    """Copy what the lists beside these places have and the one in `into` has not; how many erasures came."""
    came = 0
    for other in others:
        for source in sorted((other / FOLDER).glob("*/*.json")):
            place = into / FOLDER / source.parent.name / source.name
            if place.exists():
                continue
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(source, place)
            place.chmod(0o600)
            came += 1
    return came

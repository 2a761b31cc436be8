"""Small files that only their owner may read, replaced in one step."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.local.errors import Refusal


def write_private(path: Path, text: str) -> None:
    """Replace `path` by `text` (mode 0600); a crash leaves the old or the new one, never half."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def write_private_json(path: Path, content: Mapping[str, Any]) -> None:
    """Like `write_private`, as indented JSON."""
    write_private(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; anything else there raises Refusal naming the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refusal(f"{path} is missing: the data directory is damaged. {_RESTORE}") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise Refusal(f"{path} is unreadable: the data directory is damaged. {_RESTORE}") from None
    if not isinstance(content, dict):
        raise Refusal(f"{path} is unreadable: the data directory is damaged. {_RESTORE}")
    return content


_RESTORE = "Nothing was changed; bring back a backup with `make restore FROM=file FORCE=1`."


def last_line(path: Path, *containing: str) -> str:
    """The last non-empty line of a log that holds one of `containing` (none given = any line)."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - 65536))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    for line in reversed(lines):
        if line.strip() and (not containing or any(word in line for word in containing)):
            return line.strip()
    return ""

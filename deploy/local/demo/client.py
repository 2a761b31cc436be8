"""HTTP as the demo needs it: JSON over the standard library, with an idempotency key where something is made."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any


class Refused(Exception):
    """The API refused; the text is its own."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('reason', '')}: {problem.get('detail', '')}")
        self.status, self.reason = status, problem.get("reason", "")


@dataclass(slots=True)
class Client:
    """One caller of the API."""

    url: str
    token: str = ""

    def get(self, path: str) -> Any:
        """GET, decoded."""
        return self._call("GET", path, None, {})

    def post(self, path: str, body: dict[str, Any], key: str = "") -> Any:
        """POST, decoded; with `key`, doing it again changes nothing."""
        return self._call("POST", path, body, {"Idempotency-Key": key} if key else {})

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """PATCH, decoded."""
        return self._call("PATCH", path, body, {})

    def _call(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {**headers, "Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read()
            problem = json.loads(text) if text[:1] == b"{" else {}
            raise Refused(error.code, problem) from None

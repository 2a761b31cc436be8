"""The company that the bench measures with: an administrator, a team of 20 and, in it, somebody who sees only his own."""

import json
import os
import secrets
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.local.demo.client import Client
from tests.bench.installation import Installation, until

TEAM = 20
_ADMINISTRATOR = "admin@bench.example"
_MEMBERS = {"team": "team@bench.example", "own": "own@bench.example"}


@dataclass(frozen=True, slots=True)
class Company:
    """What is known of it; kept beside its data directory."""

    tenant_id: str
    password: str
    team: tuple[str, ...]
    """The user ids of the team; the second one sees only what is his own."""
    strangers: tuple[str, ...]
    """Owners outside the team; they need not exist to own contacts."""

    def sign_in(self, installation: Installation, who: str = "all") -> Client:
        """A client with a fresh access token (they live 15 minutes): all, team or own, by what it may read."""
        email = _MEMBERS.get(who, _ADMINISTRATOR)
        answer = Client(installation.url).post(
            "/v1/auth:login", {"email": email, "password": self.password}
        )
        return Client(installation.url, answer["accessToken"])

    def save(self, path: Path) -> None:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(self), file)

    @classmethod
    def load(cls, path: Path) -> "Company":
        found = json.loads(path.read_text())
        return cls(
            found["tenant_id"], found["password"], tuple(found["team"]), tuple(found["strangers"])
        )


def found(installation: Installation, strangers: int) -> Company:
    """Sets the running installation up, through its API."""
    password, stranger = secrets.token_urlsafe(15), Client(installation.url)
    token = (installation.data / "setup-token").read_text().strip()
    stranger.post("/v1/setup", {
        "token": token,
        "company": {"name": "Bench", "country": "PL", "currency": "PLN", "language": "en", "timeZone": "Europe/Warsaw"},
        "administrator": {"email": _ADMINISTRATOR, "password": password, "name": "Ada Bench"},
    })  # fmt: skip
    company = Company("", password, (), ())
    admin = company.sign_in(installation)
    department = admin.post("/v1/departments", {"name": "Team"})["id"]
    team = [_member(admin, department, scope, email, password) for scope, email in _MEMBERS.items()]
    for n in range(TEAM - len(team)):
        body = {
            "email": f"member{n}@bench.example",
            "name": f"Member {n}",
            "departmentId": department,
        }
        team.append(admin.post("/v1/users", body)["id"])
    others = tuple(str(uuid.uuid4()) for _ in range(strangers))
    return Company(admin.get("/v1/me")["tenant"]["id"], password, tuple(team), others)


def _member(admin: Client, department: str, scope: str, email: str, password: str) -> str:
    """A user who reads contacts with this scope and can sign in."""
    grants = [{"object": "contact", "action": "read", "scope": f"SCOPE_{scope.upper()}"}]
    role = admin.post("/v1/roles", {"name": f"Reads {scope}", "grants": grants})
    body = {
        "email": email,
        "name": f"Reader of {scope}",
        "roleIds": [role["id"]],
        "departmentId": department,
    }
    user = admin.post("/v1/users", body)["id"]
    link = admin.post(f"/v1/users/{user}:invite", {})
    Client(admin.url).post(
        "/v1/auth:acceptInvitation", {"token": link["token"], "password": password}
    )
    until(lambda: admin.get(f"/v1/users/{user}")["state"].endswith("ACTIVE"), f"{email} joins", 10)
    return str(user)

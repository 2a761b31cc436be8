"""Runs every service and the gateway from one image: `python -m tools.image_check IMAGE`.

Called by image_check.sh, which builds the image and says which podman storage to use. PostgreSQL and NATS come
from the wheels, everything speaks on 127.0.0.1, and each container is as locked up as the manifests lock it up.
"""

import contextlib
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import httpx

from chassis import nkey, service
from chassis.testing.servers import NatsServer, PostgresServer, free_port, scratch

SERVICES = service.names()[:-1]  # the gateway, which is the last, is started after them
# A process has this long from SIGTERM to its exit (the manifests give 45 s, with a longer drain).
STOP_WITHIN_S = 15
# Two cores may be busy with the rest of a CI run.
READY_WITHIN_S = 90
# What the pods may not do either: see deploy/k8s/base/process.yaml.
LOCKED_UP = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges")


class CheckFailed(Exception):
    """The image does not do what it should; the text says what was seen."""


@dataclass
class Containers:
    """The containers of this run, all of one image, on the host's network."""

    image: str
    settings: dict[str, str]
    files: Path
    started: list[str] = field(default_factory=list)

    def start(self, name: str, arguments: list[str], settings: dict[str, str]) -> None:
        """Start one in the background."""
        _podman("run", "--detach", *self._options(name, settings), self.image, *arguments)
        self.started.append(name)

    def run(self, name: str, arguments: list[str], settings: dict[str, str]) -> None:
        """Run one to its end; raises CheckFailed with its last words unless it exits 0."""
        _podman("run", "--rm", *self._options(name, settings), self.image, *arguments)

    def stop(self, name: str) -> float:
        """Send SIGTERM and wait for exit 0; the seconds it took."""
        began = time.monotonic()
        _podman("kill", "--signal=TERM", name)
        code = _podman("wait", name, timeout_s=STOP_WITHIN_S).strip()
        if code != "0":
            raise CheckFailed(f"{name} exited {code} on SIGTERM")
        return time.monotonic() - began

    def logs(self) -> str:
        """The end of what each container said."""
        return "".join(f"--- {name}\n{_logs(name)}" for name in self.started)

    def running(self, name: str) -> bool:
        return _podman("inspect", "--format={{.State.Running}}", name).strip() == "true"

    def _options(self, name: str, settings: dict[str, str]) -> list[str]:
        environment = [f"--env={key}={value}" for key, value in (self.settings | settings).items()]
        mount = f"--volume={self.files}:/data:rw"
        return [f"--name={name}", "--network=host", mount, *LOCKED_UP, *environment]


def main(image: str) -> int:
    """Starts everything, uses it once, stops it; returns the exit code."""
    with scratch() as directory, _servers(directory) as (postgres, nats):
        files = directory / "files"
        files.mkdir()
        files.chmod(0o777)  # the image's user is nobody of this machine
        common = {
            "CRM_BIND": "127.0.0.1",
            "CRM_SECRET": secrets.token_hex(32),
            "CRM_NATS_URL": nats.url(),
            "CRM_POSTGRES_URL": f"postgresql://127.0.0.1:{postgres.port}/postgres",
        }
        containers = Containers(image, common, files)
        try:
            _check(containers, postgres.url(), nats.issuer_seed)
        except (CheckFailed, httpx.HTTPError, grpc.RpcError) as failure:
            print(f"image check: {failure}\n{containers.logs()}", file=sys.stderr)
            return 1
        finally:
            for name in containers.started:
                remove = ["podman", "rm", "--force", "--time=0", name]
                subprocess.run(remove, capture_output=True, check=False)
    return 0


def _check(containers: Containers, administrator_url: str, seed: str) -> None:
    containers.run("akrab-migrate", ["migrate"], {"CRM_POSTGRES_URL": administrator_url})
    setup_token = secrets.token_urlsafe(24)
    grpc_ports = {name: free_port() for name in SERVICES}
    own = {
        "identity": {"CRM_NATS_CALLOUT_SEED": seed, "CRM_SETUP_TOKEN": setup_token},
    }
    health: dict[str, str] = {}
    for name in SERVICES:
        ports = {
            "CRM_GRPC_PORT": str(grpc_ports[name]),
            "CRM_METRICS_PORT": str(free_port()),
        }
        containers.start(f"akrab-{name}", [f"--target={name}"], ports | own.get(name, {}))
        health[f"akrab-{name}"] = f"http://127.0.0.1:{ports['CRM_METRICS_PORT']}"
    addresses = {
        f"CRM_ADDRESS_{name.upper()}": f"dns:///127.0.0.1:{port}"
        for name, port in grpc_ports.items()
    }
    port = free_port()
    gateway = f"http://127.0.0.1:{port}"
    containers.start("akrab-gateway", ["--target=gateway"], addresses | {"CRM_PORT": str(port)})
    health["akrab-gateway"] = gateway

    for name, url in health.items():
        _wait_ready(containers, name, url)
    for name in SERVICES:
        _ask_grpc_health(name, grpc_ports[name])
    _use(gateway, setup_token)
    # The callers first, as a roll would: the gateway drains while the owners still answer.
    for name in reversed(health):
        print(f"image check: {name} ended {containers.stop(name):.1f} s after SIGTERM")


def _use(gateway: str, setup_token: str) -> None:
    """Found a company, sign in, create one contact and read it back, as a client would."""
    email, password = "head@example.com", secrets.token_urlsafe(16)
    with httpx.Client(base_url=gateway, timeout=30) as client:
        company = {"name": "Akrab", "country": "ID", "currency": "IDR"}
        company |= {"language": "id", "timeZone": "Asia/Jakarta"}
        administrator = {"email": email, "password": password, "name": "Sari Wijaya"}
        setup = {
            "token": setup_token,
            "company": company,
            "administrator": administrator,
        }
        _answer(client.post("/v1/setup", json=setup))
        login = _answer(client.post("/v1/auth:login", json={"email": email, "password": password}))
        client.headers["Authorization"] = f"Bearer {login['accessToken']}"
        person = {"givenName": "Łukasz", "familyName": "Wiśniewski"}
        created = _answer(client.post("/v1/contacts", json=person))
        read = _answer(client.get(f"/v1/contacts/{created['id']}"))
        task = {"subject": "Call back", "link": {"contactId": created["id"]}}
        _answer(client.post("/v1/tasks", json=task))
    if read.get("familyName") != person["familyName"]:
        raise CheckFailed(f"the contact came back as {read}")
    print("image check: a contact and a task were created through the gateway")


def _answer(response: httpx.Response) -> dict[str, object]:
    if response.status_code != 200:
        request = response.request
        raise CheckFailed(
            f"{request.method} {request.url.path}: {response.status_code} {response.text}"
        )
    answer: dict[str, object] = response.json()
    return answer


def _wait_ready(containers: Containers, name: str, url: str) -> None:
    """Return when /readyz answers 200; also ask /healthz and /metrics once."""
    deadline = time.monotonic() + READY_WITHIN_S
    with httpx.Client(base_url=url, timeout=5) as client:
        while not _is_ready(client):
            if time.monotonic() > deadline:
                raise CheckFailed(f"{name} was not ready within {READY_WITHIN_S} s")
            if not containers.running(name):
                raise CheckFailed(f"{name} ended before it was ready")
            time.sleep(0.2)  # another program's readiness can only be polled
        for path in ("/healthz", "/metrics"):
            if client.get(path).status_code != 200:
                raise CheckFailed(f"{name} {path}: {client.get(path).status_code}")


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _ask_grpc_health(name: str, port: int) -> None:
    """What the pods' gRPC probes ask; the message of SERVING is field 1 = 1."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        answer = channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=5)
    if answer != b"\x08\x01":
        raise CheckFailed(f"{name} is ready but its gRPC health says {answer!r}")


@contextlib.contextmanager
def _servers(directory: Path) -> Iterator[tuple[PostgresServer, NatsServer]]:
    """PostgreSQL and NATS of this run, ended with it."""
    seed = nkey.new_account_seed()
    with contextlib.ExitStack() as stack:
        for name in ("postgres", "nats"):
            (directory / name).mkdir()
            (directory / name).chmod(0o755)  # PostgreSQL runs as another user
        postgres = PostgresServer(directory / "postgres")
        nats = NatsServer(directory / "nats", password=secrets.token_hex(16), issuer_seed=seed)
        for server in (postgres, nats):
            server.start()
            stack.callback(server.stop)
        yield postgres, nats


def _podman(*arguments: str, timeout_s: float = 60) -> str:
    """What podman printed; raises CheckFailed with what it complained about."""
    try:
        run = subprocess.run(
            ["podman", *arguments],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CheckFailed(f"podman {arguments[0]}: not within {timeout_s:g} s") from None
    if run.returncode != 0:
        raise CheckFailed(f"podman {arguments[0]}: {(run.stderr or run.stdout)[-2000:]}")
    return run.stdout


def _logs(name: str) -> str:
    run = subprocess.run(
        ["podman", "logs", "--tail=40", name],
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout + run.stderr


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

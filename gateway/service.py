"""What runs here: the HTTP server, and the live stream's feeds."""

from chassis.service import Service
from gateway.server import serve
from gateway.settings import Settings

service = Service(name="gateway", settings=Settings, background=[serve])

"""The REST interface's adapter does what every adapter must, over a real websocket."""

from tests.service.telephony.conformance import WiredConformance
from tests.service.telephony.fake_ari import FakeAri


class TestAri(WiredConformance):
    driver = FakeAri
    not_told = ("queue_abandoned", "queue_answered")  # ARI says nothing of queues

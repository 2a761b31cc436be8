"""The manager interface's adapter does what every adapter must, over a real socket."""

from tests.service.telephony.conformance import WiredConformance
from tests.service.telephony.fake_ami import FakeAmi


class TestAmi(WiredConformance):
    driver = FakeAmi

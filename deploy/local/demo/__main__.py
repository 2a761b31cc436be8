"""`python -m deploy.local.demo create | traffic`; reads CRM_URL, CRM_DATA_DIR and CRM_SETUP_TOKEN."""

import os
import signal
import sys
import threading
from pathlib import Path

from deploy.local.demo import company, telephony, visitors
from deploy.local.demo.client import Refused


def main(arguments: list[str]) -> int:
    """The program. Returns its exit code."""
    url, data_dir = os.environ["CRM_URL"], Path(os.environ["CRM_DATA_DIR"])
    if arguments == ["create"]:
        try:
            company.create(url, os.environ.get("CRM_SETUP_TOKEN", ""), data_dir)
        except (Refused, OSError) as error:
            print(f"{error}", file=sys.stderr)
            return 1
        return 0
    if arguments == ["traffic"]:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        ringing = threading.Thread(target=telephony.keep_ringing, args=(url, data_dir, stop))
        ringing.start()
        visitors.keep_coming(url, data_dir, stop)
        ringing.join()
        return 0
    print("usage: python -m deploy.local.demo create | traffic", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

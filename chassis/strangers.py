"""Callers without a session, told apart without being known."""

import hashlib
import ipaddress

from chassis.tx import Tx


def address_hash(tx: Tx, door_id: str) -> str:
    """The caller without his address: a hash that differs from door to door; an IPv6 network of one house is one caller."""
    assert tx.call is not None
    peer = tx.call.peer
    try:
        address = ipaddress.ip_address(peer)
        if address.version == 6:
            peer = str(ipaddress.ip_network((address, 64), strict=False))
    except ValueError:
        pass  # no address, as in a call from within: such callers share one count
    return hashlib.sha256(f"{door_id}/{peer}".encode()).hexdigest()[:32]

"""How facts travel: outbox -> relay -> JetStream -> durable consumer -> inbox and effect -> ack.

nats.py          the process's one NATS connection, streams, buckets
outbox.py        the outbox and inbox tables, and how a commit wakes the relay
leader.py        one process per database does the background work that must not run twice
relay.py         outbox rows -> JetStream
pull.py          JetStream -> this process, one message at a time as capacity allows
lanes.py         events of one record one after the other, of different records side by side
consumer.py      retries, the effect, ack, dead letters
dead_letters.py  list, show, re-drive and skip what could not be processed
"""

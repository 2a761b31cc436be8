"""The live stream: events as they happen, each only to who may read the record behind it.

feed.py     one NATS consumer per stream and process, whatever the number of clients
event.py    one event: what guards it, and how it looks to a reader
position.py where a reader is in all streams: the id by which it resumes
replay.py   events of the past, read in batches without a consumer
hub.py      who is connected, and who gets what
endpoint.py GET /v1/events, as a stream or a page
"""

"""JSON <-> protobuf, compiled once per message type from its descriptor.

Why not google.protobuf.json_format: it is several times slower and stops at the first fault
(PERFORMANCE.md section 1). The encoding is canonical ProtoJSON; a conformance set in
tests/unit/chassis/codec holds it equal to json_format.

    to_dict, to_json        message -> canonical JSON
    from_json               JSON -> message, or DecodeError with every violation in it
    mask_of                 JSON body -> update mask
    merge, changed_paths    apply an update mask; say what differs
    project, hide           keep or clear paths of a message
    hide_dict               the same on canonical JSON
    has_path, json_path     check and translate a path
    crosses_list            whether a path leads through a list

Everything is a pure function of its arguments; the caches behind it only ever gain complete
entries, so all of it may be called from any thread.
"""

from chassis.codec.decode import from_json
from chassis.codec.encode import to_dict, to_json
from chassis.codec.errors import DecodeError, EncodeError, Violation
from chassis.codec.masks import changed_paths, mask_of, merge
from chassis.codec.paths import crosses_list, has_path, json_path
from chassis.codec.select import hide, hide_dict, project

__all__ = [
    "DecodeError",
    "EncodeError",
    "Violation",
    "changed_paths",
    "crosses_list",
    "from_json",
    "has_path",
    "hide",
    "hide_dict",
    "json_path",
    "mask_of",
    "merge",
    "project",
    "to_dict",
    "to_json",
]

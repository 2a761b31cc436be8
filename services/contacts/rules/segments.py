"""What a segment must be, and whom its filter selects. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Violation
from chassis.kit import filter as filters
from chassis.kit.filter import Compiled, Field, FilterError, Node
from chassis.kit.filter_evaluate import Predicate
from crm.contacts.v1 import segment_pb2
from services.contacts import errors

OBJECTS = {"contacts": "contact", "companies": "company"}
"""Plural -> object of the resources that have segments."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a filter may name, and the moment that its relative moments are measured from."""

    fields: Mapping[str, Field]
    custom: Mapping[str, Field]
    now: datetime

    def node(self, text: str) -> Node:
        """The filter with its relative moments set; raises FilterError."""
        return filters.anchored(filters.parse(text), self.fields, self.custom, self.now)

    def compiled(self, text: str) -> Compiled:
        """The filter as SQL; raises FilterError."""
        return filters.compile_filter(self.node(text), self.fields, self.custom)

    def predicate(self, text: str) -> Predicate:
        """The filter in Python, over a row's columns; raises FilterError."""
        return filters.predicate(self.node(text), self.fields, self.custom)

    def is_relative(self, text: str) -> bool:
        """True if the filter names a moment relative to now."""
        return filters.is_relative(filters.parse(text), self.fields, self.custom)


def normalise(segment: segment_pb2.Segment) -> None:
    """Brings what people type into the form in which it is kept."""
    segment.label = " ".join(segment.label.split())
    segment.description = segment.description.strip()


def check_resource(new: segment_pb2.Segment, old: segment_pb2.Segment | None) -> None:
    """Refuses other resources than those that have segments, and a change of it: its records would be of two kinds."""
    if new.resource not in OBJECTS:
        known = " or ".join(OBJECTS)
        raise errors.SegmentInvalid(
            [Violation("resource", f"must be {known}, got {new.resource!r}")]
        )
    if old is not None and old.resource != new.resource:
        raise errors.SegmentResourceFixed(old.resource)


def check_filter(segment: segment_pb2.Segment, selection: Selection) -> set[str]:
    """The fields that the filter names; notes whether time alone changes the selection. SegmentInvalid says where it is wrong."""
    try:
        selection.compiled(segment.filter)
        segment.time_dependent = selection.is_relative(segment.filter)
        return filters.fields_named(filters.parse(segment.filter))
    except FilterError as error:
        raise errors.SegmentInvalid([Violation("filter", str(error))]) from None


def party_of(segment: segment_pb2.Segment, request: segment_pb2.SegmentContainsRequest) -> str:
    """The id that was asked for; SegmentInvalid unless it is one of the kind that the segment holds."""
    object = OBJECTS[segment.resource]
    wanted, other = f"{object}_id", "company_id" if object == "contact" else "contact_id"
    if getattr(request, other):
        raise errors.SegmentInvalid(
            [Violation(other, f"the segment holds {segment.resource}; give {wanted}")]
        )
    if not getattr(request, wanted):
        raise errors.SegmentInvalid([Violation(wanted, "is required")])
    return str(getattr(request, wanted))

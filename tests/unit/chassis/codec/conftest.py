"""Message types for the codec's tests, compiled when the tests run: nothing generated is kept."""

import importlib.resources
from pathlib import Path
from types import SimpleNamespace

import pytest
from google.protobuf import (
    any_pb2,  # noqa: F401  the well-known types must be in the pool before what imports them
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,  # noqa: F401
    field_mask_pb2,  # noqa: F401
    message_factory,
    struct_pb2,  # noqa: F401
    timestamp_pb2,  # noqa: F401
    wrappers_pb2,  # noqa: F401
)
from google.type import date_pb2
from grpc_tools import protoc

MODERN = """
syntax = "proto3";
package akrab.codec_test.v1;
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/type/date.proto";

enum Color {
  option allow_alias = true;
  COLOR_UNSPECIFIED = 0; COLOR_RED = 1; COLOR_CRIMSON = 1; COLOR_BLUE = 2; COLOR_DARK = -1;
}
message Scalars {
  int32 f_int32 = 1; sint32 f_sint32 = 2; sfixed32 f_sfixed32 = 3;
  uint32 f_uint32 = 4; fixed32 f_fixed32 = 5;
  int64 f_int64 = 6; sint64 f_sint64 = 7; sfixed64 f_sfixed64 = 8;
  uint64 f_uint64 = 9; fixed64 f_fixed64 = 10;
  bool f_bool = 11; string f_string = 12; bytes f_bytes = 13;
  float f_float = 14; double f_double = 15; Color f_color = 16;
  google.protobuf.NullValue f_null = 17;
  string renamed = 18 [json_name = "otherName"];
}
message Optionals {
  optional int32 f_int32 = 1; optional int64 f_int64 = 2; optional bool f_bool = 3;
  optional string f_string = 4; optional bytes f_bytes = 5; optional double f_double = 6;
  optional Color f_color = 7; optional Scalars f_scalars = 8;
}
message Lists {
  repeated int32 f_int32 = 1; repeated int64 f_int64 = 2; repeated bool f_bool = 3;
  repeated string f_string = 4; repeated bytes f_bytes = 5; repeated float f_float = 6;
  repeated double f_double = 7; repeated Color f_color = 8; repeated Scalars f_scalars = 9;
  repeated google.protobuf.Value f_value = 10; repeated google.protobuf.Struct f_struct = 11;
  repeated google.protobuf.Timestamp f_timestamp = 12;
  repeated google.protobuf.Int64Value f_wrapper = 13;
  repeated google.protobuf.ListValue f_list = 14;
  repeated google.protobuf.NullValue f_null = 15;
}
message Maps {
  map<int32, string> f_int32 = 1; map<sint32, string> f_sint32 = 2;
  map<sfixed32, string> f_sfixed32 = 3; map<uint32, string> f_uint32 = 4;
  map<fixed32, string> f_fixed32 = 5; map<int64, string> f_int64 = 6;
  map<sint64, string> f_sint64 = 7; map<sfixed64, string> f_sfixed64 = 8;
  map<uint64, string> f_uint64 = 9; map<fixed64, string> f_fixed64 = 10;
  map<bool, string> f_bool = 11; map<string, string> f_string = 12;
  map<string, int64> to_int64 = 13; map<string, double> to_double = 14;
  map<string, bytes> to_bytes = 15; map<string, Color> to_color = 16;
  map<string, Scalars> to_scalars = 17; map<string, google.protobuf.Value> to_value = 18;
  map<string, google.protobuf.Timestamp> to_timestamp = 19;
  map<string, google.protobuf.StringValue> to_wrapper = 20;
  map<string, google.protobuf.Struct> to_struct = 21;
}
message Choices {
  oneof choice {
    string text = 1; int32 number = 2; Scalars scalars = 3; google.protobuf.NullValue nothing = 4;
    google.protobuf.Value any_json = 5;
  }
  string beside = 6;
}
message WellKnown {
  google.protobuf.Timestamp timestamp = 1; google.protobuf.Duration duration = 2;
  google.protobuf.FieldMask mask = 3; google.protobuf.Struct struct = 4;
  google.protobuf.Value value = 5; google.protobuf.ListValue list = 6;
  google.protobuf.Any any = 7; google.protobuf.BoolValue bool = 8;
  google.protobuf.BytesValue bytes = 9; google.protobuf.DoubleValue double = 10;
  google.protobuf.FloatValue float = 11; google.protobuf.Int32Value int32 = 12;
  google.protobuf.Int64Value int64 = 13; google.protobuf.StringValue string = 14;
  google.protobuf.UInt32Value uint32 = 15; google.protobuf.UInt64Value uint64 = 16;
}
message Node {
  string name = 1; Node child = 2; repeated Node children = 3; map<string, Node> by_name = 4;
}

message Phone { string number = 1; string kind = 2; Scalars details = 3; }
message Address { string street = 1; string city = 2; optional int32 floor = 3; Phone desk = 4; }
message Person {
  string id = 1; string display_name = 2; int64 version = 3; optional int32 score = 4;
  repeated Phone phones = 5; repeated string tag_ids = 6; Address address = 7;
  google.type.Date birth_date = 8; google.protobuf.Timestamp create_time = 9;
  map<string, google.protobuf.Value> custom = 10; map<string, string> labels = 11;
  map<int32, Phone> by_floor = 12; map<bool, string> answers = 13;
  google.protobuf.Struct extra = 14; google.protobuf.Value anything = 15;
  oneof reach { string email = 16; Phone phone = 17; }
  double weight = 18;
}
"""

LEGACY = """
syntax = "proto2";
package akrab.codec_test.v1;
message Legacy {
  enum Level { LEVEL_LOW = 1; LEVEL_HIGH = 2; }
  optional Level level = 1; optional int32 depth = 2 [default = 7];
  extensions 100 to 199;
}
message Note { optional string text = 1; }
extend Legacy { optional Note note = 100; }
"""


def compile_into(pool, directory, name, source):
    """Compile one .proto text and add it to a descriptor pool."""
    (directory / name).write_text(source)
    target = directory / f"{name}.bin"
    includes = (
        importlib.resources.files("grpc_tools") / "_proto",
        Path(date_pb2.__file__).parents[2],
    )
    arguments = [f"-I{directory}", *(f"-I{path}" for path in includes)]
    assert (
        protoc.main(["", *arguments, f"--descriptor_set_out={target}", str(directory / name)]) == 0
    )
    files = descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes())
    for file in files.file:
        pool.AddSerializedFile(file.SerializeToString())
    return message_classes(pool, name)


def message_classes(pool, name):
    """The message classes of one file of a pool, by their names."""
    messages = pool.FindFileByName(name).message_types_by_name
    return {key: message_factory.GetMessageClass(value) for key, value in messages.items()}


@pytest.fixture(scope="session")
def pb(tmp_path_factory):
    """All test messages, as attributes: `pb.Scalars`, `pb.Person`, ..."""
    directory = tmp_path_factory.mktemp("codec-protos")
    pool = descriptor_pool.Default()
    classes = compile_into(pool, directory, "akrab_codec_test.proto", MODERN)
    classes |= compile_into(pool, directory, "akrab_codec_legacy_test.proto", LEGACY)
    return SimpleNamespace(**classes)

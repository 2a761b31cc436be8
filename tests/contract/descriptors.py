"""What protos/ says, and bad samples compiled on the spot: the material of the contract tests."""

import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, FileDescriptor, MethodDescriptor
from grpc_tools import protoc

from chassis import contracts

ROOT = Path(__file__).parents[2]
_WELL_KNOWN = Path(protoc.__file__).parent / "_proto"


def methods() -> list[MethodDescriptor]:
    """Every RPC."""
    return [method for service in contracts.services() for method in service.methods]


def resources() -> list[Descriptor]:
    """Every resource."""
    return [message for message in contracts.messages() if contracts.resource_option(message)]


def events() -> list[Descriptor]:
    """Every event."""
    return list(contracts.events().values())


def files() -> list[descriptor_pb2.FileDescriptorProto]:
    """Our contracts with their comments."""
    data = (ROOT / "gen" / "descriptors.binpb").read_bytes()
    return [
        file
        for file in descriptor_pb2.FileDescriptorSet.FromString(data).file
        if file.package.startswith("crm.")
    ]


def compiled(name: str, text: str) -> tuple[descriptor_pb2.FileDescriptorProto, FileDescriptor]:
    """A sample as protoc reads it: with comments, and as a descriptor with its options. `name` is its file, once per process."""
    contracts.load_all()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_text(text)
        out = Path(folder) / "set"
        code = protoc.main(
            ["protoc", f"-I{folder}", f"-I{ROOT / 'protos'}", f"-I{_WELL_KNOWN}", "--include_source_info",
             f"--descriptor_set_out={out}", name]
        )  # fmt: skip
        assert code == 0
        (file,) = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return file, pool.FindFileByName(name)

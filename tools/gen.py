"""Generates Python from `protos/crm` into `gen/` (never committed); `make gen` runs it when a contract changed."""

import hashlib
import shutil
import sys
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).parent.parent
PROTOS, GEN = ROOT / "protos", ROOT / "gen"


def fingerprint() -> str:
    """One hash over every contract and this generator."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(PROTOS.rglob("*.proto")):
        digest.update(path.relative_to(PROTOS).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def main() -> int:
    stamp = GEN / "fingerprint"
    wanted = fingerprint()
    if stamp.exists() and stamp.read_text() == wanted:
        return 0
    fresh = GEN.with_name("gen.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    files = [str(p.relative_to(PROTOS)) for p in sorted((PROTOS / "crm").rglob("*.proto"))]
    wellknown = resources.files("grpc_tools") / "_proto"
    code = protoc.main(
        [
            "protoc",
            f"-I{PROTOS}",
            f"-I{wellknown}",
            f"--python_out={fresh}",
            f"--pyi_out={fresh}",
            f"--grpc_python_out={fresh}",
            "--include_imports",
            "--include_source_info",
            # The comments, which the generated code does not keep; OpenAPI and docs/events.md are made of them.
            f"--descriptor_set_out={fresh / 'descriptors.binpb'}",
            *files,
        ]
    )
    if code:
        return code
    shutil.rmtree(GEN, ignore_errors=True)
    fresh.rename(GEN)
    stamp.write_text(wanted)
    print(f"gen: {len(files)} contracts generated", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

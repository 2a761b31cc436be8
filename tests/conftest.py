"""What holds for all tests."""

import os

# Some tests start programs from a process in which gRPC runs; its fork handlers would write into their output.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

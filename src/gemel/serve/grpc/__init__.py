"""The service over gRPC: its own service, and that of the Open Inference Protocol."""

import os

# What its core says of itself goes to stderr as no line of JSON.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

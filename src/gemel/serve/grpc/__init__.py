"""The service over gRPC: its own service, and that of the Open Inference Protocol."""

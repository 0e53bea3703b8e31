"""What is sent and what comes back: plain structs that clients load without the service."""

"""HTTP around the service: routes, exchange, errors, description, server."""

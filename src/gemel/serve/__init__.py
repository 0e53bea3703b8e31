"""One release, answering over HTTP: the service, its routes and how it follows a pointer."""

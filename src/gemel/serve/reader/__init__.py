"""The process beside a service in which what is large is read."""

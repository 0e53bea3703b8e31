"""Pairs that somebody judged: read, looked through, and what they make of records."""

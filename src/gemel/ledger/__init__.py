"""Decisions and changes, appended once and never changed: one hash-chained table."""

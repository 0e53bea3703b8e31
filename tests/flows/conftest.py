"""What lies here and is no test."""

collect_ignore = ["make_kept.py"]
"""Code of an earlier version."""

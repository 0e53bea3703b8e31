"""Immutable releases, the evidence inside them, the checks before promotion, and their store."""

"""What fits the comparator of a trained space."""

"""From records to an exported encoder: the only place that knows torch."""

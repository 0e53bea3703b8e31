"""Two releases on the same records: differences with intervals, and decisions that flip."""

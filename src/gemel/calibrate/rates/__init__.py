"""Error rates with intervals by identity: at a threshold, of searches, by category, paired."""

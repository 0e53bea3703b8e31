"""From labelled comparisons to a decision with stated error rates; numpy and scipy only."""

"""What a score means: likelihood ratios and intervals fitted, and how well they hold."""

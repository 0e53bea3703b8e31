"""What reports draw: curves, probabilities, searches, categories, tinted pictures."""

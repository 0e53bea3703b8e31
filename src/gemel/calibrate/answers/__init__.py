"""What answers to decisions say about a threshold."""

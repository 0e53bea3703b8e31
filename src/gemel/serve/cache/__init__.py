"""What is not encoded again: known here, or to a server that several processes share."""

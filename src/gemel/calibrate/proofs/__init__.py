"""What counted errors prove of an error rate, and how many more identities would prove it."""

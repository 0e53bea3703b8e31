"""Long jobs over many records, and what makes a release better."""

"""Forms in which tables are kept, and what is read of each."""

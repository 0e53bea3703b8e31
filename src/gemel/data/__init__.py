"""From files to one validated dataset, and from a dataset to identity-disjoint splits."""

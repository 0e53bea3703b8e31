"""What embeddings are used for, and how well they do it."""

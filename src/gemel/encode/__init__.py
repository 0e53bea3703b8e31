"""From a payload to an embedding and from two embeddings to a score: what train and serve both run."""

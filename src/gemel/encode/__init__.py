"""From a payload to an embedding, from two embeddings to a score: run by train and serve alike."""

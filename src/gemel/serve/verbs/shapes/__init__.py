"""Verbs in the shapes that other programs know: Cohere's rerank, the Open Inference Protocol."""

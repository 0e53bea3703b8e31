"""Texts: what is counted of them, what they are made of, and their modality."""

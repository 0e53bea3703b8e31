"""Recordings: how they are read and heard, what they are made of, and their modality."""

"""Rows of a table as a modality: fields with values."""

"""Rows to arrays (placeholder during construction)."""
class RowPrepare:
    modality = "row"

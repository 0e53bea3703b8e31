"""Siamese networks in production: learn a similarity, decide with stated error rates, operate it."""

__version__ = "0.1.0"

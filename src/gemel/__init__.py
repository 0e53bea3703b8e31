"""Siamese networks in production: a similarity learned, decided with stated error rates, operated.

The public names are loaded when first used, so that `import gemel` stays fast and brings neither
torch nor a web framework.
"""

__version__ = "0.1.0"

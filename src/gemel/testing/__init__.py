"""Suites that a plugged-in part has to pass, each one a function.

Each check raises AssertionError with one sentence about what a user would notice. They ship with
the package, so that a plug-in can run them in its own tests.
"""

from gemel.testing.comparators import check_comparator
from gemel.testing.encoders import check_encoder
from gemel.testing.engines import check_engine
from gemel.testing.galleries import check_gallery
from gemel.testing.losses import check_loss
from gemel.testing.modalities import check_modality

__all__ = [
    "check_comparator",
    "check_encoder",
    "check_engine",
    "check_gallery",
    "check_loss",
    "check_modality",
]

"""Siamese networks in production: a similarity learned, decided with stated error rates, operated.

The public names are loaded when first used, so that `import gemel` stays fast and brings neither
torch nor a web framework. All else is reached by its
module, such as `gemel.calibrate.scores.sweep`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gemel.calibrate.goals.target import Target
    from gemel.config import Config
    from gemel.data.dataset import Dataset
    from gemel.data.records import from_rows, read
    from gemel.data.splits import Splits, by_identity, without_labels
    from gemel.decide.policy import Policy
    from gemel.encode.encoder import Encoder
    from gemel.errors import GemelError
    from gemel.gallery.gallery import Gallery
    from gemel.improve.duplicates import duplicates
    from gemel.ledger.ledger import Ledger
    from gemel.release.compare.compare import Comparison, compare
    from gemel.release.evidence.goals import Goals
    from gemel.release.evidence.schema import Sampling
    from gemel.release.explanation import Explanation, explain
    from gemel.release.gates import promote, rollback
    from gemel.release.make.build import build as build_release
    from gemel.release.release import Release
    from gemel.release.store import Store
    from gemel.serve.http.app import create_app
    from gemel.serve.removal import remove_releases
    from gemel.serve.service import Service
    from gemel.settings import TrainSettings
    from gemel.train.estimator import SiameseEstimator
    from gemel.train.fit import train as train_encoder
    from gemel.train.shrink.shrink import shrink

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "Config",
    "Dataset",
    "Encoder",
    "Explanation",
    "Gallery",
    "GemelError",
    "Goals",
    "Ledger",
    "Policy",
    "Release",
    "Sampling",
    "Service",
    "SiameseEstimator",
    "Splits",
    "Store",
    "Target",
    "TrainSettings",
    "build_release",
    "by_identity",
    "compare",
    "create_app",
    "duplicates",
    "explain",
    "from_rows",
    "promote",
    "read",
    "remove_releases",
    "rollback",
    "shrink",
    "train_encoder",
    "without_labels",
]

_PLACES = {
    "Comparison": "release.compare.compare",
    "Config": "config",
    "Dataset": "data.dataset",
    "Encoder": "encode.encoder",
    "Explanation": "release.explanation",
    "Gallery": "gallery.gallery",
    "Goals": "release.evidence.goals",
    "GemelError": "errors",
    "Ledger": "ledger.ledger",
    "Policy": "decide.policy",
    "Release": "release.release",
    "Sampling": "release.evidence.schema",
    "Service": "serve.service",
    "SiameseEstimator": "train.estimator",
    "Splits": "data.splits",
    "Store": "release.store",
    "Target": "calibrate.goals.target",
    "TrainSettings": "settings",
    "build_release": "release.make.build:build",
    "by_identity": "data.splits",
    "compare": "release.compare.compare",
    "create_app": "serve.http.app",
    "duplicates": "improve.duplicates",
    "explain": "release.explanation",
    "from_rows": "data.records",
    "promote": "release.gates",
    "read": "data.records",
    "remove_releases": "serve.removal",
    "rollback": "release.gates",
    "shrink": "train.shrink.shrink",
    "train_encoder": "train.fit:train",
    "without_labels": "data.splits",
}


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'gemel' has no attribute {name!r}")
    module, _, attribute = place.partition(":")
    value = globals()[name] = getattr(import_module(f"gemel.{module}"), attribute or name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

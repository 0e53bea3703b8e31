"""The table of settings: section, key, type, default and meaning, each declared once.

How a value gets in is not known here: see `config`. 0 and None often mean "as measured best".
"""

from __future__ import annotations

from gemel.settings.data import (
    EVERY,
    EXACT,
    DataSettings,
    FieldKind,
    Links,
    OtherSettings,
    SameRecord,
    SplitSettings,
)
from gemel.settings.learning import (
    ByCategory,
    CalibrateSettings,
    Compares,
    Device,
    For,
    LongTexts,
    Margin,
    Mining,
    Observed,
    Proven,
    RatioShape,
    Tracker,
    TrainSettings,
    Tune,
)
from gemel.settings.service import (
    AdaptSettings,
    GallerySettings,
    LedgerSettings,
    ServeSettings,
    StoreSettings,
)
from gemel.settings.shapes import Settings

SECTIONS: dict[str, type[Settings]] = {
    "data": DataSettings,
    "other": OtherSettings,
    "split": SplitSettings,
    "train": TrainSettings,
    "calibrate": CalibrateSettings,
    "store": StoreSettings,
    "ledger": LedgerSettings,
    "gallery": GallerySettings,
    "serve": ServeSettings,
    "adapt": AdaptSettings,
}


__all__ = [
    "EVERY",
    "EXACT",
    "SECTIONS",
    "AdaptSettings",
    "ByCategory",
    "CalibrateSettings",
    "Compares",
    "DataSettings",
    "Device",
    "FieldKind",
    "For",
    "GallerySettings",
    "LedgerSettings",
    "Links",
    "LongTexts",
    "Margin",
    "Mining",
    "Observed",
    "OtherSettings",
    "Proven",
    "RatioShape",
    "SameRecord",
    "ServeSettings",
    "Settings",
    "SplitSettings",
    "StoreSettings",
    "Tracker",
    "TrainSettings",
    "Tune",
]

"""What a folder of files holds, by the names of the files in it."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from gemel.data import records
from gemel.data.sources import images, recordings, texts

ENOUGH = 1000
"""Files that are looked at."""


def kind_of(folder: Path) -> str:
    """`data.kind` of most of the files below a folder; images where no name tells."""
    kinds = (images.KIND, texts.KIND, recordings.KIND)
    of = {suffix: kind.modality for kind in kinds for suffix in (*kind.suffixes, *kind.unread[0])}
    seen: Counter[str] = Counter()
    for _, folders, names in os.walk(folder):
        folders[:] = [n for n in folders if not n.startswith(".")]
        seen.update(of[s] for n in names if (s := Path(n).suffix.lower()) in of)
        if seen.total() > ENOUGH:
            break
    modality = seen.most_common(1)[0][0] if seen else images.KIND.modality
    named = records.kind_of(modality)
    return f"{modality}s" if named == "auto" else named

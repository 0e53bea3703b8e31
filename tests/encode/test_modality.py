"""Modalities are found by name, and nobody else names one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import gemel
from gemel.encode import modality
from gemel.encode.encoder import prepare_from_spec
from gemel.errors import ConfigError, InvalidInput, ReleaseError
from gemel.registry import MODALITIES

SOURCE = Path(gemel.__file__).parent
OWN = (
    "registry.py",
    "encode/row/",
    "encode/image/",
    "encode/audio/",
    "encode/image_text/",
    "data/sources/rows.py",
    "data/sources/captions.py",
    "data/sources/images.py",
    "data/sources/recordings.py",
    "train/backbones/",
    "train/towers/",
    "train/views/",
)
"""What belongs to a modality, and the table that says where each one is."""


def test_no_other_module_names_a_modality() -> None:
    # A field of rows can be of the kind text as well.
    names = "|".join(set(MODALITIES.built_in) - {"text"})
    named = re.compile(rf"""["'](?:{names})["']""")
    found = []
    for file in [*SOURCE.rglob("*.py"), *SOURCE.rglob("*.js"), *SOURCE.rglob("*.html")]:
        path = file.relative_to(SOURCE).as_posix()
        if not path.startswith(OWN):
            lines = file.read_text().splitlines()
            found += [f"{path}:{i}" for i, line in enumerate(lines, 1) if named.search(line)]
    assert not found, f"ask the modality instead: {found}"


def test_a_modality_of_nobody_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="unknown modality 'smell'") as caught:
        modality.named("smell")
    assert "image" in caught.value.hint
    with pytest.raises(ReleaseError, match="'smell'") as opened:
        prepare_from_spec({"modality": "smell"}, "r/prepare.json")
    assert opened.value.where == "r/prepare.json"


def test_what_is_no_modality_is_refused(install) -> None:  # type: ignore[no-untyped-def]
    install("odour", "class Odour:\n    name = 'other'\n", "gemel.modalities", odour="Odour")
    with pytest.raises(ConfigError, match="no modality of that name"):
        modality.named("odour")


def test_a_payload_of_another_modality_is_refused_by_the_probes() -> None:
    from gemel.release import probes

    row = modality.named("row")
    assert probes.unpack(row, probes.pack(row, {"a": "b"})) == {"a": "b"}
    with pytest.raises(InvalidInput, match="image is no row"):
        probes.unpack(row, {"image": "AAAA"})


def test_opening_a_modality_loads_no_torch() -> None:
    code = (
        "import sys; from gemel.encode import modality\n"
        "modality.named('row'), modality.named('image')\n"
        "assert not {'torch', 'litestar', 'matplotlib'} & set(sys.modules), 'too much'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_word_longer_than_a_path_is_no_file() -> None:
    assert modality.file_at("x" * 5000) is None and modality.file_at("a\0b") is None
    assert modality.file_at(__file__) is not None

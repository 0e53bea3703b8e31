"""What a modality has to hold to be read, trained on, served, explained and shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import InvalidInput
from gemel.testing.must import must

if TYPE_CHECKING:
    from gemel.encode.modality import Modality, Payload, Prepare
    from gemel.encode.parts import Cut

PNG = b"\x89PNG\r\n\x1a\n"


def check_modality(
    kind: Modality,
    prepare: Prepare,
    payloads: Sequence[Payload],
    *,
    bad: Sequence[Any] = (),
    path: Path | None = None,
    identity: str | None = None,
) -> None:
    """Raise AssertionError, saying what is wrong, unless this is a whole modality.

    Its preprocessing is data, and gives a payload the same arrays whatever else is in the batch.
    Payloads and items come back as they were, also through JSON. What is none is refused. Parts
    are payloads again. The baseline scores. What is shown is text, or a PNG file.

    Args:
        kind: to be checked.
        prepare: a preprocessing of it.
        payloads: at least two different ones.
        bad: items that it must refuse, besides those that no modality takes.
        path: a file or folder of its records.
        identity: the column of `path` that says which belong together, if it takes one.
    """
    must(kind.name == prepare.modality, f"{kind.name} prepares {prepare.modality}")
    must(len(kind.nouns) == 2 and all(kind.nouns), "people need a word for one and for several")
    _check_prepare(kind, prepare, payloads)
    _check_items(kind, prepare, payloads, bad)
    for payload in payloads[:3]:
        _check_parts(kind, prepare, payload)
        _check_shown(kind, prepare, payload)
    _check_baseline(kind, prepare, payloads)
    if path is not None:
        _check_read(kind, path, identity)


def _same(prepare: Prepare, left: Payload, right: Payload) -> bool:
    """Whether two payloads are prepared alike."""
    one, two = prepare([left]), prepare([right])
    return one.keys() == two.keys() and all(np.array_equal(one[k], two[k]) for k in one)


def _check_prepare(kind: Modality, prepare: Prepare, payloads: Sequence[Payload]) -> None:
    spec = json.loads(json.dumps(prepare.spec()))
    again = kind.prepare(spec)
    must(again.spec() == prepare.spec(), "the preprocessing does not come back from its spec")
    must(isinstance(prepare.fields, tuple), "fields are no tuple; it is empty if there are none")
    together, apart = prepare(payloads), [again([payload]) for payload in payloads]
    for name, array in together.items():
        must(len(array) == len(payloads), f"{name} has {len(array)} rows of {len(payloads)}")
        alone = np.concatenate([one[name] for one in apart])
        must(np.array_equal(alone, array), f"{name} of a payload depends on its batch")
    for payload in payloads:
        prepare.check(payload)


def _check_items(
    kind: Modality, prepare: Prepare, payloads: Sequence[Payload], bad: Sequence[Any]
) -> None:
    for payload in payloads:
        packed = json.loads(json.dumps(kind.pack(payload)))
        must(_same(prepare, kind.unpack(packed), payload), "a packed payload does not come back")
        item = json.loads(json.dumps(kind.item(payload)))
        must(
            _same(prepare, kind.payload(prepare, item), payload),
            "the item of a payload stands for another payload",
        )
        must(
            _same(prepare, kind.payload(prepare, payload), payload),
            "a payload does not stand for itself",
        )
        written = kind.word(json.dumps(item), "query")
        must(
            written is None or _same(prepare, kind.payload(prepare, written), payload),
            "a word of a command line stands for another payload than its JSON",
        )
        kind.attributes(prepare, item)
    must(kind.word("no-item-but-perhaps-an-id", "query") is None, "any word is taken for an item")
    _check_schema(kind, prepare, kind.item(payloads[0]))
    for item in (None, 5, object(), {"no such thing": 1}, {}, *bad):
        try:
            kind.payload(prepare, item)
        except InvalidInput as e:
            must(bool(e.what), f"the refusal of {item!r:.60} says nothing")
        else:
            raise AssertionError(f"{item!r:.60} was not refused")


def _check_schema(kind: Modality, prepare: Prepare, item: Any) -> None:
    schema = json.loads(json.dumps(kind.schema(prepare)))
    must(schema.get("type") == "object", "the schema of an item is not one of an object")
    known, required = schema.get("properties", {}), schema.get("required", [])
    must(set(item) <= set(known), f"the schema does not know {sorted(set(item) - set(known))}")
    must(set(required) <= set(item), "an item lacks what its schema requires")


def _check_parts(kind: Modality, prepare: Prepare, payload: Payload) -> None:
    found = kind.parts(prepare, payload)
    must(_same(prepare, found.payload, payload), "the parts are those of another payload")
    prepare([found.nothing()])
    coarse = found.coarse()
    must(len({cut.name for cut in coarse}) == len(coarse), "two parts have one name")
    for cut in coarse:
        _check_cut(prepare, cut)
        for inner in found.finer(cut):
            _check_cut(prepare, inner)
        must(found.borrowed(cut, payload) is None, f"{cut.name} is borrowed from the same payload")


def _check_cut(prepare: Prepare, cut: Cut) -> None:
    prepare([cut.without])
    if cut.box is not None:
        x0, y0, x1, y1 = cut.box
        inside = 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1
        must(inside, f"{cut.name} lies at {cut.box}, outside its picture")


def _check_shown(kind: Modality, prepare: Prepare, payload: Payload) -> None:
    json.dumps(kind.values(payload))
    kept = kind.kept(payload)
    prepare.check(kind.unpack(json.loads(json.dumps(kind.pack(kept)))))
    tints = [((0.0, 0.0, 0.5, 0.5), 1.0), ((0.5, 0.5, 1.0, 1.0), -0.5)]
    pictures = (kind.picture(payload, tints, 64), kind.thumbnail(payload, 64))
    must((pictures[0] is None) == (pictures[1] is None), "one picture is there, the other is not")
    must(all(file is None or file.startswith(PNG) for file in pictures), "a picture is no PNG file")
    seen = bool(kind.values(payload)) or pictures[0] is not None
    must(seen, "people see nothing of a payload: neither values nor a picture")


def _check_baseline(kind: Modality, prepare: Prepare, payloads: Sequence[Payload]) -> None:
    found = kind.baseline(prepare, iter(payloads), iter(payloads))
    rows, n = found.rows, len(payloads)
    must(rows.dtype == np.float32 and rows.shape[0] == n, f"baseline rows are {rows.shape}")
    matrix = found.comparator.matrix(rows, rows)
    must(bool(np.isfinite(matrix).all()) and matrix.shape == (n, n), "baseline scores are missing")
    must(bool(np.allclose(matrix, matrix.T, atol=1e-5)), "the baseline is not symmetric")
    own = matrix.diagonal()
    must(bool((own >= matrix.max(axis=1) - 1e-5).all()), "nothing is most like itself")
    must(bool(found.name and found.how), "the baseline has no name, or nothing says what it is")


def _check_read(kind: Modality, path: Path, identity: str | None) -> None:
    from gemel.data.sources.columns import Columns

    dataset, again = (kind.read(path, Columns(identity=identity)) for _ in range(2))
    must(dataset.modality == kind.name, f"the records are of modality {dataset.modality}")
    must(len(dataset) > 1 and dataset.digest == again.digest, "two readings are not the same")
    must(len(set(dataset.ids.tolist())) == len(dataset), "two records have one id")
    must(len(dataset.payloads()) == len(dataset), "there are not as many payloads as records")
    part = dataset.take([1])
    (one,) = part.payloads()
    must(part.ids[0] == dataset.ids[1], "take gives other records than asked for")
    must(json.dumps(kind.pack(one)) == json.dumps(kind.pack(dataset.payloads([1])[0])), "so too")
    side = np.arange(len(dataset), dtype=np.int64) % 2
    keys, near = dataset.contents.alike(side, near=True)
    must(len(keys) == len(dataset) and near.shape[1:] == (2,), "alike does not look at all records")

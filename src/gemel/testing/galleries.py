"""What a gallery has to hold for a service to stand on it, wherever its records are kept."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.arrays import Float32, unit_rows
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import (
    DataError,
    DuplicateRecord,
    GalleryError,
    GemelError,
    InvalidInput,
    SpaceMismatch,
    UnknownRecord,
)
from gemel.testing.must import must

if TYPE_CHECKING:
    from gemel.gallery.gallery import Gallery

SPACE = "5" * 64
DIM = 12
N = 300
COLOURS = ("red", "green", None)

Open = Callable[..., "Gallery"]


def check_gallery(open_: Open) -> None:
    """Raise AssertionError, saying what is wrong, unless this is a gallery to stand on.

    Checks it against an exact scan: enroll, change, delete, search, filters, groups, another
    comparator, refusals, and what is there after it was closed and opened again.

    Args:
        open_: opens one place, empty at first, with the keyword arguments of `Gallery.open`.
    """
    rng = np.random.default_rng(11)
    rows = unit_rows(rng.standard_normal((N, DIM)))
    with open_(space_id=SPACE, dim=DIM) as gallery:
        _check_empty(gallery, rows)
        _check_enroll(gallery, rows)
        _check_refusals(gallery, rows)
        _check_search(gallery, rows)
        _check_groups(gallery, rows)
        _check_delete(gallery, rows)
    _check_reopened(open_, rows)


class Half(Cosine):
    """Half the cosine: another comparator, of the same order."""

    def score(self, left: Float32, right: Float32) -> Float32:
        """Score of row i of left with row i of right."""
        return super().score(left, right) * np.float32(0.5)

    def matrix(self, left: Float32, right: Float32) -> Float32:
        """Score of every left row with every right row."""
        return super().matrix(left, right) * np.float32(0.5)


def name(i: int) -> str:
    """Id of a record."""
    return f"record {i:03}"


def colour(i: int) -> dict[str, Any]:
    """Attributes of a record: a third red, a third green, a third without."""
    value = COLOURS[i % 3]
    return {"number": i} if value is None else {"number": i, "colour": value}


def _check_empty(gallery: Gallery, rows: Float32) -> None:
    must(gallery.space_id == SPACE and gallery.dim == DIM, "it is not of the space it was made for")
    must(gallery.count() == 0, "a new gallery has records")
    must(gallery.search(rows[:2], 3) == [[], []], "an empty gallery finds something")
    must(gallery.search(rows[0], 3, {"colour": "red"}) == [[]], "it refuses a filter, being empty")
    must(gallery.delete(["nobody"]) == 0, "something can be deleted from an empty gallery")


def _check_enroll(gallery: Gallery, rows: Float32) -> None:
    ids, attributes = [name(i) for i in range(N)], [colour(i) for i in range(N)]
    done = gallery.enroll(ids, rows, attributes)
    must((done.added, done.updated, done.unchanged) == (N, 0, 0), f"{N} new records gave {done}")
    done = gallery.enroll(ids, rows, attributes)
    must((done.added, done.updated, done.unchanged) == (0, 0, N), f"sent again they gave {done}")
    done = gallery.enroll(ids[:2], rows[[1, 1]], attributes[:2])
    must((done.added, done.updated, done.unchanged) == (0, 1, 1), f"a new embedding gave {done}")
    done = gallery.enroll(ids[:1], rows[:1], [{"number": 0.5, "flag": True, "none": None}])
    must(done.updated == 1, "other attributes are no change")
    found = gallery.get(name(0))
    must(
        found.attributes == {"number": 0.5, "flag": True, "none": None},
        f"attributes came back as {found.attributes}",
    )
    must(np.allclose(found.embedding, rows[0], atol=1e-6), "an embedding came back changed")
    gallery.enroll(ids[:1], rows[:1], attributes[:1])
    must(gallery.count() == N, f"count is {gallery.count()}, {N} records are there")


def _check_refusals(gallery: Gallery, rows: Float32) -> None:
    two = unit_rows(rows[:2])
    _refused(DuplicateRecord, lambda: gallery.enroll(["a", "a"], two), "an id twice in a batch")
    _refused(DataError, lambda: gallery.enroll(["a", ""], two), "an empty id")
    _refused(DataError, lambda: gallery.enroll(["a"], two), "fewer ids than embeddings")
    _refused(DataError, lambda: gallery.enroll(["a", "b"], two * 2), "embeddings not of length 1")
    _refused(DataError, lambda: gallery.enroll(["a", "b"], two[:, :-1]), "another dimension")
    odd: list[dict[str, Any]] = [{"x": 1}, {"x": float("inf")}]
    _refused(DataError, lambda: gallery.enroll(["a", "b"], two, odd), "an infinite attribute")
    _refused(UnknownRecord, lambda: gallery.get("a"), "an unknown record, or half a refused batch,")
    _refused(InvalidInput, lambda: gallery.search(rows[0], 0), "k = 0")
    _refused(DataError, lambda: gallery.search(rows[0, :-1], 1), "a query of another dimension")
    must(gallery.count() == N, "a refused batch changed something")


def _check_search(gallery: Gallery, rows: Float32) -> None:
    queries = unit_rows(rows[:20] + 0.2 * rows[20:40])
    _check_hits(gallery, rows, queries, range(N), None)
    red = [i for i in range(N) if i % 3 == 0]
    _check_hits(gallery, rows, queries, red, {"colour": "red"})
    some = [i for i in range(N) if i % 3 < 2 and i in (4, 6, 8)]
    _check_hits(gallery, rows, queries, some, {"colour": ["red", "green"], "number": [4, 6, 8]})
    blue = {"colour": "blue"}
    must(gallery.search(queries[:1], 3, blue) == [[]], f"{blue} matches something")
    must(gallery.count(blue) == 0, f"{blue} matches something when counted")
    new: dict[str, str | int] = {"colour": "red", "unheard of": 1}
    _refused(InvalidInput, lambda: gallery.search(queries[:1], 3, new), "a filter on what none has")
    _refused(InvalidInput, lambda: gallery.count(new), "a count by what no record has")
    _refused(InvalidInput, lambda: gallery.groups("colour", new), "groups by what no record has")
    must(gallery.count({"colour": "red"}) == len(red), "a filter counts other records")
    plain = gallery.search(queries, 5)
    half = gallery.search(queries, 5, comparator=Half())
    for whole, other in zip(plain, half, strict=True):
        must([h.id for h in whole] == [h.id for h in other], "another comparator finds others")
        apart = max(abs(h.score / 2 - o.score) for h, o in zip(whole, other, strict=True))
        must(apart < 1e-5, "the comparator of who asks does not score")
    (alone,) = gallery.search(queries[0], 5)
    must(alone == plain[0], "one query alone finds other records than in a batch")


def _check_hits(
    gallery: Gallery, rows: Float32, queries: Float32, among: Any, where: Any, k: int = 7
) -> None:
    """Hits are those of an exact scan of the records that pass the filter, in its order."""
    for query, hits in zip(queries, gallery.search(queries, k, where), strict=True):
        scores = {name(i): float(query @ rows[i]) for i in among}
        exact = sorted(scores, key=lambda i: (-scores[i], i))[:k]
        must([h.id for h in hits] == exact, f"hits with {where} are not those of an exact scan")
        must(
            all(abs(h.score - scores[h.id]) < 1e-5 for h in hits), "a score is not the comparator's"
        )
        expected = [colour(int(h.id.split()[1])) for h in hits]
        must([h.attributes for h in hits] == expected, "a hit has the attributes of another")


def _check_groups(gallery: Gallery, rows: Float32) -> None:
    groups = gallery.groups("colour")
    found = {value: groups.ids(i) for i, value in enumerate(groups.values)}
    wanted = {c: {name(i) for i in range(N) if COLOURS[i % 3] == c} for c in COLOURS if c}
    must({v: set(ids) for v, ids in found.items()} == wanted, "a group has other records")
    order = [int(i.split()[1]) for ids in found.values() for i in ids]
    must(np.allclose(groups.rows, rows[order], atol=1e-6), "rows are not in the order of the ids")
    must(groups.counts.tolist() == [len(ids) for ids in found.values()], "counts are not sizes")
    must(gallery.is_at(groups.state), "a gallery that nobody changed is at another state")
    few = gallery.groups("colour", {"number": [3, 4]})
    must(sorted(map(str, few.values)) == ["green", "red"] and len(few) == 2, "a filter is ignored")
    _refused(InvalidInput, lambda: gallery.groups("unheard of"), "an attribute that nobody has")
    gallery.enroll(["new"], rows[:1])
    must(not gallery.is_at(groups.state), "a change is not noticed")
    must(np.allclose(groups.rows, rows[order], atol=1e-6), "groups change after they were read")
    gallery.delete(["new"])


def _check_delete(gallery: Gallery, rows: Float32) -> None:
    gone = [name(i) for i in range(0, N, 2)]
    must(gallery.delete([*gone, "nobody"]) == len(gone), "delete does not count what was there")
    must(gallery.delete(gone) == 0, "what is deleted can be deleted again")
    _refused(UnknownRecord, lambda: gallery.get(gone[0]), "a deleted record")
    _check_hits(gallery, rows, rows[:10], range(1, N, 2), None)
    must(gallery.stats().rows == gallery.count() == N - len(gone), "figures do not follow a delete")


def _check_reopened(open_: Open, rows: Float32) -> None:
    _refused(SpaceMismatch, lambda: open_(space_id="6" * 64), "another space")
    _refused(SpaceMismatch, lambda: open_(dim=DIM + 1), "another dimension")
    with open_(write=False) as gallery:
        must(gallery.space_id == SPACE and gallery.dim == DIM, "the space is forgotten")
        _check_hits(gallery, rows, rows[:10], range(1, N, 2), None)
        _refused(GalleryError, lambda: gallery.enroll(["a"], rows[:1]), "a change when read-only")
        _refused(GalleryError, lambda: gallery.delete([name(1)]), "a delete when read-only")
        with open_() as writer:
            writer.enroll(["new"], rows[:1])
        gallery.refresh()
        must(gallery.get("new").id == "new", "refresh does not show what another process changed")
        must(gallery.search(rows[0], 1)[0][0].id == "new", "a search does not see it")
    gallery.close()
    _refused(GemelError, lambda: gallery.search(rows[0], 1), "a closed gallery")


def _refused(error: type[GemelError], act: Callable[[], Any], what: str) -> None:
    """The act is refused as it should be, and what it may have opened is closed again."""
    try:
        opened = act()
    except error:
        return
    except Exception as e:
        said = f"{what} is refused as {type(e).__name__}, not {error.__name__}"
        raise AssertionError(said) from e
    with contextlib.suppress(AttributeError):
        opened.close()
    raise AssertionError(f"{what} is not refused")

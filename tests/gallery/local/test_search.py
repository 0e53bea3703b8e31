"""Searching: equal to a brute force over everything, with filters, ties and an index."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.arrays import unit_rows
from gemel.encode.comparators.blocks import Blocks
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import InvalidInput
from gemel.gallery.candidates import SHORTLIST, best
from gemel.gallery.local.gallery import LocalGallery
from gemel.gallery.local.indexer import Indexing


def brute(records, query, k, wanted=lambda attributes: True):
    """Ids of the k best of {id: (row, attributes)}, ties by id."""
    scores = {
        i: float(np.einsum("j,j->", query, row)) for i, (row, a) in records.items() if wanted(a)
    }
    return sorted(scores, key=lambda i: (-round(scores[i], 5), i))[:k]


def ids(hits):
    return [[hit.id for hit in each] for each in hits]


@pytest.fixture
def filled(gallery, rows):
    names = [f"r{i:04}" for i in range(len(rows))]
    attributes = [
        {"even": i % 2 == 0, "rare": "yes" if i % 500 == 0 else "no"} for i in range(3000)
    ]
    gallery.enroll(names, rows, attributes)
    records = {n: (r, a) for n, r, a in zip(names, rows, attributes, strict=True)}
    return gallery, records


def test_a_scan_equals_brute_force(filled, rows):
    gallery, records = filled
    assert ids(gallery.search(rows[:20], 7)) == [brute(records, q, 7) for q in rows[:20]]


def test_one_query_or_many_the_hits_are_the_same(filled, rows):
    gallery, _ = filled
    together = gallery.search(rows[:30], 5)
    assert together == [gallery.search(row, 5)[0] for row in rows[:30]]


def test_no_query_has_no_hits(filled, rows):
    gallery, _ = filled
    assert gallery.search(rows[:0], 5) == gallery.search(rows[:0], 5, {"even": True}) == []


def test_a_score_is_what_the_comparator_says(filled, rows):
    gallery, records = filled
    for hit in gallery.search(rows[1], 10)[0]:
        pair = rows[1][None], records[hit.id][0][None]
        assert hit.score == float(Cosine().score(*pair)[0])


@pytest.mark.parametrize("with_index", [False, True])
def test_a_filter_returns_as_many_as_there_are(filled, rows, with_index):
    gallery, records = filled
    if with_index:
        gallery.build_index()
    for query in rows[:10]:
        found = gallery.search(query, 10, {"rare": "yes"})
        assert ids(found) == [brute(records, query, 10, lambda a: a["rare"] == "yes")]
        assert len(found[0]) == 6
        assert len(gallery.search(query, 50, {"even": True})[0]) == 50


def test_k_beyond_the_matching_rows_returns_all_of_them(filled, rows):
    gallery, records = filled
    gallery.build_index()
    assert len(gallery.search(rows[0], 5000)[0]) == 3000
    assert len(gallery.search(rows[0], 5000, {"even": True})[0]) == 1500
    assert sorted(h.id for h in gallery.search(rows[0], 3000)[0]) == sorted(records)


def test_a_list_means_any_of_and_two_attributes_mean_both(gallery, rows):
    gallery.enroll(
        ["a", "b", "c", "d"],
        rows[:4],
        [{"x": 1, "y": "u"}, {"x": 2.0, "y": "u"}, {"x": 3, "y": "v"}, None],
    )
    assert gallery.count({"x": [1, 2]}) == 2
    assert gallery.count({"x": [1, 2, 3], "y": "u"}) == 2
    assert gallery.count({"x": 2}) == gallery.count({"x": 2.0}) == 1
    assert gallery.count({"x": 4}) == gallery.count({"x": None}) == 0


def test_a_filter_that_nothing_can_pass_is_refused(gallery, rows):
    assert gallery.count({"x": "1"}) == 0, "without records nothing is known"
    gallery.enroll(["a", "b"], rows[:2], [{"x": 1, "y": "6102"}, {"x": True, "y": None}])
    with pytest.raises(InvalidInput, match="'x' is an empty list") as caught:
        gallery.count({"x": []})
    assert caught.value.where == "where.x"
    said = "'y' is a number here and a text in every record"
    with pytest.raises(InvalidInput, match=said) as caught:
        gallery.search(rows[0], 5, {"y": [6102]})
    assert (caught.value.where, caught.value.hint) == ("where.y", 'for example {"y":"6102"}')
    said = "'x' is a text here and a number or true or false in every record"
    with pytest.raises(InvalidInput, match=said):
        gallery.count({"x": "1"})
    assert gallery.count({"x": ["1", 2]}) == 0, "a number it may be"


def test_an_attribute_that_no_record_has_is_refused_by_all_that_take_a_filter(gallery, rows):
    assert gallery.search(rows[0], 5, {"y": 1}) == [[]], "without records nothing is known"
    gallery.enroll(["a", "b"], rows[:2], [{"x": 1, "z": None}, {"y": 2}])
    asked = {"x": 1, "w": 1}
    for ask in (
        lambda: gallery.search(rows[0], 5, asked),
        lambda: gallery.count(asked),
        lambda: gallery.groups("x", asked),
        lambda: gallery.as_of(gallery.position()).search(rows[0], 5, asked),
    ):
        with pytest.raises(InvalidInput, match="no record has the attribute 'w'") as caught:
            ask()
        assert caught.value.where == "where.w" and "'x', 'y', 'z'" in caught.value.hint
    assert gallery.count({"x": 1, "y": 2}) == 0, "each of them is there"
    gallery.delete(["b"])
    with pytest.raises(InvalidInput, match="'y'"):
        gallery.count({"y": 2})
    assert gallery.stats().attributes == ("x", "z")


def test_all_ties_are_ordered_by_id(gallery, rows):
    names = [f"r{i:03}" for i in np.random.default_rng(0).permutation(300)]
    gallery.enroll(names, np.repeat(rows[:1], 300, axis=0))
    assert ids(gallery.search(rows[0], 4)) == [["r000", "r001", "r002", "r003"]]


def test_the_index_finds_what_a_scan_finds_also_behind_its_end(filled, rows):
    gallery, records = filled
    gallery.build_index()
    late = unit_rows(np.random.default_rng(1).standard_normal((40, 16)))
    gallery.enroll([f"late{i}" for i in range(40)], late)
    gallery.enroll(["r0000"], late[:1])
    gallery.delete([f"r{i:04}" for i in range(1, 1000)])
    for i in range(1, 1000):
        del records[f"r{i:04}"]
    records |= {f"late{i}": (late[i], {}) for i in range(40)}
    records["r0000"] = (late[0], {})
    queries = np.concatenate([late, rows[:100]])
    assert gallery.stats().index_behind == 41
    expected = [brute(records, query, 10) for query in queries]
    found = ids(gallery.search(queries, 10))
    overlap = [len(set(a) & set(b)) / 10 for a, b in zip(expected, found, strict=True)]
    assert np.mean(overlap) > 0.97
    assert [each[:2] for each in found[:1]] == [["late0", "r0000"]]
    gallery.build_index()
    assert gallery.stats().index_behind == 0
    assert len(set().union(*ids(gallery.search(queries, 10))) & {"r0001", "r0500"}) == 0


@dataclass(frozen=True)
class Opposite:
    """A comparator to which the least similar embedding is the most alike."""

    def score(self, left, right):
        return 1 - np.einsum("ij,ij->i", left, right)

    def matrix(self, left, right):
        return 1 - left @ right.T


def test_the_comparator_of_the_release_decides_what_is_alike(folder, rows):
    with LocalGallery.open(folder, space_id="s", dim=16, comparator=Opposite()) as gallery:
        gallery.enroll(["same", "other", "far"], np.stack([rows[0], rows[1], -rows[0]]))
        hits = gallery.search(rows[0], 3)[0]
        assert [hit.id for hit in hits] == ["far", "other", "same"]
        assert hits[0].score > hits[1].score > hits[2].score


@dataclass(frozen=True)
class Leaning:
    """Nearly the cosine, with more weight on some coordinates."""

    weight: float = 3.0
    kind: ClassVar[str] = "leaning"

    def score(self, left, right):
        return np.einsum("ij,ij->i", left * self._weights(left), right) * 10

    def matrix(self, left, right):
        return (left * self._weights(left)) @ right.T * 10

    def _weights(self, rows):
        return np.where(np.arange(rows.shape[1]) < 4, self.weight, 1).astype(np.float32)


@pytest.mark.parametrize("exact_rows", [100, 100_000])
def test_a_learned_comparator_orders_a_large_gallery(folder, exact_rows):
    rows = unit_rows(np.random.default_rng(2).standard_normal((6000, 16)))
    how = Indexing(exact_rows=exact_rows, background=False)
    with LocalGallery.open(folder, space_id="s", dim=16, indexing=how) as gallery:
        gallery.enroll([f"r{i}" for i in range(6000)], rows)
        gallery.build_index()
        assert gallery.stats().engine == ("hnsw" if exact_rows == 100 else "scan")
        hits = gallery.search(rows[:30], 5, comparator=Leaning())
        scores = Leaning().matrix(rows[:30], rows)
        true = [[f"r{i}" for i in np.argsort(-row)[:5]] for row in scores]
        assert ids(hits) == true
        assert gallery.search(rows[:1], 1)[0][0].score == pytest.approx(1)


def blocks():
    """A learned comparator of two blocks after a constant coordinate, 16 in all."""
    rng = np.random.default_rng(4)
    sizes = (2 * 3 + 1, 6), (6, 1)
    layers = [(rng.normal(size=s), rng.normal(size=s[1])) for s in sizes]
    return Blocks(
        (8, 7), (), tuple((m.astype(np.float32), b.astype(np.float32)) for m, b in layers)
    )


def test_searches_together_are_those_alone_and_those_of_a_plain_computation(folder):
    rng = np.random.default_rng(6)
    rows, comparator = unit_rows(rng.standard_normal((7000, 16)) + np.eye(16)[0]), blocks()
    rows[100:140] = rows[200]  # ties
    queries = np.concatenate([rows[190:210], unit_rows(rng.standard_normal((13, 16)))])
    names = [f"r{i:04}" for i in range(len(rows))]
    with LocalGallery.open(folder, space_id="s", dim=16) as gallery:
        gallery.enroll(names, rows)
        together = gallery.search(queries, 7, comparator=comparator)
        for query, hits in zip(queries, together, strict=True):
            (alone,) = gallery.search(query, 7, comparator=comparator)
            assert ids([hits]) == ids([alone])
            near = np.sort(np.argsort(-(rows @ query), kind="stable")[:SHORTLIST])
            scores = comparator.score(np.repeat(query[None], len(near), axis=0), rows[near])
            # rows of one score come in the order of their ids, so rounding must not part them
            order = sorted(zip(near, scores.round(4), strict=True), key=lambda x: (-x[1], x[0]))
            assert ids([hits]) == [[names[at] for at, _ in order[:7]]]
            assert [hit.score for hit in hits] == pytest.approx([s for _, s in order[:7]], abs=1e-3)


def test_what_a_comparator_keeps_of_rows_follows_every_change(folder):
    rng = np.random.default_rng(5)
    rows, comparator = unit_rows(rng.standard_normal((4200, 16)) + np.eye(16)[0]), blocks()
    queries, now = rows[:3], {}

    def found(gallery):
        hits = gallery.search(queries, 4, comparator=comparator)
        names, scores = list(now), comparator.matrix(queries, np.stack(list(now.values())))
        assert ids(hits) == [[names[i] for i in np.argsort(-row)[:4]] for row in scores]
        return hits

    with LocalGallery.open(folder, space_id="s", dim=16) as gallery:
        for first, last, moved in ((0, 700, 0), (700, 1400, 0), (0, 700, 2100), (700, 1400, 2800)):
            names = [f"r{i:04}" for i in range(first, last)]
            new = rows[first + moved : last + moved]
            gallery.enroll(names, new)
            now |= dict(zip(names, new, strict=True))
            before = found(gallery)
        for i in range(0, 1300):
            del now[f"r{i:04}"]
        gallery.delete([f"r{i:04}" for i in range(1300)])  # so many that memory is packed anew
        assert found(gallery) != before


@given(
    scores=st.lists(st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=2000),
    k=st.integers(1, 30),
)
@settings(max_examples=60, deadline=None)
def test_best_keeps_every_score_that_reaches_the_kth(scores, k):
    array = np.array(scores * 3, np.float32)
    cut = np.sort(array)[::-1][min(k, len(array)) - 1]
    assert set(best(array, k)) >= set(np.flatnonzero(array >= cut))
    if k < len(array):
        assert set(best(array, k)) == set(np.flatnonzero(array >= cut))


names = st.sampled_from([f"r{i}" for i in range(12)])
steps = st.one_of(
    st.tuples(st.just("enroll"), st.lists(st.tuples(names, st.integers(0, 9)), max_size=6)),
    st.tuples(st.just("delete"), st.lists(names, max_size=4)),
    st.tuples(st.just("index"), st.none()),
    st.tuples(st.just("reopen"), st.none()),
)


@given(life=st.lists(steps, max_size=12))
@settings(max_examples=25, deadline=None)
def test_any_life_of_a_gallery_equals_a_dictionary(life, tmp_path_factory):
    table = unit_rows(np.random.default_rng(3).standard_normal((10, 4)))
    folder = tmp_path_factory.mktemp("life")
    how = Indexing(exact_rows=2, background=False)
    records = {}
    gallery = LocalGallery.open(folder, space_id="s", dim=4, indexing=how)
    for verb, what in life:
        if verb == "enroll":
            batch = dict(what)
            attributes = [{"code": code} for code in batch.values()]
            gallery.enroll(list(batch), table[list(batch.values())].reshape(-1, 4), attributes)
            records |= {n: (table[c], {"code": c}) for n, c in batch.items()}
        elif verb == "delete":
            assert gallery.delete(what) == len(set(what) & set(records))
            for name in what:
                records.pop(name, None)
        elif verb == "index":
            gallery.build_index()
        else:
            gallery.close()
            gallery = LocalGallery.open(folder, indexing=how)
        assert gallery.count() == len(records)
        for k in (1, 3, 20):
            assert ids(gallery.search(table[:2], k)) == [brute(records, q, k) for q in table[:2]]
        found = ids(gallery.search(table[:1], 20, {"code": [1, 2]}))
        assert found == [brute(records, table[0], 20, lambda a: a["code"] in (1, 2))]
    gallery.close()

"""What a user of the gallery notices: enroll, change, delete, get, count, and clear errors."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from gemel.errors import (
    DataError,
    DuplicateRecord,
    GalleryError,
    InvalidInput,
    SpaceMismatch,
    UnknownRecord,
)
from gemel.gallery.local.gallery import LocalGallery
from gemel.gallery.record import Enrolled


def test_a_batch_sent_twice_changes_nothing_the_second_time(gallery, rows):
    batch = (["a", "b"], rows[:2], [{"x": 1}, None])
    assert gallery.enroll(*batch) == Enrolled(2, 0, 0)
    assert gallery.enroll(*batch) == Enrolled(0, 0, 2)
    assert gallery.count() == 2


def test_the_same_embedding_under_two_ids_is_two_records(gallery, rows):
    assert gallery.enroll(["a", "b"], rows[[0, 0]]).added == 2
    assert [hit.id for hit in gallery.search(rows[0], 2)[0]] == ["a", "b"]


def test_another_embedding_or_other_attributes_replace_the_record(gallery, rows):
    gallery.enroll(["a", "b", "c"], rows[:3], [{"x": 1}] * 3)
    changed = gallery.enroll(["a", "b", "c"], rows[[5, 1, 2]], [{"x": 1}, {"x": 2}, {"x": 1}])
    assert changed == Enrolled(0, 2, 1)
    assert gallery.search(rows[5], 1)[0][0].id == "a"
    assert gallery.search(rows[1], 1)[0][0].attributes == {"x": 2}
    assert all(hit.score < 0.999 for hit in gallery.search(rows[0], 3)[0])


def test_one_and_true_are_different_attributes(gallery, rows):
    gallery.enroll(["a"], rows[:1], [{"x": 1}])
    assert gallery.enroll(["a"], rows[:1], [{"x": True}]).updated == 1
    assert gallery.count({"x": 1}) == 0
    assert gallery.count({"x": True}) == 1


def test_rounding_of_the_encoder_is_not_a_change(gallery, rows):
    gallery.enroll(["a"], rows[:1])
    assert gallery.enroll(["a"], rows[:1] + np.float32(3e-8)).unchanged == 1


def test_delete_counts_what_was_there_and_can_be_repeated(gallery, rows):
    gallery.enroll(["a", "b", "c"], rows[:3])
    assert gallery.delete(["a", "a", "nobody"]) == 1
    assert gallery.delete(["a"]) == 0
    assert gallery.delete("b") == 1
    assert gallery.count() == 1
    assert [hit.id for hit in gallery.search(rows[0], 10)[0]] == ["c"]


def test_a_deleted_record_can_come_back(gallery, rows):
    gallery.enroll(["a"], rows[:1])
    gallery.delete(["a"])
    assert gallery.enroll(["a"], rows[:1]).added == 1
    assert gallery.search(rows[0], 1)[0][0].id == "a"


def test_deleting_forgets_embedding_and_attributes_on_disk(gallery, rows, folder):
    gallery.enroll(["a"], rows[:1], [{"secret": "zanzibar"}])
    gallery.delete(["a"])
    gallery.close()
    content = b"".join(file.read_bytes() for file in folder.iterdir())
    assert b"zanzibar" not in content
    assert rows[0].tobytes() not in content


def test_get_returns_what_was_enrolled(gallery, rows):
    gallery.enroll(["a"], rows[:1], [{"x": 1.5, "y": None, "z": "é"}])
    record = gallery.get("a")
    assert (record.embedding == rows[0]).all()
    assert record.attributes == {"x": 1.5, "y": None, "z": "é"}
    with pytest.raises(UnknownRecord, match="no record 'b'"):
        gallery.get("b")


def test_everything_is_there_after_reopening(gallery, rows, folder):
    gallery.enroll([f"r{i}" for i in range(100)], rows[:100], [{"i": i} for i in range(100)])
    gallery.enroll(["r3"], rows[200:201], [{"i": 3}])
    gallery.delete(["r4"])
    before = gallery.search(rows[:20], 5), gallery.stats()
    gallery.close()
    with LocalGallery.open(folder) as again:
        assert (again.search(rows[:20], 5), again.stats().rows) == (before[0], before[1].rows)
        assert again.enroll(["r3"], rows[200:201], [{"i": 3}]).unchanged == 1


def test_stats_are_true_and_can_be_sent(gallery, rows):
    gallery.enroll([f"r{i}" for i in range(300)], rows[:300], [{"i": i} for i in range(300)])
    gallery.delete(["r1", "r2"])
    stats = gallery.stats()
    assert (stats.rows, stats.deleted, stats.dim, stats.engine) == (298, 2, 16, "scan")
    assert stats.attributes == ("i",)
    assert stats.bytes > 300 * 16 * 4
    gallery.build_index()
    stats = gallery.stats()
    assert (stats.engine, stats.index_behind) == ("hnsw", 0)
    assert stats.index_recall > 0.95
    msgspec.json.encode(stats)


def test_an_empty_gallery_answers(gallery, rows):
    assert gallery.search(rows[:2], 5) == [[], []]
    assert gallery.count() == 0
    assert gallery.enroll([], np.empty((0, 16), np.float32)) == Enrolled(0, 0, 0)


@pytest.mark.parametrize(
    ("batch", "error", "message"),
    [
        ((["a", "b", "a"], slice(3), None), DuplicateRecord, "'a' stands twice"),
        ((["a", ""], slice(2), None), DataError, "id '' is not a string of 1 to"),
        ((["a", 5], slice(2), None), DataError, "id 5 is not a string"),
        ((["a\x00b"], slice(1), None), DataError, "unprintable"),
        ((["a\ud800"], slice(1), None), DataError, "unprintable"),
        ((["a"], slice(2), None), DataError, "1 id, 2 embeddings and 1 attribute"),
        ((["a"], slice(1), [{"x": [1]}]), DataError, "attribute 'x' is list"),
        ((["a"], slice(1), [{"x": float("nan")}]), DataError, "attribute 'x' is float nan"),
        ((["a"], slice(1), [{1: "x"}]), DataError, "attribute name 1 is not a string"),
        ((["a"], slice(1), [{f"x{i}": 1 for i in range(300)}]), DataError, "300 different"),
    ],
)
def test_a_bad_batch_is_refused_as_a_whole(gallery, rows, batch, error, message):
    ids, some, attributes = batch
    with pytest.raises(error, match=message):
        gallery.enroll(ids, rows[some], attributes)
    assert gallery.count() == 0


def test_wrong_dimension_and_rows_that_are_not_unit_are_refused(gallery, rows):
    with pytest.raises(DataError, match=r"shape \(1, 8\), expected \(n, 16\)"):
        gallery.enroll(["a"], rows[:1, :8])
    with pytest.raises(DataError, match="squared length"):
        gallery.enroll(["a"], rows[:1] * 2)
    with pytest.raises(DataError, match="squared length nan"):
        gallery.search(rows[0] * np.nan)
    with pytest.raises(DataError, match="shape"):
        gallery.search(rows[0, :8])


@pytest.mark.parametrize("k", [0, -1, 2.5, "3", True])
def test_a_bad_k_is_refused(gallery, rows, k):
    with pytest.raises(InvalidInput, match="expected a whole number"):
        gallery.search(rows[0], k)


@pytest.mark.parametrize("where", ["x=1", {"x": {"gt": 1}}, {"x": [[1]]}])
def test_a_bad_filter_is_refused(gallery, rows, where):
    with pytest.raises(InvalidInput, match="filter"):
        gallery.search(rows[0], 1, where)


def test_another_space_or_dimension_is_refused(gallery, folder):
    gallery.close()
    with pytest.raises(SpaceMismatch, match="of space ssssssssssss, not tttttttttttt"):
        LocalGallery.open(folder, space_id="t" * 64)
    with pytest.raises(SpaceMismatch, match="dimension 16, not 8"):
        LocalGallery.open(folder, space_id="s" * 64, dim=8)


def test_what_is_not_a_gallery_is_refused(tmp_path: Path):
    with pytest.raises(GalleryError, match="no gallery here"):
        LocalGallery.open(tmp_path / "nothing")
    with pytest.raises(GalleryError, match="no gallery here"):
        LocalGallery.open(tmp_path / "nothing", space_id="s", dim=3, write=False)
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "gallery.db").write_bytes(b"not a database at all, but long enough" * 100)
    with pytest.raises(GalleryError, match="not a database") as caught:
        LocalGallery.open(tmp_path)
    assert "restore" in caught.value.hint
    (tmp_path / "file").touch()
    with pytest.raises(GalleryError, match="cannot make the directory"):
        LocalGallery.open(tmp_path / "file", space_id="s", dim=3)


def test_a_closed_or_read_only_gallery_says_so(gallery, rows, folder):
    gallery.enroll(["a"], rows[:1])
    with (
        LocalGallery.open(folder, write=False) as reader,
        pytest.raises(GalleryError, match="read-only"),
    ):
        reader.enroll(["b"], rows[:1])
    gallery.close()
    gallery.close()
    with pytest.raises(GalleryError, match="closed"):
        gallery.search(rows[0])


def test_names_of_attributes_that_no_record_has_any_more_are_free_again(gallery, rows):
    gallery.enroll(["a", "b"], rows[:2], [{f"x{i}": i for i in range(250)}, {"town": "Bonn"}])
    with pytest.raises(DataError, match="different attribute names"):
        gallery.enroll(["c"], rows[2:3], [{f"y{i}": i for i in range(250)}])
    gallery.delete(["a"])
    assert gallery.enroll(["c"], rows[2:3], [{f"y{i}": i for i in range(250)}]).added == 1
    assert gallery.get("c").attributes["y249"] == 249
    assert [h.id for h in gallery.search(rows[1], 9, where={"town": "Bonn"})[0]] == ["b"]


@pytest.mark.parametrize("number", [10**400, -(2**64), float("inf")])
def test_an_attribute_that_json_would_not_give_back_is_refused(gallery, rows, number):
    with pytest.raises(DataError, match="attribute 'n' is"):
        gallery.enroll(["a"], rows[:1], [{"n": number}])

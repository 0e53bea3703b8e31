"""Locks, full disks, damaged caches, and other processes beside the writer."""

import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from gemel.errors import GalleryError, GalleryUnavailable, GemelError, UnknownRecord
from gemel.gallery.local.gallery import LocalGallery
from gemel.gallery.local.indexer import Indexing

BY_HAND = Indexing(exact_rows=200, background=False)


def names(n, start=0):
    return [f"r{i}" for i in range(start, start + n)]


def run_python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_second_writer_is_told_who_the_first_is(gallery, folder):
    with pytest.raises(GalleryError, match="this process is writing"):
        LocalGallery.open(folder)
    other = run_python(
        """
        import sys
        from gemel.errors import GalleryError
        from gemel.gallery.local.gallery import LocalGallery
        try:
            LocalGallery.open(sys.argv[1])
        except GalleryError as e:
            print(e.what, "|", e.hint)
        """,
        folder,
    )
    assert f"process {os.getpid()} is writing to this gallery" in other.stdout, other.stderr
    assert "one writer" in other.stdout
    gallery.close()
    LocalGallery.open(folder).close()


def test_the_lock_dies_with_its_process(folder):
    code = """
    import os, sys
    from gemel.gallery.local.gallery import LocalGallery
    LocalGallery.open(sys.argv[1], space_id="s", dim=3)
    os.kill(os.getpid(), 9)
    """
    assert run_python(code, folder).returncode == -9
    LocalGallery.open(folder).close()


def test_a_failed_open_leaves_no_lock(gallery, folder):
    gallery.close()
    with pytest.raises(GalleryError, match="unknown engine 'magic'"):
        LocalGallery.open(folder, indexing=Indexing(engine="magic"))
    LocalGallery.open(folder).close()


def test_a_reader_beside_the_writer_sees_changes_when_it_asks(gallery, folder, rows):
    gallery.enroll(names(300), rows[:300], [{"x": 1}] * 300)
    with LocalGallery.open(folder, write=False, indexing=BY_HAND) as reader:
        gallery.enroll(["new", "r5"], rows[300:302], [{"x": 2}] * 2)
        gallery.delete(["r7"])
        assert reader.count() == 300
        assert reader.refresh() == 3
        assert reader.search(rows[300:302], 1) == gallery.search(rows[300:302], 1)
        assert reader.count({"x": 2}) == 2
        assert "r7" not in {hit.id for hit in reader.search(rows[7], 300)[0]}
        assert reader.refresh() == 0


def test_a_reader_uses_the_index_that_the_writer_saved(gallery, folder, rows):
    gallery.enroll(names(1000), rows[:1000])
    gallery.build_index()
    with LocalGallery.open(folder, write=False, indexing=BY_HAND) as reader:
        assert reader.stats().engine == "hnsw"
        with pytest.raises(GalleryError, match="read-only"):
            reader.build_index()


@pytest.mark.parametrize("damage", ["truncate", "flip", "delete", "swap"])
def test_a_damaged_index_file_is_never_used(gallery, folder, rows, damage):
    gallery.enroll(names(1000), rows[:1000])
    gallery.build_index()
    (file,) = folder.glob("index-*")
    data = file.read_bytes()
    gallery.enroll(names(1000, 1000), rows[1000:2000])
    gallery.build_index()
    (file,) = folder.glob("index-*")
    content = {
        "truncate": file.read_bytes()[:-1000],
        "flip": file.read_bytes()[:5000] + b"\xff\x00" + file.read_bytes()[5002:],
        "swap": data,
    }
    gallery.close()
    if damage == "delete":
        file.unlink()
    else:
        file.write_bytes(content[damage])
    with LocalGallery.open(folder, indexing=BY_HAND) as again:
        assert again.stats().engine == "scan"
        assert [again.search(row, 1)[0][0].id for row in rows[:2000:100]] == names(2000)[::100]
        again.build_index()
        assert again.stats().engine == "hnsw"


def test_old_and_half_written_index_files_are_removed(gallery, folder, rows):
    gallery.enroll(names(500), rows[:500])
    gallery.build_index()
    gallery.enroll(names(500, 500), rows[500:1000])
    gallery.build_index()
    (folder / "index-77.gemelix.partial").write_bytes(b"half")
    gallery.close()
    LocalGallery.open(folder, indexing=BY_HAND).close()
    assert [file.name for file in folder.glob("index-*")] == ["index-1000.gemelix"]


def test_an_index_is_built_in_the_background_when_due(folder, rows):
    how = Indexing(exact_rows=500)
    with LocalGallery.open(folder, space_id="s", dim=16, indexing=how) as gallery:
        gallery.enroll(names(2000), rows[:2000])
        gallery.build_index()  # waits for the one in the background
        assert gallery.stats().engine == "hnsw"
    with LocalGallery.open(folder, write=False, indexing=how) as reader:
        assert reader.stats().index_behind == 0


FULL_DISK = """
import resource, signal, sys
import numpy as np
from gemel.arrays import unit_rows
from gemel.errors import GalleryError
from gemel.gallery.local.gallery import LocalGallery

rows = unit_rows(np.random.default_rng(0).standard_normal((4000, 64)))
with LocalGallery.open(sys.argv[1], space_id="s", dim=64) as gallery:
    gallery.enroll(["a", "b"], rows[:2])
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        gallery.enroll([f"r{i}" for i in range(4000)], rows)
    except GalleryError as e:
        print(e.what, "|", e.hint)
    print(gallery.count(), gallery.search(rows[1], 1)[0][0].id)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    print(gallery.enroll(["c"], rows[2:3]).added, gallery.count())
"""


def test_a_full_disk_is_said_and_loses_nothing(folder):
    done = run_python(FULL_DISK, folder)
    said, before, after = done.stdout.splitlines()
    assert "disk" in said and "nothing of this change was stored" in said
    assert (before, after) == ("2 b", "1 3"), done.stderr
    with LocalGallery.open(folder) as gallery:
        assert gallery.count() == 3


def test_a_place_that_cannot_be_written_is_named():
    with pytest.raises(GalleryError, match="cannot make the directory") as caught:
        LocalGallery.open("/proc/gemel", space_id="s", dim=3)
    assert caught.value.where == str(Path("/proc/gemel"))


def test_a_row_that_something_else_changed_is_named(gallery, folder, rows):
    gallery.enroll(names(3), rows[:3])
    gallery.close()
    with sqlite3.connect(folder / "gallery.db") as connection:
        connection.execute("UPDATE rows SET embedding = x'00ff' WHERE id = 'r1'")
    connection.close()
    with pytest.raises(GalleryError, match="record 'r1' is not as it was written"):
        LocalGallery.open(folder)


def content(folder):
    """Every record, its embedding and its attributes, as a search sees and as the disk says."""
    with LocalGallery.open(folder, write=False) as gallery:
        hits = gallery.search(np.eye(16, dtype=np.float32)[0], 500)[0]
        found = [gallery.get(hit.id) for hit in hits]
        return [(r.id, r.embedding.tobytes(), r.attributes) for r in found]


def test_no_flipped_byte_changes_an_answer(gallery, folder, rows):
    gallery.enroll(names(150), rows[:150], [{"town": f"town {i}", "n": i} for i in range(150)])
    gallery.delete(names(10))
    gallery.close()
    before, path = content(folder), folder / "gallery.db"
    whole, rng = path.read_bytes(), np.random.default_rng(3)
    n_found = 0
    for at in rng.choice(np.flatnonzero(np.frombuffer(whole, np.uint8)), 300, replace=False):
        broken = bytearray(whole)
        broken[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        try:
            assert content(folder) == before, f"byte {at}"
        except GemelError as e:
            assert type(e) is not UnknownRecord
            n_found += 1
    assert n_found > 150


@pytest.mark.parametrize(
    "change",
    [
        "embedding = (SELECT embedding FROM rows WHERE id = 'r2')",
        "attributes = '{\"n\":7}'",
        "id = 'r9'",
        "seq = 99",
        "live = 0",
        "live = 0, embedding = NULL, attributes = NULL",
        "digest = zeroblob(16)",
    ],
)
def test_a_row_that_was_changed_is_found_when_it_is_loaded(gallery, folder, rows, change):
    gallery.enroll(names(3), rows[:3], [{"n": i} for i in range(3)])
    gallery.close()
    with sqlite3.connect(folder / "gallery.db") as connection:
        connection.execute(f"UPDATE rows SET {change} WHERE id = 'r1'")
    connection.close()
    with pytest.raises(GalleryError, match=r"'r[19]' is not as it was written"):
        LocalGallery.open(folder)


def test_a_row_that_is_changed_while_it_is_served_is_found_by_a_check(gallery, folder, rows):
    gallery.enroll(names(3), rows[:3])
    assert len(gallery.check().digests) == 3
    with sqlite3.connect(folder / "gallery.db") as connection:
        connection.execute("UPDATE rows SET attributes = '{}' WHERE id = 'r1'")
    connection.close()
    for act in (gallery.check, lambda: gallery.get("r1")):
        with pytest.raises(GalleryError, match="'r1' is not as it was written"):
            act()
    assert gallery.get("r2").id == "r2"


def test_a_gallery_made_before_opens_and_gets_digests(gallery, folder, rows):
    gallery.enroll(names(3), rows[:3])
    gallery.close()
    with sqlite3.connect(folder / "gallery.db") as connection:
        connection.execute("ALTER TABLE rows DROP COLUMN digest")
        connection.execute("DELETE FROM meta WHERE key = 'digest'")
        connection.execute("PRAGMA user_version = 0")
    connection.close()
    with LocalGallery.open(folder, write=False) as reader:
        assert reader.search(rows[1], 1)[0][0].id == "r1"
        assert (reader.check().n_without, reader.check().n_sealed) == (3, 0)
    with LocalGallery.open(folder) as writer:
        writer.enroll(["new"], rows[3:4])
        assert (writer.check().n_sealed, writer.check().n_sealed) == (3, 0)
        assert len(writer.check().digests) == 4


@pytest.mark.parametrize("name", ["gallery.db", "gallery.db-wal"])
def test_nothing_is_acknowledged_into_a_file_that_was_deleted(gallery, folder, rows, name):
    gallery.enroll(names(3), rows[:3])
    (folder / name).unlink()
    for change in (lambda: gallery.enroll(["new"], rows[3:4]), lambda: gallery.delete(["r1"])):
        with pytest.raises(GalleryUnavailable, match="deleted or replaced"):
            change()
    assert gallery.count() == 3 and gallery.search(rows[1], 1)[0][0].id == "r1"

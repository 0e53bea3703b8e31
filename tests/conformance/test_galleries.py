"""The shipped suite passes on the gallery that gemel brings, and catches broken ones."""

from functools import partial

import pytest

import gemel
from gemel.errors import GalleryError
from gemel.gallery.gallery import REGISTRY, Gallery
from gemel.gallery.local.gallery import LocalGallery
from gemel.gallery.local.indexer import Indexing
from gemel.testing import check_gallery


def test_the_local_gallery_passes(tmp_path):
    check_gallery(partial(Gallery.open, tmp_path / "gallery"))


def test_the_local_gallery_passes_with_an_index(tmp_path):
    how = Indexing(engine="flat", exact_rows=100)
    check_gallery(partial(LocalGallery.open, tmp_path / "gallery", indexing=how))


class Forgetful(LocalGallery):
    def delete(self, ids):
        return len(list(ids))


class Unfiltered(LocalGallery):
    def search(self, query, k=10, where=None, **how):
        return super().search(query, k, None, **how)


class Deaf(LocalGallery):
    def search(self, query, k=10, where=None, *, comparator=None):
        return super().search(query, k, where)


@pytest.mark.parametrize("broken", [Forgetful, Unfiltered, Deaf])
def test_the_suite_catches_a_broken_gallery(broken, tmp_path):
    with pytest.raises(AssertionError):
        check_gallery(partial(broken.open, tmp_path / "gallery"))


def test_another_kind_of_gallery_is_opened_by_its_scheme(tmp_path, monkeypatch):
    place = "gemel.gallery.local.gallery:LocalGallery"
    monkeypatch.setitem(REGISTRY.built_in, "elsewhere", place)
    monkeypatch.chdir(tmp_path)
    with gemel.Gallery.open("elsewhere://people", space_id="s", dim=3) as gallery:
        assert (gallery.space_id, gallery.count()) == ("s", 0)
    assert (tmp_path / "elsewhere:" / "people" / "gallery.db").is_file()


def test_an_address_that_nobody_knows_is_refused():
    with pytest.raises(GalleryError, match="unknown kind of gallery 'milvus'") as caught:
        gemel.Gallery.open("milvus://host/people")
    assert "gemel.galleries" in caught.value.hint

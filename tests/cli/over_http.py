"""Verbs over HTTP whatever the records are: enrolled, searched, told apart by class, duplicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from gemel.gallery.gallery import Gallery
from gemel.release.release import Release
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service


def answers(release: Release, classes: Mapping[str, Sequence[Any]], folder: Path) -> None:
    """A service of a release finds records, their classes, and one that was sent twice.

    Args:
        release: without labels, or of classes.
        classes: items of requests, two or more of each, as the release should tell them apart.
        folder: of a new gallery.
    """
    listed = [
        {"id": f"{name}/{i}", "payload": item, "attributes": {"class": name}}
        for name, items in classes.items()
        for i, item in enumerate(items)
    ]
    space = {"space_id": release.space_id, "dim": release.encoder.dim}
    with (
        Gallery.open(folder, **space) as gallery,
        running(create_app(Service(release, gallery))) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        client.post("/v1/records", json={"records": listed}).raise_for_status()
        for record in listed[:: len(listed) // 3]:
            query = {"query": record["payload"], "k": 1}
            found = client.post("/v1/search", json=query).raise_for_status().json()
            assert [hit["id"] for hit in found["hits"]] == [record["id"]]
            told = client.post("/v1/classify", json=query).raise_for_status().json()
            assert told["classes"][0]["label"] == record["attributes"]["class"]
            assert told["classes"][0]["score"] == pytest.approx(1, abs=1e-3)
        sent = [{"id": record["id"], "payload": record["payload"]} for record in listed]
        sent.append({"id": "again", "payload": listed[0]["payload"]})
        said = client.post("/v1/duplicates", json={"records": sent}).raise_for_status().json()
        (cluster,) = [c["records"] for c in said["clusters"] if "again" in c["records"]]
        assert listed[0]["id"] in cluster, said["clusters"]
        known = {(p["left"], p["right"]): p for p in said["pairs"]}
        pair = known.get((listed[0]["id"], "again")) or known[("again", listed[0]["id"])]
        assert pair["outcome"] == "match" and pair["score"] == pytest.approx(1, abs=1e-3)
        body = {"left": sent[0]["payload"], "right": sent[-1]["payload"]}
        same = client.post("/v1/verify", json=body).raise_for_status().json()
        assert same["score"] == pytest.approx(pair["score"], abs=1e-5)
        assert same.get("unproven", False) is said.get("unproven", False)

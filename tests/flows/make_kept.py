"""Makes `kept/`: a small project as gemel left it at commit c79ee53, and what it answered then.

It was run with the code of that commit, and is kept for the next time that a format changes on
purpose; it need not run with today's code. Everything is synthetic and seeded. Towers are made
narrow before training and the exporter's notes on source lines are taken out, so that the files
stay small; nothing else differs from a real project.

    python tests/flows/make_kept.py FOLDER
"""

import base64
import contextlib
import csv
import io
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from litestar.testing import TestClient
from PIL import Image

import gemel
from gemel.cli.main import run
from gemel.gallery.local.gallery import LocalGallery
from gemel.gallery.local.indexer import Indexing
from gemel.train import export
from gemel.train.towers import image, tabular

COMMIT = "c79ee53"
N_PEOPLE = 75
SYLLABLES = re.findall("..", "kalomirutavenobradefegohujapequstwyzae")
TOWNS = ("arden", "brook", "colm", "dunes", "esker", "ford", "glen", "haven")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
COLUMNS = ["id", "person", "country", "title", "first", "last", "town", "born", "height"]
FIELDS = COLUMNS[3:]
ROWS = """\
[data]
path = "people.csv"
identity = "person"
id = "id"
category = "country"

[data.columns]
title = "category"
born = "date"
height = "number"

[split]
dev = 0.3
eval = 0.3

[train]
max_epochs = 2

[calibrate]
target = "f1"
review_cost = 0.2
categories = "per_category"
review_width = 0.35
alpha = 0.1
shots = [1]
valid_days = 36500

[stages]
rules = ["born apart 5: no_match", "title differs: review"]

[store]
path = "state"
"""
IMAGES = """\
[data]
path = "images"

[split]
dev = 0.3
eval = 0.3

[train]
max_epochs = 1
identities_per_batch = 8
views_per_identity = 3

[calibrate]
cohort = 10
valid_days = 36500

[store]
path = "state"
"""
CHILD = (
    *("--fmr", "0.04", "--fpir", "0.4", "--review-cost", "0.1"),
    *("--set", "calibrate.categories=report", "--set", "calibrate.review_width="),
    *("--set", "stages.rules=[]", "--set", "stages.bits=64", "--set", "stages.max_loss=0.2"),
)
OTHER = ("--recall", "0.5", "--set", "calibrate.categories=report")
LEFTOVERS = ("*.lock", "*-wal", "*-shm", "embeddings.npz")
"""Locks, empty journals and a cache: what may be deleted at any time."""


def main() -> None:
    """Write everything into the folder that the command line names, which must not exist."""
    folder = Path(sys.argv[1])
    folder.mkdir()
    os.chdir(folder)
    os.environ["LOGNAME"] = "keeper"
    make_small()
    people = write_people(Path("people.csv"))
    Path("gemel.toml").write_text(ROWS)
    releases = make_releases(people)
    decide(people)
    for path in [path for name in LEFTOVERS for path in Path("state").rglob(name)]:
        path.unlink()
    Path(".gitattributes").write_text("* -text\n")
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(".", copy, dirs_exist_ok=True)
        with contextlib.chdir(copy):
            said_then = answers(people, releases)
    expected = {"commit": COMMIT, "releases": releases, **said_then}
    text = msgspec.json.format(msgspec.json.encode(expected), indent=1)
    Path("expected.json").write_bytes(text + b"\n")


def make_small() -> None:
    """Narrow towers, and networks without notes."""
    tabular.WIDTHS["small"], tabular.MAX_BUCKETS = (4, 8), 256
    image.DIMS["small"], image.CHANNELS["small"] = 16, 8
    to_onnx = export._to_onnx

    def without_notes(*args: Any) -> bytes:
        model = onnx.load_from_string(to_onnx(*args))
        graph = model.graph
        for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
            part.ClearField("metadata_props")
            part.ClearField("doc_string")
        return model.SerializeToString()

    export._to_onnx = without_notes


def word(rng: np.random.Generator, n: int) -> str:
    """Some syllables."""
    return "".join(rng.choice(SYLLABLES, n))


def misspelt(rng: np.random.Generator, text: str) -> str:
    """The text with one letter changed."""
    at = int(rng.integers(len(text)))
    return text[:at] + LETTERS[int(rng.integers(26))] + text[at + 1 :]


def write_people(path: Path) -> list[dict[str, Any]]:
    """Two or three records each of some people in two countries, one of which has few names."""
    rng = np.random.default_rng(7)
    rows = []
    for person in range(N_PEOPLE):
        country = ("nor", "sud")[person % 2]
        is_nor = country == "nor"
        year = rng.integers(1930, 2000) if is_nor else rng.integers(1960, 1966)
        base = {
            "country": country,
            "title": str(rng.choice(["dr", "mr", "ms"])) if is_nor else "ms",
            "first": word(rng, 2) if is_nor else str(rng.choice(["maria", "mario", "marta"])),
            "last": word(rng, 3) if is_nor else word(rng, 1) + "son",
            "town": str(rng.choice(TOWNS[: 8 if is_nor else 2])),
            "born": f"{year}-{rng.integers(1, 13):02}-{rng.integers(1, 28):02}",
            "height": int(rng.integers(150, 200)),
        }
        for i in range(2 + (person % 3 > 0)):
            row = {"id": f"r{person}.{i}", "person": f"p{person}", **base}
            if i:
                row["last"] = misspelt(rng, base["last"])
                row["first"] = misspelt(rng, base["first"]) if rng.random() < 0.7 else base["first"]
                if rng.random() < 0.4:
                    row["born"] = f"{year}-{rng.integers(1, 13):02}-{rng.integers(1, 28):02}"
                row["height"] = base["height"] + int(rng.integers(-2, 3))
                row["town"] = "" if rng.random() < 0.2 else base["town"]
            rows.append(row)
    write_csv(path, rows)
    return rows


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Records as a file."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_images(folder: Path) -> None:
    """Three noisy pictures each of some patterns, 16 pixels wide."""
    rng = np.random.default_rng(3)
    for who in range(36):
        (folder / f"{who:02}").mkdir(parents=True)
        pattern = rng.integers(0, 256, (4, 4)).repeat(4, 0).repeat(4, 1)
        for i in range(3):
            grey = np.clip(pattern + rng.normal(0, 12, (16, 16)), 0, 255).astype(np.uint8)
            Image.fromarray(grey).save(folder / f"{who:02}" / f"{i}.png")


def said(*words: str) -> str:
    """What a command wrote to stdout."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = run(words)
    if code:
        raise SystemExit(f"gemel {' '.join(words)}: exit {code}")
    return out.getvalue()


def told(*words: str) -> Any:
    """What a command wrote as JSON."""
    return json.loads(said(*words, "--json"))


def make_releases(people: list[dict[str, Any]]) -> dict[str, str]:
    """Train, calibrate, point and enroll; the ids of the releases by name."""
    said("train")
    ids = {"first": told("calibrate", "--name", "first")["manifest"]["id"]}
    ids["child"] = told("calibrate", "--name", "child", *CHILD)["manifest"]["id"]
    runs = set(Path("state/runs").iterdir())
    write_images(Path("images"))
    Path("images.toml").write_text(IMAGES)
    said("train", "-c", "images.toml")
    made = told("calibrate", "-c", "images.toml", "--name", "image")
    ids["image"] = made["manifest"]["id"]
    for run_folder in set(Path("state/runs").iterdir()) - runs:
        shutil.rmtree(run_folder)
    shutil.rmtree("images")
    Path("images.toml").unlink()
    said("release", "promote", ids["first"], "--reason", "the first one")
    said("release", "promote", ids["child"], "--pointer", "canary", "--reason", "to look at")
    said("release", "promote", ids["image"], "--pointer", "shadow", "--force", "--reason", "kept")
    said("release", "promote", ids["child"], "--reason", "stricter")
    said("release", "rollback", "--reason", "too strict")
    write_csv(Path("some.csv"), people[-21:])
    said("gallery", "enroll", "some.csv", "--id", "id", "--label", "person")
    said("gallery", "delete", people[-21]["id"])
    Path("some.csv").unlink()
    (place,) = Path("state/gallery").iterdir()
    how = Indexing(engine="hnsw", exact_rows=0, background=False)
    with LocalGallery.open(place, indexing=how) as gallery:
        gallery.build_index()
    return ids


def row(people: list[dict[str, Any]], at: int, **changed: Any) -> dict[str, Any]:
    """The fields of a record, some of them changed."""
    return {**{name: people[at][name] for name in FIELDS}, **changed}


def near(people: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rows like that of the third record: another view, two unsure ones, two that break a rule."""
    return {
        "view": row(people, 3),
        "unsure": row(people, 4, first="karl", town=""),
        "other": row(people, 3, last="bruun", height=None),
        "title": row(people, 2, title="mr"),
        "born": row(people, 2, born="1970-09-07"),
    }


def decide(people: list[dict[str, Any]]) -> None:
    """Some decisions, and what people said of them."""
    live = gemel.Store("state").get("stable")
    (place,) = Path("state/gallery").iterdir()
    with (
        gemel.Ledger.open("state/ledger.db") as ledger,
        gemel.Gallery.open(place, comparator=live.comparator, write=False) as gallery,
    ):
        service = gemel.Service(live, gallery, ledger)
        others = [*near(people).values(), row(people, 20), row(people, 40)]
        replies = [service.verify(row(people, 2), other, "sud") for other in others]
        service.search(row(people, -3), k=3)
        service.identify(row(people, -6))
        service.classify(row(people, -8), k=3, label="person")
    view, unsure, other = (str(reply.decision_id) for reply in replies[:3])
    said("review", "answer", view, "--genuine", "--reviewer", "ann")
    said("review", "answer", unsure, "--genuine", "--reviewer", "ann")
    said("review", "answer", other, "--genuine", "--reviewer", "ann")
    said("review", "answer", other, "--impostor", "--reviewer", "bob")


def answers(people: list[dict[str, Any]], releases: dict[str, str]) -> dict[str, Any]:
    """What the project in the working directory, which is changed, says to fixed questions."""
    commands = [
        ["ledger", "verify"],
        ["ledger", "list"],
        ["review", "list"],
        ["review", "proposal"],
        ["release", "list"],
        ["release", "history"],
        *(["release", "verify", name] for name in releases.values()),
        ["gallery", "classes", "--label", "person"],
    ]
    return {
        "service": [asked(*question) for question in questions(people, releases)],
        "http": http(people, releases),
        "commands": [{"words": words, "reply": told(*words)} for words in commands],
        "cards": {name: card(told("report", release)) for name, release in releases.items()},
        "calibrated": [calibrated(*words) for words in ((), CHILD, OTHER)],
        "gates": gates(releases),
    }


def card(whole: dict[str, Any]) -> dict[str, Any]:
    """The names in a card, and its main figures."""
    names = ("details", "data", "smallest_fmr", "expires")
    figures = {name: whole[name] for name in names}
    figures["scoring"] = {name: whole["scoring"][name] for name in ("range", "threshold", "review")}
    figures["measured"] = {"eval": whole["measured"]["eval"]}
    parts = {part: sorted(value) for part, value in whole.items() if isinstance(value, dict)}
    return {"names": sorted(whole), "parts": parts, "figures": figures}


def calibrated(*words: str) -> dict[str, Any]:
    """What a calibration decides and counts, whatever the day."""
    found = told("calibrate", *words)
    names = ("verify", "search", "sizes", "first", "rules", "categories", "prior", "likelihood")
    (point,) = (p for p in found["operating_points"] if p["chosen"])
    counts = {
        side: {
            name: value["value"] if isinstance(value, dict) else value
            for name, value in point[side].items()
            if name not in ("method", "target")
        }
        for side in ("dev", "eval")
    }
    return {
        "words": words,
        "parent": found["manifest"]["parent"],
        "policy": {name: found["policy"][name] for name in names},
        "point": counts,
    }


Question = tuple[str, str, dict[str, Any]]


def questions(people: list[dict[str, Any]], releases: dict[str, str]) -> list[Question]:
    """Release, verb and arguments of what a service is asked."""
    first, child, pictures = releases["first"], releases["child"], releases["image"]
    left, rights = row(people, 2), near(people)
    pair = {"left": left, "right": rights["view"]}
    stranger = dict(zip(FIELDS, ("mr", "xyx", "uuxuu", "oslo", "1961-07-09", 171), strict=True))
    probes, _ = gemel.Store("state").get(pictures).probe_payloads()
    png = [{"image": base64.b64encode(probe).decode()} for probe in probes[:3]]
    gallery = {"query": row(people, -3), "k": 3}
    asked_of_first = [
        *(("verify", {"left": left, "right": r, "category": "sud"}) for r in rights.values()),
        ("verify", {**pair, "category": ["nor", "sud"]}),
        ("verify", pair),
        ("verify", {"left": [left, row(people, 4)], "right": row(people, 3)}),
        ("verify", {"left": left, "right": row(people, 20), "category": "nor"}),
        ("search", {**gallery, "category": "nor"}),
        ("search", {**gallery, "where": {"title": ["dr", "mr"]}}),
        ("identify", {"query": row(people, -6)}),
        ("identify", {"query": stranger}),
        ("classify", {"query": row(people, -8), "k": 3, "label": "person"}),
        ("classify", {"query": stranger, "k": 2, "label": "person"}),
        ("explain", {**pair, "category": "sud"}),
        ("explain", {"left": left, "right": rights["title"], "category": "sud"}),
        ("explain", {"left": row(people, -3), "record": people[-5]["id"], "category": "nor"}),
        ("classes", {"label": "person"}),
    ]
    return [
        *((first, verb, args) for verb, args in asked_of_first),
        (child, "verify", pair),
        (child, "search", gallery),
        (child, "identify", {"query": row(people, -6)}),
        (child, "explain", pair),
        (pictures, "verify", {"left": png[0], "right": png[0]}),
        (pictures, "verify", {"left": png[0], "right": png[1]}),
        (pictures, "explain", {"left": png[0], "right": png[2], "parts": False}),
    ]


def serving(release_id: str) -> gemel.Service:
    """A service without a ledger."""
    release = gemel.Store("state").get(release_id)
    place = Path("state/gallery") / release.space_id[:12]
    if not place.exists():
        return gemel.Service(release)
    gallery = gemel.Gallery.open(place, comparator=release.comparator, write=False)
    return gemel.Service(release, gallery)


def asked(release: str, verb: str, args: dict[str, Any]) -> dict[str, Any]:
    """A question with its reply."""
    reply = getattr(serving(release), verb)(**args)
    return {"release": release, "verb": verb, "args": args, "reply": msgspec.to_builtins(reply)}


def http(people: list[dict[str, Any]], releases: dict[str, str]) -> list[dict[str, Any]]:
    """Requests to the first release, with status and body of what comes back."""
    query = row(people, -3)
    sent = [
        ("POST", "/v1/verify", {"left": query, "right": row(people, -2), "category": "nor"}),
        ("POST", "/v1/search", {"query": query, "k": 2}),
        ("POST", "/v1/identify", {"query": query}),
        ("POST", "/v1/classify", {"query": query, "k": 2, "label": "person"}),
        ("POST", "/v1/explain", {"query": query, "id": people[-2]["id"], "parts": "none"}),
        ("POST", "/v1/embeddings", {"input": [query], "model": "any"}),
        ("GET", "/v1/records/" + people[-3]["id"], None),
        ("GET", "/v1/classes?label=person", None),
        ("POST", "/v1/verify", {"left": query, "right": {"frist": "ann"}}),
        ("POST", "/v1/embeddings", {"input": [{"born": "soon"}]}),
        ("GET", "/v1/review", None),
        ("GET", "/v1/nothing", None),
    ]
    found = []
    with TestClient(gemel.create_app(serving(releases["first"]))) as client:
        for method, path, body in sent:
            headers = {"x-request-id": "kept"}
            reply = client.request(method, path, json=body, headers=headers)
            found.append(
                {
                    "request": [method, path, body],
                    "status": reply.status_code,
                    "type": reply.headers["content-type"],
                    "reply": reply.json(),
                }
            )
    return found


def gates(releases: dict[str, str]) -> dict[str, dict[str, bool]]:
    """Which gates each release passes, when it is to be stable."""
    store, found = gemel.Store("state"), {}
    for name, release in releases.items():
        report, _ = gemel.promote(store, release, actor="keeper", reason="again", force=True)
        found[name] = {gate.name: gate.passed for gate in report.gates}
    return found


if __name__ == "__main__":
    main()

"""Without labels, then with some answers: gemel beside linkers that start so too.

Gemel gets the train records of each split without a single identity and makes a release, as `gemel
train` does; a person then answers what `gemel label` asks, and `gemel train` learns from that. Each
release decides the pairs of eval, of identities never seen, by its own threshold, and, to compare
ways to score alone, by the best one of dev, as the peers are measured. ECM's and Splink's figures
are those of bench_records on the same splits. Prints a table and writes results/first_hour.json.

    python bench/bench_first_hour.py [--sets NAME ...] [--seeds N ...] [--contestants NAME ...]
        [--alone]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from bench_records import CACHE, describe
from bench_records import RESULTS as RECORDS
from first_hour_answers import DEDUPE, GIB, Pair, Person, dedupe, taught
from records_contestants import GEMEL, code, environment
from records_data import Table, load
from records_measure import Result, Truth, best_f1_threshold
from rich.console import Console
from rich.table import Table as Grid

from gemel.data import splits
from gemel.data.dataset import UNKNOWN
from gemel.encode import comparators
from gemel.encode.encoder import Encoder
from gemel.release.evidence.goals import Goals
from gemel.release.for_set import for_set
from gemel.release.make import unproven
from gemel.release.release import Release
from gemel.release.run import Run
from gemel.settings import TrainSettings
from gemel.train.fit import train

RESULTS = Path(__file__).parent / "results" / "first_hour.json"
SETS = {"rldata10000": 0.98, "febrl2-names": 0.79, "febrl3-names": None, "patents": None}
"""With the F1 that the mean of the seeds is to reach without labels."""
OURS, ALL = "gemel, no labels", "gemel, all labels"
LOWER = 4.0
"""How far below its threshold a release is shown the scores of a set, in log-odds."""
COUNTS = (60, 150, 300, 600)
DRAWS = {"rldata10000": 1, "febrl2-names": 10, "febrl3-names": 10, "patents": 3}
"""Of the questions that a person is asked: what they teach depends on which they are. Fewer where
the release finds many pairs alike, which takes long."""
TEACHING = ("answers.py", "taught.py")
"""Of `train/comparators`: what runs do not depend on."""
TAUGHT = "gemel, {} answers"
GIVEN, ASKED = "dedupe, the same 150", "dedupe, its own 150"
KEPT = ("recordlinkage-ecm", "splink")
PEERS = (*KEPT, "goldenmatch", "dedupe")
ALONE = (ASKED, "goldenmatch")
"""What depends on nothing that gemel does, and is kept where it is not asked for again."""
NOT_DEDUPE = ("patents",)
"""Sets that dedupe is not through with after half an hour: of long texts."""
GOLDENMATCH = Path(__file__).parent / "requirements-goldenmatch.txt"
Found = dict[tuple[str, int], dict[str, Any]]
"""Measures of contestants, by set and seed."""
PROTOCOL = (
    "Identities are split 60/20/20 into train, dev and eval, as in bench_records. gemel: train "
    "records without identities, then so many answers of a person who does not err, to the "
    "questions of gemel label; of ten draws of these the mean, of one on RLdata10000, of three "
    "on patents. 'own': the release's own threshold for the set of eval, told that a record has "
    "as many mates there; 'dev': that of the highest pairwise F1 on dev, as peers have it; with "
    "all labels that is what gemel calibrate chooses. dedupe: its classifier on all pairs, after "
    "the answers that gemel asked for first, and after as many that its own learner asked for, "
    "among 3,200 rows of train at most; own: probability .5. GoldenMatch configures itself on "
    "the records of eval and decides there itself. ECM and Splink: from records.json. F1 over "
    "all pairs of eval. Splits that were not run this time are kept as they were found."
)


def kept_in(name: str, seed: int, what: str, key: str) -> Path:
    """Where what is done of a split is kept; emptied where the code is another one."""
    folder = CACHE / "bench-first-hour" / f"{name}-{seed}" / what
    stamp = folder / "code.key"
    if not (stamp.is_file() and stamp.read_text() == key):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        stamp.write_text(key)
    return folder


def runs(table: Table, seed: int) -> tuple[Run, Run, Person]:
    """The run without labels, the one with all, and who knows the answers; kept while code is."""
    folder = kept_in(table.name, seed, "runs", code(apart_from=TEACHING))
    dataset, split = table.dataset(), table.split(seed)
    part = dataset.take(split.train)
    part = replace(part, identities=np.full(len(part), UNKNOWN), identity_names=())
    alone = train(part, splits.without_labels(part), TrainSettings(), folder / "un")
    labelled = train(dataset, split, TrainSettings(), folder / "lab")
    return alone, labelled, Person(part, table.identities[split.train])


def ours(table: Table, seed: int, cache: Path | None) -> dict[str, Any]:
    """F1 on eval without labels, after answers, with all labels, and of dedupe if asked for."""
    alone, labelled, person = runs(table, seed)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        start = unproven.build(alone.folder, person.dataset, goals=Goals(), into=folder / "release")
        found[OURS] = decided(start, table, seed)
        draws: dict[int, list[dict[str, Any]]] = {n: [] for n in COUNTS}
        for draw in range(DRAWS[table.name]):
            asked = folder / f"labels-{draw}"
            said = person.answers(start, max(COUNTS), asked, seed + 1000 * draw)
            for n in COUNTS:
                some = dict([*said.items()][:n])
                release = taught(alone, person.dataset, some, folder / f"taught-{n}-{draw}")
                draws[n].append({**decided(release, table, seed), "same": sum(some.values())})
                if n == 150 and draw == 0 and cache is not None:
                    found |= of_dedupe(table, seed, cache, (person, some))
        found |= {TAUGHT.format(n): averaged(several) for n, several in draws.items()}
    encoder, comparator = Encoder.open(labelled.encoder), comparators.load(labelled.encoder)
    found[ALL] = by_scores(_scores(encoder, comparator, table, seed), table, seed)
    return found


def averaged(draws: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean of several draws, and the F1 of each."""
    means = {
        at: {name: float(np.mean([draw[at][name] for draw in draws])) for name in draws[0][at]}
        for at in ("own", "dev", "expected")
    }
    f1 = {at: [draw[at]["f1"] for draw in draws] for at in ("own", "dev")}
    return {**means, "same": float(np.mean([draw["same"] for draw in draws])), "draws": f1}


def of_dedupe(
    table: Table, seed: int, cache: Path, given: tuple[Person, dict[Pair, bool]] | None = None
) -> dict[str, Any]:
    """F1 of dedupe on eval, by its own 150 answers, and by those that are given."""
    scores = dedupe(table, seed, cache, 150, given)
    return {
        name: by_scores(scores[way], table, seed, own=0.5)
        if way in scores
        else {"failed": f"out of memory at {GIB} GiB"}
        for name, way in ((GIVEN, "given"), (ASKED, "asked"))
        if given or way == "asked"
    }


def decided(release: Release, table: Table, seed: int) -> dict[str, Any]:
    """What a release reaches on eval by its own threshold and by dev's, and what it expected."""
    scores = _scores(release.encoder, release.comparator, table, seed)
    policy, n = release.policy, len(table.split(seed).eval)
    likely = scores["eval"][scores["eval"] >= policy.verify.threshold - LOWER]
    # As many mates of a record as in train, among fewer records.
    share = policy.prior * (len(table.split(seed).train) - 1) / (n - 1)
    own = for_set(release, likely.astype(np.float64), n * (n - 1) // 2, share=share)
    at = release.evidence.eval
    expected = {"precision": at.precision.value, "recall": at.recall.value}
    threshold = own.policy.verify.threshold
    return {**by_scores(scores, table, seed, own=threshold), "expected": expected}


def by_scores(
    scores: dict[str, np.ndarray], table: Table, seed: int, own: float | None = None
) -> dict[str, Any]:
    """Measures on eval, by the best threshold of dev and, if there is one, by an own one."""
    sides = table.split(seed).sides()
    truth = {side: Truth.of(table.identities[sides[side]]) for side in scores}
    thresholds = {"dev": best_f1_threshold(scores["dev"], truth["dev"])}
    if own is not None:
        thresholds["own"] = own
    return {
        name: _measured(threshold, scores["eval"], truth["eval"])
        for name, threshold in thresholds.items()
    }


def _scores(encoder: Encoder, comparator: Any, table: Table, seed: int) -> dict[str, np.ndarray]:
    dataset, sides = table.dataset(), table.split(seed).sides()
    found = {}
    for side in ("dev", "eval"):
        rows = encoder.encode(dataset.payloads(sides[side]))
        found[side] = comparator.matrix(rows, rows)[np.triu_indices(len(rows), 1)]
    return found


def _measured(threshold: float, score: np.ndarray, truth: Truth) -> dict[str, float]:
    precision, recall, f1, _ = Result.at(threshold, score, truth).measure()
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1)}


def kept(name: str, seed: int, peer: str) -> dict[str, Any]:
    """What bench_records found of a peer on the same split."""
    seeds = json.loads(RECORDS.read_text())["sets"][name]["seeds"]
    return {"dev": seeds[str(seed)]["contestants"][peer]["eval"]}


def goldenmatch(table: Table, seed: int) -> dict[str, Any]:
    """F1 on eval of the clusters that GoldenMatch finds there without a configuration."""
    idx = table.split(seed).eval
    python = environment(CACHE / "bench-goldenmatch", GOLDENMATCH)
    with tempfile.TemporaryDirectory() as folder:
        job, out = Path(folder) / "job.json", Path(folder) / "out.json"
        rows = [table.rows[i] for i in idx]
        job.write_text(json.dumps({"columns": list(table.kinds), "rows": rows}))
        script = Path(__file__).with_name("peers_goldenmatch.py")
        subprocess.run([python, script, job, out], check=True, capture_output=True)
        label = np.array(json.loads(out.read_text()))
    i, j = np.triu_indices(len(idx), 1)
    same = (label[i] == label[j]).astype(np.float32)
    return {"own": _measured(0.5, same, Truth.of(table.identities[idx]))}


def one(name: str, seed: int, names: list[str], alone: bool = False) -> dict[str, Any]:
    """All contestants on one split; a finished one is kept, and a stopped bench goes on.

    With `alone`, only what does not depend on gemel.
    """
    if name in NOT_DEDUPE:
        names = [peer for peer in names if peer != "dedupe"]
    if alone:
        table, found = load(name, CACHE / "packages"), dict[str, Any]()
        if "dedupe" in names:
            found |= of_dedupe(table, seed, CACHE / "bench-dedupe")
        if "goldenmatch" in names:
            found["goldenmatch"] = goldenmatch(table, seed)
        return found
    found_in = kept_in(name, seed, "found", code([GEMEL, Path(__file__).parent]))
    row = found_in / f"row-{'-'.join(sorted(names))}.json"
    if row.is_file():
        return dict(json.loads(row.read_text()))
    table = load(name, CACHE / "packages")
    cache = CACHE / "bench-dedupe" if "dedupe" in names else None
    found = ours(table, seed, cache)
    if "goldenmatch" in names:
        found["goldenmatch"] = goldenmatch(table, seed)
    found |= {peer: kept(name, seed, peer) for peer in KEPT if peer in names}
    row.write_text(json.dumps(found))
    return found


def gained(
    contestants: dict[str, list[dict[str, Any]]], threshold: str
) -> dict[str, dict[str, float]]:
    """Share of what all labels bring that answers bring, in the mean of the seeds.

    The mean of all draws, and the smallest and the largest of the draws.
    """

    def mean(name: str, at: str) -> float:
        return float(np.mean([seed[at]["f1"] for seed in contestants[name]]))

    start, best = mean(OURS, threshold), mean(ALL, "dev")
    if best <= start:
        return {}
    found = {}
    for n in COUNTS:
        draws = [seed["draws"][threshold] for seed in contestants[TAUGHT.format(n)]]
        share = (np.mean(draws, axis=0) - start) / (best - start)
        three = {"mean": share.mean(), "least": share.min(), "most": share.max()}
        found[str(n)] = {name: round(float(value), 3) for name, value in three.items()}
    return found


def main() -> None:
    """Run what the command line asks for, show it and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--contestants", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--alone", action="store_true", help="only peers, apart from gemel")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    asked = parser.parse_args()
    console = Console()
    for name, pins in (("dedupe", DEDUPE), ("goldenmatch", GOLDENMATCH)):
        if name in asked.contestants:  # once, before several processes ask for it
            environment(CACHE / f"bench-{name}", pins)
    with ProcessPoolExecutor(asked.jobs) as pool:
        ahead = {
            pool.submit(one, name, seed, asked.contestants, asked.alone): (name, seed)
            for seed in asked.seeds
            for name in asked.sets
        }
        for job in as_completed(ahead):
            name, seed = ahead[job]
            found = known(asked.out)
            before = found.get((name, seed), {})
            alike = {n: m for n, m in before.items() if asked.alone or n in ALONE}
            found[name, seed] = {**alike, **job.result()}
            report = {**describe(), "protocol": PROTOCOL, "sets": summed(found)}
            asked.out.write_text(json.dumps(report, indent=1) + "\n")
            console.print(f"{name}, seed {seed}: written to {asked.out}")
    console.print(_grid(known(asked.out)))


def known(file: Path) -> Found:
    """What was found before, by set and seed."""
    if not file.is_file():
        return {}
    sets = json.loads(file.read_text())["sets"]
    return {
        (name, seed): {who: row[i] for who, row in of["contestants"].items() if row[i]}
        for name, of in sets.items()
        for i, seed in enumerate(of["seeds"])
    }


def summed(found: Found) -> dict[str, Any]:
    """The same by set, its seeds in order, with the shares of the gain."""
    sets: dict[str, Any] = {}
    for name in (name for name in SETS if any(name == at for at, _ in found)):
        seeds = sorted(seed for at, seed in found if at == name)
        every = [found[name, seed] for seed in seeds]
        who = dict.fromkeys(who for split in every for who in split)
        rows = {one: [split.get(one, {}) for split in every] for one in who}
        gain = {at: gained(rows, at) for at in ("own", "dev")}
        sets[name] = {"seeds": seeds, "gain": gain, "contestants": rows}
    return sets


def _grid(found: Found) -> Grid:
    grid = Grid(title="The first hour: pairwise F1 on eval", title_justify="left")
    for column in ("set", "seeds", "contestant", "own threshold", "best of dev", "gain", "wanted"):
        grid.add_column(column)
    for name, of in summed(found).items():
        for who, rows in of["contestants"].items():
            n = who.removeprefix("gemel, ").removesuffix(" answers")
            gains = [of["gain"][at].get(n, {}) for at in ("own", "dev")]
            gain = " / ".join(str(one.get("mean", "")) for one in gains)
            wanted = f"{SETS[name]}" if who == OURS and SETS[name] else ""
            shown = [_mean(rows, "own"), _mean(rows, "dev"), gain.strip(" /"), wanted]
            grid.add_row(name, " ".join(map(str, of["seeds"])), who, *shown)
    return grid


def _mean(seeds: list[dict[str, Any]], threshold: str) -> str:
    values = [seed[threshold]["f1"] for seed in seeds if threshold in seed]
    return f"{np.mean(values):.4f}" if values else "-"


if __name__ == "__main__":
    main()

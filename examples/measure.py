"""Runs the examples as their README says, and writes what was measured into it.

    python examples/measure.py [NAME ...]      all, or some; `make examples`

Each is fetched, trained, calibrated and reported in `.cache/examples/NAME`; what is there already
is not done again. The table is that of `gemel report --json`: the release beside its raw baseline
on identities that nothing was fitted or chosen on, with intervals by identity. Where a text finds
pictures, `bench/bench_image_text.py` sets the release beside a bag of words, each way.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from gemel.cli import example
from gemel.figures import percent

HERE = Path(__file__).parent
WORK = HERE.parent / ".cache" / "examples"
BOTH_WAYS = HERE.parent / "bench" / "bench_image_text.py"
BEGIN, END = "<!-- measured by examples/measure.py -->\n", "<!-- end -->"
WAYS = ("text to image", "image to text")


def main(names: list[str]) -> None:
    chosen = [example.named(name) for name in names] or example.examples()
    for one in chosen:
        print(f"== {one.name}: {one.title}", flush=True)
        card = measured(one)
        page = one.folder / "README.md"
        page.write_text(put(page.read_text("utf-8"), table(card)), "utf-8")
        (one.folder / "measured.json").write_text(json.dumps(kept(card), indent=1) + "\n")
    overview(HERE / "README.md")


def measured(one: example.Example) -> dict[str, Any]:
    """The card of a release of an example."""
    folder, gemel = WORK / one.name, [sys.executable, "-m", "gemel"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gemel.toml").write_bytes((one.folder / "gemel.toml").read_bytes())
    if len(list(folder.iterdir())) == 1:
        run([sys.executable, str(one.folder / example.SCRIPT), "."], folder)
    run([*gemel, "train", "--json"], folder)
    release = json.loads(run([*gemel, "calibrate", "--json"], folder))["release"]
    card: dict[str, Any] = json.loads(run([*gemel, "report", release, "--json"], folder))
    if card["details"]["modality"] == "image_text":
        said = run([sys.executable, str(BOTH_WAYS), "--project", "."], folder)
        card["both_ways"] = json.loads(said)
    return card


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}")
    return done.stdout


def kept(card: dict[str, Any]) -> dict[str, Any]:
    """What the tables say, for who reads it by program."""
    ours, raw = card["measured"]["candidates"][:2]
    sides = {n: {k: s[k] for k in ("n_records", "n_identities")} for n, s in sides_of(card).items()}
    return {
        "records": card["data"]["n_records"],
        "sides": sides,
        "release": figures(ours),
        raw["name"]: figures(raw),
        "differences": card["measured"]["against"],
        **({"both_ways": card["both_ways"]} if "both_ways" in card else {}),
    }


def figures(candidate: dict[str, Any]) -> dict[str, Any]:
    found = {"f1": candidate["point"]["f1"], "eer": candidate["eer"]}
    return {**found, "recall_at_k": candidate["retrieval"]["recall_at_k"]}


def sides_of(card: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = card["data"]["sides"]
    return found


def table(card: dict[str, Any]) -> str:
    """The part of a README that is measured."""
    (ours, raw), prior = card["measured"]["candidates"][:2], card["data"]["prior"]
    rows = [
        "| on eval | F1 [95 %] | EER [95 %] | recall_at_1 | recall_at_5 |",
        "|---|---|---|---|---|",
        *(
            line(c, name)
            for c, name in ((ours, "the release"), (raw, f"{raw['name']}, nothing learned"))
        ),
    ]
    sides = sides_of(card)
    split = ", ".join(
        f"{n} {s['n_identities']:,} with {s['n_records']:,}" for n, s in sides.items()
    )
    changes = [
        f"{d['measure']} {d['value']:+.3f} [{d['low']:+.3f}, {d['high']:+.3f}]"
        for d in card["measured"]["against"]
        if d["measure"] in ("F1", "EER", "recall_at_1")
    ]
    return "\n".join(
        [
            *rows,
            "",
            f"{card['data']['n_records']:,} records; identities with records: {split}; seed "
            f"{card['data']['split_seed']}. Each contestant's threshold is the best for F1 on dev; "
            f"F1 at {percent(float(f'{prior:.2g}'))} genuine comparisons; intervals by identity.",
            "",
            f"Release minus {raw['name']}, paired: {'; '.join(changes)}.",
            "",
            *ways(card.get("both_ways")),
        ]
    )


def ways(found: dict[str, Any] | None) -> list[str]:
    """Searches of texts for pictures and of pictures for texts; none where there is one kind."""
    if found is None:
        return []
    rows = [
        [name, *(way(found[key][f"{ask}, recall_at_{k}"]) for ask in WAYS for k in (1, 10))]
        for name, key in (("the release", "two towers"), ("a bag of words", "bag of words"))
    ]
    head = ["on eval", *(f"{ask}, recall_at_{k}" for ask in WAYS for k in (1, 10))]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
    sizes = f"{found['texts of eval']:,} texts and {found['pictures of eval']:,} pictures"
    return [
        *lines,
        "",
        f"Of {sizes}, each searches all of the other kind. The bag of words is a ridge regression "
        "from pixels to the words of a text, its penalty chosen on dev.",
        "",
    ]


def way(value: list[float]) -> str:
    return f"{value[0]:.3f} [{value[1]:.3f}, {value[2]:.3f}]"


def line(candidate: dict[str, Any], name: str) -> str:
    recall = candidate["retrieval"]["recall_at_k"]
    f1, eer = (span(e) for e in (candidate["point"]["f1"], candidate["eer"]))
    return f"| {name} | {f1} | {eer} | {recall['1']:.3f} | {recall.get('5', float('nan')):.3f} |"


def span(estimate: dict[str, Any]) -> str:
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"


def put(page: str, measured: str) -> str:
    """A page with what stands between its marks written anew."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}{measured}{END}{rest.partition(END)[2]}"


def overview(page: Path) -> None:
    """The table of all examples, of what each has kept."""
    rows = [
        "| example | asks | fetched by | records | recall_at_1 | raw | F1 | raw |",
        "|" + "---|" * 8,
    ]
    for one in example.examples():
        path = one.folder / "measured.json"
        if path.is_file():
            found = json.loads(path.read_text())
            ours, raw = found["release"], list(found.values())[3]
            cells = [f"[{one.name}]({one.name}/README.md)", one.title, ", ".join(one.registries)]
            cells += [f"{found['records']:,}"]
            cells += [f"{x['recall_at_k']['1']:.3f}" for x in (ours, raw)]
            cells += [f"{x['f1']['value']:.3f}" for x in (ours, raw)]
            rows.append(f"| {' | '.join(cells)} |")
    page.write_text(put(page.read_text("utf-8"), "\n".join([*rows, ""])), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

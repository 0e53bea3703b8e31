"""`gemel duplicates`: files, summary, going on, and bad command lines."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from msgspec.structs import replace

from gemel.cli.duplicates_words import in_words
from gemel.improve.by_identity import ByIdentity
from gemel.improve.by_keys import Reach
from gemel.improve.proposals import CandidateRecall
from gemel.improve.result import Summary

Gemel = Callable[..., Any]
SHARE = "share of genuine pairs"


def test_the_duplicates_of_the_project_are_found(project: Path, gemel: Gemel) -> None:
    said = gemel("duplicates", "-o", "c.parquet", "--pairs", "p.parquet", "--json")
    assert said.code == 0, said.err
    summary = json.loads(said.out)
    assert summary["n_records"] == 180 and summary["engine"] == "exact"
    assert summary["agreement"]["pairwise"]["f1"] > 0.9
    assert summary["false_links"]["at_most"] > 0
    clusters, pairs = pl.read_parquet("c.parquet"), pl.read_parquet("p.parquet")
    assert clusters.columns == [
        "cluster", "size", "canonical", "id", "identity", "person", "first", "last", "town", "born",
        "score", "weakest_link", "risk",
    ]  # fmt: skip
    assert clusters["cluster"].rle_id().n_unique() == clusters["cluster"].n_unique(), "together"
    assert clusters["size"].to_list()[-1] == 1 < clusters["size"].to_list()[0]
    assert clusters["canonical"].to_list()[0], "the record to keep stands first"
    assert len(clusters) == 180 and clusters["canonical"].sum() == clusters["cluster"].n_unique()
    assert pairs.columns == [
        "left", "right", "score", "probability", "outcome", "probability_is",
    ]  # fmt: skip
    people = pairs.select(pl.col("left", "right").str.split(".").list.first())
    assert (people["left"] == people["right"]).mean() > 0.9  # type: ignore[operator]


def test_identities_that_call_sure_pairs_different_are_doubted(project: Path, gemel: Gemel) -> None:
    whole = msgspec.json.decode(gemel("duplicates", "--json").out, type=Summary)
    assert whole.agreement is not None and whole.false_links.expected is not None
    found = replace(whole, false_links=replace(whole.false_links, expected=0.01 * whole.n_matches))
    ours = dict(in_words(found, asks="gemel label"))["below, measured against"]
    assert ours == "the identities of the file, as they are"
    worse = replace(found.agreement.pairwise, precision=0.878)  # type: ignore[union-attr]
    doubted = replace(found, agreement=replace(found.agreement, pairwise=worse))
    said = dict(in_words(doubted, asks="gemel label"))["below, measured against"]
    assert "of 100 pairs in a cluster about 88 have one identity there" in said
    assert "of 100 matches about 99 are expected to be right" in said and "gemel doctor" in said
    assert "gemel doctor" not in dict(in_words(doubted))["below, measured against"]


def test_clusters_are_a_page_where_the_name_ends_so(project: Path, gemel: Gemel) -> None:
    said = gemel("duplicates", "-o", "c.html", "--pairs", "p.csv", "--json")
    assert said.code == 0, said.err
    page = (project / "c.html").read_text()
    n = json.loads(said.out)["n_clusters"]
    assert page.count('<article class="cluster">') == n > 0
    assert (project / "p.csv").is_file() and not (project / "clusters.csv").exists()


def test_a_person_sees_what_it_is_worth(project: Path, gemel: Gemel) -> None:
    said = gemel("duplicates")
    assert said.code == 0 and (project / "clusters.csv").is_file()
    for words in ("false matches, expected", "false matches, at most", "B-cubed", "not known"):
        assert words in said.out, said.out
    for words in (
        "where the release was calibrated",
        ", as the release says",
        "the best matches have a probability of at least",
    ):
        assert words in said.out, said.out
    assert "looking for duplicates" in said.err and "wrote clusters.csv" in said.err


def test_no_probability_is_said_to_be_higher_than_it_is(project: Path, gemel: Gemel) -> None:
    found = msgspec.json.decode(gemel("duplicates", "--json").out, type=Summary)
    false = replace(found.false_links, promise="")
    said = dict(in_words(replace(found, most_sure=0.98786, least_sure=0.499, false_links=false)))
    assert "a probability of at least 0.98:" in said["share of genuine pairs"]
    assert said["least sure match"].startswith("probability 0.49:")


def measured_well(found: Summary) -> Summary:
    """As of a release that was measured on many identities, of records that have none."""
    return replace(found, known=None, false_links=replace(found.false_links, n_identities=500))


def test_what_so_few_identities_tell_is_a_warning_and_labels_are_heard(
    project: Path, gemel: Gemel
) -> None:
    """Of 625 matches 164 were right, and "none are right" was said."""
    plain = msgspec.json.decode(gemel("duplicates", "--json").out, type=Summary)
    assert plain.known is not None and plain.known.n_pairs == plain.n_pairs
    assert plain.missed is not None and plain.false_links.n_identities is not None
    few = replace(plain.false_links, expected=625.0, n_identities=33)
    known = ByIdentity(n_pairs=90, n_genuine=9, n_matches=625, n_right=164, is_most=True)
    found = replace(plain, n_matches=625, false_links=few, known=known, prior=0.1)
    name = "false matches, expected"
    assert dict(in_words(found))[name] == (
        "620 of 625, so of 100 matches hardly any are right here: a warning, not a measurement, "
        "since the release was measured on only 33 identities; by the identities of the file, 164 "
        "of 625 matches are right"
    )
    few = replace(few, expected=461.0)
    assert "by the identities" not in dict(in_words(replace(found, false_links=few)))[name]


def test_a_share_that_labels_contradict_is_named_and_what_it_costs(
    project: Path, gemel: Gemel
) -> None:
    plain = msgspec.json.decode(gemel("duplicates", "--json").out, type=Summary)
    known = ByIdentity(n_pairs=1000, n_genuine=43, n_matches=2, n_right=2, is_most=True)
    threshold = plain.release_threshold + 0.1
    found = replace(plain, known=known, prior=0.0076, threshold=threshold, missed=0.8)
    said = dict(in_words(found))
    assert "by the identities of the file it is 43 of 1,000: --prior 0.043 takes" in said[SHARE]
    assert said["threshold"].endswith(
        "of 100 pairs that belong together about 95 are missed, by the identities of the file"
    )
    for other in (None, replace(known, is_most=False)):
        said = dict(in_words(replace(found, known=other)))
        assert "--prior" not in said[SHARE], "some labels do not speak for all"
        assert said["threshold"].endswith("together about 80 are missed, as on eval")
    of_all = replace(found, known=replace(known, n_genuine=1000))
    assert dict(in_words(of_all))[SHARE].endswith("of the file it is all"), "no share to name"
    alike = replace(found, prior=0.03, threshold=plain.release_threshold)
    assert "--prior" not in dict(in_words(alike))[SHARE]
    assert "missed" not in dict(in_words(alike))["threshold"]


def test_another_threshold_is_said_to_be_of_another_share_only_where_it_is(
    project: Path, gemel: Gemel
) -> None:
    found = measured_well(msgspec.json.decode(gemel("duplicates", "--json").out, type=Summary))
    moved = replace(found, threshold=found.release_threshold + 1, prior=found.release_prior)
    same = dict(in_words(moved))["threshold"]
    assert "by the scores of these records" in same and "share" not in same
    assert "in the release; nothing is proven" in same
    assert same.split(";")[0].endswith("by the scores of these records") and "this set" in same
    says = "of its own the release says"
    assert dict(in_words(moved, says="Of 100 matches"))[says] == "Of 100 matches"
    assert says not in dict(in_words(found, says="Of 100 matches"))
    told = {"n_pairs": 149, "n_found": 146, "value": 0.98, "low": 0.94, "basis": "pairs of eval"}
    keys = Reach(passes=(), n_candidates=900, **told)  # type: ignore[arg-type]
    proposed = dict(in_words(replace(moved, reach=keys), says="Of 100 matches"))
    assert "all pairs compared with each other; here only those that shared keys" in proposed[says]
    assert proposed["false matches, expected"].endswith(
        "where shared keys propose what is compared"
    )
    assert dict(in_words(moved))["false matches, expected"].endswith("right here")
    rarer = dict(in_words(replace(moved, prior=found.release_prior / 2)))["threshold"]
    assert rarer.count("at this share") == 2


def test_what_is_told_of_false_matches_says_something(project: Path, gemel: Gemel) -> None:
    found = msgspec.json.decode(gemel("duplicates", "--json").out, type=Summary)

    def told(n: int, least_sure: float | None = None, **false: Any) -> dict[str, Any]:
        links = replace(found.false_links, **false)
        changed = replace(found, n_matches=n, false_links=links, least_sure=least_sure)
        return dict(in_words(changed))

    most = "false matches, at most"
    assert told(449, at_most=449.0)[most].startswith("not known")
    assert told(179, at_most=120.0)[most].startswith("not known")
    assert told(1797, at_most=179.7)[most] == "179 of 1,797"
    assert "FMR on eval" in told(1797, at_most=179.7)["which rests on"]
    assert told(10, at_most=2.8e-10)[most] == "0 of 10"
    assert told(14_843, expected=8812.0)["false matches, expected"].startswith("8,800 of 14,843")
    assert told(10, expected=2.8e-10)["false matches, expected"].startswith("hardly any of 10")
    assert "0.000033" in told(10, least_sure=3.3e-5)["least sure match"]
    proven = told(10, least_sure=3.3e-5, at_most=0.5, promise="of 100 matches, at most 5 are wrong")
    assert "least sure match" not in proven
    assert "too few comparisons" not in proven["share of genuine pairs"]


def test_what_an_engine_found_is_a_share_and_no_number_of_pairs(
    project: Path, gemel: Gemel
) -> None:
    found = msgspec.json.decode(gemel("duplicates", "--json").out, type=Summary)
    recall = CandidateRecall(n_records=400, n_pairs=866, n_found=866, value=1.0, low=0.99)
    assert dict(in_words(replace(found, candidate_recall=recall)))["candidate recall"] == (
        "100 % of 866 pairs"
    )


def test_nothing_is_named_to_tell_more_that_these_records_cannot_have(
    project: Path, gemel: Gemel
) -> None:
    of_project = " ".join(gemel("duplicates").out.split())
    assert "gemel label asks about some, drawn at random" in of_project
    assert "calibrate --for" not in of_project
    shutil.copy(project / "people.csv", project / "others.csv")
    of_others = gemel("duplicates", "others.csv", "--id", "id").out
    assert "not known: these data" in of_others and "gemel label" not in of_others


def test_a_second_run_compares_nothing_again(
    project: Path, gemel: Gemel, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = json.loads(gemel("duplicates", "--json").out)
    (job,) = (project / ".gemel" / "duplicates").iterdir()

    def refuse(*_: object, **__: object) -> None:
        raise ValueError("compared again")

    monkeypatch.setattr("gemel.improve.comparison.scan", refuse)
    again = json.loads(gemel("duplicates", "--json").out)
    assert again == first
    other = json.loads(gemel("duplicates", "--method", "complete", "--json").out)
    assert other["method"] == "complete" and other["n_matches"] == first["n_matches"]
    assert list((project / ".gemel" / "duplicates").iterdir()) == [job]


def test_two_files_are_linked_and_measured_by_a_column(project: Path, gemel: Gemel) -> None:
    people = pl.read_csv("people.csv", infer_schema=False)
    second = pl.col("id").str.ends_with(".1")
    people.filter(~second).write_csv("a.csv")
    people.filter(second).write_csv("b.csv")
    words = ("duplicates", "a.csv", "b.csv", "--id", "id", "--identity", "person", "--json")
    said = gemel(*words)
    assert said.code == 0, said.err
    summary = json.loads(said.out)
    assert summary["n_pairs"] == 120 * 60
    assert summary["agreement"]["n_identities"] == 120
    assert summary["agreement"]["pairwise"]["recall"] > 0.9
    assert set(pl.read_csv("clusters.csv", infer_schema_length=None)["side"]) == {"left", "right"}
    one = json.loads(gemel(*words, "--one-to-one").out)
    assert one["largest"] == 2 and one["n_matches"] + one["n_given_up"] == summary["n_matches"]
    rare = gemel(*words[:-1], "--prior", "1e-6")
    assert " 1 of 1,000,000, and 19 of 1,000 where the release was calibrated" in rare.out, rare.out
    assert "as the release says" in rare.out, "which is nearly the best at this share, too"


def test_the_newest_by_a_column_that_the_release_does_not_know(project: Path, gemel: Gemel) -> None:
    people = pl.read_csv("people.csv", infer_schema=False)
    seen = pl.when(pl.col("id").str.ends_with(".1")).then(pl.lit("2024-02-02"))
    people.with_columns(seen=seen.otherwise(pl.lit("2020-01-01"))).write_csv("dated.csv")
    said = gemel("duplicates", "dated.csv", "--id", "id", "--canonical", "newest:seen")
    assert said.code == 0, said.err
    clusters = pl.read_csv("clusters.csv", infer_schema_length=None).filter(pl.col("size") == 2)
    chosen = clusters.filter("canonical")["id"].str.ends_with(".1")
    assert len(chosen) > 50 and chosen.mean() > 0.95  # type: ignore[operator]


def test_columns_come_out_as_they_went_in(project: Path, gemel: Gemel) -> None:
    people = pl.read_csv("people.csv", infer_schema=False)
    odd = people.with_columns(note=pl.lit("1.50"))
    odd.rename({"id": "key"}).write_csv("odd.csv")
    assert gemel("duplicates", "odd.csv", "--id", "key").code == 0
    found = pl.read_csv("clusters.csv", infer_schema=False).sort("id")
    written = found.select(pl.col("key").alias("id"), *odd.columns[1:])
    assert written.equals(odd.sort("id")) and found["id"].equals(found["key"])


def test_a_dry_run_says_what_it_would_do(project: Path, gemel: Gemel) -> None:
    said = gemel("duplicates", "--dry-run")
    assert said.code == 0 and "would compare 180 records (exact)" in said.err
    assert not (project / "clusters.csv").exists()
    assert not (project / ".gemel" / "duplicates").exists()


@pytest.mark.parametrize(
    ("words", "says", "code"),
    [
        ("none.csv", "no such file", 1),
        ("people.csv none.csv", "no such file", 1),
        ("--method ward", "unknown method 'ward'", 1),
        ("--canonical best", "unknown choice 'best'", 1),
        ("--canonical newest:seen", "seen", 1),
        ("--engine warp", "unknown engine 'warp'", 1),
        ("--max-risk 2", "--max-risk", 2),
        ("-o nowhere/c.parquet", "no such folder to write to", 1),
        ("--folder .", "but no job", 1),
        ("-r canary", "canary points at no release", 1),
        ("x.csv", "no column", 1),
        ("one.csv", "one record has no duplicates", 1),
        ("people.csv --identity who", "who", 1),
    ],
)
def test_bad_input_is_explained(
    project: Path, gemel: Gemel, words: str, says: str, code: int
) -> None:
    (project / "x.csv").write_text("first,last\na,b\n")
    (project / "one.csv").write_text("first,last,town,born\notto,weber,ulm,1950-01-02\n")
    said = gemel("duplicates", *words.split())
    assert said.code == code, said.err
    lines = [x for x in said.err.splitlines() if x.startswith(("error: ", "hint: "))]
    assert [x.split(": ")[0] for x in lines] == ["error", "hint"], said.err
    assert says in lines[0] and "unexpected" not in lines[0], lines[0]
    assert not (project / "clusters.csv").exists()


def test_another_job_in_the_folder_is_refused(project: Path, gemel: Gemel) -> None:
    assert gemel("duplicates", "--folder", "work").code == 0
    people = (project / "people.csv").read_text().splitlines()
    (project / "fewer.csv").write_text("\n".join(people[:50]) + "\n")
    said = gemel("duplicates", "fewer.csv", "--id", "id", "--folder", "work")
    assert said.code == 1 and "a job with other data" in said.err
    assert "name another folder" in said.err


def test_clusters_can_be_csv_and_have_the_values_of_the_records(
    project: Path, gemel: Gemel
) -> None:
    said = gemel("duplicates", "-o", "found.csv", "--pairs", "pairs.csv")
    assert said.code == 0, said.err
    found = pl.read_csv(project / "found.csv", infer_schema=False)
    people = {r["id"]: r for r in pl.read_csv(project / "people.csv").to_dicts()}
    assert found.columns[:4] == ["cluster", "size", "canonical", "id"]
    for row in found.to_dicts():
        wanted = people[row["id"]]
        assert (row["identity"], row["first"], row["last"]) == (
            wanted["person"],
            wanted["first"],
            wanted["last"],
        )
    assert "left" in pl.read_csv(project / "pairs.csv").columns
    again = gemel("duplicates", "people.csv", "--id", "id", "-o", "found.parquet")
    assert again.code == 0 and "town" in pl.read_parquet(project / "found.parquet").columns

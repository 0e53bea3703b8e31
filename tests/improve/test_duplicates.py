"""Duplicates from records to Parquet: found, the same for any order, exact or proposed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.release import conftest as small

import gemel
from gemel.calibrate.goals.target import Target
from gemel.calibrate.goals.use import Use
from gemel.data import records
from gemel.data.dataset import Dataset
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import ConfigError, DataError, GalleryError
from gemel.improve import comparison as module
from gemel.improve.by_keys import OF_TYPED
from gemel.improve.result import Duplicates
from gemel.release.evidence.goals import Goals
from gemel.release.release import Release
from gemel.release.words.sentence import sentence
from gemel.tasks.clusters import METHODS


@pytest.fixture(scope="module")
def found(release: Release, strangers: Dataset) -> Duplicates:
    return gemel.duplicates(release, strangers)


def test_the_right_records_are_put_together(found: Duplicates, strangers: Dataset) -> None:
    seen = found.summary.agreement
    assert seen is not None and seen.n_records == 400 and seen.n_identities == 200
    assert seen.pairwise.f1 > 0.8 and seen.b_cubed.f1 > 0.9
    one = found.clusters.filter(pl.col("id") == "r0")["cluster"][0]
    assert found.clusters.filter(pl.col("cluster") == one)["id"].to_list() == ["r0", "r1"]


def test_names_and_frames_are_no_release_and_no_records(
    found: Duplicates, release: Release, strangers: Dataset
) -> None:
    frame = pl.DataFrame({"name": ["anna", "anne"]})
    with pytest.raises(ConfigError, match="type str, expected a Release"):
        gemel.duplicates("stable", strangers)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="type DataFrame, expected a Dataset"):
        gemel.duplicates(release, frame)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="type DataFrame, expected a Dataset"):
        found.with_columns(frame)  # type: ignore[arg-type]


def test_results_are_records_again_however_often(
    found: Duplicates, release: Release, strangers: Dataset, tmp_path: Path
) -> None:
    fields = release.encoder.prepare.fields
    once = found.with_columns(strangers)
    for _ in range(3):
        path = tmp_path / "clusters.csv"
        once.write(path)
        again = records.read(path, id="id", fields=fields)
        once = found.with_columns(again)
    before = once.clusters["size of the record of the record"].cast(pl.Int64)
    assert before.to_list() == once.clusters["size"].to_list()
    assert len(once.clusters) == len(strangers)


def test_pairs_are_those_that_the_release_says_match(
    found: Duplicates, release: Release, strangers: Dataset
) -> None:
    rows = release.encoder.encode(strangers.payloads())
    score = Cosine().matrix(rows, rows)
    i, j = np.nonzero(np.triu(score >= found.summary.threshold, 1))
    ids = strangers.ids
    expected = {frozenset((ids[a], ids[b])) for a, b in zip(i, j, strict=True)}
    rows_of = found.pairs.filter(pl.col("outcome") == "match").select("left", "right").rows()
    assert {frozenset(pair) for pair in rows_of} == expected
    assert found.summary.n_matches == len(expected)
    assert (found.pairs["left"] < found.pairs["right"]).all()
    at = np.argmin(found.pairs["score"].to_numpy())
    assert found.pairs["probability"][int(at)] == found.pairs["probability"].min()


def test_every_record_has_a_row_and_every_cluster_one_canonical_record(
    found: Duplicates, strangers: Dataset
) -> None:
    assert sorted(found.clusters["id"]) == sorted(strangers.ids)
    per = found.clusters.group_by("cluster").agg(
        pl.col("canonical").sum(), pl.len().alias("n"), pl.col("size").first()
    )
    assert (per["canonical"] == 1).all() and (per["n"] == per["size"]).all()
    alone = found.clusters.filter(pl.col("size") == 1)
    assert alone["weakest_link"].is_null().all() and (alone["risk"] == 0).all()
    others = found.clusters.filter(~pl.col("canonical"))
    assert others["score"].null_count() == 0
    pair = found.clusters.filter(pl.col("size") == 2, ~pl.col("canonical"))
    assert pair["score"].to_numpy() == pytest.approx(pair["weakest_link"].to_numpy())


def test_the_expected_false_links_are_about_the_false_ones(
    release: Release, strangers: Dataset, found: Duplicates
) -> None:
    who = dict(zip(strangers.ids.tolist(), strangers.identities.tolist(), strict=True))
    false = sum(who[a] != who[b] for a, b in found.pairs.select("left", "right").rows())
    links = found.summary.false_links
    assert links.expected is not None and links.at_most is not None
    assert false <= links.at_most
    assert false / 3 <= links.expected <= 3 * false
    fmr = release.evidence.eval.fmr
    assert links.by_fmr == pytest.approx(fmr.value * 400 * 399 / 2)
    assert "eval" in links.basis


def test_what_was_proven_for_a_set_of_this_size_is_not_taken_back(
    release: Release, strangers: Dataset, tmp_path: Path
) -> None:
    """Neither its threshold nor its words are moved by a share that is estimated."""
    from msgspec.structs import replace as changed

    goals = Goals(
        verify=Target(kind="precision", value=0.8), use=Use(kind="duplicates", records=400)
    )
    evidence = changed(release.evidence, goals=goals)
    dev, at = (changed(p, prior_source="stated") for p in (evidence.dev, evidence.eval))
    evidence = changed(evidence, dev=changed(dev, certified=True), eval=at)
    child = release.child(into=tmp_path / "child", evidence=evidence)
    assert "among 400 records like these" in sentence(evidence)
    summary = gemel.duplicates(child, strangers).summary
    links = summary.false_links
    assert summary.threshold == release.policy.verify.threshold
    assert links.at_most == pytest.approx(0.2 * summary.n_matches)
    assert links.promise and links.promise in links.basis
    assert links.promise in sentence(evidence).lower()
    assert links.expected is not None and links.expected < 0.5 * summary.n_matches
    some = strangers.take(np.arange(300))
    other = gemel.duplicates(child, some).summary
    assert other.threshold > summary.threshold and not other.false_links.promise


def test_evidence_for_another_threshold_bounds_nothing(
    release: Release, strangers: Dataset, tmp_path: Path
) -> None:
    from msgspec.structs import replace as changed

    policy = release.policy
    band = changed(policy.verify, threshold=0.97, review_low=0.9, review_high=0.98)
    child = release.child(into=tmp_path / "child", policy=changed(policy, verify=band))
    got = gemel.duplicates(child, strangers)
    links = got.summary.false_links
    assert links.at_most is links.by_fmr is None and "no evidence" in links.basis
    review = got.pairs.filter(pl.col("outcome") == "review")
    assert got.summary.n_review == len(review) > 0
    assert (review["score"] < 0.98).all() and (review["score"] >= 0.9).all()
    assert got.summary.n_matches == (got.pairs["score"] >= 0.98).sum() > 0


def test_categories_decide_as_the_policy_says(
    release: Release, strangers: Dataset, tmp_path: Path
) -> None:
    from msgspec.structs import replace as changed

    from gemel.decide.categories import Categories, Line

    lines = {"a": Line(0.0, 1.0), "b": Line(0.05, 1.0)}
    categories = Categories(column="country", lines=lines)
    # A threshold without evidence: no set moves it.
    without = changed(release.policy, verify=release.policy.verify.moved(0.9))
    bare = release.child(into=tmp_path / "bare", policy=without)
    policy = changed(without, categories=categories)
    child = release.child(into=tmp_path / "child", policy=policy)
    names = ["a" if i // 2 % 2 else "b" for i in range(len(strangers))]
    dataset = records.from_rows(
        strangers.payloads(),
        ids=strangers.ids.tolist(),
        fields=small.FIELDS,
        categories=("country", names),
    )
    of = dict(zip(dataset.ids.tolist(), names, strict=True))
    got, plain = gemel.duplicates(child, dataset), gemel.duplicates(bare, dataset)
    for row in got.pairs.iter_rows(named=True):
        pair = of[row["left"]], of[row["right"]]
        assert policy.decide(row["score"], pair).outcome == row["outcome"] == "match"
    kept = {
        (row["left"], row["right"])
        for row in plain.pairs.iter_rows(named=True)
        if policy.decide(row["score"], (of[row["left"]], of[row["right"]])).outcome == "match"
    }
    assert set(got.pairs.select("left", "right").rows()) == kept
    assert 0 < len(kept) < len(plain.pairs)
    together = got.clusters.filter(pl.col("size") == 2).group_by("cluster").agg("id")["id"]
    assert {tuple(sorted(pair)) for pair in together} <= {tuple(sorted(pair)) for pair in kept}


def test_rules_keep_records_apart(release: Release, strangers: Dataset, tmp_path: Path) -> None:
    from msgspec.structs import replace as changed

    from gemel.decide.rules import bound, parse

    kinds = {field.name: field.kind for field in small.FIELDS}
    rules = bound([parse("first differs: no_match")], kinds)
    child = release.child(into=tmp_path / "child", policy=changed(release.policy, rules=rules))
    row_of = dict(zip(strangers.ids.tolist(), strangers.payloads(), strict=True))
    got, plain = gemel.duplicates(child, strangers), gemel.duplicates(release, strangers)
    expected = {
        (row["left"], row["right"])
        for row in plain.pairs.iter_rows(named=True)
        if row_of[row["left"]]["first"] == row_of[row["right"]]["first"]
    }
    assert set(got.pairs.select("left", "right").rows()) == expected
    assert len(expected) < len(plain.pairs)
    for _, members in got.clusters.group_by("cluster"):
        assert len({row_of[i]["first"] for i in members["id"]}) == 1


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_records_does_not_matter(
    release: Release, strangers: Dataset, method: str
) -> None:
    order = np.random.default_rng(0).permutation(len(strangers))
    one, other = (
        gemel.duplicates(release, d, method=method)  # type: ignore[arg-type]
        for d in (strangers, strangers.take(order))
    )
    assert_frame_equal(one.clusters, other.clusters)
    assert_frame_equal(one.pairs, other.pairs)
    assert one.summary == other.summary


def test_blocks_do_not_matter(
    release: Release, strangers: Dataset, found: Duplicates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_PAIRS", 7 * 400)
    monkeypatch.setattr(module, "ENCODED_AT_ONCE", 33)
    again = gemel.duplicates(release, strangers)
    assert_frame_equal(again.clusters, found.clusters)
    assert again.summary == found.summary


def test_two_data_sets_are_linked_across_only(release: Release, strangers: Dataset) -> None:
    left, right = strangers.take(range(0, 400, 2)), strangers.take(range(1, 400, 2))
    right = replace(right, ids=left.ids)  # ids need to be unique within a data set only
    got = gemel.duplicates(release, left, right)
    assert got.summary.n_pairs == 200 * 200 and got.summary.n_records == 400
    assert got.clusters["side"].to_list() == ["left"] * 200 + ["right"] * 200
    assert got.summary.agreement is not None and got.summary.agreement.pairwise.f1 > 0.8
    truth = (got.pairs["left"] == got.pairs["right"]).mean()
    assert truth is not None and float(truth) > 0.7  # type: ignore[arg-type]


def test_a_set_with_rarer_duplicates_gets_a_stricter_threshold(release: Release) -> None:
    """With the threshold of the release, three in four matches were false."""
    rows, names = small.rows(3000, seed=9)
    some = [i for i in range(len(rows)) if i % 2 == 0 or i < 200]
    dataset = records.from_rows(
        [rows[i] for i in some], identities=[names[i] for i in some], fields=small.FIELDS
    )
    who = dict(zip(dataset.ids.tolist(), dataset.identities.tolist(), strict=True))
    threshold = release.policy.verify.threshold
    for prior in (None, 100 / (3100 * 3099 / 2)):
        got = gemel.duplicates(release, dataset, prior=prior)
        match = got.pairs.filter(pl.col("outcome") == "match").select("left", "right").rows()
        right = sum(who[a] == who[b] for a, b in match)
        assert 2 * right / (len(match) + 100) > 0.5  # .27 before; the best of all is .74
        assert got.summary.threshold > got.summary.release_threshold == threshold
        assert got.summary.prior * got.summary.n_pairs == pytest.approx(100, rel=0.3)
        links = got.summary.false_links
        assert links.expected is not None and links.at_most is not None
        assert len(match) - right <= links.expected < links.at_most
        # Calibration cannot show what is rarer than its few comparisons; the set itself can.
        most_sure = got.summary.most_sure
        assert most_sure is not None and most_sure > 0.9
        found = got.pairs.filter(pl.col("outcome") == "match")
        assert found["probability"].sum() == pytest.approx(right, rel=0.25)
        best = found.filter(pl.col("probability") >= most_sure - 1e-9)
        assert 0 < len(best) < len(found) and set(best["probability_is"]) == {"at least"}
        rest = found.filter(pl.col("probability") < most_sure - 1e-9)
        assert set(rest["probability_is"]) == {"estimated"}


@pytest.mark.parametrize("share", [None, 1e-5])
def test_a_few_records_do_not_tell_what_their_scores_mean(
    release: Release, tmp_path: Path, share: float | None
) -> None:
    """Three that all match had a probability of .0004 beside "nearly all are right"."""
    policy = msgspec.structs.replace(release.policy, prior=1e-6)
    child = release.child(policy=policy, into=tmp_path / "rare")
    found, names = small.rows(1, seed=9)
    dataset = records.from_rows(
        [*found, found[0]], identities=[*names, names[0]], fields=small.FIELDS
    )
    got = gemel.duplicates(child, dataset, prior=share)
    summary, likelihood = got.summary, release.policy.likelihood
    assert likelihood is not None and summary.n_matches == 3
    probable = [likelihood.probability(s, summary.prior) for s in got.pairs["score"]]
    assert got.pairs["probability"].to_list() == pytest.approx(probable)
    if share is None:
        assert summary.threshold == release.policy.verify.threshold
    false = summary.false_links
    assert false.expected == pytest.approx(sum(1 - p for p in probable))
    assert (false.at_most, false.by_fmr) == (None, None), "somebody chose these records"


def test_a_named_share_lowers_the_threshold_and_proves_nothing(release: Release) -> None:
    rows, names = small.rows(60, seed=5)
    dataset = records.from_rows(rows, identities=names, fields=small.FIELDS)
    plain, told = (gemel.duplicates(release, dataset, prior=p) for p in (None, 1 / 119))
    assert told.summary.threshold < plain.summary.threshold
    assert told.summary.n_matches > plain.summary.n_matches
    assert told.summary.false_links.at_most is None
    with pytest.raises(ConfigError, match="must lie between"):
        gemel.duplicates(release, dataset, prior=1.5)


def test_one_to_one_links_give_each_record_one_partner(release: Release) -> None:
    rows, names = small.rows(150, seed=4)
    left, right = (
        records.from_rows(
            [*rows[side::2], *rows[side:40:2]],
            identities=[*names[side::2], *names[side:40:2]],
            fields=small.FIELDS,
        )
        for side in (0, 1)
    )
    several = gemel.duplicates(release, left, right)
    one = gemel.duplicates(release, left, right, links="one-to-one")
    match = one.pairs.filter(pl.col("outcome") == "match")
    assert match["left"].is_unique().all() and match["right"].is_unique().all()
    assert one.clusters["size"].max() == 2
    assert one.summary.n_given_up == several.summary.n_matches - one.summary.n_matches > 30
    with pytest.raises(ConfigError, match="two data sets"):
        gemel.duplicates(release, left, links="one-to-one")


def test_a_probability_is_that_of_a_link_where_linking_leaves_some(release: Release) -> None:
    rows, names = small.rows(3000, seed=9)
    left, right = (
        records.from_rows(
            [rows[i] for i in at], identities=[names[i] for i in at], fields=small.FIELDS
        )
        for at in (range(0, 3000, 2), range(1, 601, 2))
    )
    who = [
        {id: one.identity_of(i) for i, id in enumerate(one.ids.tolist())} for one in (left, right)
    ]
    got = gemel.duplicates(release, left, right, links="one-to-one")
    match = got.pairs.filter(pl.col("outcome") == "match")
    is_right = [who[0][a] == who[1][b] for a, b in match.select("left", "right").rows()]
    assert got.summary.n_given_up > 20
    assert match["probability"].mean() == pytest.approx(np.mean(is_right), abs=0.04)


def test_of_two_partners_that_are_equal_one_is_for_review(release: Release) -> None:
    rows, _ = small.rows(60, seed=4)
    left = records.from_rows(rows[::2][:20], fields=small.FIELDS)
    right = records.from_rows([*rows[1::2][:20], *rows[1::2][:5]], fields=small.FIELDS)
    found = gemel.duplicates(release, left, right, links="one-to-one")
    match, review = (found.pairs.filter(pl.col("outcome") == o) for o in ("match", "review"))
    twins = match.filter(pl.col("left").is_in([str(i) for i in range(5)]))
    assert len(twins) > 2 and len(match) > 15
    for one, partner, score in twins.select("left", "right", "score").rows():
        (other,) = {str(int(partner) % 20), str(int(partner) % 20 + 20)} - {partner}
        tied = review.filter((pl.col("left") == one) & (pl.col("right") == other))
        assert tied["score"].to_list() == pytest.approx([score])
    several = gemel.duplicates(release, left, right)
    assert found.summary.n_given_up == several.summary.n_matches - found.summary.n_matches


def test_an_engine_misses_little_and_says_how_much(
    release: Release, strangers: Dataset, found: Duplicates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_RECORDS", 64)
    exact = set(found.pairs.select("left", "right").rows())
    for engine in ("flat", "hnsw"):
        got = gemel.duplicates(release, strangers, engine=engine)
        pairs = got.pairs.select("left", "right").rows()
        assert len(pairs) == len(set(pairs)) and set(pairs) <= exact
        recall = got.summary.candidate_recall
        assert recall is not None and recall.n_records == 400
        assert recall.n_pairs >= len(exact) and recall.n_found >= len(pairs)
        assert recall.low <= recall.value and recall.value > 0.95


def test_few_candidates_show_in_the_recall(
    release: Release, strangers: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gemel.improve import proposals

    real = proposals.open_proposer
    monkeypatch.setattr(module, "open_proposer", lambda *a: replace(real(*a), n_candidates=0))
    got = gemel.duplicates(release, strangers, engine="flat")
    recall = got.summary.candidate_recall
    assert recall is not None and recall.n_found == len(got.pairs) == 0 and recall.value == 0


def test_keys_propose_few_pairs_and_say_what_they_reach(
    release: Release, strangers: Dataset, found: Duplicates
) -> None:
    got = gemel.duplicates(release, strangers, engine="keys")
    exact, pairs = (set(f.pairs.select("left", "right").rows()) for f in (found, got))
    who = dict(zip(strangers.ids.tolist(), strangers.identities.tolist(), strict=True))
    genuine = {pair for pair in exact if who[pair[0]] == who[pair[1]]}
    reach = got.summary.reach
    assert reach is not None and reach.n_pairs > 100 and reach.passes
    assert reach.basis == "genuine pairs of eval"
    assert pairs <= exact and len(genuine & pairs) >= reach.low * len(genuine)
    assert 0.9 < reach.value == reach.n_found / reach.n_pairs
    assert reach.n_candidates < got.summary.n_pairs / 10
    assert set(got.clusters["id"]) == set(found.clusters["id"])
    counted = got.clusters["cluster"].unique(maintain_order=True).to_list()
    assert counted == list(range(len(counted)))


def test_what_keys_reach_is_told_for_releases_from_before_too(
    release: Release, strangers: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemel.release.genuine.FILE", "none.json")
    reach = gemel.duplicates(release, strangers, engine="keys").summary.reach
    assert reach is not None and reach.basis == OF_TYPED
    assert reach.n_pairs == len(strangers) and reach.value > 0.9


def test_keys_link_two_data_sets_across_only(release: Release, strangers: Dataset) -> None:
    left, right = (strangers.take(range(start, 400, 2)) for start in (0, 1))
    exact = gemel.duplicates(release, left, right, engine="exact")
    got = gemel.duplicates(release, left, right, engine="keys")
    of = [set(f.pairs.select("left", "right").rows()) for f in (exact, got)]
    assert of[1] <= of[0] and len(of[1]) > 150
    assert set(got.pairs["left"]) <= set(left.ids) and set(got.pairs["right"]) <= set(right.ids)


def test_a_great_many_equal_records_are_one_cluster(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemel.data.blocking.collisions.MAX_BLOCK", 20)
    row = {"first": "anna", "last": "meyer", "born": 1980.0}
    others, _ = small.rows(20, seed=3)
    dataset = records.from_rows([row] * 60 + others, fields=small.FIELDS)
    got = gemel.duplicates(release, dataset, engine="keys")
    assert got.summary.largest == 60


def test_large_sets_of_rows_go_by_keys(release: Release, strangers: Dataset) -> None:
    from gemel.improve.records import Compared

    compared = Compared.of(release, strangers, None)
    assert module.planned(release, compared)["engine"] == "exact"
    big = Compared(replace(strangers, ids=np.zeros(30_000, np.str_)))
    big.__dict__["digests"] = [""]
    assert module.planned(release, big)["engine"] == "keys"


def test_the_newest_record_can_stand_for_its_cluster(release: Release) -> None:
    found, _ = small.rows(20, seed=3)
    for i, row in enumerate(found):
        row["seen"] = f"20{10 + i % 7}-01-01"
    fields = (*small.FIELDS, records.Field("seen", "date"))
    dataset = records.from_rows(found, fields=fields)
    got = gemel.duplicates(release, dataset, canonical="newest:seen")
    seen = dict(zip(dataset.ids.tolist(), [r["seen"] for r in found], strict=True))
    frame = got.clusters.with_columns(seen=pl.col("id").replace_strict(seen))
    newest = frame.group_by("cluster").agg(
        pl.col("seen").max(), pl.col("seen").filter("canonical").first().alias("chosen")
    )
    assert (frame["size"] > 1).any() and (newest["seen"] == newest["chosen"]).all()
    assert got.summary.agreement is None


def test_a_risk_limit_holds(release: Release, strangers: Dataset) -> None:
    got = gemel.duplicates(release, strangers, max_risk=0.3)
    assert got.clusters["risk"].max() <= 0.3  # type: ignore[operator]
    assert got.summary.n_clusters > 50


def test_files_are_written_whole(found: Duplicates, tmp_path: Path) -> None:
    found.write(tmp_path / "c.parquet", tmp_path / "p.parquet")
    assert_frame_equal(pl.read_parquet(tmp_path / "c.parquet"), found.clusters)
    assert_frame_equal(pl.read_parquet(tmp_path / "p.parquet"), found.pairs)
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(DataError, match="cannot be written"):
        found.write(tmp_path / "none" / "c.parquet")


@pytest.fixture
def lazy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails if anything is encoded."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing may be encoded before the options are checked")

    monkeypatch.setattr("gemel.encode.encoder.Encoder.encode", refuse)
    yield


@pytest.mark.usefixtures("lazy")
def test_bad_options_are_refused_before_any_work(release: Release, strangers: Dataset) -> None:
    with pytest.raises(ConfigError, match="unknown method"):
        gemel.duplicates(release, strangers, method="ward")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="unknown choice"):
        gemel.duplicates(release, strangers, canonical="best")
    with pytest.raises(ConfigError, match="no field 'seen'"):
        gemel.duplicates(release, strangers, canonical="newest:seen")
    with pytest.raises(ConfigError, match="between 0 and 1"):
        gemel.duplicates(release, strangers, max_risk=2.0)
    with pytest.raises(GalleryError, match="unknown engine"):
        gemel.duplicates(release, strangers, engine="warp")
    with pytest.raises(DataError, match="one record"):
        gemel.duplicates(release, strangers.take([0]))
    with pytest.raises(DataError, match="no records"):
        gemel.duplicates(release, strangers.take([0]), strangers.take([]))
    other = records.from_rows([{"first": "a", "last": "b"}, {"first": "c", "last": "d"}])
    with pytest.raises(DataError, match="the release needs"):
        gemel.duplicates(release, other)


def test_identical_records_are_one_cluster(release: Release) -> None:
    row = {"first": "anna", "last": "mueller", "born": 1950.0}
    dataset = records.from_rows([row] * 250, fields=small.FIELDS)
    got = gemel.duplicates(release, dataset)
    assert got.summary.n_clusters == 1 and got.summary.largest == 250
    assert got.summary.n_full > 0  # more partners than are kept
    assert got.clusters["canonical"].to_list().index(True) == 0

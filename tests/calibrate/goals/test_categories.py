"""Categories whose scores differ get thresholds of their own, the surer the more is known."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from gemel.arrays import unit_rows
from gemel.calibrate.goals import level_categories
from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.level_categories import fit, moderated, shrink
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.operating_point import measure
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.calibrate.scores.categories import level_scores, within
from gemel.calibrate.scores.scores import Scores, labelled
from gemel.data.dataset import CategoryColumn
from gemel.decide.bands import Band
from gemel.decide.categories import Categories, Line
from gemel.decide.policy import Policy
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import ConfigError, DataError

BENCH = Path(__file__).parents[3] / "bench" / "bench_categories.py"


def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_categories", BENCH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    importlib.sys.modules["bench_categories"] = module
    spec.loader.exec_module(module)
    return module


def crowded(seed: int, n: int = 120, k: int = 3) -> Scores:
    """Identities of two countries; those of `b` look more alike, and some are of neither."""
    rng = np.random.default_rng(seed)
    country = np.repeat(np.arange(n) % 2, k)
    centre = rng.normal(size=(n, 16))
    centre[1::2, 0] += 2.0
    rows = np.repeat(centre, k, 0) + 0.5 * rng.normal(size=(n * k, 16))
    codes = np.where(rng.random(n * k) < 0.05, -1, country).astype(np.int64)
    column = CategoryColumn("country", codes, ("a", "b"))
    return all_pairs(unit_rows(rows), np.repeat(np.arange(n), k), Cosine(), categories=column)


@pytest.fixture(scope="module")
def scores() -> Scores:
    return crowded(0)


def fmr(scores: Scores, categories: Categories, levelled: float, pair: tuple[int, int]) -> float:
    at = (scores.left_category == pair[0]) & (scores.right_category == pair[1]) & ~scores.genuine
    names = tuple(scores.category_names[c] for c in pair)
    return float((scores.score[at] >= categories.threshold(levelled, names)).mean())


def test_one_levelled_threshold_is_one_fmr_for_all(scores: Scores) -> None:
    fitted = fit(scores, "country")
    categories = fitted.categories
    at = choose(fitted.scores, Target(kind="fmr", value=0.02)).threshold
    one = choose(scores, Target(kind="fmr", value=0.02)).threshold
    same = [fmr(scores, categories, at, (c, c)) for c in (0, 1)]
    flat = Categories(column="", lines={"a": Line(0, 1), "b": Line(0, 1)})
    unlike = [fmr(scores, flat, one, (c, c)) for c in (0, 1)]
    assert max(same) < 2 * min(same)
    assert max(unlike) > 4 * min(unlike)
    assert categories.threshold(at, ("b", "b")) > categories.threshold(at, ("a", "a")) + 0.05


def test_the_policy_decides_as_the_levelled_scores_say(scores: Scores) -> None:
    """Every kind of comparison: within, between, of unknown category."""
    categories = fit(scores, "country").categories
    levelled = level_scores(scores, categories)
    at = choose(levelled, Target(kind="f1")).threshold
    band = Band(threshold=at, review_low=at, review_high=at)
    policy = Policy(verify=band, search=band, prior=0.1, categories=categories)
    some = np.random.default_rng(1).choice(len(scores), 4000, replace=False)
    some = np.union1d(some, np.flatnonzero(np.asarray(scores.left_category) < 0)[:500])
    names = (*scores.category_names, None)
    decided = [
        policy.decide(
            float(scores.score[i]),
            (names[scores.left_category[i]], names[scores.right_category[i]]),
        ).outcome
        == "match"
        for i in some.tolist()
    ]
    assert decided == (levelled.score[some] >= at).tolist()
    counted = measure(levelled, at)
    assert counted.n_false_match == np.count_nonzero((levelled.score >= at) & ~scores.genuine)


def test_between_categories_the_higher_threshold_counts() -> None:
    categories = Categories(
        column="c", lines={"a": Line(0, 1), "b": Line(-0.5, 2), "c": Line(0.1, 1)}
    )
    for levelled in (0.0, 0.3, 0.55, 0.9):
        of = {n: categories.threshold(levelled, (n, n)) for n in "abc"}
        assert categories.threshold(levelled, ("a", "b")) == max(of["a"], of["b"])
        assert categories.threshold(levelled, ("b", "a")) == max(of["a"], of["b"])
        for pair in (("a", None), (None, "c"), (None, None), ("a", "nowhere")):
            assert categories.threshold(levelled, categories.known(pair)) == max(of.values())


def test_the_lowest_of_many_lines_is_found() -> None:
    rng = np.random.default_rng(3)
    lines = {str(i): Line(float(rng.normal()), float(rng.gamma(3))) for i in range(80)}
    categories = Categories(column="c", lines=lines)
    score = rng.normal(size=500).astype(np.float32)
    unknown = np.full(500, -1, np.int16)
    block = categories.level_block(score, unknown, unknown)
    wanted = [min((s - x.shift) / x.scale for x in lines.values()) for s in score.tolist()]
    assert block == pytest.approx(wanted, rel=1e-5)


def test_shrinking_agrees_with_the_textbook() -> None:
    """DerSimonian and Laird by hand: weights 1, 1, 1/4; Q = 18; tau^2 = 16 / 1.333."""
    found, variance = np.array([0.0, 6.0, 3.0]), np.array([1.0, 1.0, 4.0])
    tau2 = (18 - 2) / (2.25 - (1 + 1 + 1 / 16) / 2.25)
    weight = 1 / (variance + tau2)
    drawn = shrink(found, variance)
    assert drawn.mean == pytest.approx(float(weight @ found / weight.sum()))
    assert drawn.kept == pytest.approx(tau2 / (tau2 + variance))
    assert drawn.of(found) == pytest.approx(drawn.mean + drawn.kept * (found - drawn.mean))
    assert drawn.of(np.full(3, np.nan)) == pytest.approx([drawn.mean] * 3)
    assert shrink(np.array([0.0, 0.1, 0.2]), np.ones(3)).kept.tolist() == [0, 0, 0]
    lone = shrink(np.array([2.0]), np.array([0.5]))
    assert lone.of(np.array([2.0])).tolist() == [2.0]


def test_a_variance_that_is_small_by_chance_is_not_believed() -> None:
    drawn = moderated(np.array([1e-9, 0.1, 0.1, np.nan]), np.array([3.0, 30.0, 30.0, 2.0]))
    assert drawn[0] > 0.1 and drawn[3] > drawn[0] and drawn[1] == pytest.approx(0.1, rel=0.1)


def test_the_variance_is_by_identity_not_by_comparison() -> None:
    """Categories without a difference, few identities with many records each: chance remains."""
    rng, n, k = np.random.default_rng(0), 6, 8
    ids = np.repeat(np.arange(12 * n), k)
    apart = {"by identity": 0.0, "by comparison": 0.0}
    for _ in range(10):
        rows = np.repeat(rng.normal(size=(12 * n, 6)), k, 0)
        rows = unit_rows(rows + 0.1 * rng.normal(size=rows.shape))
        column = CategoryColumn("c", ids // n, tuple("abcdefghijkl"))
        scores = all_pairs(rows, ids, Cosine(), categories=column)
        fitted = fit(scores, "c").categories
        apart["by identity"] += np.std([fitted.threshold(0.0, (x, x)) for x in fitted.lines])
        impostors = [part.score[~part.genuine].astype(float) for _, part in within(scores)]
        mean, variance = np.array([(x.mean(), x.var() / len(x)) for x in impostors]).T
        apart["by comparison"] += np.std(shrink(mean, variance).of(mean))
    assert apart["by identity"] < 0.2 * apart["by comparison"]


def test_the_true_fmr_of_small_categories_is_nearest_by_far() -> None:
    """The worlds of the committed benchmark, fewer of them."""
    module = bench()
    for kind in module.WORLDS:
        found = module.run(kind, 4)
        assert module.passes(found), found
        small = {method: cells["sizes"][0] for method, cells in found.items()}
        ours, each = small["certified"], small["quantile of each"]
        assert ours["rms_log10"] < 0.8 * each["rms_log10"]
        assert ours["above_twice"] < 0.3 < each["above_twice"]


def test_a_proof_holds_although_the_levels_come_from_the_same_scores() -> None:
    """Few identities in each of many categories: levelled by themselves they look too tame."""
    found = bench().run("shared identities", 30)
    assert (
        found["certified"]["worlds_above"] <= 0.05 < found["certified, own scores"]["worlds_above"]
    )


def test_moments_without_two_groups_equal_those_of_the_rest() -> None:
    part = dict(within(crowded(3, n=26, k=2)))[0]
    fold = np.random.default_rng(0).permutation(part.n_codes) % level_categories.N_FOLDS
    found = level_categories._moments(part, fold)
    assert found is not None
    left, right = fold[part.left], fold[part.right]
    for a, b in ((0, 0), (0, 1), (5, 2), (15, 15)):
        rest = ~part.genuine & ~np.isin(left, [a, b]) & ~np.isin(right, [a, b])
        score = part.score[rest].astype(float)
        assert found.without[:, a, b] == pytest.approx([score.mean(), np.log(score.std())])
    few = level_categories._moments(part.take(np.flatnonzero(~part.genuine)[:2]), fold)
    assert few is not None and np.isnan(few.without).any()


def test_categories_of_one_record_are_refused(scores: Scores) -> None:
    ids = np.arange(40) // 2
    column = CategoryColumn("serial", np.arange(40), tuple(str(i) for i in range(40)))
    rows = unit_rows(np.random.default_rng(0).normal(size=(40, 8)))
    lone = all_pairs(rows, ids, Cosine(), categories=column)
    with pytest.raises(DataError, match="three identities") as e:
        fit(lone, "serial")
    assert "coarser" in e.value.hint
    with pytest.raises(DataError, match="no categories"):
        fit(labelled(np.arange(4.0), np.array([1, 1, 0, 0])), "serial")


def test_a_category_without_impostors_is_as_good_as_unknown(scores: Scores) -> None:
    fitted = fit(replace(scores, category_names=("a", "b", "elsewhere")), "country").categories
    assert set(fitted.lines) == {"a", "b"}
    assert fitted.known(("elsewhere", "a")) == (None, "a")


def test_every_comparison_has_the_categories_of_its_records() -> None:
    rng = np.random.default_rng(2)
    ids, codes = rng.integers(-1, 12, 60), rng.integers(-1, 3, 60)
    rows = unit_rows(rng.normal(size=(60, 8)))
    made = all_pairs(rows, ids, Cosine(), categories=CategoryColumn("c", codes, tuple("xyz")))
    got = sorted(
        (round(float(s), 5), *sorted([(i, a), (j, b)]))
        for s, i, j, a, b in zip(
            made.score, made.left.tolist(), made.right.tolist(),
            made.left_category.tolist(), made.right_category.tolist(), strict=True,
        )
    )  # fmt: skip
    wanted = sorted(
        (round(float(rows[i] @ rows[j]), 5), *sorted([(ids[i], codes[i]), (ids[j], codes[j])]))
        for i in range(60)
        for j in range(i)
        if ids[i] >= 0 and ids[j] >= 0
    )
    assert [g[1:] for g in got] == [w[1:] for w in wanted]
    parts = dict(within(made))
    assert sum(map(len, parts.values())) == np.count_nonzero(
        (made.left_category == made.right_category) & (made.left_category >= 0)
    )
    with pytest.raises(DataError, match="categories for 60 records"):
        all_pairs(rows, ids, Cosine(), categories=CategoryColumn("c", codes[:5], tuple("xyz")))


@pytest.mark.parametrize(
    "lines", [{}, {"a": Line(0.0, 0.0)}, {"a": Line(float("nan"), 1.0)}, {"a": Line(0.0, -1.0)}]
)
def test_lines_that_make_no_sense_are_refused(lines: dict[str, Line]) -> None:
    with pytest.raises(ConfigError):
        Categories(column="c", lines=lines)

"""The estimator is a scikit-learn citizen, finds unseen identities, and decides on pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import RobustScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import gemel
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import DataError, InvalidInput
from gemel.tasks.retrieval import retrieve
from gemel.train.estimator import SiameseEstimator

PAIRS = "predict takes pairs of rows, (n, 2, d), where this check gives it single rows"
SMALL = {"max_epochs": 2, "hidden": 8, "dim": 4}
CALL_PREDICT = (
    "check_dict_unchanged",
    "check_dtype_object",
    "check_estimators_dtypes",
    "check_estimators_nan_inf",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_fit2d_predict1d",
    "check_fit_idempotent",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_n_features_in_after_fitting",
)


class Encoding(SiameseEstimator):
    """The same estimator where `predict` cannot be seen, so that no check has to be left out."""

    @property
    def predict(self) -> None:
        raise AttributeError("predict")


@parametrize_with_checks(
    [SiameseEstimator(**SMALL)],
    expected_failed_checks=lambda _: dict.fromkeys(CALL_PREDICT, PAIRS),
)
def test_scikit_learns_own_checks(estimator, check) -> None:
    check(estimator)


@parametrize_with_checks([Encoding(**SMALL)])
def test_all_of_scikit_learns_own_checks_without_predict(estimator, check) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def split() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """60 identities that differ in 4 of 16 directions; the last 20 are not trained on."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(60), 6)
    x = rng.normal(size=(len(y), 16)) * np.repeat([0.25, 1.2], [4, 12])
    x[:, :4] += rng.normal(size=(60, 4))[y]
    seen = y < 40
    return x[seen], y[seen], x[~seen], y[~seen]


@pytest.fixture(scope="module")
def fitted(split) -> SiameseEstimator:
    x, y, _, _ = split
    return SiameseEstimator(max_epochs=30, learning_rate=1e-2).fit(x, y)


def test_unseen_identities_are_found_better_than_in_the_raw_data(split, fitted) -> None:
    _, _, x, y = split
    raw = x / np.linalg.norm(x, axis=1, keepdims=True)
    before = retrieve(raw.astype(np.float32), y, Cosine()).map_at_r
    after = retrieve(fitted.transform(x), y, Cosine()).map_at_r
    assert after > before + 0.2


def test_pairs_of_unseen_identities_are_decided(split, fitted) -> None:
    _, _, x, y = split
    left, right = np.triu_indices(len(y), 1)
    truth = y[left] == y[right]
    said = fitted.predict(np.stack([x[left], x[right]], axis=1))
    assert said.dtype == bool
    assert said[truth].mean() > 0.5
    assert said[~truth].mean() < 0.05


def test_predict_is_the_score_at_the_threshold(split, fitted) -> None:
    _, _, x, _ = split
    pairs = np.stack([x[:-1], x[1:]], axis=1)
    assert np.array_equal(fitted.predict(pairs), fitted.score_pairs(pairs) >= fitted.threshold_)
    swapped = fitted.score_pairs(pairs[:, ::-1])
    assert np.array_equal(swapped, fitted.score_pairs(pairs))


def test_it_works_in_a_pipeline_and_can_be_cloned(split, fitted) -> None:
    x, y, new, _ = split
    rows = [
        make_pipeline(RobustScaler(), clone(fitted).set_params(max_epochs=1))
        .fit(x, y)
        .transform(new)
        for _ in range(2)
    ]
    assert np.array_equal(*rows)


def test_the_onnx_file_gives_the_same_embeddings(split, fitted, tmp_path: Path) -> None:
    _, _, x, _ = split
    assert fitted.save_onnx(tmp_path / "encoder.onnx") < 1e-5
    session = ort.InferenceSession(tmp_path / "encoder.onnx")
    rows = session.run(["unit_rows"], {"vector": x.astype(np.float32)})[0]
    assert abs(rows - fitted.transform(x)).max() < 1e-5


@pytest.mark.parametrize("shape", [(3, 16), (3, 3, 16), (3, 2, 15)])
def test_pairs_of_another_shape_are_refused(fitted, shape) -> None:
    with pytest.raises(ValueError, match=r"shape|features"):
        fitted.predict(np.zeros(shape))


def test_a_release_of_it_decides_as_it_does_and_is_served(split, fitted, tmp_path: Path) -> None:
    x, y, new, of_new = split
    everything, identities = np.concatenate([x, new]), np.concatenate([y, of_new])
    release = fitted.to_release(tmp_path / "release", everything, identities)
    assert release.evidence.data.sides["eval"].n_identities == 20
    assert release.evidence.data.sides["dev"].n_identities == 8
    assert release.policy.verify.threshold == pytest.approx(fitted.threshold_, abs=1e-4)
    assert release.evidence.training.settings.loss == "infonce"
    service = gemel.Service(release)
    rows = [{f"x{i}": value for i, value in enumerate(row)} for row in new[:12].tolist()]
    replies = [service.verify(rows[0], other) for other in rows[1:]]
    pairs = np.stack([np.broadcast_to(new[0], (11, 16)), new[1:12]], axis=1)
    scores = fitted.score_pairs(pairs)
    np.testing.assert_allclose([r.score for r in replies], scores, atol=1e-5)
    assert [r.outcome == "match" for r in replies] == fitted.predict(pairs).tolist()
    store = gemel.Store(tmp_path / "work")
    assert store.put(release.folder).id == release.id
    with pytest.raises(InvalidInput, match="unknown field"):
        service.verify(rows[0], {"y1": 3.0})
    without = {name: value for name, value in rows[0].items() if name != "x3"}
    mean = release.encoder.prepare.means["x3"]
    left_out = service.verify(rows[1], without)
    assert left_out.not_compared == ["x3"]
    assert left_out.score == service.verify(rows[1], {**without, "x3": mean}).score
    parts = gemel.explain(release, rows[0], rows[1]).parts
    assert {part.name for part in parts} <= set(rows[0])


def test_features_keep_their_names_in_a_release(tmp_path: Path, split) -> None:
    x, y, new, of_new = split
    names = [f"m{i}" for i in range(16)]
    frame = pl.DataFrame(dict(zip(names, x.T, strict=True)))
    model = SiameseEstimator(max_epochs=1).fit(frame, y)
    both = pl.concat([frame, pl.DataFrame(dict(zip(names, new.T, strict=True)))])
    goals = gemel.Goals(verify=gemel.Target(kind="eer"))
    release = model.to_release(tmp_path / "r", both, np.concatenate([y, of_new]), goals=goals)
    assert [name for name, _ in release.evidence.data.fields] == names
    assert release.evidence.target.kind == "eer"


@pytest.mark.parametrize(
    ("kept", "says"),
    [
        (slice(0, 40 * 6), "not seen by fit"),
        (slice(40 * 6, None), "learned from"),
    ],
)
def test_a_release_needs_old_and_new_identities(split, fitted, tmp_path: Path, kept, says) -> None:
    x, y, new, of_new = split
    everything, identities = np.concatenate([x, new]), np.concatenate([y, of_new])
    with pytest.raises(DataError, match=says):
        fitted.to_release(tmp_path / "release", everything[kept], identities[kept])
    assert not (tmp_path / "release").exists()


def test_a_grid_search_prefers_what_finds_more(split) -> None:
    x, y, new, of_new = split
    search = GridSearchCV(
        SiameseEstimator(learning_rate=1e-2), {"max_epochs": [1, 15]}, cv=GroupKFold(2)
    ).fit(x, y, groups=y)
    assert search.best_params_ == {"max_epochs": 15}
    assert 0 < search.score(new, of_new) <= 1

"""A scikit-learn estimator over numeric arrays: the same losses, loop, calibration and export.

For people whose data are an (n, d) array already, and who want a Siamese encoder in a scikit-learn
pipeline; `to_release` makes what gemel serves of it. Wrong input raises ValueError, as scikit-learn
asks for; what goes wrong in training or with a release raises gemel's errors.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from gemel.arrays import Bool, Float32, Int64, unit_rows
from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.target import Target
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.data.sampler import PxK
from gemel.decide.bands import matches
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import DataError
from gemel.files import write_whole
from gemel.release.evidence.goals import Goals
from gemel.release.make.build import build
from gemel.release.release import Release
from gemel.train import export, loop, losses, vector_run
from gemel.train.arrays import Arrays
from gemel.train.lessons import map_at_r
from gemel.train.towers.vector import VectorTower

MIN_HELD_OUT = 2
MAX_COMPARISONS = 2_000_000


class SiameseEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A Siamese encoder with a calibrated threshold: `fit(X, y)`, `transform(X)`, `predict(pairs)`.

    A fifth of the identities is held out to select the best epoch and to choose the threshold; with
    fewer than ten identities the training records have to do, and the threshold is optimistic.

    Args:
        dim: learned coordinates of an embedding.
        hidden: width of the hidden layer.
        loss: `infonce`, `triplet` or `contrastive`.
        target: goal of the threshold: `f1`, `eer` or `accuracy`.
        max_epochs: epochs at most.
        learning_rate: at its highest.
        noise: standard deviation of the noise on training vectors, in those of each feature.
        random_state: of everything random.

    Attributes:
        classes_: the identities that were seen.
        threshold_: cosine from which `predict` says that a pair matches.
        history_: one `Epoch` per epoch of training, the first one untrained.

    Example:
        >>> X = np.repeat(np.eye(6), 5, axis=0) + np.linspace(0, 0.3, 30)[:, None]
        >>> model = SiameseEstimator(max_epochs=2).fit(X, np.repeat(np.arange(6), 5))
        >>> model.predict([[X[0], X[1]], [X[0], X[9]]]).tolist()
        [True, False]
    """

    def __init__(
        self,
        dim: int = 32,
        hidden: int = 64,
        loss: str = "infonce",
        target: Literal["f1", "eer", "accuracy"] = "f1",
        max_epochs: int = 20,
        learning_rate: float = 1e-3,
        noise: float = 0.1,
        random_state: int | None = 0,
    ) -> None:
        self.dim = dim
        self.hidden = hidden
        self.loss = loss
        self.target = target
        self.max_epochs = max_epochs
        self.learning_rate = learning_rate
        self.noise = noise
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn an encoder and a threshold.

        Args:
            X: (n, d) finite numbers.
            y: (n,) identity of each row; at least two identities.
        Raises:
            ValueError: X or y is not usable.
            CollapseError: training gave one embedding to everything.
        """
        X, y = validate_data(self, X, y, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class, {self.classes_[0]!r}: nothing to tell apart")
        vectors = np.array(X, dtype=np.float32)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        held_out = _held_out(codes, seed)
        self._train(vectors, codes, held_out, seed)
        self.threshold_ = self._threshold(vectors[held_out], codes[held_out], seed)
        return self

    def transform(self, X: ArrayLike) -> Float32:
        """Embeddings of (n, d) rows: (n, 1 + dim) float32, unit rows."""
        check_is_fitted(self)
        return self._encode(validate_data(self, X, reset=False))

    def score_pairs(self, pairs: ArrayLike) -> Float32:
        """Cosine of each pair, (n,) float32, higher = more alike.

        Args:
            pairs: (n, 2, d) numbers.
        Raises:
            ValueError: another shape, or another d than in `fit`.
        """
        check_is_fitted(self)
        both = np.asarray(pairs, dtype=np.float64)
        if both.ndim != 3 or both.shape[1] != 2:
            raise ValueError(f"pairs have shape {both.shape}, expected (n, 2, d)")
        return Cosine().score(self.transform(both[:, 0]), self.transform(both[:, 1]))

    def predict(self, pairs: ArrayLike) -> Bool:
        """Whether the two rows of each pair, (n, 2, d), are of the same identity: (n,) bool."""
        match: Bool = matches(self.score_pairs(pairs), self.threshold_)
        return match

    def save_onnx(self, path: str | Path) -> float:
        """Write the encoder as ONNX: input `vector` (b, d) float32, output `unit_rows`.

        Returns:
            The largest difference between the file's and torch's embeddings.
        Raises:
            TrainingError: they differ by more than 1e-4.
        """
        check_is_fitted(self)
        network, difference = export.export(self.tower_, vector_run.example(self.tower_))
        write_whole(Path(path), network)
        return difference

    def to_release(
        self, into: str | Path, X: ArrayLike, y: ArrayLike, *, goals: Goals | None = None
    ) -> Release:
        """A release of this encoder: calibrated on what `fit` held out, measured on what is new.

        Args:
            into: folder to become; must not exist.
            X: (n, d) numbers: what `fit` was given, and records of identities that it was not.
            y: (n,) identities; their texts name them.
            goals: of the thresholds; by default `target`.
        Returns:
            A release whose payloads are rows of numbers, named as the features in `fit`.
        Raises:
            ValueError: X or y is not usable.
            DataError: no identity was held out, none is new, or they cannot support a goal.
            ReleaseError: `into` exists.
        """
        check_is_fitted(self)
        vectors, identities = validate_data(self, X, y, reset=False)
        names = getattr(self, "feature_names_in_", [f"x{i}" for i in range(self.n_features_in_)])
        rows = vector_run.dataset(vectors, identities, [str(name) for name in names])
        seen = np.isin(identities, self.classes_)
        held_out = np.isin(identities, self.classes_[self._held_out])
        sides = vector_run.splits(seen, held_out, self._learned.plan.seed)
        with TemporaryDirectory() as folder:
            vector_run.write(Path(folder), self._learned, rows, sides)
            wanted = goals or Goals(verify=Target(kind=self.target))
            return build(folder, rows, goals=wanted, into=into)

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Mean average precision at R of retrieving each row's identity among the others."""
        return _metric(self.transform(X), np.unique(y, return_inverse=True)[1])

    def _train(self, vectors: Float32, codes: Int64, held_out: Bool, seed: int) -> None:
        learned = ~held_out if not held_out.all() else held_out
        x = vectors[learned]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.tower_ = VectorTower(x, dim=self.dim, hidden=self.hidden)
        spread = self.noise / self.tower_.scale.numpy()

        def views(arrays: Arrays, rng: np.random.Generator) -> Arrays:
            v = arrays["vector"]
            return {"vector": v + spread * rng.standard_normal(v.shape, dtype=np.float32)}

        plan = loop.Plan(
            max_epochs=self.max_epochs,
            learning_rate=self.learning_rate,
            averaging=0.9,
            seed=seed,
        )
        begun = time.monotonic()
        self.history_ = loop.fit(
            self.tower_,
            loop.Material(
                {"vector": x}, codes[learned], {"vector": vectors[held_out]}, codes[held_out]
            ),
            PxK(codes[learned], vector_run.P, vector_run.K, seed),
            loop.Objective(losses.ByIdentity(losses.named(self.loss)), _metric, views),
            plan,
        )
        seconds = round(time.monotonic() - begun, 3)
        self._learned = vector_run.Learned(self.tower_, self.history_, plan, self.loss, seconds)
        # Where too few were held out, all were, which is none.
        self._held_out = np.unique(codes[held_out]) if not held_out.all() else codes[:0]
        self._n_features_out = 1 + self.dim

    def _threshold(self, vectors: Float32, codes: Int64, seed: int) -> float:
        scores = all_pairs(
            self._encode(vectors), codes, Cosine(), max_comparisons=MAX_COMPARISONS, seed=seed
        )
        if not scores.genuine.any():
            # Nobody has two records: only what is more alike than any two strangers matches.
            return float(np.nextafter(scores.score.max(), np.float32(2)))
        return float(choose(scores, Target(kind=self.target)).threshold)

    def _encode(self, vectors: NDArray[Any]) -> Float32:
        # In double precision a row does not depend on the size of its batch.
        tower = self.tower_.double()
        try:
            rows = tower(vector=torch.tensor(vectors, dtype=torch.float64))
            return unit_rows(rows.detach().numpy())
        finally:
            tower.float()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _metric(rows: Float32, identities: Int64) -> float:
    try:
        return map_at_r(rows, identities)
    except DataError:
        # Every identity has one record: no epoch is better than another.
        return 0.0


def _held_out(codes: Int64, seed: int) -> Bool:
    """Records of a fifth of the identities, or all records where that would be too few."""
    counts = np.bincount(codes)
    several = np.flatnonzero(counts > 1)
    n = len(counts) // 5
    if n < MIN_HELD_OUT or len(several) < 2 * n:
        return np.ones(len(codes), dtype=bool)
    chosen = np.random.default_rng(seed).choice(several, n, replace=False)
    return np.isin(codes, chosen)

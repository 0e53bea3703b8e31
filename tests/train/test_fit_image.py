"""From an image folder to an encoder folder: exported, resumable, not done twice."""

from __future__ import annotations

import io
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from gemel.data import records, splits
from gemel.data.dataset import Dataset
from gemel.data.splits import Splits
from gemel.encode import comparators
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.encoder import Encoder
from gemel.encode.image.prepare import ImagePrepare
from gemel.errors import ConfigError, DataError, TrainingError
from gemel.release.run import Run, RunReport
from gemel.settings import TrainSettings
from gemel.testing import check_encoder
from gemel.train import export, fit, task, towers
from gemel.train.loop import checkpoint
from gemel.train.towers.image import ImageTower
from gemel.train.views.image import ImageViews

SETTINGS = TrainSettings(max_epochs=2, identities_per_batch=6, views_per_identity=4)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for who in range(12):
        (folder / f"{who:02}").mkdir()
        pattern = rng.integers(0, 256, (4, 4, 3)).repeat(4, 0).repeat(4, 1)
        for i in range(5):
            image = np.clip(pattern + rng.normal(0, 50, (16, 16, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(image).save(folder / f"{who:02}" / f"{i}.png")
    return records.read(folder)


@pytest.fixture(scope="module")
def sides(dataset: Dataset) -> Splits:
    return splits.by_identity(dataset)


@pytest.fixture(scope="module")
def run(dataset: Dataset, sides: Splits, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fit.train(dataset, sides, SETTINGS, tmp_path_factory.mktemp("run"))


def test_the_folder_holds_an_encoder_and_a_comparator(run: Run, dataset, sides) -> None:
    encoder = Encoder.open(run.folder / "encoder")
    assert encoder.modality == "image"
    broken = [b"", dataset.payloads([0])[0][:100]]
    check_encoder(encoder, dataset.payloads(sides.eval[:9]), bad=broken)
    assert isinstance(comparators.load(run.folder / "encoder"), Cosine)


def test_the_report_says_what_was_done(run: Run, dataset: Dataset, sides: Splits) -> None:
    report = json.loads((run.folder / "train.json").read_bytes())
    assert RunReport.read(run.folder) == run.report
    assert report["dataset"] == dataset.digest
    assert Splits.from_dict(report["splits"]).as_dict() == sides.as_dict()
    assert [e["epoch"] for e in report["history"]] == [0, 1, 2]
    assert report["settings"]["identities_per_batch"] == 6
    assert report["settings"]["loss"] == "infonce"
    assert report["settings"]["learning_rate"] > 0
    assert report["parity"] < export.TOLERANCE
    assert run.training.best.metric == max(e["metric"] for e in report["history"])
    assert not (run.folder / fit.CHECKPOINT).exists()


def test_a_finished_run_is_not_repeated(run: Run, dataset: Dataset, sides: Splits) -> None:
    def never(step: object) -> None:
        raise AssertionError("a step was taken")

    again = fit.train(dataset, sides, SETTINGS, run.folder, progress=never)
    assert again.report == run.report


def test_other_settings_train_anew(run: Run, dataset, sides, tmp_path: Path) -> None:
    first = fit.train(dataset, sides, SETTINGS, tmp_path)
    assert first.training.history == run.training.history
    other = msgspec.structs.replace(SETTINGS, seed=1)
    assert fit.train(dataset, sides, other, tmp_path).training.history != run.training.history


def test_two_processes_cannot_train_in_one_folder(dataset, sides, tmp_path: Path) -> None:
    with checkpoint.only_writer(tmp_path), pytest.raises(TrainingError, match="another process"):
        fit.train(dataset, sides, SETTINGS, tmp_path)


def test_settings_of_zero_mean_the_default_of_the_modality() -> None:
    image = towers.trainable("image")
    resolved = task.resolve(TrainSettings(warmup_ratio=0.0), image.defaults, n_drawn=100)
    assert resolved.max_epochs == towers.trainable("image").defaults.max_epochs
    assert resolved.warmup_ratio == 0
    assert resolved.seed == 0


def test_few_identities_give_more_records_each_to_a_batch() -> None:
    image = towers.trainable("image")
    many, few = (task.resolve(TrainSettings(), image.defaults, n_drawn=n) for n in (100, 4))
    size = many.identities_per_batch * many.views_per_identity
    assert 4 * few.views_per_identity == size
    # What takes pairs or views of records by both settings gets no more of them either.
    assert few.identities_per_batch * few.views_per_identity == size
    told = task.resolve(TrainSettings(views_per_identity=3), image.defaults, n_drawn=4)
    assert told.views_per_identity == 3


def test_dev_without_a_pair_is_refused(dataset: Dataset, sides: Splits, tmp_path: Path) -> None:
    singles = np.array([np.flatnonzero(dataset.identities == i)[0] for i in (0, 1)])
    bad = Splits(np.flatnonzero(dataset.identities > 3), singles, sides.eval)
    with pytest.raises(DataError, match="dev"):
        fit.train(dataset, bad, SETTINGS, tmp_path)


def test_an_unknown_modality_is_named() -> None:
    with pytest.raises(ConfigError, match="smell") as caught:
        towers.trainable("smell")
    assert "image" in caught.value.hint


def small(channels: int, size: str = "small") -> tuple[ImageTower, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    files = []
    for _ in range(40):
        out = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (20, 20, channels)).astype(np.uint8).squeeze()).save(
            out, "PNG"
        )
        files.append(out.getvalue())
    prepare = ImagePrepare.fit(files)
    arrays = prepare(files)
    return ImageTower(prepare, arrays, size=size), arrays


@pytest.mark.parametrize(("channels", "size"), [(1, "small"), (3, "base")])
def test_the_tower_survives_the_export(channels: int, size: str) -> None:
    tower, arrays = small(channels, size)
    torch.nn.init.normal_(tower.head.weight, std=0.1)
    _, difference = export.export(tower, arrays)
    assert difference < 1e-5


def test_a_tower_that_changes_in_the_export_is_refused() -> None:
    class Fickle(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            wrong = 0.01 if torch.compiler.is_exporting() else 0.0
            return torch.nn.functional.normalize(image.flatten(1) + wrong, dim=1)

    with pytest.raises(TrainingError, match="differs from torch"):
        export.export(Fickle(), {"image": np.eye(6, dtype=np.float32)})


def test_views_differ_from_the_image_and_from_each_other() -> None:
    image = np.random.default_rng(0).random((1, 1, 16, 16), dtype=np.float32).repeat(3, axis=0)
    seen = ImageViews()({"image": image}, np.random.default_rng(1))["image"]
    assert seen.shape == image.shape
    assert seen.dtype == np.float32
    assert len({v.tobytes() for v in [*seen, image[0]]}) == 4
    again = ImageViews()({"image": image}, np.random.default_rng(1))["image"]
    assert np.array_equal(seen, again)


def test_views_without_strength_are_the_image_in_one_of_eight_positions() -> None:
    image = np.random.default_rng(0).random((2, 3, 9, 9), dtype=np.float32)
    still = ImageViews(turn=0, shear=0, zoom=0, shift=0, bend=0, contrast=0, brightness=0)
    positions = set()
    for seed in range(60):
        seen = still({"image": image}, np.random.default_rng(seed))["image"]
        fits = [
            (k, m)
            for k in range(4)
            for m in (False, True)
            if np.allclose(np.rot90(image[..., ::-1] if m else image, k, (2, 3)), seen, atol=1e-5)
        ]
        assert len(fits) == 1
        positions.add(fits[0])
    assert len(positions) == 8

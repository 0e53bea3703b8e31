from __future__ import annotations

import base64
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from tests.release.conftest import report

from gemel.arrays import unit_rows
from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.target import Target
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.data import records, schema, splits
from gemel.data.dataset import CategoryColumn, Dataset
from gemel.data.pairing import Pairing
from gemel.decide.categories import Categories, Line
from gemel.encode.comparators.as_norm import AsNorm
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.image.prepare import ImagePrepare
from gemel.encode.ngrams import Sparse
from gemel.encode.row.modality import ROW
from gemel.encode.row.prepare import RowPrepare
from gemel.errors import DataError, ReleaseError, SpaceMismatch
from gemel.release.evidence import mistakes
from gemel.release.evidence.goals import Goals
from gemel.release.evidence.part import Part
from gemel.release.evidence.schema import Sampling
from gemel.release.make.build import build
from gemel.release.make.recalibrate import is_of, recalibrate
from gemel.release.release import Release


def test_the_evidence_is_what_measuring_by_hand_gives(release: Release, people: Dataset) -> None:
    evidence = release.evidence
    sides = splits.by_identity(people, dev=0.3, eval=0.3)
    rows = release.encoder.encode(people.payloads(sides.dev))
    scores = all_pairs(rows, people.identities[sides.dev], release.comparator)
    assert choose(scores, Target(kind="f1")).threshold == evidence.dev.threshold

    rows = release.encoder.encode(people.payloads(sides.eval))
    score = rows @ rows.T
    i, j = np.triu_indices(len(rows), 1)
    same = people.identities[sides.eval][i] == people.identities[sides.eval][j]
    match = score[i, j] >= evidence.dev.threshold
    assert evidence.eval.n_false_match == int((match & ~same).sum())
    assert evidence.eval.n_false_non_match == int((~match & same).sum())
    assert evidence.data.sides["eval"].n_identities == len(set(people.identities[sides.eval]))


def test_the_evidence_says_what_probabilities_are_worth_on_eval(release: Release) -> None:
    found = release.evidence.reliability
    assert found is not None
    assert found.prior == release.policy.prior
    assert 0 <= found.least_cllr <= found.cllr < 1
    n = sum(b.n_genuine + b.n_impostor for b in found.bins)
    assert n == release.evidence.eval.n_genuine + release.evidence.eval.n_impostor


def test_the_mistakes_are_the_nearest_ones(release: Release) -> None:
    evidence = release.evidence
    at = evidence.eval.threshold
    for kind, total in (
        ("false_match", evidence.eval.n_false_match),
        ("false_non_match", evidence.eval.n_false_non_match),
    ):
        found = [m for m in evidence.mistakes if m.kind == kind]
        assert len(found) == min(total, 20)
        distance = [abs(m.score - at) for m in found]
        assert distance == sorted(distance)
        for m in found:
            assert (m.score >= at) == (kind == "false_match")
            assert (m.left.identity == m.right.identity) == (kind == "false_non_match")
            one, two = (release.encoder.encode([m_.payload["row"]]) for m_ in (m.left, m.right))
            assert (one @ two.T).item() == pytest.approx(m.score, abs=1e-5)


def test_nearest_mistakes_equal_a_full_sort() -> None:
    rng = np.random.default_rng(0)
    rows = unit_rows(rng.standard_normal((300, 8)))
    identities = rng.integers(-1, 60, 300)
    false_matches, false_non_matches = mistakes.nearest(rows, identities, Cosine(), 0.3, n=15)
    score = rows @ rows.T
    i, j = np.triu_indices(300, 1)
    known = (identities[i] >= 0) & (identities[j] >= 0)
    same = identities[i] == identities[j]
    for found, wrong in (
        (false_matches, known & ~same & (score[i, j] >= 0.3)),
        (false_non_matches, known & same & (score[i, j] < 0.3)),
    ):
        distance = np.sort(np.abs(score[i, j][wrong] - 0.3))[:15]
        assert [abs(p.score - 0.3) for p in found] == pytest.approx(distance.tolist(), abs=1e-6)


def test_the_sparse_baseline_scores_as_dense_cosine() -> None:
    rng = np.random.default_rng(0)
    dense = unit_rows(rng.random((20, 30)) * (rng.random((20, 30)) < 0.3) + 1e-3)
    from scipy.sparse import csr_matrix

    comparator = Sparse(csr_matrix(dense))
    at = np.arange(20, dtype=np.float32)[:, None]
    np.testing.assert_allclose(comparator.matrix(at[:5], at), dense[:5] @ dense.T, atol=1e-6)
    np.testing.assert_allclose(
        comparator.score(at[:7], at[7:14]), (dense[:7] * dense[7:14]).sum(1), atol=1e-6
    )


def test_the_baseline_reads_all_digits_of_a_number() -> None:
    numbers = [2635962.0, 2635971.0, 2635968.0]
    fields = [schema.Field("ssn", "number")]
    payloads = records.from_rows([{"ssn": n} for n in numbers], fields=fields).payloads()
    found = ROW.baseline(RowPrepare.fit(payloads, fields), payloads, payloads)
    score = found.comparator.matrix(found.rows, found.rows)
    assert (score[~np.eye(3, dtype=bool)] < 0.999).all()


def test_goals_that_the_data_cannot_support_say_what_is_missing(release: Release) -> None:
    points = release.evidence.points
    assert [p.chosen for p in points] == [True] + [False] * (len(points) - 1)
    refused = [p for p in points if p.dev is None]
    assert refused
    assert all("identities" in p.reason for p in refused)
    assert all(p.eval is not None for p in points if p.dev is not None)


def test_a_promise_is_kept_in_the_policy(people: Dataset, run_folder: Path, tmp_path: Path) -> None:
    ticks: list[tuple[int, int]] = []
    release = build(
        run_folder,
        people,
        goals=Goals(verify=Target(kind="fmr", value=0.05), search=Target(kind="fmr", value=0.03)),
        into=tmp_path / "release",
        progress=lambda done, total: ticks.append((done, total)),
    )
    assert release.evidence.dev.certified
    assert release.policy.search.threshold > release.policy.verify.threshold
    assert ticks[-1][0] == ticks[-1][1] == len(ticks)


def test_other_records_than_those_of_the_run_are_refused(
    people: Dataset, run_folder: Path, tmp_path: Path
) -> None:
    fewer = people.take(np.arange(len(people) - 2))
    with pytest.raises(DataError, match="trained on other records"):
        build(run_folder, fewer, goals=Goals(), into=tmp_path / "release")


def test_an_unfinished_run_is_refused(people: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="no finished run"):
        build(tmp_path, people, goals=Goals(), into=tmp_path / "release")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Twenty patterns with noise, five pictures of each, as PNG files."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for c in range(20):
        pattern = rng.integers(60, 190, (8, 8))
        (folder / f"class{c:02}").mkdir()
        for i in range(5):
            pixels = np.clip(pattern + rng.normal(0, 35, (8, 8)), 0, 255).astype(np.uint8)
            big = Image.fromarray(pixels).resize((128, 128), Image.Resampling.NEAREST)
            big.save(folder / f"class{c:02}" / f"{i}.png")
    return records.read(folder)


def test_images_are_built_too(pictures: Dataset, tmp_path: Path) -> None:
    sides = splits.by_identity(pictures, dev=0.3, eval=0.3)
    prepare = ImagePrepare.fit(pictures.payloads(sides.train))
    encoder = tmp_path / "run" / "encoder"
    encoder.mkdir(parents=True)
    (encoder / "prepare.json").write_text(json.dumps(prepare.spec()))
    (encoder / "encoder.onnx").write_bytes(_projection(prepare))
    Cosine().save(encoder)
    (tmp_path / "run" / "train.json").write_bytes(report(pictures, sides).to_json())

    release = build(tmp_path / "run", pictures, goals=Goals(), into=tmp_path / "release")
    opened = Release.open(release.folder)
    assert opened.modality == "image"
    assert opened.check_parity().n == 24
    assert [c.name for c in opened.evidence.candidates] == ["gemel", "pixels"]
    assert opened.evidence.candidates[1].retrieval.map_at_r > 0.5
    shown = [m.left.payload["image"] for m in opened.evidence.mistakes]
    assert shown
    for text in shown:
        assert max(Image.open(io.BytesIO(base64.b64decode(text))).size) <= 96


def _projection(prepare: ImagePrepare) -> bytes:
    """A random projection of the pixels to 16 numbers."""
    n_pixels = prepare.channels * prepare.size**2
    weights = [
        numpy_helper.from_array(
            np.random.default_rng(0).standard_normal((n_pixels, 16)).astype(np.float32), "w"
        ),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
    ]
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["x"]),
        helper.make_node("ReduceL2", ["x", "axis"], ["length"]),
        helper.make_node("Div", ["x", "length"], ["unit_rows"]),
    ]
    shape = ["n", prepare.channels, prepare.size, prepare.size]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)
    output = helper.make_tensor_value_info("unit_rows", TensorProto.FLOAT, ["n", 16])
    graph = helper.make_graph(nodes, "projection", [image], [output], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def test_a_pair_that_was_given_twice_is_one_mistake() -> None:
    rows, identities = unit_rows(np.eye(4) + 0.2), np.arange(4)
    given = np.array([[0, 1], [1, 0], [0, 1], [2, 3]])
    pairing = Pairing(given=given, same=np.zeros(4, np.bool_))
    false, missed = mistakes.nearest(rows, identities, Cosine(), 0.3, pairing=pairing)
    assert sorted((p.left, p.right) for p in false) == [(0, 1), (2, 3)]
    assert not missed


def test_nearest_mistakes_are_those_of_levelled_scores() -> None:
    rng = np.random.default_rng(1)
    rows, identities = unit_rows(rng.normal(size=(60, 8))), np.arange(60) // 3
    column = CategoryColumn("c", rng.integers(-1, 2, 60), ("a", "b"))
    raw = Part.of(rows, identities, Cosine(), category=column)
    lines = {"a": Line(0.1, 1.0), "b": Line(-0.2, 0.5)}
    side = raw.level(Categories(column="c", lines=lines))
    false_matches, _ = mistakes.nearest(
        rows, identities, Cosine(), 0.3, level=side.leveller(), n=10**6
    )
    wrong = np.sort(side.scores.score[(side.scores.score >= 0.3) & ~side.scores.genuine])
    assert [p.score for p in false_matches] == pytest.approx(wrong.tolist(), abs=1e-6)


def test_people_on_one_device_count_as_one_in_every_interval(
    people: Dataset, run_folder: Path, tmp_path: Path
) -> None:
    shared = replace(people, groups={"device": people.identities // 50})
    run = shutil.copytree(run_folder, tmp_path / "run")
    said = json.loads((run / "train.json").read_text())
    (run / "train.json").write_text(json.dumps({**said, "dataset": shared.digest}))
    goals = Goals(verify=Target(kind="f1"))
    found = build(run, shared, goals=goals, into=tmp_path / "release").evidence
    assert "eval: 45 identities are 3 independent units" in found.notes
    assert found.eval.n_identities == 45
    with pytest.raises(DataError, match="cannot prove"):
        build(
            run,
            shared,
            goals=Goals(verify=Target(kind="fmr", value=0.3)),
            into=tmp_path / "other",
        )


def test_a_cohort_of_train_is_part_of_the_release(
    people: Dataset, run_folder: Path, release: Release, tmp_path: Path
) -> None:
    goals = Goals(cohort=30)
    built = build(run_folder, people, goals=goals, into=tmp_path / "release")
    assert isinstance(built.comparator, AsNorm)
    assert len(built.comparator.cohort) == 30
    assert built.evidence.cohort_id == built.comparator.cohort_id
    assert built.manifest.files["comparator.cohort.npy"] == built.evidence.cohort_id
    assert built.space_id == release.space_id
    assert built.scale_id != release.scale_id
    assert release.evidence.cohort_id is None
    assert is_of(built, run_folder, 30)
    assert not is_of(built, run_folder)
    child = recalibrate(
        built,
        run_folder,
        people,
        goals=Goals(verify=Target(kind="eer"), cohort=30),
        into=tmp_path / "child",
    )
    assert child.evidence.cohort_id == built.evidence.cohort_id
    assert child.scale_id == built.scale_id
    with pytest.raises(SpaceMismatch, match="with a cohort of 30"):
        recalibrate(release, run_folder, people, goals=goals, into=tmp_path / "no")
    score = built.comparator.score(*(built.gold.embeddings[i : i + 1] for i in (0, 1)))
    assert built.policy.decide(float(score[0])).outcome in ("match", "no_match")


def test_fewer_comparisons_than_there_are_do_for_release_and_baseline_alike(
    people: Dataset, run_folder: Path, tmp_path: Path
) -> None:
    sampling = Sampling(max_comparisons=600, seed=1)
    release = build(run_folder, people, goals=Goals(), into=tmp_path / "release", sampling=sampling)
    evidence = release.evidence
    assert evidence.sampling == sampling
    assert evidence.eval.n_genuine + evidence.eval.n_impostor <= 600
    ours, plain = evidence.candidates
    assert (ours.curve.n_genuine, ours.curve.n_impostor) == (
        plain.curve.n_genuine,
        plain.curve.n_impostor,
    )
    assert {d.measure for d in evidence.against} >= {"F1", "EER", "recall_at_1"}

"""Relations say of each pair of a batch what is known, wherever it is known from."""

from __future__ import annotations

import pytest
import torch

from gemel.train.losses import Contrastive, InfoNCE, Loss, Triplet
from gemel.train.relations import Relations

NAN = float("nan")


def test_labels_pair_rows_with_each_other_and_with_references_but_not_with_themselves() -> None:
    labels, beside = torch.tensor([3, 5, 3]), torch.tensor([5, 3])
    found = Relations.of_labels(labels, references=torch.ones(2, 4), of_references=beside)
    assert found.positive.int().tolist() == [[0, 0, 1, 0, 1], [0, 0, 0, 1, 0], [1, 0, 0, 0, 1]]
    assert found.negative.int().tolist() == [[0, 1, 0, 1, 0], [1, 0, 1, 0, 1], [0, 1, 0, 1, 0]]


def test_grades_weigh_positives_and_what_nobody_judged_is_neither() -> None:
    found = Relations.of_grades(torch.tensor([[NAN, 1.0, 0.5], [1.0, NAN, 0.0], [0.5, 0.0, NAN]]))
    assert found.positive.int().tolist() == [[0, 1, 1], [1, 0, 0], [1, 0, 0]]
    assert found.negative.int().tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert found.weight is not None
    assert found.weight.nan_to_num(1).tolist() == [[1, 1, 0.5], [1, 1, 1], [0.5, 1, 1]]


@pytest.mark.parametrize("loss", [Contrastive(), Triplet(), InfoNCE()], ids=repr)
def test_grades_of_zero_and_one_are_labels(loss: Loss) -> None:
    rows = torch.randn(12, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(12) % 4
    grade = (labels[:, None] == labels[None]).float().fill_diagonal_(NAN)
    by_labels, by_grades = Relations.of_labels(labels), Relations.of_grades(grade)
    assert float(loss(rows, by_grades)) == pytest.approx(float(loss(rows, by_labels)), abs=1e-5)


@pytest.mark.parametrize("loss", [Contrastive(), Triplet(), InfoNCE()], ids=repr)
def test_a_batch_with_the_rest_as_references_costs_what_its_rows_cost_in_the_whole(
    loss: Loss,
) -> None:
    rows = torch.randn(12, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(12) % 3
    whole = Relations.of_labels(labels)
    first = torch.arange(12)[:, None] < 6
    alone = Relations(whole.positive & first, whole.negative & first)
    beside = Relations.of_labels(labels[:6], references=rows[6:], of_references=labels[6:])
    assert float(loss(rows[:6], beside)) == pytest.approx(float(loss(rows, alone)), abs=1e-5)


@pytest.mark.parametrize("loss", [Contrastive(), Triplet(), InfoNCE()], ids=repr)
def test_a_positive_that_counts_twice_is_one_that_is_there_twice(loss: Loss) -> None:
    rows = torch.nn.functional.normalize(
        torch.randn(4, 5, generator=torch.Generator().manual_seed(1)), dim=1
    )
    twice = torch.cat([rows[1:], rows[1:2]])  # one anchor, its positive, two negatives, and again
    grade = torch.full((1, 5), NAN)
    grade[0, 1:] = torch.tensor([1.0, 0.0, 0.0, 1.0])
    mirrored = Relations.of_grades(grade, references=twice)
    weight = torch.tensor([[1.0, 2.0, 1.0, 1.0]])
    once = Relations.of_grades(grade[:, :4], references=rows[1:])
    weighed = Relations(once.positive, once.negative, weight, once.references)
    assert float(loss(rows[:1], weighed)) == pytest.approx(
        float(loss(rows[:1], mirrored)), abs=1e-5
    )

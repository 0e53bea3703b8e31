from __future__ import annotations

import json
from itertools import islice

import numpy as np
import pytest

from gemel.data.sampler import Neighbours, PxK
from gemel.errors import DataError

MOSTLY_SINGLE = np.array([*range(90), *range(0, 90, 10)])


def test_a_batch_has_p_identities_with_k_records_each() -> None:
    codes = np.repeat(np.arange(20), 5)
    for batch in PxK(codes, p=6, k=3):
        assert batch.shape == (18,)
        grouped = codes[batch].reshape(6, 3)
        assert (grouped == grouped[:, :1]).all()
        assert len(set(grouped[:, 0].tolist())) == 6
        assert len(set(batch.tolist())) == 18


def test_an_epoch_covers_every_identity_and_nearly_every_record() -> None:
    sampler = PxK(MOSTLY_SINGLE, p=8, k=4)
    seen = np.concatenate(list(sampler))
    assert set(seen.tolist()) == set(range(99))
    assert len(sampler) == len(seen) // 32 == 12
    classes = np.repeat(np.arange(5), 180)
    sampler = PxK(classes, p=5, k=8)
    seen = np.concatenate(list(sampler))
    assert len(set(seen.tolist())) == 900
    assert len(sampler) == 23


def test_a_single_record_is_repeated_and_two_are_alternated() -> None:
    for batch in PxK(MOSTLY_SINGLE, p=8, k=4):
        for rows in batch.reshape(8, 4):
            counts = np.unique(rows, return_counts=True)[1].tolist()
            assert counts == ([2, 2] if MOSTLY_SINGLE[rows[0]] % 10 == 0 else [4])


def test_one_huge_identity_does_not_fill_the_epoch() -> None:
    codes = np.array([0] * 10_000 + [*range(1, 200)] * 2)
    assert len(PxK(codes, p=10, k=4)) < 100


def test_epochs_differ_and_seeds_repeat() -> None:
    sampler, again = PxK(MOSTLY_SINGLE, 8, 2, seed=5), PxK(MOSTLY_SINGLE, 8, 2, seed=5)
    first, second = list(sampler), list(sampler)
    assert not np.array_equal(first[0], second[0])
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], next(iter(PxK(MOSTLY_SINGLE, 8, 2, seed=6))))


@pytest.mark.parametrize("n_taken", [0, 1, 7, 12, 17, 30])
def test_a_resumed_sampler_goes_on_as_if_never_stopped(n_taken: int) -> None:
    def stream(sampler: PxK):  # type: ignore[no-untyped-def]
        while True:
            yield from sampler

    whole = list(islice(stream(PxK(MOSTLY_SINGLE, 8, 4, seed=1)), 40))
    stopped = PxK(MOSTLY_SINGLE, 8, 4, seed=1)
    for _ in islice(stream(stopped), n_taken):
        pass
    resumed = PxK(MOSTLY_SINGLE, 8, 4, seed=1)
    resumed.load_state_dict(json.loads(json.dumps(stopped.state_dict())))
    rest = list(islice(stream(resumed), 40 - n_taken))
    assert all(np.array_equal(a, b) for a, b in zip(whole[n_taken:], rest, strict=True))


def test_state_of_other_records_is_refused() -> None:
    state = PxK(MOSTLY_SINGLE, 8, 4).state_dict()
    with pytest.raises(DataError, match="n_records"):
        PxK(MOSTLY_SINGLE[:50], 8, 4).load_state_dict(state)


def test_what_cannot_be_sampled_is_refused() -> None:
    for codes, p, k in (([0, 0], 2, 2), ([0, -1], 2, 2), ([0, 1], 1, 2), ([0, 1], 2, 0)):
        with pytest.raises(DataError):
            PxK(np.array(codes), p, k)


def test_neighbours_meet_in_a_batch_and_possible_twins_do_not() -> None:
    """Forty identities on a circle, two records each; 0 and 1 lie as one."""
    angle = np.repeat(np.linspace(0, 2 * np.pi, 40, endpoint=False), 2)
    angle[2:4] = angle[0] + 0.001
    angle[1::2] += 0.02
    rows = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    sampler = Neighbours(np.repeat(np.arange(40), 2), p=4, k=2, seed=0)
    sampler.look(rows)
    batches = [np.unique(batch // 2) for batch in sampler]
    assert sorted(np.concatenate(batches).tolist()) == list(range(40)), "each once"
    wide = [min(np.ptp(np.sort((b + s) % 40)) for s in range(40)) for b in batches]
    assert np.median(wide) <= 6, wide
    twins = Neighbours(np.repeat(np.arange(40), 2), p=4, k=2, seed=0)
    twins.look(rows)
    assert 1 not in twins._near[0][:4] and 0 not in twins._near[1][:4]

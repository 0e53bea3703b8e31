from __future__ import annotations

import numpy as np
import pytest

from gemel.encode.ragged import CACHED, PLACES, ROWS, RUN, runs


def arrays(lengths: list[int]) -> dict[str, np.ndarray]:
    there = np.arange(max(lengths)) < np.array(lengths)[:, None]
    which = np.arange(len(lengths))
    return {"token": np.where(there, which[:, None] + 1, 0), "there": there, "who": which}


@pytest.mark.parametrize(
    "lengths",
    [[7], [8, 120, 6], [0, 3, 0], [30] * 200, [*range(1, 300, 3)], [1, 500, 1, 499, 2]],
)
@pytest.mark.parametrize("most", [PLACES, CACHED])
def test_each_record_comes_once_whole_and_with_its_own(lengths: list[int], most: int) -> None:
    given, seen = arrays(lengths), []
    for idx, run in runs(given, most):
        seen += idx.tolist()
        width = run["there"].shape[1]
        assert len(idx) <= ROWS and (len(idx) == 1 or len(idx) * width <= most)
        assert run["who"].tolist() == idx.tolist() and run["token"].shape == run["there"].shape
        for i, token, there in zip(idx, run["token"], run["there"], strict=True):
            assert token[there].tolist() == [i + 1] * lengths[i]
    assert sorted(seen) == [*range(len(lengths))]


@pytest.mark.parametrize("seed", range(20))
def test_short_ones_are_not_padded_to_long_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = np.sort(rng.integers(1, 129, rng.integers(2, 32)))[::-1].tolist()
    found = [run["there"].shape for _, run in runs(arrays(lengths))]
    cost = sum(n * width + RUN for n, width in found)
    assert cost <= lengths[0] * len(lengths) + RUN, "no dearer than all in one run"
    # No run is dearer than the same records in two.
    start = 0
    for n, _ in found:
        own = lengths[start : start + n]
        start += n
        for k in range(1, n):
            assert own[0] * n <= own[0] * k + own[k] * (n - k) + RUN


def test_a_long_text_leaves_two_short_ones_alone() -> None:
    assert [idx.tolist() for idx, _ in runs(arrays([8, 128, 6]))] == [[1], [0, 2]]


def test_what_is_not_padded_goes_so_many_bytes_at_a_time() -> None:
    image = np.arange(10 * 1024, dtype=np.float32).reshape(10, 1, 32, 32)
    found = [(idx.tolist(), run["image"]) for idx, run in runs({"image": image}, n_bytes=1 << 14)]
    assert [idx for idx, _ in found] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert np.array_equal(np.concatenate([part for _, part in found]), image)
    assert len(list(runs({"image": image}, n_bytes=1))) == 10, "one at least"

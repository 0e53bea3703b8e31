"""Batches of P identities with K records each, or of given pairs, in an order that can go on.

The order of an epoch depends on the seed and the number of the epoch alone, so the state is two
numbers and a resumed run sees the batches that an uninterrupted one would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gemel.arrays import Float32, Int64
from gemel.errors import DataError
from gemel.figures import number_of

_MOST_ROUNDS = 4
NEAR, GROUP = 16, 4
"""Neighbours of an identity that are known, and identities of a group of neighbours."""
MOST_LOOKED_AT = 20_000


class PxK:
    """Index batches of `p` different identities with `k` records each; iterating is one epoch.

    An epoch takes each identity at least once, and again for every further `k` of its records, up
    to four times what an identity has on average. Records of an identity repeat in a batch only if
    it has fewer than `k`; one with a single record gives its position `k` times, and augmentation
    makes the difference.

    Args:
        identities: (n,) int64 code of each record, none of them unknown (-1).
        p: identities of a batch; fewer if there are fewer.
        k: records of each.
        seed: same seed, same batches.
    Raises:
        DataError: fewer than two identities, an unknown one, or p or k out of range.
    """

    def __init__(self, identities: Int64, p: int, k: int, seed: int = 0) -> None:
        if p < 2 or k < 1:
            raise DataError(f"P = {p} and K = {k}: P must be at least 2 and K at least 1")
        if len(identities) and identities.min() < 0:
            raise DataError("records of unknown identity cannot be sampled by identity")
        _, codes, counts = np.unique(identities, return_inverse=True, return_counts=True)
        if len(counts) < 2:
            raise DataError(f"{number_of(len(counts), 'identity')}, at least 2 are needed to train")
        self.p = min(p, len(counts))
        self.k = k
        self.seed = seed
        self._codes = codes.reshape(-1)
        self._counts = counts.astype(np.int64)
        self._starts = np.cumsum(self._counts) - self._counts
        most = _MOST_ROUNDS * -(-len(identities) // (k * len(counts)))
        self._rounds = np.minimum(-(-self._counts // k), most)
        self._epoch = 0
        self._batch = 0

    def __len__(self) -> int:
        """Batches of one epoch."""
        active = [int((self._rounds > r).sum()) for r in range(int(self._rounds.max()))]
        return sum(-(-n // self.p) for n in active)

    def __iter__(self) -> Iterator[Int64]:
        """The batches left of this epoch: (p * k,) int64, an identity's records together."""
        plan = self._plan()
        while self._batch < len(plan):
            self._batch += 1
            yield plan[self._batch - 1]
        self._epoch += 1
        self._batch = 0

    def state_dict(self) -> dict[str, int]:
        """What continues the sequence behind the last batch that was taken."""
        return {"epoch": self._epoch, "batch": self._batch, **self._shape()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue a sequence.

        Raises:
            DataError: the state is of other records or other settings.
        """
        _require_shape(state, self._shape())
        self._epoch, self._batch = int(state["epoch"]), int(state["batch"])

    def _shape(self) -> dict[str, int]:
        n_records, n_identities = len(self._codes), len(self._counts)
        return {
            "seed": self.seed,
            "p": self.p,
            "k": self.k,
            "n_records": n_records,
            "n_identities": n_identities,
        }

    def _plan(self) -> Int64:
        """Every batch of the epoch: (len(self), p * k) int64."""
        rng = np.random.default_rng([self.seed, self._epoch])
        shuffled = np.lexsort((rng.random(len(self._codes)), self._codes))
        batches = []
        for r in range(int(self._rounds.max())):
            active = rng.permutation(np.flatnonzero(self._rounds > r))
            short = -len(active) % self.p
            if short:
                tail = active[len(active) - len(active) % self.p :]
                others = np.setdiff1d(np.arange(len(self._counts)), tail)
                active = np.concatenate([active, rng.choice(others, short, replace=False)])
            active = self._arranged(active)
            batches.append(self._records(shuffled, active, r).reshape(-1, self.p * self.k))
        plan: Int64 = np.concatenate(batches)
        return plan[rng.permutation(len(plan))]

    def _arranged(self, identities: Int64) -> Int64:
        """The identities of a round, each p of which make a batch, in the order of batches."""
        return identities

    def _records(self, shuffled: Int64, identities: Int64, r: int) -> Int64:
        """The r-th k records of each identity: (m, k)."""
        places = (r * self.k + np.arange(self.k))[None, :] % self._counts[identities][:, None]
        chosen: Int64 = shuffled[self._starts[identities][:, None] + places]
        return chosen


class Neighbours(PxK):
    """P x K batches of identities that lie near each other: hard negatives from all over the set.

    Before each epoch it is shown the rows of all records (`look`). Each identity that opens a group
    brings along those nearest to it that are still free. Identities nearer to each other than their
    own records are stay apart: they may be one under two labels.
    """

    _near: Int64 | None = None

    def look(self, rows: Float32) -> None:
        """Take in the (n, d) unit rows of all records, as the encoder makes them now.

        Raises:
            DataError: so many identities that comparing all of them takes too long.
        """
        n = len(self._counts)
        if n > MOST_LOOKED_AT:
            raise DataError(
                f"{n:,} identities: neighbours are looked for among {MOST_LOOKED_AT:,} at most",
                where="train.mining",
                hint="choose another mining, such as semi-hard",
            )
        centre = np.zeros((n, rows.shape[1]), np.float32)
        np.add.at(centre, self._codes, rows)
        centre /= np.maximum(np.linalg.norm(centre, axis=1, keepdims=True), 1e-12)
        own = np.einsum("ij,ij->i", rows, centre[self._codes])
        several = self._counts[self._codes] > 1
        same = float(np.median(own[several])) if several.any() else 1.0
        m = min(NEAR, n - 1)
        near = np.empty((n, m), np.int64)
        for start in range(0, n, 1024):
            cosine = centre[start : start + 1024] @ centre.T
            cosine[np.arange(len(cosine)), np.arange(start, start + len(cosine))] = -np.inf
            cosine[cosine >= same] = -np.inf
            near[start : start + 1024] = np.argsort(-cosine, axis=1, kind="stable")[:, :m]
        self._near = near

    def _arranged(self, identities: Int64) -> Int64:
        if self._near is None:
            return identities
        free = dict.fromkeys(identities.tolist())
        twice = identities.tolist()[len(free) :]  # those that fill the last batch
        out: list[int] = []
        while free:
            opens = next(iter(free))
            group = [opens, *(i for i in self._near[opens].tolist() if i in free and i != opens)]
            for i in group[:GROUP]:
                del free[i]
                out.append(i)
        return np.array(out + twice, np.int64)


class GivenPairs:
    """Index batches of the records of about `m` given pairs; all pairs an epoch.

    A record that is in several pairs of a batch stands in it once, or each of its pairs would count
    as often as its records stand there.

    Args:
        pairs: (p, 2) int64 positions of records.
        m: pairs of a batch; batches of an epoch differ by one at most.
        seed: same seed, same batches.
    Raises:
        DataError: no pairs, or m is not positive.
    """

    def __init__(self, pairs: Int64, m: int, seed: int = 0) -> None:
        if not len(pairs) or m < 1:
            raise DataError(
                f"{number_of(len(pairs), 'pair')} in batches of {m}: at least 1 is needed of both"
            )
        self.seed = seed
        self._pairs = pairs
        self._m = m
        self._epoch = 0
        self._batch = 0

    def __len__(self) -> int:
        """Batches of one epoch."""
        return -(-len(self._pairs) // self._m)

    def __iter__(self) -> Iterator[Int64]:
        """The batches left of this epoch: (2 m or fewer,) int64, no position twice."""
        order = np.random.default_rng([self.seed, self._epoch]).permutation(len(self._pairs))
        plan = np.array_split(order, len(self))
        while self._batch < len(plan):
            self._batch += 1
            both = self._pairs[plan[self._batch - 1]].T.reshape(-1)
            yield both[np.sort(np.unique(both, return_index=True)[1])]
        self._epoch += 1
        self._batch = 0

    def state_dict(self) -> dict[str, int]:
        """What continues the sequence behind the last batch that was taken."""
        return {"epoch": self._epoch, "batch": self._batch, **self._shape()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue a sequence.

        Raises:
            DataError: the state is of other pairs or other settings.
        """
        _require_shape(state, self._shape())
        self._epoch, self._batch = int(state["epoch"]), int(state["batch"])

    def _shape(self) -> dict[str, int]:
        return {"seed": self.seed, "m": self._m, "n_pairs": len(self._pairs)}


def _require_shape(state: dict[str, Any], shape: dict[str, int]) -> None:
    for name, value in shape.items():
        if state.get(name) != value:
            raise DataError(f"sampler state has {name} {state.get(name)}, expected {value}")

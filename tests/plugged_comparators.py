"""Comparators as a package would add them: installed by tests, by their source."""

import json

import numpy as np

from gemel.encode.comparators import FILE, payloads_needed


class Near:
    """Minus the squared distance."""

    kind, cost, cohort_id = "near", 2.0, None

    def describe(self):
        return "squared distance, with a minus"

    def score(self, left, right):
        return -np.square(left - right).sum(axis=1)

    def matrix(self, left, right):
        return -np.square(left[:, None] - right[None]).sum(axis=2)

    def save(self, folder):
        (folder / FILE).write_text(json.dumps({"kind": self.kind}))

    @classmethod
    def load(cls, folder, spec):
        return cls()


class Letters(Near):
    """The share of letters that two texts have in common."""

    kind, cost = "letters", 1e4

    def score(self, left, right):
        raise payloads_needed(self.kind)

    matrix = score

    def score_payloads(self, left, right):
        pairs = [(set(a["first"]), set(b["first"])) for a, b in zip(left, right, strict=True)]
        return np.array([len(a & b) / len(a | b) for a, b in pairs], np.float32)

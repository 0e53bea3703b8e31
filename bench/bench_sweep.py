"""The exact sweep against scikit-learn's roc_curve, on 10 million comparisons.

Prints a JSON line per class balance (time ratio, best of three, same arrays, one process) and one
for the memory of a process that only makes the comparisons, sweeps and measures them.
Must: ratio at most 1.5, peak at most 1 GB. Measured 2026-11-23 on x86_64, 2 cores, Linux, Python
3.11, numpy 2.4, the machine busy with other work: ratio 0.15 (1 % genuine) and 0.29 (half), peak
386 MB of which 258 MB were needed to make the comparisons.

    python bench/bench_sweep.py [n_comparisons]
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.operating_point import measure
from gemel.calibrate.scores.scores import Scores
from gemel.calibrate.scores.sweep import sweep

N_IDENTITIES = 5000
MUST_RATIO, MUST_PEAK_MB = 1.5, 1000


def comparisons(n: int, share_genuine: float) -> Scores:
    """Random comparisons of random identities, in random order."""
    rng = np.random.default_rng(0)
    left = rng.integers(0, N_IDENTITIES, n, dtype=np.int32)
    right = rng.integers(0, N_IDENTITIES - 1, n, dtype=np.int32)
    right += right >= left
    genuine = rng.random(n, dtype=np.float32) < share_genuine
    right[genuine] = left[genuine]
    score = rng.standard_normal(n, dtype=np.float32)
    score += 2 * genuine
    return Scores(score, genuine, left, right)


def best_of(n: int, work: Callable[[], object]) -> float:
    """Seconds of the fastest of n runs."""
    times = []
    for _ in range(n):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main(n: int) -> None:
    from sklearn.metrics import roc_curve

    print(json.dumps({"machine": machine(), "date": time.strftime("%Y-%m-%d"), "n": n}))
    # First, since a child starts with the peak memory of the process that it was forked from.
    child = [sys.executable, __file__, "--peak", str(n)]
    print(subprocess.run(child, check=True, capture_output=True, text=True).stdout.strip())
    for share in (0.01, 0.5):
        s = comparisons(n, share)
        curve = sweep(s)
        fpr, tpr, _ = roc_curve(s.genuine, s.score, drop_intermediate=False)
        same = bool(np.allclose(curve.fmr(), fpr) and np.allclose(1 - curve.fnmr(), tpr))
        del fpr, tpr, curve
        ours = best_of(3, lambda s=s: sweep(s))
        theirs = best_of(3, lambda s=s: roc_curve(s.genuine, s.score, drop_intermediate=False))
        line = {
            "genuine": share,
            "same_points": same,
            "sweep_s": round(ours, 2),
            "roc_curve_s": round(theirs, 2),
            "ratio": round(ours / theirs, 2),
            "must": MUST_RATIO,
            "choose_f1_s": round(best_of(1, lambda s=s: choose(s, Target(kind="f1"))), 2),
        }
        print(json.dumps(line), flush=True)


def peak(n: int) -> None:
    """Print the peak memory of this process after each step."""
    seen = {}
    s = comparisons(n, 0.01)
    seen["comparisons_made_mb"] = peak_mb()
    curve = sweep(s)
    seen["swept_mb"] = peak_mb()
    measure(s, curve.between(len(curve.threshold) // 100))
    seen["measured_mb"] = peak_mb()
    seen["must_mb"] = MUST_PEAK_MB
    print(json.dumps(seen))


def peak_mb() -> int:
    """Peak resident memory of this process so far, MB."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(used / (1e6 if sys.platform == "darwin" else 1e3))


def machine() -> str:
    """What this ran on."""
    where = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
    return f"{where}, Python {platform.python_version()}, numpy {np.__version__}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        peak(int(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000)

"""What `make bench-worlds` shows at length, in a few worlds each: promises hold, numbers do."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "bench_worlds.py"


@pytest.fixture(scope="module")
def worlds() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_worlds", BENCH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("limit", [1e-2, 1e-3])
def test_a_rare_kind_that_dev_has_once_breaks_no_more_promises_than_said(
    worlds: ModuleType, limit: float
) -> None:
    """Without counting one more of them it is 20 to 50 % of the worlds that have one."""
    proof = worlds.Proof("", worlds.WOLVES, worlds.fmr(limit))
    found = [each for each in worlds.proven(proof, 60) if each.n_rare and each.threshold]
    broken = [each for each in found if not proof.is_kept(each.threshold, each.prior)]
    assert len(found) >= 15
    assert len(broken) <= 0.1 * len(found)


def test_without_a_rare_kind_the_proof_is_not_much_stricter_than_the_truth(
    worlds: ModuleType,
) -> None:
    """With as many comparisons as pairs of identities at most it was 1.74 and 1.32 times."""
    for world, limit, most in ((worlds.World(100), 1e-3, 1.6), (worlds.World(60, 5), 1e-2, 1.2)):
        oracle = world.at_fmr(limit)
        proof = worlds.Proof("", worlds.replace(world, genuine=oracle + 1), worlds.fmr(limit))
        assert worlds.missed(proof, 12) <= most * proof.world.fnmr(oracle)


def test_naming_families_costs_at_most_twice_the_missed_pairs(worlds: ModuleType) -> None:
    """Counted by pairs of families, as it was, the same target was refused."""
    world = worlds.FAMILIES
    proof = worlds.Proof(
        "", worlds.replace(world, genuine=world.at_fmr(1e-3) + 1), worlds.fmr(1e-3)
    )
    assert worlds.missed(proof, 4, told=True) <= 2 * worlds.missed(proof, 4)


@pytest.mark.parametrize("case", range(8))
def test_the_number_that_a_refusal_names_is_enough(worlds: ModuleType, case: int) -> None:
    named, enough = worlds.named(worlds.REFUSED[case], 5)
    assert len(named) == 5 and min(named) > 0
    assert enough >= 4

"""What a notebook shows of an object is short, whatever the object holds."""

import msgspec

from gemel.calibrate.rates.intervals import Estimate
from gemel.cli.show import number
from gemel.data.records import from_rows
from gemel.decide.bands import Band
from gemel.decide.policy import Policy
from gemel.decide.ratio import Pav
from gemel.figures import brief, plain


class Wide(msgspec.Struct):
    values: tuple[float, ...]
    nothing: str | None = None


def test_long_sequences_are_cut_and_empty_fields_left_out() -> None:
    assert brief(Wide(tuple(range(1000)))) == "Wide(values=(0, 1, 2, ... 1000 in all))"
    assert len(brief({str(i): i for i in range(100_000)})) < 100


def test_a_policy_with_a_long_curve_is_short() -> None:
    at = Band(threshold=0.5, review_low=0.5, review_high=0.5)
    steps = tuple(i / 5000 for i in range(5000))
    curve = Pav(score=steps, value=steps)
    policy = Policy(verify=at, search=at, prior=0.1, likelihood=curve)
    assert len(repr(policy)) < 600 and "threshold=0.5" in repr(policy) and "Pav" in repr(policy)


def test_a_data_set_says_what_it_is() -> None:
    data = from_rows([{"name": "<b>Anna</b>"}, {"name": "Berta"}])
    assert repr(data) == "Dataset(2 row records of rows, 0 identities, 0 refused)"
    counted = from_rows([{"no": i, "name": f"n{i % 2}"} for i in range(99)])
    assert "no: is different in every row; an id?" in repr(counted)
    assert "name (text)" in data._repr_html_() and "<b>" not in data._repr_html_()


def test_no_number_has_an_exponent() -> None:
    assert [plain(x, 3) for x in (3.4e-5, -1.678e-6, 1.5e7)] == [
        "0.000034",
        "-0.00000168",
        "15,000,000",
    ]
    assert plain(float("inf"), 3) == "inf"
    tiny = Estimate(value=6e-8, low=0.0, high=3.4e-5, n_effective=9.0, method="")
    assert tiny.span() == "0.00000006 [0, 0.000034]"
    assert number(1.678e-6) == "0.000001678"

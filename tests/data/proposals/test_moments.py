"""Days on which a record was changed are no fact about what it is of."""

import polars as pl

from gemel.data.proposals.moments import of


def test_days_are_moments_only_where_the_name_says_so() -> None:
    days = ["03.02.2020", "17.04.2021", None]
    frame = pl.DataFrame(
        dict.fromkeys(("Änderungsdatum", "updated_at", "born", "Anlagebuchung"), days)
    )
    frame = frame.with_columns(created=pl.Series(["by hand", "by hand", "import"]))
    assert of(frame) == ["Änderungsdatum", "updated_at"]

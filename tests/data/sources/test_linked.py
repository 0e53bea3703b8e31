"""Two files as one dataset: names of the first, values as each file writes them, pairs across."""

from pathlib import Path

import numpy as np
import pytest

from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.data import records, splits
from gemel.data.pairing import Pairing
from gemel.data.sources.columns import Columns
from gemel.data.sources.linked import Other
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import DataError

CRM = "id,who,name,born\n1,a,anna berg,25/12/1980\n2,b,bert maus,03/04/1975\n"
SHOP = "nr;kunde;Name;geboren\n1;b;bert mauss;1975-04-03\n2;a;ana berg;1980-12-25\n"
MAP = {"name": "Name", "born": "geboren"}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "crm.csv").write_text(CRM)
    (tmp_path / "shop.csv").write_text(SHOP)
    return tmp_path / "crm.csv", tmp_path / "shop.csv"


def test_each_file_is_read_as_it_is_written(files: tuple[Path, Path]) -> None:
    other = Other(files[1], "nr", "kunde", MAP)
    left, right = records.read_two(files[0], Columns("who", "id"), other)
    assert left.frame is not None and right.frame is not None
    assert left.frame["born"].to_list() == ["1980-12-25", "1975-04-03"]
    assert right.frame["born"].to_list() == ["1975-04-03", "1980-12-25"]
    assert right.frame.columns == ["name", "born"]
    both = records.to_link(left, right)
    assert both.ids.tolist() == ["crm:1", "crm:2", "shop:1", "shop:2"]
    assert both.identities.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("kinds", [{}, {"reach": "phone"}, {"reach": "text"}])
def test_phones_of_both_files_are_digits_or_those_of_neither(
    tmp_path: Path, kinds: dict[str, str]
) -> None:
    inland, abroad = tmp_path / "a.csv", tmp_path / "b.csv"
    inland.write_text("reach\n" + "".join(f"030/55{i:04}\n" for i in range(20)))
    abroad.write_text("reach\n" + "".join(f"+49 30 55{i:04}\n" for i in range(20)))
    for first, second in ((inland, abroad), (abroad, inland)):
        left, right = records.read_two(first, Columns(kinds=kinds), Other(second))
        assert left.frame is not None and right.frame is not None
        same = left.frame["reach"].to_list() == right.frame["reach"].to_list()
        assert same == (kinds.get("reach") != "text")
        again, _ = records.read_two(first, Columns(fields=left.fields), Other(second))
        assert again.frame is not None and again.frame.equals(left.frame)
        _, again = records.read_two(first, Columns(fields=left.fields), Other(second))
        assert again.frame is not None and again.frame.equals(right.frame)


def test_an_order_of_a_column_that_is_not_there_is_refused(files: tuple[Path, Path]) -> None:
    other = Other(files[1], "nr", None, MAP, {"geborn": "date:dmy"})
    with pytest.raises(DataError, match=r"other.columns.geborn: no column 'geborn'"):
        records.read_two(files[0], Columns(None, "id", ignore=["who"]), other)


def test_columns_that_are_one_in_the_other_file_are_read_as_one_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "id,first,last,zip,town\n1,Ann,Roth,0810,Batlow\n2,Bo,,n/a,\n3,Cy,Au Lait,3019,Bath\n"
    )
    (tmp_path / "b.csv").write_text(
        "nr;name;ort\nx;AU LAIT, Cy;3019 Bath\ny;ROTH, Ann;0810 Batlow\n"
    )
    names = {"last + first": "name", "zip + town": "ort"}
    said = Columns(None, "id", missing=["n/a"])
    other = Other(tmp_path / "b.csv", "nr", None, names)
    left, right = records.read_two(tmp_path / "a.csv", said, other)
    assert [(f.name, f.kind) for f in left.fields] == [(name, "text") for name in names]
    assert left.frame is not None and right.frame is not None
    assert left.frame["last + first"].to_list() == ["Roth Ann", "Bo", "Au Lait Cy"]
    assert left.frame["zip + town"].to_list() == ["0810 Batlow", None, "3019 Bath"]
    assert left.contents.written.columns == ["id", "first", "last", "zip", "town"]
    again = records.read(tmp_path / "a.csv", id="id", fields=left.fields, max_bad_ratio=0)
    assert again.frame is not None and again.frame.equals(left.frame)
    assert again.notes == ()
    back = Other(tmp_path / "a.csv", "id", None, {two: one for one, two in names.items()})
    first, second = records.read_two(tmp_path / "b.csv", Columns(None, "nr"), back)
    assert second.frame is not None
    assert second.frame["name"].to_list() == ["Roth Ann", "Bo", "Au Lait Cy"]
    assert [f.name for f in first.fields] == ["name", "ort"]


def test_pairs_of_ids_across_files_give_identities(files: tuple[Path, Path]) -> None:
    pairs = files[0].parent / "pairs.csv"
    pairs.write_text("left,right,same\n1,2,1\n2,2,0\n")
    other = Other(files[1], "nr", None, MAP)
    left, right = records.read_two(files[0], Columns(None, "id", ignore=["who"]), other)
    both = records.to_link(left, right, pairs)
    assert both.identities[0] == both.identities[3] != both.identities[1]
    assert both.identities[2] == -1


def test_only_pairs_across_the_files_are_compared() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 4)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1)[:, None]
    codes = np.array([0, 1, 2, 3, 0, 0, 1, 4])
    files = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    scores = all_pairs(x, codes, Cosine(), pairing=Pairing(files=files))
    # 0 with its two in the other file and 1 with its one; 4 x 4 in all, none within a file.
    assert (scores.n_genuine, len(scores)) == (3, 16)
    assert scores.prior == pytest.approx(3 / 16)
    across = x[:4] @ x[4:].T
    assert np.sort(scores.score) == pytest.approx(np.sort(across.ravel()), abs=1e-6)


def test_given_pairs_alone_are_compared_and_stay_on_one_side(tmp_path: Path) -> None:
    lines = ["left,right,same"]
    for i in range(60):
        lines.append(f"what is thing {i} about,tell me of thing {i},{i % 2}")
    (tmp_path / "q.csv").write_text("\n".join(lines) + "\n")
    dataset = records.read(tmp_path / "q.csv")
    given = dataset.pairing.given
    assert given is not None and len(given) == 60
    parts = splits.by_identity(dataset).sides().values()
    kept = [dataset.take(idx).pairing.given for idx in parts]
    assert sum(len(k) for k in kept if k is not None) == 60
    x = np.random.default_rng(0).normal(size=(len(dataset), 4)).astype(np.float32)
    scores = all_pairs(x, dataset.identities, Cosine(), pairing=dataset.pairing)
    assert (scores.n_genuine, scores.n_impostor) == (30, 30)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ({"nam": "Name"}, "no column 'nam' to compare, which other.names says"),
        ({"name": "Nam"}, "no column 'Nam' to compare"),
        ({}, "no column of one name"),
    ],
)
def test_a_map_of_no_such_columns_is_refused(
    files: tuple[Path, Path], names: dict[str, str], says: str
) -> None:
    with pytest.raises(DataError, match=says):
        records.read_two(files[0], Columns("who", "id"), Other(files[1], "nr", "kunde", names))


def test_a_bad_value_is_reported_under_the_name_of_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name,n\n" + "".join(f"x{i},{i}\n" for i in range(200)))
    (tmp_path / "b.csv").write_text(
        "bez,zahl\n" + "".join(f"y{i},{i}\n" for i in range(199)) + "y199,viele\n"
    )
    other = Other(tmp_path / "b.csv", names={"name": "bez", "n": "zahl"})
    _, right = records.read_two(tmp_path / "a.csv", Columns(), other)
    assert [(b.row, b.column) for b in right.gaps] == [(201, "zahl")]


def test_a_chain_of_pairs_is_cut_where_it_has_to_be_and_what_is_lost_is_said(
    tmp_path: Path,
) -> None:
    lines = [f"first text number {i},second text number {i},1" for i in range(400)]
    lines += [f"first text number {i},second text number {i + 1},0" for i in range(399)]
    (tmp_path / "q.csv").write_text("\n".join(["left,right,same", *lines]) + "\n")
    dataset = records.read(tmp_path / "q.csv")
    parts = splits.by_identity(dataset)
    kept = [dataset.take(idx).pairing.given for idx in parts.sides().values()]
    n_kept = [0 if k is None else len(k) for k in kept]
    assert sum(n_kept) > 0.9 * 799 and min(n_kept) > 0.1 * 799
    assert splits.lost_pairs(dataset, parts).startswith(f"{799 - sum(n_kept)} of 799 given pairs")

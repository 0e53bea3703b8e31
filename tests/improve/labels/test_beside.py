"""What people see of two records: what is compared, and below it what is not."""

import io
from pathlib import Path

from rich.console import Console

from gemel.cli.label_screen import drawn
from gemel.data import records
from gemel.data.records import read_two
from gemel.data.sources.columns import Columns
from gemel.data.sources.linked import Other
from gemel.improve.labels.beside import Beside, lines
from gemel.improve.labels.questions import Question


def test_columns_of_two_files_that_are_not_compared_are_shown_below(tmp_path: Path) -> None:
    (tmp_path / "crm.csv").write_text(
        "id,first,last,town,zip,fax\nC1,Gerhard,Fischer,Ulm,89073,\nC2,Eva,Kurz,Bern,3011,\n"
    )
    (tmp_path / "shop.csv").write_text(
        'nr,name,ort,zip\nS1,"FISCHER, Gerhaod",Ulm,89074\nS2,"KURZ, Eva",Bern,3011\n'
    )
    names = {"last": "name", "town": "ort"}
    other = Other(tmp_path / "shop.csv", id="nr", names=names)
    both = read_two(tmp_path / "crm.csv", Columns(id="id"), other)
    assert [one.unused for one in both] == [("first", "zip", "fax"), ("zip",)]
    found = Beside(*(one.take([1, 0]) for one in both)).lines(Question("C1", "S1", 1.0))
    assert [x.name for x in found if x.is_compared] == ["", "last", "town"]
    first, code = (x for x in found if not x.is_compared)
    assert (first.name, first.left, first.right) == ("first", (("Gerhard", False),), (("", False),))
    assert not first.differs and not first.lacks, "the other file has no such column"
    assert code.name == "zip" and code.differs
    screen = io.StringIO()
    drawn(Console(file=screen, width=80), found, "question 1")
    said = screen.getvalue()
    assert said.index("town") < said.index("not compared:") < said.index("Gerhard ")


def test_of_one_file_the_ignored_columns_are_shown_unless_both_are_empty(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("id,who,name,note,fax\n1,p,Fischer,old,\n2,p,Fisher,,\n3,q,Kurz,new,7\n")
    one = records.read(path, id="id", identity="who", ignore=["note", "fax"])
    found = Beside(one, one).lines(Question("1", "2", 1.0))
    assert [(x.name, x.is_compared) for x in found] == [
        ("", True),
        ("name", True),
        ("note", False),
    ]
    assert found[-1].lacks
    screen = io.StringIO()
    drawn(Console(file=screen, width=80), found[:2], "question 1")
    assert "not compared" not in screen.getvalue()


def test_numbers_are_shown_and_compared_in_all_digits() -> None:
    rows = [{"ssn": 2635962.0, "weight": 0.5}, {"ssn": 2635963.0, "weight": 0.5}]
    ssn, weight = lines(*rows)
    assert "".join(text for text, _ in ssn.left) == "2635962" and ssn.differs
    assert weight.left == (("0.5", False),) and not weight.differs

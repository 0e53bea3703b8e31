from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gemel.data import records
from gemel.data.labelled import chains
from gemel.data.sources import pairs
from gemel.data.sources.formats.answers import IN_WORDS as ANSWERS
from gemel.errors import DataError

RECORDS = "id,name\n" + "\n".join(f"{c},name {c}" for c in "abcdefgh") + "\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def read(folder: Path, labelled: str, ratio: float = 0.0) -> records.Dataset:
    return records.read(
        write(folder / "r.csv", RECORDS),
        id="id",
        pairs=write(folder / "p.csv", "left,right,same\n" + labelled),
        max_bad_ratio=ratio,
    )


def groups(data: records.Dataset) -> dict[str, str | None]:
    return {str(i): data.identity_of(at) for at, i in enumerate(data.ids)}


def test_chains_of_pairs_become_identities(tmp_path: Path) -> None:
    data = read(tmp_path, "a,b,1\nc,b,true\nd,e,0\nf,g,TRUE\n")
    assert groups(data) == {
        "a": "a", "b": "a", "c": "a", "d": "d", "e": "e", "f": "f", "g": "f", "h": None,
    }  # fmt: skip


def test_a_pair_that_contradicts_others_is_reported_with_the_chain(tmp_path: Path) -> None:
    data = read(tmp_path, "a,b,1\nb,c,1\nc,d,1\nb,d,1\na,d,0\ne,e,0\n", ratio=0.5)
    assert [(b.row, b.column, b.reason) for b in data.bad] == [
        (6, "same", "says different, but other pairs join the two: a = b = d"),
        (7, "same", "says that a record is different from itself"),
    ]
    assert groups(data)["d"] == "a"


def test_faulty_pairs_are_reported(tmp_path: Path) -> None:
    data = read(tmp_path, "a,b,1\na,x,1\n,b,1\na,b,often\n", ratio=0.9)
    assert [(b.row, b.column, b.reason) for b in data.bad] == [
        (4, "left", "missing value"),
        (5, "same", f"expected {ANSWERS}, not 'often'"),
        (3, "right", "no record 'x' was read"),
    ]
    with pytest.raises(DataError, match="3 of 4 records cannot be used"):
        read(tmp_path, "a,b,1\na,x,1\n,b,1\na,b,often\n")


def test_answers_in_words_and_headers_in_capitals_are_read(tmp_path: Path) -> None:
    text = "Left,Right,Same\na b,a c,yes\na b,d,No\n"
    data = records.read(write(tmp_path / "p.csv", text))
    assert groups(data) == {"1": "a b", "2": "a b", "3": "d"}


def test_words_that_are_not_known_are_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", "left,right,same\na b,a c,Jo!\na b,a d,nix\n")
    with pytest.raises(DataError, match="'jo!' and 'nix', and nothing says which of them") as e:
        records.read(path)
    assert "data.same_is" in e.value.hint
    named = pairs.PairColumns(same_is=("jo!",))
    assert groups(records.read(path, pair_columns=named)) == {"1": "a b", "2": "a b", "3": "a d"}
    with pytest.raises(DataError, match="and never what"):
        records.read(path, pair_columns=pairs.PairColumns(same_is=("joo",)))


def test_spellings_of_a_word_are_one_and_what_each_word_counts_for_is_said(tmp_path: Path) -> None:
    words = ["gleich viel", "Gleich viel", "GLEICH VIEL", "anderes", "Anderes", "unklar"]
    rows = "".join(f"a {i},b {i},{word}\n" for i, word in enumerate(words))
    path = write(tmp_path / "p.csv", "left,right,same\n" + rows)
    with pytest.raises(DataError, match="nothing says which of them means") as e:
        records.read(path)
    assert "data.same_is=[" in e.value.hint and "max_bad_ratio" not in e.value.hint
    told = pairs.PairColumns(same_is=("gleich viel",))
    left_open, note = records.read(path, pair_columns=told).notes
    assert "left out: 'unklar' 1" in left_open
    assert "says the same: 'gleich viel' 3; different: 'anderes' 2" in note


def test_a_column_of_many_texts_is_no_column_of_answers(tmp_path: Path) -> None:
    rows = "".join(f"a {i},b {i},word {'abcdefgh'[i]}\n" for i in range(8))
    with pytest.raises(DataError, match="8 different texts, such as") as e:
        records.read(write(tmp_path / "p.csv", "left,right,same\n" + rows))
    assert "name that in data.same" in e.value.hint


def test_to_leave_out_most_of_a_file_is_never_offered(tmp_path: Path) -> None:
    rows = "".join(f"a,b,{i}\n" for i in range(2, 6))
    with pytest.raises(DataError, match="4 of 4 records cannot be used") as e:
        records.read(write(tmp_path / "p.csv", "left,right,same\n" + rows))
    assert "max_bad_ratio" not in e.value.hint and "setting" in e.value.hint


def test_long_texts_and_long_chains_are_cut_in_what_is_refused(tmp_path: Path) -> None:
    texts = [f"{i} {'very ' * 40}long" for i in range(30)]
    rows = [f"{a},{b},1" for a, b in itertools.pairwise(texts)]
    rows += [f"{texts[0]},{texts[-1]},0", f"{texts[0]},{texts[1]},0"]
    path = write(tmp_path / "p.csv", "left,right,same\n" + "\n".join(rows) + "\n")
    (refused,) = records.read(path, max_bad_ratio=0.2).bad
    assert "0 very" in refused.reason and len(refused.reason) < 250, refused.reason
    listed = write(tmp_path / "r.csv", "id,name\n" + "".join(f"{t},x{t[0]}\n" for t in texts))
    data = records.read(listed, id="id", pairs=path, max_bad_ratio=0.2)
    assert len(data.bad[0].reason) < 700 and "22 more" in data.bad[0].reason, data.bad


def test_grades_and_ids_that_lost_their_zeros_are_refused_with_what_to_do(tmp_path: Path) -> None:
    path = write(tmp_path / "z.csv", "id,name\n007,x\n008,y\n")
    labelled = write(tmp_path / "p.csv", "left,right,same\n7,8,1\n007,008,0.8\n")
    data = records.read(path, id="id", pairs=labelled, max_bad_ratio=1.0)
    assert [b.reason for b in data.bad] == [
        f"expected {ANSWERS}, not '0.8'; of grades, data.same_from says from "
        "which on two are the same",
        "no record '7' was read; did you mean '007'? zeros in front were lost",
        "no record '8' was read; did you mean '008'? zeros in front were lost",
    ]


def test_a_file_without_the_three_columns_is_no_pair_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'same'") as e:
        records.read(write(tmp_path / "p.csv", "left,right\na,b\n"), kind="pairs")
    assert "it has left, right" in e.value.hint and "data.same" in e.value.hint


def test_identities_come_from_one_place(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", "id,who,name\n1,a,x\n2,b,y\n")
    labelled = write(tmp_path / "p.csv", "left,right,same\n1,2,1\n")
    with pytest.raises(DataError, match="identities already"):
        records.read(path, id="id", identity="who", pairs=labelled)
    with pytest.raises(DataError, match="no such file"):
        records.read(path, id="id", pairs=tmp_path / "none.csv")


def test_pairs_of_texts_are_texts_and_the_given_pairs_are_what_is_compared(tmp_path: Path) -> None:
    data = records.read(
        write(tmp_path / "p.csv", "left,right,same\nhow old?,what age?,1\nHow  old?,who?,0\n")
    )
    assert data.modality == "text"
    assert data.payloads() == ["how old?", "what age?", "who?"], "capitals make no second text"
    assert data.identities.tolist() == [0, 0, 1]
    assert data.pairing.given is not None
    assert data.pairing.given.tolist() == [[0, 1], [0, 2]]


def test_given_pairs_stay_what_they_are_where_chains_say_otherwise(tmp_path: Path) -> None:
    """A like B, B like C, A unlike C: all three stand; only the same two cannot be both."""
    text = "left,right,same\nred,crimson,1\ncrimson,scarlet,1\nred,scarlet,0\nred,wine,0\n"
    data = records.read(write(tmp_path / "p.csv", text))
    assert not data.bad
    assert data.pairing.same is not None
    assert data.pairing.same.tolist() == [True, True, False, False]
    again = records.read(write(tmp_path / "q.csv", text + "scarlet,red,1\n"), max_bad_ratio=0.5)
    assert [(b.row, b.column) for b in again.bad] == [(4, "same")]


def test_grades_are_kept_and_cut(tmp_path: Path) -> None:
    text = "left,right,same\na b,a c,5\na b,a d,2.5\na c,a d,4\n"
    named = pairs.PairColumns(same_from=4.0)
    data = records.read(write(tmp_path / "p.csv", text), pair_columns=named)
    assert data.pairing.same is not None and data.pairing.grade is not None
    assert data.pairing.same.tolist() == [True, False, True]
    assert data.pairing.grade.tolist() == [1.0, 0.5, 0.8]
    assert data.pairing.same_from == 0.8
    some = data.pairing.take(np.array([0, 2]))
    assert some.grade is not None and some.grade.tolist() == [0.5]
    other = records.read(write(tmp_path / "q.csv", text.replace("2.5", "3")), pair_columns=named)
    assert other.digest != data.digest, "another grade is another dataset"


def test_what_is_no_finite_number_is_no_grade(tmp_path: Path) -> None:
    rows = ["a b,a c,5", "a b,a d,2,5", "a c,a d,inf", "a c,a e,1_0", "a d,a e,nan"]
    text = "\n".join(["left;right;same", *(row.replace(",", ";", 2) for row in rows)])
    named = pairs.PairColumns(same_from=4.0)
    data = records.read(write(tmp_path / "p.csv", text), pair_columns=named, max_bad_ratio=0.6)
    assert [b.row for b in data.bad] == [4, 5, 6]
    assert data.pairing.grade is not None and data.pairing.grade.tolist() == [1.0, 0.5]


def test_a_triplet_is_two_pairs(tmp_path: Path) -> None:
    text = "q,positive,negative\nhow old,what age,who\nhow old,which age,\n"
    named = pairs.PairColumns("q", "positive", negative="negative")
    data = records.read(
        write(tmp_path / "p.csv", text), kind="pairs", pair_columns=named, max_bad_ratio=0.5
    )
    assert data.payloads() == ["how old", "what age", "which age", "who"]
    assert data.pairing.given is not None and data.pairing.same is not None
    assert data.pairing.given.tolist() == [[0, 1], [0, 3]]
    assert data.pairing.same.tolist() == [True, False]
    assert [(b.row, b.column, b.reason) for b in data.bad] == [(3, "negative", "missing value")]


def test_pairs_of_image_paths_are_images_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "img").mkdir()
    for name in "abc":
        Image.new("L", (8, 8), ord(name)).save(tmp_path / "img" / f"{name}.png")
    labelled = "left,right,same\nimg/a.png,img/b.png,1\nimg/c.png,img/a.png,0\n"
    data = records.read(write(tmp_path / "p.csv", labelled))
    assert data.modality == "image"
    assert data.ids.tolist() == ["img/a.png", "img/b.png", "img/c.png"]
    assert data.identities.tolist() == [0, 0, 1]
    assert data.payloads([2])[0] == (tmp_path / "img/c.png").read_bytes()
    broken = labelled + "img/gone.png,img/a.png,1\n"
    with pytest.raises(DataError, match=r"gone\.png: cannot read the file"):
        records.read(write(tmp_path / "q.csv", broken))


def test_long_chains_are_closed() -> None:
    n = 50_000
    ends = np.arange(n - 1)
    assert len(set(chains.closure(n, ends, ends + 1).tolist())) == 1


@pytest.mark.parametrize("gone", ["3.png", "nope.png"])
def test_pairs_of_images_go_on_without_one_that_is_broken_or_gone(
    tmp_path: Path, gone: str
) -> None:
    for i in range(12):
        Image.fromarray(np.full((8, 8, 3), 20 * i, np.uint8)).save(tmp_path / f"{i}.png")
    (tmp_path / "3.png").write_bytes(b"broken")
    lines = [f"{i}.png,{(i + 1) % 12}.png,{i % 2}" for i in range(12)]
    text = "\n".join(["left,right,same", *lines]).replace("3.png", gone)
    data = records.read(write(tmp_path / "pairs.csv", text), max_bad_ratio=0.2)
    assert data.pairing.given is not None and len(data.pairing.given) == 10
    assert len(data) == 11 and sum(f"no record '{gone}'" in b.reason for b in data.bad) == 2


def test_answers_of_those_who_do_not_know_are_none(tmp_path: Path) -> None:
    data = read(tmp_path, "a,b,yes\nc,d,no\na,c,unsure\ne,f,?\nb,d,Not sure\n")
    assert not data.bad and groups(data)["e"] is None
    (note,) = data.notes
    assert "are left out: 'unsure' 1, '?' 1, 'not sure' 1" in note
    assert not read(tmp_path, "a,b,unsure\nc,d,maybe\n").has_identities
    named = pairs.PairColumns(same_is=("unsure", "yes"))
    path = write(tmp_path / "q.csv", "left,right,same\na,b,unsure\nc,d,no\ne,f,?\n")
    found = records.read(tmp_path / "r.csv", id="id", pairs=path, pair_columns=named)
    assert groups(found)["b"] == "a", "a word that is named says what it is named for"
    assert groups(found)["f"] is None

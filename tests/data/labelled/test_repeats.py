"""Pairs that stand twice are read, counted and named; none of them is refused for that."""

from pathlib import Path

from gemel.data import records


def test_pairs_that_come_again_are_said_and_stay(tmp_path: Path) -> None:
    path = tmp_path / "asked.csv"
    lines = ["a red car,a red cab,yes", "A red cab,a red car,yes", "one,two,no", "three,two,no"]
    path.write_text("\n".join(["left,right,same", *lines, "four,five,yes", "two,three,no"]) + "\n")
    found = records.read(path)
    assert found.n_bad == 0 and found.pairing.given is not None
    assert len(found.pairing.given) == 6
    assert found.notes == (
        f"{path}: 2 pairs stand more than once with one answer, and they count as often: "
        "'a red car' and 'A red cab' in rows 2 and 3",
    )


def test_a_pair_with_both_answers_is_named(tmp_path: Path) -> None:
    path = tmp_path / "asked.csv"
    lines = [f"l{i},r{i},{'yes' if i % 2 else 'no'}" for i in range(30)]
    path.write_text("\n".join(["left,right,same", *lines, "l2,r2,yes", "r4,l4,no"]) + "\n")
    found = records.read(path, max_bad_ratio=0.1)
    assert [b.row for b in found.bad] == [4], "the different one, as before"
    assert found.notes == (
        f"{path}: 1 pair stands more than once with one answer, and it counts as often: "
        "'l4' and 'r4' in rows 6 and 33",
        f"{path}: 1 pair has both answers: 'l2' and 'r2' in rows 4 and 32",
    )


def test_of_pairs_of_ids_it_is_said_as_well(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("id,name\n1,a\n2,b\n3,c\n")
    (tmp_path / "pairs.csv").write_text("left,right,same\n1,2,1\n2,1,1\n")
    found = records.read(tmp_path / "people.csv", id="id", pairs=tmp_path / "pairs.csv")
    assert "1 pair stands more than once" in found.notes[-1]
    plain = records.read(tmp_path / "people.csv", id="id")
    assert plain.notes == found.notes[:-1]

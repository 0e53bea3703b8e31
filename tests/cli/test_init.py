"""`gemel init` always leaves a file that can be mended; it heeds flags and the environment."""

import csv
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.cli.conftest import write_people
from tests.data.sources.formats.test_sheets import workbook

from gemel.config import Config, keys
from gemel.data.records import read

Gemel = Callable[..., Any]


def error_of(said: Any) -> str:
    return next(x for x in said.err.splitlines() if x.startswith("error: "))


def nested(folder: Path) -> None:
    lines = [
        json.dumps(
            {"who": f"p{i // 2}", "name": f"name {i // 2} x{i}", "tags": [i], "at": {"x": 1}}
        )
        for i in range(40)
    ]
    (folder / "x.jsonl").write_text("\n".join(lines) + "\n")


def ragged(folder: Path) -> None:
    rows = [f"p{i // 2},name {i // 2} x{i}" for i in range(40)]
    (folder / "x.csv").write_text("\n".join(["person,name", *rows, "p1", "p2"]) + "\n")


def few(folder: Path) -> None:
    (folder / "x.csv").write_text("person,name\np1,a\np1,b\n" + "p2,c\n" * 3)


def test_a_column_that_may_be_the_identity_is_named_and_not_taken(
    empty: Path, gemel: Gemel
) -> None:
    write_people(empty / "x.csv")
    text = (empty / "x.csv").read_text().replace("person", "ticket", 1)
    (empty / "x.csv").write_text(text)
    said = gemel("init", "x.csv")
    assert said.code == 0 and "rows belong together, --identity 'ticket'" in said.err, said.err
    assert re.search(r"^identity = ", (empty / "gemel.toml").read_text(), re.M) is None
    said = gemel("init", "x.csv", "--force", "--identity", "ticket")
    assert said.code == 0 and "alike elsewhere" not in said.err


CASES = [
    (nested, "x.jsonl", "columns tags, at: lists", ("--set", 'data.ignore=["tags","at"]')),
    (ragged, "x.csv", "2 of 42 records cannot be used", ("--set", "data.max_bad_ratio=0.1")),
    (few, "x.csv", "", ()),
]


@pytest.mark.parametrize(
    ("make", "name", "says", "mended"), CASES, ids=lambda v: getattr(v, "__name__", str(v))[:30]
)
def test_a_file_that_cannot_be_read_yet_leaves_settings_that_say_so(
    empty: Path, gemel: Gemel, make: Any, name: str, says: str, mended: tuple[str, ...]
) -> None:
    make(empty)
    said = gemel("init", name, "--identity", "who") if make is nested else gemel("init", name)
    assert said.code == 1 and says in error_of(said), said.err
    assert "mend gemel.toml, which is written, then: gemel data check" in said.err
    again = gemel("data", "check")
    assert (again.code, error_of(again)) == (1, error_of(said))
    text = (empty / "gemel.toml").read_text()
    assert error_of(said).removeprefix("error: ") in text
    if mended:
        check = gemel("data", "check", *mended)
        assert check.code == 0, check.err
        identity = ("--identity", "who") if make is nested else ()
        fixed = gemel("init", name, *identity, *mended)  # without --force: nobody changed it
        assert fixed.code == 0, fixed.err
        assert gemel("data", "check").code == 0


def test_what_somebody_changed_is_not_written_over(empty: Path, gemel: Gemel) -> None:
    ragged(empty)
    assert gemel("init", "x.csv").code == 1
    path = empty / "gemel.toml"
    path.write_text(path.read_text() + "# mine\n")
    said = gemel("init", "x.csv")
    assert said.code == 1 and "already exists" in said.err and "# mine" in path.read_text()


def test_the_only_table_of_a_folder_is_taken(empty: Path, people: Path, gemel: Gemel) -> None:
    (empty / "data").mkdir()
    table = (empty / "people.csv").rename(empty / "data" / "people.csv")
    said = gemel("init", "data")
    assert said.code == 0, said.err
    assert "note: data holds one table, so this is about data/people.csv" in said.err
    assert Config.load(empty / "gemel.toml").data.path == "data/people.csv"
    (empty / "data" / "more.csv").write_text(table.read_text())
    several = gemel("init", "data", "--force")
    assert several.code == 1
    assert "a folder of 2 tables: more.csv, people.csv" in several.err
    assert "gemel init data/more.csv data/people.csv" in several.err


def test_rows_of_two_records_are_taken_apart(empty: Path, gemel: Gemel) -> None:
    rows = [f"ann {i},rome,anne {i},rome,1\nann {i},rome,bob {i},oslo,0" for i in range(40)]
    head = "left_name,left_city,right_name,right_city,label"
    (empty / "two.csv").write_text("\n".join([head, *rows]) + "\n")
    tried = gemel("init", "two.csv", "--dry-run")
    assert "would write two-records.csv and two-pairs.csv" in tried.err
    assert not (empty / "two-records.csv").exists()
    said = gemel("init", "two.csv")
    assert said.code == 0, said.err
    assert "120 records of 80 identities" in said.err
    facts = json.loads(gemel("data", "check", "--json").out)
    assert [field["name"] for field in facts["fields"]] == ["name", "city"]
    again = gemel("init", "two.csv", "--force")
    assert again.code == 0, again.err
    (empty / "gemel.toml").unlink()
    assert "gemel init two-records.csv --pairs two-pairs.csv" in gemel("init", "two.csv").err


def test_settings_that_are_given_are_used_and_written(
    empty: Path, people: Path, gemel: Gemel
) -> None:
    said = gemel("init", "people.csv", "--set", 'data.ignore=["town"]', "--set", "train.seed=7")
    assert said.code == 0, said.err
    config = Config.load(empty / "gemel.toml")
    assert (config.data.ignore, config.train.seed) == (("town",), 7)
    assert '"town"' not in (empty / "gemel.toml").read_text().partition("[data.columns]")[2]
    wrong = gemel("init", "people.csv", "--force", "--set", "data.ignroe=x")
    assert wrong.code == 1 and "unknown setting data.ignroe" in wrong.err


def test_the_environment_counts_and_is_not_written(
    empty: Path, gemel: Gemel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ragged(empty)
    monkeypatch.setenv("GEMEL__DATA__MAX_BAD_RATIO", "0.1")
    assert gemel("init", "x.csv").code == 0
    assert Config.load(empty / "gemel.toml").data.max_bad_ratio == 0.01


def test_no_file_is_written_for_records_that_are_not_there(empty: Path, gemel: Gemel) -> None:
    assert gemel("init", "none.csv").code == 1
    assert not (empty / "gemel.toml").exists()


def test_the_file_shows_what_matters_and_says_where_the_rest_is(
    empty: Path, people: Path, gemel: Gemel
) -> None:
    assert gemel("init", "people.csv").code == 0
    text = (empty / "gemel.toml").read_text()
    shown = re.findall(r"^(?:# )?(\w+) = ", text, flags=re.M)
    assert 8 < len(shown) < 40 < len(keys())
    assert "gemel config show" in text and "docs/reference/settings.md" in text
    assert len(text.splitlines()) <= 25
    assert max(map(len, text.splitlines())) <= 110
    assert "# read as text: " in text
    assert gemel("config", "show").code == 0


def test_a_path_that_looks_like_a_list_is_a_path(empty: Path, people: Path, gemel: Gemel) -> None:
    people.rename(empty / "[1].csv")
    assert gemel("init", "[1].csv").code == 0
    assert gemel("data", "check").code == 0


def test_what_to_do_first_is_said_where_nothing_is_there(
    empty: Path, people: Path, gemel: Gemel
) -> None:
    assert gemel("init", "people.csv").code == 0
    untrained = gemel("calibrate")
    assert "nothing is trained yet" in untrained.err and "hint: gemel train" in untrained.err
    for words in (("report", "3f2a"), ("report",), ("release", "show", "canary"), ("serve",)):
        said = gemel(*words)
        assert said.code == 1, words
        assert "make a release with: gemel train, then: gemel calibrate" in said.err, said.err


def test_the_demo_asks_for_training_before_it_does_anything(
    empty: Path, gemel: Gemel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemel.cli.train.find_spec", lambda name: None)
    said = gemel("demo", "--no-serve")
    assert said.code == 1 and "pip install 'gemel[train]'" in said.err
    assert not list(empty.iterdir())


def two_files(folder: Path) -> None:
    """The people in two files that call and write things differently."""
    people = list(csv.DictReader((folder / "people.csv").read_text().splitlines()))
    with (folder / "shop.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["nr", "person", "nachname", "ort", "vorname", "geboren"])
        for i, row in enumerate(p for p in people if p["id"].endswith(".1")):
            y, m, d = row["born"].split("-")
            who = row["person"], row["last"], row["town"], row["first"]
            writer.writerow([i, *who, f"{d}/{m}/{y}"])
    firsts = [p for p in people if p["id"].endswith(".0")]
    with (folder / "crm.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, firsts[0].keys())
        writer.writeheader()
        writer.writerows(firsts)


MAP = {"first": "vorname", "last": "nachname", "town": "ort", "born": "geboren"}


def test_two_files_get_a_map_of_their_columns(empty: Path, people: Path, gemel: Gemel) -> None:
    two_files(empty)
    said = gemel("init", "crm.csv", "shop.csv", "--other-id", "nr")
    assert said.code == 0, said.err
    assert "born = geboren: 100% of the values stand in both" in said.err
    config = Config.load(empty / "gemel.toml")
    assert config.other.names == MAP
    assert (config.data.identity, config.data.id, config.other.id) == ("person", "id", "nr")
    assert (config.other.links, config.other.columns) == ("one-to-one", {"geboren": "date:dmy"})
    assert config.calibrate.prior == pytest.approx(1 / 120, rel=0.02)
    check = gemel("data", "check")
    assert check.code == 0 and "records     180" in check.out, check.err


def test_names_of_columns_may_be_of_any_characters(empty: Path, gemel: Gemel) -> None:
    face = "\N{GRINNING FACE}"
    rows = "".join(f"r{i},ann {i % 30},town {i % 7},n{i}\n" for i in range(60))
    (empty / "a.csv").write_text(f'id,"first\nname",{face} town,"not\nthere"\n{rows}', "utf-8")
    rows = rows.replace(",n", ",m").replace("r", "")
    (empty / "b.csv").write_text(f'nr,"first\nname",{face} ort,"extra\ncol"\n{rows}', "utf-8")
    said = gemel("init", "a.csv", "b.csv")
    assert said.code == 0, said.err
    names = {"first\nname": "first\nname", f"{face} town": f"{face} ort"}
    assert Config.load(empty / "gemel.toml").other.names == names
    assert "id is column 'nr', which counts the rows; --other-id names another" in said.err


def test_columns_that_are_one_in_the_other_file_are_mapped_as_one(
    empty: Path, gemel: Gemel
) -> None:
    firsts, lasts, towns = "Ann Bo Cy Dora Eve", "Roth Maier Berg Kim Lund Moss", "Bath Ulm York"
    who = [
        (f, n, f"{1000 + 7 * i}", t, f"{7 * i % 60} {n} Road")
        for i, (f, n, t) in enumerate(itertools.product(*map(str.split, (firsts, lasts, towns))))
    ]
    crm = ["first,last,zip,town,street", *map(",".join, who)]
    shop = ["name;ort;strasse"] + [
        f"{last.upper()}, {first};{code} {town};{' '.join(street.split(maxsplit=1)[::-1])}"
        for first, last, code, town, street in who[::2]
    ]
    (empty / "crm.csv").write_text("\n".join(crm) + "\n")
    (empty / "shop.csv").write_text("\n".join(shop) + "\n")
    said = gemel("init", "crm.csv", "shop.csv")
    assert said.code == 0, said.err
    names = {"last + first": "name", "zip + town": "ort", "street": "strasse"}
    assert Config.load(empty / "gemel.toml").other.names == names
    assert "last + first = name: 100% of the values hold both" in said.err
    assert "street = strasse: 0% of the values stand in both: look whether" in said.err
    assert "not compared" not in said.err + (empty / "gemel.toml").read_text()
    assert gemel("data", "check").code == 0


def test_codes_with_gaps_correspond_and_what_does_not_is_named(empty: Path, gemel: Gemel) -> None:
    codes = [f"40{(i * 7_919_317) % 10**11:011d}" for i in range(300)]
    ours = [f"A{i};thing {i};{code if i % 4 else ''};box" for i, code in enumerate(codes)]
    (empty / "ours.csv").write_text("\n".join(["no;label;EAN;kept in", *ours]) + "\n")
    theirs = [f"S{i},the thing {i},{code if i % 2 else ''}" for i, code in enumerate(codes[:200])]
    (empty / "theirs.csv").write_text("\n".join(["sku,title,gtin", *theirs]) + "\n")
    said = gemel("init", "ours.csv", "theirs.csv", "--id", "no", "--other-id", "sku")
    assert said.code == 0, said.err
    assert Config.load(empty / "gemel.toml").other.names == {"label": "title", "EAN": "gtin"}
    assert "columns that are not compared: kept in; of the other file: none" in said.err


def test_two_files_with_a_file_of_pairs(empty: Path, people: Path, gemel: Gemel) -> None:
    two_files(empty)
    shop = list(csv.DictReader((empty / "shop.csv").read_text().splitlines()))
    lines = [f"{p['nr']};r{p['person'][1:]}.0" for p in shop]
    (empty / "links.csv").write_text("\n".join(["shop;customer", *lines]) + "\n")
    named = ("--other-id", "nr", "--pairs", "links.csv", "--set", 'data.ignore=["person"]')
    said = gemel("init", "crm.csv", "shop.csv", *named)
    assert said.code == 0, said.err
    config = Config.load(empty / "gemel.toml")
    assert (config.data.left, config.data.right, config.data.same) == ("customer", "shop", "")
    assert config.other.names == MAP


def test_pairs_that_name_no_record_of_one_file_say_which_column_would(
    empty: Path, people: Path, gemel: Gemel
) -> None:
    two_files(empty)
    header, *rows = (empty / "shop.csv").read_text().splitlines()
    shop = [header.replace("nr", "part"), *(f"s{row}" for row in rows)]
    (empty / "shop.csv").write_text("\n".join(shop) + "\n")
    links = [f"r{row.split(',')[1][1:]}.0;s{row.split(',')[0]}" for row in rows]
    (empty / "links.csv").write_text("\n".join(["mine;theirs", *links]) + "\n")
    words = ("init", "crm.csv", "shop.csv", "--pairs", "links.csv")
    said = gemel(*words, "--set", 'data.ignore=["person"]', "--set", "other.id=nachname")
    assert error_of(said) == (
        "error: links.csv: 'mine' holds ids of crm.csv; 'theirs': none of shop.csv, whose records "
        "are known by column 'nachname'"
    )
    assert "column 'part' of shop.csv holds them: --other-id 'part'" in said.err


def test_a_column_of_texts_of_many_words_is_read_as_texts(empty: Path, gemel: Gemel) -> None:
    things = ["tap", "roof", "door", "lamp"]
    long = [f"the {t} in room {i} drips {'again and ' * 6}again" for t in things for i in range(9)]
    texts = "\n".join(["id,Description", *(f"t{i},{text}" for i, text in enumerate(long))])
    (empty / "x.csv").write_text(texts)
    said = gemel("init", "x.csv")
    assert said.code == 0, said.err
    assert "texts: column 'Description' is all that is compared" in said.err
    assert Config.load(empty / "gemel.toml", {}, {}).data.kind == "text"
    gemel("init", "x.csv", "--force", "--kind", "rows")
    assert Config.load(empty / "gemel.toml", {}, {}).data.kind == "rows"
    (empty / "x.csv").write_text(texts.replace(f" {'again and ' * 6}", " "))
    gemel("init", "x.csv", "--force")
    assert Config.load(empty / "gemel.toml", {}, {}).data.kind == "rows"


def test_what_is_said_to_be_texts_has_an_id_and_an_index_as_well(empty: Path, gemel: Gemel) -> None:
    lines = [f"{i},{i + 100},{'ab'[i % 2]} said so {i // 2},w{i // 2}" for i in range(60)]
    (empty / "t.csv").write_text("\n".join([",id,text,of", *lines]) + "\n")
    said = gemel("init", "t.csv", "--kind", "text", "--identity", "of")
    assert said.code == 0, said.err
    found = Config.load(empty / "gemel.toml").data
    assert (found.id, found.identity, found.ignore) == ("id", "of", ("column_1",))
    dataset = read("t.csv", kind="text", id="id", identity="of", ignore=found.ignore)
    assert dataset.payloads([0]) == ["a said so 0"]


def test_pairs_of_texts_are_recognised(empty: Path, gemel: Gemel) -> None:
    rows = [
        f"{i},how does one do thing {i} well,way to do thing {i},{['no', 'yes'][i % 2]}"
        for i in range(120)
    ]
    rows.append("120,how does one do thing 3 well,way to do thing 3,no")
    (empty / "q.csv").write_text("\n".join(["id,question1,question2,is_duplicate", *rows]) + "\n")
    said = gemel("init", "q.csv")
    assert said.code == 0, said.err
    assert said.err.count("refused") == 1
    assert "row 122, column is_duplicate: says different, but other pairs join" in said.err
    assert "pairs: columns 'question1' and 'question2'; 'is_duplicate' says" in said.err
    data = Config.load(empty / "gemel.toml").data
    assert (data.kind, data.left, data.right) == ("pairs", "question1", "question2")
    assert data.same == "is_duplicate"


def test_what_looks_like_no_value_is_proposed_in_the_file(gemel: Gemel, empty: Path) -> None:
    lines = [
        f"{i},p{i // 2},name {i},{'n/a' if i % 3 else 'Bonn'},{'-' if i % 5 else 'x'}"
        for i in range(60)
    ]
    (empty / "people.csv").write_text("\n".join(["id,who,name,city,note", *lines]))
    assert gemel("init", "people.csv", "--id", "id", "--identity", "who").code == 0
    text = (empty / "gemel.toml").read_text()
    assert '\n# missing = ["n/a", "-"]  # Found here' in text
    before = gemel("data", "check").err
    assert "'n/a' in 40 of 60 values" in before
    (empty / "gemel.toml").write_text(text.replace("# missing = ", "missing = "))
    after = gemel("data", "check")
    assert after.code == 0 and "'n/a'" not in after.err


@pytest.mark.parametrize(
    ("name", "content"),
    [("x.csv", ""), ("x.csv", "a,b\n"), ("x.parquet", ""), ("x.xlsx", ""), ("x.json", "[]")],
)
def test_a_file_without_records_is_said_to_be_one_and_no_settings_are_written(
    people: Path, gemel: Gemel, name: str, content: str
) -> None:
    people.with_name(name).write_text(content)
    for words in ((name,), ("people.csv", name), (name, "--identity", "a")):
        said = gemel("init", *words)
        assert said.code == 1
        error, hint = said.err.splitlines()
        assert error in (f"error: {name}: the file {w}" for w in ("is empty", "has no records"))
        assert hint.startswith("hint: put records into it") and "data check" not in hint
        assert not people.with_name("gemel.toml").exists()


@pytest.mark.parametrize("said", [(), ("--identity", "person"), ("--set", 'data.missing=["nil"]')])
def test_a_text_that_names_nobody_is_no_identity(
    people: Path, gemel: Gemel, said: tuple[str, ...]
) -> None:
    header, *lines = people.read_text().splitlines()
    for i in range(0, 60):
        cells = lines[i].split(",")
        lines[i] = ",".join([cells[0], "n/a", *cells[2:]])
    people.write_text("\n".join([header, *lines]) + "\n")
    init = gemel("init", "people.csv", *said)
    assert init.code == 0, init.err
    text = people.with_name("gemel.toml").read_text()
    crowd = "identity 'n/a' has 98 % of the genuine comparisons, 60 records where the next has 2"
    if 'data.missing=["nil"]' in said:
        for words in (("data", "check"), ("train", "--dry-run")):
            assert crowd in gemel(*words).err
        assert 'if it means no value, data.missing = ["nil", "n/a"]' in init.err
    else:
        assert re.search(r'^missing = \["n/a"\]', text, re.M), text
        assert "column 'person' names nobody with 'n/a' in 60 records: read as no value" in init.err
        check = gemel("data", "check").err
        assert crowd not in check and "60 records without person" in check


def test_an_index_is_no_column_of_pairs_nor_a_field(people: Path, gemel: Gemel) -> None:
    texts = [f"the {thing} in {room} drips" for thing in ("tap", "roof") for room in "abcdefghij"]
    for answers in (("yes", "no"), ("1", "0")):
        lines = [f"{i * 2}\t{t}\tin there: {t}\t{answers[i % 2]}" for i, t in enumerate(texts)]
        header = "\tsentence A\tsentence B\tverdict"
        people.with_name("p.tsv").write_text("\n".join([header, *lines]))
        assert gemel("init", "p.tsv", "--force").code == 0
        data = Config.load(people.with_name("gemel.toml"), {}, {}).data
        assert (data.kind, data.left, data.right, data.same) == (
            "pairs", "sentence A", "sentence B", "verdict"
        )  # fmt: skip
    header, *lines = people.read_text().splitlines()
    rows = [f",{header}", *(f"{i},{line}" for i, line in enumerate(lines))]
    people.write_text("\n".join(rows) + "\n")
    said = gemel("init", "people.csv", "--force")
    assert said.code == 0 and "column 'column_1' counts the rows: left out" in said.err
    assert "column_1" not in gemel("data", "check").out


def test_what_is_set_counts_as_a_flag_does(empty: Path, gemel: Gemel) -> None:
    rows = [f"{i % 2},one text of {i},other text of {i}" for i in range(20)]
    (empty / "x.csv").write_text("\n".join(["label,text a,text b", *rows]))
    for kind in ("rows", "pairs"):
        for words in (("--set", f"data.kind={kind}"), ("--kind", kind)):
            gemel("init", "x.csv", "--force", *words)
            assert Config.load(empty / "gemel.toml", {}, {}).data.kind == kind
    gemel("init", "x.csv", "--force", "--set", "data.kind=rows", "--set", "data.identity=text a")
    assert Config.load(empty / "gemel.toml", {}, {}).data.identity == "text a"


def test_a_row_without_an_id_is_refused_and_the_column_kept(people: Path, gemel: Gemel) -> None:
    lines = people.read_text().splitlines()[:41]
    people.write_text("\n".join([*lines[:20], "", ",,,,,", *lines[20:], ",,Sum,,,"]) + "\n")
    said = gemel("init", "people.csv", "--force")
    assert said.code == 0, said.err
    assert "1 record without id: more than usual may be refused" in said.err
    assert "refused: people.csv, row 44, column id: missing id" in said.err
    assert said.err.count("refused:") == 1
    data = Config.load(people.with_name("gemel.toml"), {}, {}).data
    assert (data.id, data.max_bad_ratio) == ("id", 0.03)


def test_files_that_stop_the_reading_are_named_with_the_setting(empty: Path, gemel: Gemel) -> None:
    (empty / "photos").mkdir()
    for i in range(100):
        name, size = empty / "photos" / f"{i}.png", (4 + i, 5)
        Image.new("RGB", size, (i, i, i)).save(name)
    for i in range(4):
        (empty / "photos" / f"{i}.png").write_bytes(b"\x89PNG no more")
    few = gemel("init", "photos")
    assert few.code == 0 and few.err.count("refused: ") == 4, few.err
    for i in range(11):
        (empty / "photos" / f"{i}.png").write_bytes(b"\x89PNG no more")
    said = gemel("init", "photos", "--force")
    assert said.code == 1 and "11 of 100 records" in said.err and "; 8 more" in said.err, said.err
    assert "the limit is 10 files that are at most 10% of all, or 1.0% of all" in said.err
    assert "--set data.max_bad_ratio=0.11, or under [data]" in said.err
    text = (empty / "gemel.toml").read_text()
    assert re.search(r"^# max_bad_ratio = 0.01 ", text, re.M)
    assert gemel("init", "photos", "--force", "--set", "data.max_bad_ratio=0.11").code == 0


def test_records_that_all_say_the_same_are_said_before_training(empty: Path, gemel: Gemel) -> None:
    (empty / "x.csv").write_text("name,city,zip\n" + "Anna Huber,Wien,1010\n" * 40)
    for words in (("init", "x.csv"), ("data", "check")):
        said = gemel(*words)
        assert said.code == 1 and "all 40 records say the same" in said.err, said.err


def test_a_column_of_times_is_said_to_be_compared(people: Path, gemel: Gemel) -> None:
    header, *lines = people.read_text().splitlines()
    rows = [f"{line},2026-0{i % 9 + 1}-11T{i % 24:02}:17:00Z" for i, line in enumerate(lines)]
    people.write_text("\n".join([f"{header},seen_at", *rows]) + "\n")
    said = gemel("init", "people.csv", "--force")
    assert "column 'seen_at' holds days or times, and is compared" in said.err
    assert "'born' holds" not in said.err


def test_a_sheet_that_is_named_is_read_and_written_down(empty: Path, gemel: Gemel) -> None:
    people = [["id", "name"], *([i, f"name {i}"] for i in range(30))]
    goods = [["sku", "what"], *([f"s{i}", f"thing {i}"] for i in range(40))]
    workbook(empty / "x.xlsx", people=people, goods=goods)
    said = gemel("init", "x.xlsx")
    assert said.code == 0 and "30 records" in said.err and "'goods', which data.sheet" in said.err
    assert gemel("init", "x.xlsx", "--force", "--set", "data.sheet=goods").code == 0
    assert Config.load(empty / "gemel.toml").data.sheet == "goods"
    assert re.search(r"^records +40$", gemel("data", "check").out, re.M)
    workbook(empty / "x2.xlsx", cover=[["a", "b"], ["c", "d"]], people=people)
    two = gemel("init", "x.xlsx", "x2.xlsx", "--force", "--set", "other.sheet=people")
    assert two.code == 0 and "60 records" in two.err, two.err


def test_an_encoding_that_is_named_is_written_down_and_holds_for_every_file(
    empty: Path, gemel: Gemel
) -> None:
    for name in ("x.csv", "y.csv"):
        rows = "".join(f"{i},Jiří {i},Plzeň\n" for i in range(30))
        (empty / name).write_bytes(f"id,jméno,obec\n{rows}".encode("cp1250"))
    assert "--set data.encoding=cp1250" in gemel("init", "x.csv", "--dry-run").err
    for files in (["x.csv"], ["x.csv", "y.csv"]):
        said = gemel("init", *files, "--force", "--set", "data.encoding=cp1250")
        assert said.code == 0, said.err
        assert Config.load(empty / "gemel.toml").data.encoding == "cp1250"
        assert "jméno (" in gemel("data", "check").out


def test_pairs_that_answer_in_own_words_are_named_and_counted(empty: Path, gemel: Gemel) -> None:
    texts = ["who is it that comes so late", "a rider in the wind", "my son, it is the mist", "ah"]
    words = ["gleich viel", "Gleich viel", "anders", "Anders", "unklar"]
    rows = [
        f"{i}\t{'mjk'[i % 3]}\t{texts[i % 4]} {i} again and again\t{texts[(i + 1) % 4]} {i} and "
        f"so it is again\t{words[i % 5]}"
        for i in range(60)
    ]
    for column in ("urteil", "eindruck"):
        table = "\n".join([f"nr\twer\tsatz_a\tsatz_b\t{column}", *rows, ""])
        (empty / f"{column}.tsv").write_text(table)
    asked = gemel("init", "urteil.tsv", "--force")
    assert asked.code == 1 and "'urteil' says whether they are the same" in asked.err
    assert "data.same_is" in asked.err and "max_bad_ratio" not in asked.err
    said = gemel("init", "urteil.tsv", "--force", "--set", 'data.same_is=["gleich viel"]')
    assert said.code == 0 and "different: 'anders' 24\n" in said.err, said.err
    assert "which are left out: 'unklar' 12\n" in said.err
    unsure = gemel("init", "eindruck.tsv", "--force")
    assert "'satz_a' and 'satz_b' may be two sides of a pair" in unsure.err, unsure.err
    assert "--kind pairs --set data.same='wer' or --set data.same='eindruck'" in unsure.err
    named = gemel(
        "init", "eindruck.tsv", "--force", "--kind", "pairs", "--set", "data.same=eindruck"
    )
    assert "'eindruck' says whether they are the same" in named.err and "data.same_is" in named.err

"""Whatever a user gets wrong: one line says what and where, one line says what to do, no traceback.

Each row of the table is a command line in a project that was sound until `prepare` damaged it.
"""

import base64
import io
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

Gemel = Callable[..., Any]
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


def put(name: str, text: str | bytes) -> Callable[[Path], None]:
    """A file of that content."""

    def prepare(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return prepare


def both(*steps: Callable[[Path], None]) -> Callable[[Path], None]:
    """One after the other."""

    def prepare(folder: Path) -> None:
        for step in steps:
            step(folder)

    return prepare


def nothing(folder: Path) -> None:
    """The project as it is."""


def settings(text: str) -> Callable[[Path], None]:
    """A gemel.toml of that content."""
    return put("gemel.toml", text)


def pictures(folder: Path) -> None:
    """Three classes of three images, and one file of each that is none."""
    rng = np.random.default_rng(0)
    for name in "abc":
        (folder / "pictures" / name).mkdir(parents=True)
        for i in range(3):
            pixels = rng.integers(0, 255, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "pictures" / name / f"{i}.png")
        (folder / "pictures" / name / "broken.png").write_bytes(PNG[:30])


def sound_pictures(folder: Path) -> None:
    """The same without the files that are none."""
    pictures(folder)
    for path in (folder / "pictures").rglob("broken.png"):
        path.unlink()


def bomb(folder: Path) -> None:
    """An image of a few bytes that says it has many pixels."""
    buffer = io.BytesIO()
    Image.new("1", (1, 1)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    (folder / "bombs" / "x").mkdir(parents=True)
    (folder / "bombs" / "x" / "bomb.png").write_bytes(bytes(data))


def release_file(folder: Path, name: str) -> Path:
    (release,) = (folder / ".gemel" / "releases").iterdir()
    return release / name


def changed(name: str) -> Callable[[Path], None]:
    """One byte of a file of the release, flipped."""

    def prepare(folder: Path) -> None:
        path = release_file(folder, name)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))

    return prepare


def missing(name: str) -> Callable[[Path], None]:
    """A file of the release, gone."""
    return lambda folder: release_file(folder, name).unlink()


def damaged_gallery(folder: Path) -> None:
    """A database that is none."""
    path = next((folder / ".gemel" / "gallery").rglob("*.db"))
    path.write_bytes(b"x" * 9000)


def forged_ledger(folder: Path) -> None:
    """An entry changed behind the ledger's back."""
    with sqlite3.connect(folder / ".gemel" / "ledger.db") as c:
        (table,) = next(
            c.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%prev%' AND type = 'table'")
        )
        for (trigger,) in list(c.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")):
            c.execute(f"DROP TRIGGER {trigger}")
        column = next(
            row[1] for row in c.execute(f"PRAGMA table_info({table})") if row[1] in ("body", "text")
        )
        c.execute(f"UPDATE {table} SET {column} = '{{}}' WHERE seq = 1")
    c.close()


def parquet(folder: Path) -> None:
    """The records, as the format that duplicates are written in."""
    pl.read_csv(folder / "people.csv", infer_schema=False).write_parquet(folder / "x.parquet")


def two_sides(folder: Path) -> None:
    """One person under two names, once in each of many identities."""
    lines = ["person,name"]
    for i in range(12):
        lines += [f"a{i},margarethe number {i} of the long street", f"a{i},margarete nr {i}"]
        lines += [f"b{i},margarethe number {i} of the long street", f"b{i},other words here {i}"]
    put("leak.csv", "\n".join(lines) + "\n")(folder)


@dataclass(frozen=True)
class Bad:
    """A command line, what it has to say, and how it has to end."""

    words: str
    says: str
    prepare: Callable[[Path], object] = nothing
    code: int = 1
    where: str = ""
    hint: str = ""
    environ: dict[str, str] = field(default_factory=dict, hash=False)


ROWS = "person,name\n" + "".join(f"p{i // 2},name {i}\n" for i in range(40))
DOUBLE = "id,first,last,town,born\na,otto,weber,ulm,1950-01-02\na,otto,weber,ulm,1950-01-02\n"
DATA = '[data]\npath = "x.csv"\nidentity = "person"\n'

TABLE = [
    # two files, and pairs
    Bad("init people.csv none.csv --force", "no such file or folder", where="none.csv"),
    Bad("init people.csv people.csv --force", "the same file twice", hint="gemel duplicates"),
    Bad("init people.csv pictures --force", "a folder, two files are linked", pictures),
    Bad("init people.csv y.csv --force", "no column of one name",
        put("y.csv", "a;b\n" + "q;w\n" * 9), where="y.csv", hint="[other.names]"),
    Bad("init people.csv y.csv --force --other-id nr", "no column 'nr'",
        put("y.csv", "first,last\nanna,koch\n"), where="y.csv", hint="columns: first, last"),
    Bad("init pictures --identity brand --force", "a folder of files has no columns", pictures,
        hint="sub-folder"),
    Bad("duplicates peopel.csv", "no such file", where="peopel.csv", hint="mean people.csv?"),
    Bad("label --answers peopel.csv", "no such file", where="peopel.csv", hint="mean people.csv?"),
    Bad("label --answers people.csv", "no column 'left'", where="people.csv",
        hint="answers have left, right and same"),
    Bad("link", "no second file is named", where="other.path", hint="gemel init FILE OTHER"),
    Bad("link people.csv", "one file is named, two are linked", where="people.csv"),
    Bad("link people.csv none.csv --id id", "no such file", where="none.csv"),
    Bad("link people.csv y.csv --id id -o links.txt", "the name has to end in .parquet or .csv",
        put("y.csv", "first,last\nanna,koch\n")),
    Bad("link people.csv y.csv --id id", "no column 'town'",
        put("y.csv", "first,last\nanna,koch\n"), where="y.csv", hint="columns: first, last"),
    Bad("link people.csv people.csv --id id --other-id id", "the same records on both sides"),
    Bad("link --links one", "other.links = 'one'", hint="one of one-to-one"),
    Bad("data check", "no column 'vornam' to compare, which other.names says", both(
        put("y.csv", "vorname\nanna\n"), settings(
            '[data]\npath = "people.csv"\n[other]\npath = "y.csv"\n'
            '[other.names]\nfirst = "vornam"\n')), where="y.csv", hint="vorname"),
    Bad("data check", "of grades, data.same_from says from which on", both(
        put("p.csv", "left,right,same\n" + "how so,what for,3.5\n" * 9), settings(
            '[data]\npath = "p.csv"\nkind = "pairs"\n')), where="p.csv"),
    Bad("data check", "no column 'answer'", both(
        put("p.csv", "left,right,same\na b,c d,1\n"), settings(
            '[data]\npath = "p.csv"\nkind = "pairs"\nsame = "answer"\n')), hint="data.same"),
    Bad("init x.xlsx --force", "cannot read the spreadsheet", put("x.xlsx", "PK"),
        where="x.xlsx", hint="CSV UTF-8"),
    # the command line
    Bad("tran", "No such command 'tran'", code=2),
    Bad("identify first=anna", "did you mean gemel gallery identify?", code=2),
    Bad("promote abcd", "did you mean gemel release promote?", code=2),
    Bad("release", "", code=2),
    Bad("release promot abcd", "No such command", code=2),
    Bad("release promote", "Missing argument", code=2),
    Bad("train --epochs 3", "No such option", code=2, hint="gemel train --set train.max_epochs="),
    Bad("data check --same-record x", "No such option", code=2, hint="--set data.same_record="),
    Bad("train --nonsense 3", "No such option", code=2, hint="hint: gemel train --help"),
    Bad("serve --port http", "--port", code=2),
    Bad("serve --port 70000", "--port", code=2),
    Bad("gallery search name=x -k 0", "-k", code=2),
    Bad("demo --rows 5", "--rows", code=2),
    Bad("config show --set train.seed", "is not SECTION.KEY=VALUE"),
    Bad("config show --set train.sed=1", "unknown setting train.sed"),
    Bad("config show --set train.seed=one", "train.seed = 'one'"),
    Bad("config show -c none.toml", "no such file", where="none.toml"),
    Bad("calibrate --fmr 0 --dry-run", "does not lie between 0 and 1", code=2),
    Bad("calibrate --recall 1", "does not lie between 0 and 1", code=2),
    Bad("calibrate --precision 1.5", "does not lie between 0 and 1", code=2),
    Bad("calibrate --cost 0 0 --dry-run", "calibrate.false_match_cost"),
    Bad("calibrate --cost 1 inf --dry-run", "must be above 0 and finite"),
    Bad("calibrate --set calibrate.target=recall --set calibrate.value=1 --dry-run",
        "target recall needs a value", hint="value = 0.99"),
    Bad("calibrate --set train.seed=6 --dry-run", "no run of just these", hint="gemel train"),
    Bad("review answer x --genuine --impostor", "one of --genuine and --impostor", code=2),
    Bad("review answer x", "one of --genuine and --impostor", code=2),
    # settings
    Bad("data check", "not TOML", settings("[data\n"), where="gemel.toml"),
    Bad("data check", "unknown section [dat]", settings("[dat]\n"), where="gemel.toml:1"),
    Bad("data check", "unknown setting data.pth", settings('[data]\npth = "x"\n'), where=":2"),
    Bad("data check", "no records are named", settings("[train]\nseed = 1\n")),
    Bad("data check", "leave nothing to train on", settings("[split]\ndev=0.7\neval=0.7\n")),
    Bad("data check", "expected", settings("[data]\nmax_bad_ratio = 3\n"), where=":2"),
    Bad("data check", "cannot be read", put("gemel.toml", b"\xff\xfe\x00[data]\n")),
    Bad("calibrate --for everything", "error: Invalid value for '--for': 'everything' is not one",
        code=2),
    Bad("calibrate --set calibrate.target=fmr", "needs a value"),
    Bad("calibrate --set calibrate.target=far", "calibrate.target = 'far'"),
    Bad("calibrate --set calibrate.prior=2", "calibrate.prior"),
    Bad("calibrate --prior 1e-300", "between 1e-12 and"),
    Bad("calibrate --set calibrate.valid_days=99999999", "calibrate.valid_days"),
    Bad("train --set train.seed=9999999999999999999999", "train.seed"),
    Bad("calibrate --set stages.bits=256", "stages.bits any more", hint="gallery.engine"),
    # files that would be written
    Bad("duplicates people.csv --id id -o people.csv", "over people.csv, which is read"),
    Bad("duplicates -o nowhere/c.parquet", "no such folder to write to", hint="make it"),
    Bad("duplicates -o x.parquet --pairs x.parquet", "over x.parquet, which is read"),
    Bad(f"duplicates -o {'x' * 300}.parquet", "cannot be written", hint="shorten it"),
    Bad("duplicates x.parquet --id id -o ./x.parquet", "over x.parquet, which is read", parquet),
    Bad("duplicates x.parquet --id id -o link.parquet", "which is read",
        lambda f: (parquet(f), (f / "link.parquet").symlink_to("x.parquet"))),
    Bad("duplicates -o x.parquet --set data.path=x.parquet", "which is read", parquet),
    Bad("report -o gemel.toml", "end in .html", where="--output gemel.toml"),
    Bad("report -o nowhere/x.html", "no such folder to write to", where="nowhere"),
    Bad("report -o x.html", "this is a folder", lambda f: (f / "x.html").mkdir()),
    Bad("init people.csv -o people.csv --force", "end in .toml"),
    # files of rows
    Bad("init none.csv -o y.toml", "no such file", where="none.csv"),
    Bad("init people.csv", "already exists", where="gemel.toml"),
    Bad("init x.csv -o y.toml", "the file is empty", put("x.csv", ""), where="x.csv"),
    Bad("init x.csv -o y.toml", "no records", put("x.csv", "a,b\n"), where="x.csv"),
    Bad("init x.csv -o y.toml", "2 records are too few to tell", put("x.csv", "a,b\n1,2\n3,4\n")),
    Bad("init sub -o y.toml", "no images, texts or recordings", put("sub/a.zip", "PK"),
        where="sub", hint=".tiff; texts .txt .md; recordings .wav"),
    Bad("init sub -o y.toml", "1 record is too few", put("sub/a.txt", "one"), where="sub",
        hint="into a folder of its own"),
    Bad("init x.csv -o y.toml --identity c", "c", put("x.csv", "a,b\n1,2\n"), where="x.csv"),
    Bad("init x.xls -o y.toml", "cannot read the spreadsheet", put("x.xls", "a")),
    Bad("init x.parquet -o y.toml", "", put("x.parquet", "PAR1"), where="x.parquet"),
    Bad("init x.csv -o y.toml", "not a text file", put("x.csv", b"PK\x03\x04" + b"x" * 50)),
    Bad("init x.jsonl -o y.toml", "", put("x.jsonl", '{"a": 1}\n{"a": \n'), where="x.jsonl"),
    Bad("data check", "", both(settings(DATA), put("x.csv", ROWS + "p1\n" * 5))),
    Bad("data check", "", both(settings(DATA), put("x.csv", "person,name\np,x\np,y\n"))),
    Bad("data check --set data.ignore=[\"nme\"]", "nme"),
    Bad('data check --set data.ignore=["person"]', "'person' is ignored", hint="take it off"),
    Bad('data check --set data.ignore=["id"]', "'id' is ignored"),
    Bad('data check --set data.columns={"nme":"text"}', "nme"),
    Bad('data check --set data.columns={"first"="text"}', "data.columns is not JSON",
        hint="""it is written so: --set 'data.columns={"NAME": "..."}'"""),
    Bad('data check --set data.columns={"first":"txt"}', "data.columns"),
    Bad("data check --set data.identity=prson", "prson"),
    Bad(
        "data check --set data.path=leak.csv --set data.id= --set data.same_record=refuse",
        "the splits leak",
        two_sides,
    ),
    Bad("data check --set split.eval_identities=[\"nobody\"]", "no identity 'nobody'"),
    # pairs
    Bad("data check --set data.path=p.csv --set data.identity= --set data.id=", "",
        put("p.csv", "left,right,same\na,b,1\n")),
    Bad("init people.csv -o y.toml --pairs p.csv", "",
        put("p.csv", "left,right,same\nr1.0,r1.1,often\n"), where="p.csv"),
    Bad("init people.csv -o y.toml --pairs p.csv", "",
        put("p.csv", "a,b\nx1,y1\n"), where="p.csv"),
    # images
    Bad("init pictures -o y.toml", "broken.png", pictures),
    Bad("init nopictures -o y.toml", "", lambda f: (f / "nopictures").mkdir()),
    Bad("init bombs -o y.toml", "", bomb, where="bombs"),
    # releases
    Bad("release show abcd", "no release 'abcd'"),
    Bad("release show canary", "canary points at no release"),
    Bad("release promote stable --pointer stabel", "no pointer 'stabel'"),
    Bad("release rollback", "no earlier release"),
    Bad("release show", "manifest.json", changed("manifest.json")),
    Bad("release show", "policy.json", changed("policy.json")),
    Bad("release verify", "encoder.onnx", changed("encoder/encoder.onnx")),
    Bad("release verify", "evidence.json", missing("evidence.json")),
    Bad("report", "evidence.json", changed("evidence.json")),
    Bad("release list", "", put(f".gemel/releases/{'0' * 64}/manifest.json", "{}")),
    Bad("calibrate --set train.seed=5", "no run of just these"),
    Bad("calibrate --set calibrate.target=fmr --set calibrate.value=1e-9", ""),
    # queries and the gallery
    Bad("gallery search anna", "is not NAME=VALUE"),
    Bad("gallery search frist=anna", "unknown field"),
    Bad("gallery search born=yesterday", "expected a date"),
    Bad("gallery search {", "no JSON object"),
    Bad("""gallery search {"first":"a","first":"b"}""", "the key 'first' stands twice"),
    Bad('gallery search {"first":[1]}', "expected text, got list"),
    Bad('gallery search {"first":3}', "expected text"),
    Bad("gallery search first=", "no value"),
    Bad("gallery enroll none.csv", "no such file"),
    Bad("gallery enroll x.csv", "", put("x.csv", "first,last\na,b\n"), where="x.csv"),
    Bad("gallery stats", "", damaged_gallery),
    Bad("gallery stats", "", lambda f: shutil.rmtree(f / ".gemel" / "gallery")),
    Bad("gallery delete r1.0", "there is no gallery here",
        lambda f: shutil.rmtree(f / ".gemel" / "gallery"), hint="gemel gallery enroll"),
    Bad("gallery delete r1.0 --dry-run", "there is no gallery here",
        lambda f: shutil.rmtree(f / ".gemel" / "gallery")),
    Bad("verify r1.0 r1.1" + " --also-left r1.0" * 8, "9 views, expected 1 to 8", where="left"),
    Bad("duplicates none.csv --method zzz", "unknown method 'zzz'"),
    Bad("duplicates none.csv --canonical best", "unknown choice 'best'"),
    Bad("duplicates --canonical newest:town", "'town' holds no dates", hint="born"),
    Bad("release promote stable --force", "--force needs a --reason", code=2),
    Bad("duplicates people.csv people.csv --id id", "same records on both sides",
        hint="give them once"),
    Bad("duplicates people.csv copy.csv --id id", "same records on both sides",
        lambda f: shutil.copy(f / "people.csv", f / "copy.csv")),
    Bad("duplicates one.csv", "one record has no duplicates",
        put("one.csv", "first,last,town,born\notto,weber,ulm,1950-01-02\n"), hint="two records"),
    Bad("gallery stats -r shadow", "shadow points at no release"),
    # the ledger, and serving
    Bad("ledger verify", "entry 1", forged_ledger),
    Bad("serve --host 300.1.1.1", "asks nobody who they are"),
    Bad("serve --set serve.pointer=canary", "serve.pointer"),
    # what strangers get wrong first
    Bad("gemel train", "No such command 'gemel'", code=2),
    Bad("train people.csv", "unexpected extra argument", code=2),
    Bad("init", "Missing argument", code=2),
    Bad("init people.csv shop.csv photos", "unexpected extra argument", code=2),
    Bad("data", "", code=2),
    Bad("data chek", "No such command", code=2),
    Bad("calibrate --fmr", "requires an argument", code=2),
    Bad("calibrate --fmr one", "--fmr", code=2),
    Bad("calibrate --fmr 0.01 --recall 0.9", "", code=2),
    Bad("verify", "Missing argument", code=2),
    Bad("verify r1.0", "Missing argument", code=2),
    Bad("explain", "Missing argument", code=2),
    Bad("compare", "Missing argument", code=2),
    Bad("gallery search", "Missing argument", code=2),
    Bad("gallery delete", "ids, or --where NAME=VALUE", code=2),
    Bad("gallery delete r1.0 --where town=x", "ids, or --where NAME=VALUE", code=2),
    Bad("gallery list --where nowhere=x", "no record has the attribute 'nowhere'"),
    Bad("release rollback --pointer stabel", "no release 'stabel'", hint="did you mean"),
    Bad("release history stabel", "no pointer 'stabel'", hint="did you mean"),
    # init
    Bad("init none.csv --force", "no such file or folder", hint="name records that exist"),
    Bad("init people.csv --force --set data.ignroe=x", "unknown setting data.ignroe",
        hint="did you mean 'ignore'"),
    Bad("init people.csv --force --set ignore=x", "unknown section 'ignore'"),
    Bad('init people.csv --force --set data.ignore=["nme"]', "no column 'nme'"),
    Bad("init people.csv --force --set data.ignore=[name", "is not JSON"),
    Bad("init people.csv --force --set data.max_bad_ratio=2", "data.max_bad_ratio"),
    Bad("init people.csv --force --kind photos", "unknown kind 'photos'",
        hint="rows, images, pairs, audio, image_text, text;"),
    Bad("init people.csv --force --kind texts", "unknown kind 'texts'", hint="did you mean 'text'"),
    Bad("init people.csv --force --identity persn", "no column 'persn'", hint="'person'"),
    Bad("init people.csv --force --id idd", "no column 'idd'", hint="did you mean"),
    Bad("init people.csv --force --pairs none.csv", "no such file"),
    Bad("init x.jsonl --identity who --force", "columns at, tags: lists, objects",
        put("x.jsonl", '{"who": "p", "at": {"x": 1}, "tags": [1], "n": "a"}\n' * 9),
        hint='data.ignore = ["at", "tags"]'),
    Bad("init x.csv --force", "9 records are too few to tell",
        put("x.csv", ",".join(f"c{i}" for i in range(11)) + "\n" + ("1," * 10 + "1\n") * 9),
        hint="c10"),
    Bad("init pictures --force", "broken.png", pictures, hint="mend gemel.toml"),
    Bad("init notes --force", "1 record is too few", put("notes/readme.txt", "x")),
    Bad(f"init {os.fsdecode(bytes([99, 233]))}.csv --force",
        "this name is not UTF-8", hint="rename the file"),
    Bad(f"gallery search first={os.fsdecode(bytes([233]))}", "this name is not UTF-8"),
    # the environment
    Bad("data check", "GEMEL_TRAIN_SEED sets nothing", hint="GEMEL__TRAIN__SEED",
        environ={"GEMEL_TRAIN_SEED": "1"}),
    Bad("data check", "train.seed = 'one'", where="GEMEL__TRAIN__SEED",
        environ={"GEMEL__TRAIN__SEED": "one"}),
    Bad("data check", "unknown setting train.sed", hint="'seed'",
        environ={"GEMEL__TRAIN__SED": "1"}),
    # rows and images for a release
    Bad("gallery enroll x.csv --id id", "duplicate id", put("x.csv", DOUBLE)),
    Bad("gallery enroll x.csv --id id", "unprintable characters",
        put("x.csv", DOUBLE.replace("a,", '"a\nb",'))),
    Bad("gallery enroll x.csv --id id", "fields, the header has",
        put("x.csv", DOUBLE + "1,2\n" * 9)),
    Bad("gallery enroll people.csv --id none", "no column 'none'"),
    Bad("gallery enroll people.csv --label none", "no column 'none'"),
    Bad("gallery enroll pictures", "a row is an object of fields", sound_pictures),
    Bad("gallery enroll --label person", "--label goes only with a file"),
    Bad("duplicates --identity person", "--identity goes only with a file"),
    Bad("gallery classify none.csv", "is not NAME=VALUE"),
    Bad("duplicates pictures", "records of kind image", sound_pictures),
    Bad("duplicates people.csv --id id -o x.txt", "end in .parquet or .csv"),
    Bad("duplicates people.csv --id id -o x.csv --pairs x.csv", "over x.csv, which is read"),
    Bad("duplicates people.csv --id id -o sub", "end in .parquet or .csv",
        lambda f: (f / "sub").mkdir()),
    Bad("duplicates people.csv --max-risk 2", "--max-risk", code=2),
    Bad("train --set train.image_size=32", "row records have no size",
        hint="leave train.image_size out"),
    Bad("train --set train.image_size=1000", "train.image_size"),
    Bad("train --set train.loss=triplets", "triplets"),
    Bad("train --set train.mining=hard --set train.seed=3", "cannot mine 'hard'",
        hint="train.loss = 'triplet'"),
    Bad("train --set train.skip_pauses=true", "records have no pauses"),
    Bad("train --set train.projector=true", "compared part by part",
        hint="leave train.projector out"),
    Bad("train --set train.views_first=2", "told apart as a whole"),
    Bad("train --set train.gradient_checkpointing=true", "no layers of a pretrained network",
        hint="train.chunk"),
    Bad("train --set train.loss=triplet --set train.mining=pml:HardMiner", "has no miner",
        hint="pml:BatchHardMiner"),
    Bad("train --set train.mining=curriculum --set train.seed=3", "cannot mine 'semi-hard'"),
    Bad("data check --set data.separator=; --set data.identity=id", "no two share a label"),
    Bad("data check --set data.depth=-1", "data.depth"),
    Bad("gallery search first=anna --where", "requires an argument", code=2),
    Bad("gallery search first=anna --where town", "is not NAME=VALUE"),
    Bad("compare stable stable", "compared with itself", hint="two different"),
    Bad("compare stable abcd", "no release 'abcd'"),
    Bad("review answer none --genuine", "none"),
    Bad("review accept", "", code=1),
]  # fmt: skip


def test_the_table_is_long_enough() -> None:
    assert len(TABLE) >= 150
    assert len({(bad.words, bad.prepare, *bad.environ) for bad in TABLE}) == len(TABLE)


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.words)
def test_bad_input_is_explained(
    project: Path, gemel: Gemel, bad: Bad, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad.prepare(project)
    for name, value in bad.environ.items():
        monkeypatch.setenv(name, value)
    said = gemel(*bad.words.split(" "))
    assert said.code == bad.code, said.err
    assert "Traceback" not in said.err + said.out
    if not bad.says and bad.code == 2:
        return
    lines = [x for x in said.err.splitlines() if x.startswith(("error: ", "hint: "))]
    assert [x.split(": ")[0] for x in lines] == ["error", "hint"], said.err
    assert bad.says in lines[0] and bad.where in lines[0], lines[0]
    assert bad.hint in lines[1], lines[1]
    assert "error: unexpected" not in lines[0], lines[0]
    assert len(lines[0]) < 500 and len(lines[1]) < 400


def test_a_promotion_that_fails_a_gate_ends_with_three(project: Path, gemel: Gemel) -> None:
    """A release whose evidence is for another threshold than its policy applies."""
    from msgspec.structs import replace

    from gemel.release.store import Store

    store = Store(project / ".gemel")
    good = store.get("stable")
    band = replace(good.policy.verify, threshold=0.9, review_low=0.9, review_high=0.9)
    child = good.child(into=project / "child", policy=replace(good.policy, verify=band))
    store.put(child.folder)
    said = gemel("release", "promote", child.id)
    assert said.code == 3, said.err
    assert "evidence" in said.err.splitlines()[0]
    assert [x.split(": ")[0] for x in said.err.splitlines()[-2:]] == ["error", "hint"]

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.programs import CHROMIUM, require
from tests.serve import small

from gemel.console import pages
from gemel.data.sources.formats import delimited
from gemel.gallery.gallery import Gallery
from gemel.ledger.ledger import Ledger
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service

HOSTILE = "<img src=x onerror=alert(1)>"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--virtual-time-budget=10000",
]


def dumped(url: str, profile: Path) -> str:
    """A page as a browser has built it."""
    require(chromium=CHROMIUM)
    done = subprocess.run(
        [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "--dump-dom", url],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    release = small.release(tmp_path / "release")
    opened = Gallery.open(tmp_path / "gallery", space_id=release.space_id, dim=small.DIM)
    with opened as gallery:
        rows = [{**row, "last": f"{row['last']}{HOSTILE}"} for row in small.ROWS]
        gallery.enroll([f"{HOSTILE}{i}" for i in range(5)], release.encoder.encode(rows), rows)
        service = Service(release, gallery)
        with running(create_app(service, pages=pages.handlers(service))) as url:
            yield url


def test_the_page_loads_nothing_from_elsewhere_and_its_policy_forbids_it(url: str) -> None:
    page = httpx.get(url)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert named
    for path in named:
        assert path.startswith("/"), path
        assert httpx.get(f"{url}{path}").status_code == 200, path
    assert "<style" not in page.text
    assert not re.search(r"<script(?! src)", page.text)
    assert not re.search(r"\s(style|on\w+)=", page.text)


def test_the_script_never_writes_markup(url: str) -> None:
    for name in ("page.js", "file.js", "key.js", "api.js"):
        script = httpx.get(f"{url}/console/{name}").text
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert way not in script


def test_an_unchanged_file_is_not_sent_again(url: str) -> None:
    first = httpx.get(f"{url}/console/page.css")
    again = httpx.get(f"{url}/console/page.css", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_examples_are_records_that_the_service_takes(url: str) -> None:
    given = httpx.get(f"{url}/console/examples").json()
    examples, (low, high) = given["examples"], given["range"]
    assert examples == small.ROWS
    assert low < high
    body = {"left": examples[0], "right": examples[1]}
    assert httpx.post(f"{url}/v1/verify", json=body).status_code == 200


def test_an_unknown_page_is_a_problem_like_any_other(url: str) -> None:
    reply = httpx.get(f"{url}/console/nothing")
    assert (reply.status_code, reply.json()["code"]) == (404, "unknown_path")


def test_a_browser_shows_decisions_and_hostile_values_as_text(url: str, tmp_path: Path) -> None:
    page = dumped(f"{url}/?example=1", tmp_path)
    assert page.count('data-field="born"') == 3
    assert page.count(">Born<input") == 3, "a label, not the name of a column"
    assert re.search(r'class="outcome (match|no_match|review)"', page)
    assert page.count('class="hit"') == 5
    marks = re.findall(r'<b style="left: ([^;"]+)', page)
    assert (len(marks), set(marks)) == (6, {"50%"}), "one threshold stands at one place"
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "<img src=x" not in page
    assert 'class="problem"' not in page.split("<main>")[1]


def test_a_browser_begins_with_an_example_that_leaves_no_trace(tmp_path: Path) -> None:
    release = small.release(tmp_path / "release")
    ledger = Ledger.open(tmp_path / "ledger.db")
    service = Service(release, ledger=ledger)
    with running(create_app(service, pages=pages.handlers(service))) as url:
        page = dumped(url, tmp_path / "profile")
        left, right = httpx.get(f"{url}/console/examples").json()["alike"]
    assert re.search(r'class="outcome (match|no_match|review)"', page)
    assert 'class="problem"' not in page.split("<main>")[1]
    assert not [entry for entry in ledger.entries() if entry.kind == "verify"]
    rows = release.encoder.encode(small.ROWS)
    alike = rows @ rows.T - 2 * np.eye(len(rows))
    assert alike[left, right] == pytest.approx(alike.max(), abs=1e-6)
    shown = page.split("Details</summary>")
    assert len(shown) == 2 and "score" in shown[1] and ">threshold<" not in shown[0]
    assert re.search("genuine of those compared</span>10.0 %", shown[1])


SCRIPTS = ("key.js", "file.js", "page.js")
FIELDS = [{"name": name, "kind": "text"} for name in ("first", "last", "born")]


def ran(script: str, folder: Path, body: str = "", scripts: Sequence[str] = SCRIPTS) -> str:
    """The page that holds the scripts of the console, with what was run after them."""
    texts = [(files("gemel.console") / name).read_text() for name in scripts]
    code = "".join(texts).replace('"use strict";', "").removesuffix("start();\n")
    at = folder / "page.html"
    at.write_text(f"{body}<pre id=out></pre><script>{code}\n{script}</script>", encoding="utf-8")
    return dumped(at.as_uri(), folder / "profile")


def answered(script: str, folder: Path, body: str = "", scripts: Sequence[str] = SCRIPTS) -> Any:
    """The JSON that a script puts into `said`; it may wait."""
    tell = "byId('out').textContent = JSON.stringify(said);"
    page = ran(f"(async () => {{ let said; {script}; {tell} }})()", folder, body, scripts)
    return json.loads(unescape(page.split('<pre id="out">')[1].split("</pre>")[0]))


def read_as(text: str, folder: Path) -> Any:
    script = f"live = {{fields: {json.dumps(FIELDS)}}};\n"
    script += f"try {{ said = records({json.dumps(text)}) }} catch (e) {{ said = e }}"
    return answered(script, folder)


def test_a_browser_reads_a_file_as_it_comes(tmp_path: Path) -> None:
    """Quotes, a separator within them, a mark at the start, lines of Windows, an empty cell."""
    text = '\ufefflast;born;first\r\nO\'Neil;1970;"An;na\r\n""B"""\r\nMeyer;;Bert\r\n\r\n'
    read = read_as(text, tmp_path)
    assert read["given"] == [
        {"id": "line 2", "payload": {"first": 'An;na\n"B"', "last": "O'Neil", "born": "1970"}},
        {"id": "line 4", "payload": {"first": "Bert", "last": "Meyer", "born": None}},
    ]


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("", "the file is empty", None),
        ("first,Last,born\na,b,1\n", "no column last, which the fields ask for", "Last, born"),
        ("a;b\n1;2\n", "no columns first, last, born, which the fields ask for", "has a, b"),
        ("first,last,born\na,b,1\nc,d\n", "1 record", "line 3: left out; 2 fields, the header"),
        ("first,last,born\n" + "a,b,1\n" * 1001, "1001 records", "1,000 at most"),
    ],
)
def test_a_browser_says_what_a_file_lacks(
    text: str, what: str, hint: str | None, tmp_path: Path
) -> None:
    said = read_as(text, tmp_path)
    assert said["detail"] == what
    assert (hint or "") in said.get("hint", "")


@pytest.mark.parametrize(
    "text",
    [
        " first ;last; born\nA;B;1\nC;D;2\n",
        "first;last;born\rA;B;1\rC;D;2\r",
        "sep=;\nfirst;last;born\nA;B;1\nC;D;2\n",
        'first;last;born;"u,v,w,x,y"\nA;B;1;0\nC;D;2;0\n',
    ],
)
def test_a_browser_reads_a_plain_file_as_the_commands_do(text: str, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(text, encoding="utf-8", newline="")
    table = delimited.read(tmp_path / "people.csv")
    read = read_as(text, tmp_path)
    assert read["lines"] == table.rows.tolist()
    wanted = table.frame.select("first", "last", "born").to_dicts()
    assert [r["payload"] for r in read["given"]] == wanted


def test_a_browser_names_some_of_many_lines_that_are_left_out(tmp_path: Path) -> None:
    notes = read_as("first,last,born\n" + "a,b,1\n" * 2 + "a,b\n" * 30, tmp_path)["notes"]
    assert len(notes) == 11 and notes[-1] == "20 more lines left out"


def test_a_browser_plays_no_sound_after_the_last_question(tmp_path: Path) -> None:
    ids = "".join(f"<p id={id}></p>" for id in ("about", "known", "question", "problem", "media"))
    body = f"{ids}<table id=lines></table><button data-said=back></button>"
    script = """
    const count = () => document.querySelectorAll("#media audio").length;
    const sounds = ["data:,", "data:,"];
    shown({ question: { pair: ["a", "b"], lines: [], pictures: [], sounds } });
    const before = count();
    shown({ question: null });
    said = [before, count()]"""
    assert answered(script, tmp_path, body, ("label.js",)) == [2, 0]


def test_a_browser_calls_records_by_the_ids_of_their_file(tmp_path: Path) -> None:
    rows = "id,first,last,born\n{},a,b,1\n{},a,b,1\n"
    assert [r["id"] for r in read_as(rows.format("x", "y"), tmp_path)["given"]] == ["x", "y"]
    given = read_as(rows.format("x", "x"), tmp_path)["given"]
    assert [r["id"] for r in given] == ["line 2", "line 3"]


def test_a_browser_reads_what_windows_and_spreadsheets_write(tmp_path: Path) -> None:
    written = ["Jörg".encode(), "Jörg".encode("cp1252"), "Jörg".encode("utf-16"), b"\x89PNG\0\x90"]
    script = "said = [];"
    for of in written:
        script += f"try {{ said.push(textOf(new Uint8Array({list(of)}).buffer)) }}"
        script += "catch (e) { said.push(e) }\n"
    utf8, western, utf16, none = answered(script, tmp_path)
    assert (utf8["text"], western["text"], utf16["text"]) == ("Jörg", "Jörg", "Jörg")
    assert "read as cp1252" in western["note"] and "note" not in utf8
    assert none["hint"] == "save the file as CSV UTF-8"


def test_a_browser_takes_a_bad_value_for_missing_and_names_its_line(tmp_path: Path) -> None:
    text = "first,last,born\na,b,1970\nc,d,x9\n"
    script = f"""live = {{fields: {json.dumps(FIELDS)}}};
    ask = async (method, path, body) => {{
      const i = body.records.findIndex((r) => r.payload.born === "x9");
      if (i >= 0) throw {{ where: `records[${{i}}].payload.born`, detail: "no number" }};
      return body.records;
    }};
    const read = records({json.dumps(text)});
    said = [await duplicatesOf(read), read.notes]"""
    given, notes = answered(script, tmp_path)
    assert [r["payload"]["born"] for r in given] == ["1970", None]
    assert notes == ["line 3, column born: read as missing; no number"]


def test_a_browser_sends_no_number_that_json_has_not(tmp_path: Path) -> None:
    fields = [{"name": "born", "kind": "number"}]
    script = f"""live = {{fields: {json.dumps(fields)}}};
    buildRow(byId("row"));
    byId("row").querySelector("input").value = "1e400";
    said = [read(byId("row")), placed("left.born"), placed("records[1].payload.born")]"""
    row, *places = answered(script, tmp_path, "<fieldset id=row data-item=left></fieldset>")
    assert row == {"born": "1e400"}, "JSON has no infinite number: it became a missing one"
    assert places == ["Left, Born", "records[1].payload.born"]


def test_a_browser_says_where_a_file_is_no_picture(tmp_path: Path) -> None:
    script = """
    kinds = [{ name: "image", media: "image/*" }];
    picture = "image";
    const row = byId("row");
    buildFile(row, kinds[0]);
    showFile(row, kinds[0], "data:image;base64,AAAA", "x.csv");
    while (document.images.length) await new Promise((done) => setTimeout(done, 20));
    said = row.textContent"""
    said = answered(script, tmp_path, "<fieldset id=row data-item=left></fieldset>")
    assert said == "x.csv, 1 kB: nothing that a browser can show"


def test_a_browser_asks_for_the_key_on_the_page(tmp_path: Path) -> None:
    script = """
    const seen = [], right = "k1";
    fetch = async (path, { headers }) => {
      seen.push(headers.authorization || null);
      return { status: headers.authorization === `Bearer ${right}` ? 200 : 401 };
    };
    const type = async (key) => {
      await new Promise((done) => setTimeout(done));
      const form = document.querySelector("form.key-wanted");
      form.querySelector("input").value = key;
      form.requestSubmit();
      return form.textContent;
    };
    const both = Promise.all([fetchWithKey("/a"), fetchWithKey("/b")]);
    const words = [await type("nope"), await type(right)];
    said = [(await both).map((r) => r.status), words, document.querySelectorAll("form").length]"""
    statuses, words, left = answered(script, tmp_path)
    assert (statuses, left) == ([200, 200], 0)
    assert "asks for a key" in words[0] and "does not take this key" in words[1]


def test_a_browser_says_what_is_not_known_and_no_figure_instead(tmp_path: Path) -> None:
    """The head of the page shows the figures as the service words them."""
    script = (files("gemel.console") / "page.js").read_text().removesuffix("start();\n")
    ids = "".join(f"<p id={id}></p>" for id in ("name", "about", "ids", "promise", "search"))
    given = [
        ["right matches (precision)", "99 %", "96 to 100 %"],
        ["missed pairs", "not known", ""],
    ]
    live = {"name": "", "release": "0" * 64, "space": "1" * 64, "created": "2026-11-30"}
    live |= {"records": None, "operating_points": {"figures": given, "sentence": "So."}}
    (tmp_path / "page.html").write_text(
        f"{ids}<dl id=facts></dl><script>{script}\nlive = {json.dumps(live)}; showRelease();"
        "</script>",
        encoding="utf-8",
    )
    page = dumped((tmp_path / "page.html").as_uri(), tmp_path / "profile")
    facts = page.split('<dl id="facts">')[1].split("</dl>")[0]
    assert re.findall(r"<dt[^>]*>([^<]+)</dt><dd[^>]*>([^<]+)", facts) == [
        ("Right matches (precision)", "99 % "),
        ("Missed pairs", "not known"),
    ]


def test_a_browser_says_what_a_probability_is(tmp_path: Path) -> None:
    script = """said = ["estimated", "at least", "unproven", "of no chance"].map(
        (is) => chance({ probability: 0.98, probability_is: is }).textContent)"""
    assert answered(script, tmp_path) == [
        "probability of a match98.0 %",
        "probability of a matchat least 98.0 %",
        "probability of a match98.0 %, unproven",
        "probability that it is no chance98.0 %",
    ]


def test_a_browser_folds_fields_that_no_example_has(tmp_path: Path) -> None:
    script = (files("gemel.console") / "page.js").read_text().removesuffix("start();\n")
    fields = [{"name": name, "kind": "text"} for name in ("first", "fax", "last")]
    given = [{"first": "Ann", "fax": None, "last": None}, {"first": "Bo", "last": "Ek", "fax": ""}]
    (tmp_path / "page.html").write_text(
        f"<fieldset id=row></fieldset><script>{script}\nlive = {{fields: {json.dumps(fields)}}};"
        f"examples = {json.dumps(given)}; buildRow(byId('row'));</script>",
        encoding="utf-8",
    )
    page = dumped((tmp_path / "page.html").as_uri(), tmp_path / "profile")
    shown, folded = page.split('<fieldset id="row">')[1].split("</fieldset>")[0].split("<details")
    assert re.findall('data-field="([^"]+)"', shown) == ["first", "last"]
    assert re.findall('data-field="([^"]+)"', folded) == ["fax"]


def test_a_browser_shows_the_routes(url: str, tmp_path: Path) -> None:
    page = dumped(f"{url}/console/api.html", tmp_path)
    routes = httpx.get(f"{url}/openapi.json").json()["paths"]
    for path in routes:
        assert f'<code class="">{path}</code>' in page or f"<code>{path}</code>" in page, path
    assert "<dt><code>left</code></dt>" in page
    assert "gemel.serve." not in page and "null or null" not in page
    assert page.count("<strong>An item</strong>") == 1
    assert "<dd>item or list of items" in page
    assert (
        page.count("For example</h2><pre>{") > 3 and f'"first": "{small.ROWS[0]["first"]}"' in page
    )
    assert 'class="problem"' not in page.split("<main")[1]


def test_a_browser_shows_why(url: str, tmp_path: Path) -> None:
    page = dumped(f"{url}/?example=why", tmp_path)
    fields, words = 3, 3  # the record that is found has markup in its last name
    assert page.count('class="worth"') == fields + words
    assert "<dt>Last<small>" in page
    assert "onerror=alert(1)&gt;<small>" in page
    assert 'class="problem"' not in page.split("<main>")[1]


def test_a_browser_tints_both_images(tmp_path: Path) -> None:
    service = Service(small.image_release(tmp_path / "release"))
    with running(create_app(service, pages=pages.handlers(service))) as url:
        page = dumped(f"{url}/?example=why", tmp_path / "profile")
    assert page.count('class="map"') == 2
    assert page.count('<i class="for"') + page.count('<i class="against"') > 60

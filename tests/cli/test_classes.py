"""Classification from the command line, in a project of people."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Gemel = Callable[..., Any]


def test_people_are_classes_and_a_stranger_is_unknown(project: Path, gemel: Gemel) -> None:
    listed = json.loads(gemel("gallery", "classes", "--json").out)
    assert (len(listed["classes"]), listed["supports"]) == (120, 180)
    assert listed["label"] == "person" and listed["classes"][0]["supports"] == 2
    said = gemel("gallery", "search", "last=weber", "-k", "1", "--json")
    hit = json.loads(said.out)[0]
    row = {name: hit[name] for name in ("first", "last", "town", "born")}
    reply = json.loads(gemel("gallery", "classify", json.dumps(row), "--json", "-k", "3").out)
    assert reply["label"] == hit["person"] and reply["outcome"] == "class"
    assert len(reply["classes"]) == 3 and reply["classes"][0]["support_id"]
    words = [f"{name}={value}" for name, value in row.items()]
    shown = gemel("gallery", "classify", *words).out
    assert "outcome" in shown and re.search(rf"^class +{hit['person']}$", shown, re.M)
    assert "None" not in shown and "probability" not in shown
    said = gemel("gallery", "classify", *words)
    assert "no probabilities: the release has no policy of classes" in said.err
    assert "supports" in gemel("gallery", "classes").out


def test_a_file_is_classified_and_a_new_class_is_enrolled_from_a_file(
    project: Path, gemel: Gemel
) -> None:
    head = "key,who,first,last,town,born\n"
    (project / "new.csv").write_text(
        head + "n1,zz,quentin,xylander,qqxxyyzz,1911-11-11\n"
        "n2,zz,quentin,xylandre,qqxxyyzz,1911-11-11\n"
    )
    ask = ("gallery", "classify", "new.csv", "--id", "key", "--label", "who", "--json")
    refused = gemel(*ask)
    assert refused.code == 1 and "no record has the attribute 'who'" in refused.err
    done = gemel("gallery", "enroll", "new.csv", "--id", "key", "--label", "who", "--json")
    assert json.loads(done.out)["added"] == 2
    replies = json.loads(gemel(*ask).out)
    assert [(r["id"], r["classes"][0]["label"]) for r in replies] == [("n1", "zz"), ("n2", "zz")]
    said = gemel(*ask[:-1])
    assert "n1" in said.out and "n2" in said.out
    assert gemel("gallery", "delete", "n1", "n2").code == 0
    assert gemel(*ask).code == 1


def test_bad_input_is_an_error_with_a_hint(project: Path, gemel: Gemel) -> None:
    for words in (
        ("classify", "first=anna", "--label", "nope"),
        ("classify", "{broken"),
        ("classify", "fist=anna"),
        ("classes", "--label", "nope"),
        ("enroll", "--label", "who"),
    ):
        said = gemel("gallery", *words)
        assert said.code == 1 and "hint:" in said.err and "Traceback" not in said.err, words
    assert gemel("gallery", "classify", "first=anna", "-k", "0").code == 2


def test_classes_that_are_about_as_likely_stand_in_both_tables(project: Path, gemel: Gemel) -> None:
    line = "quentin,xylander,qqxxyyzz,1911-11-11"
    lines = [f"n{i},z{i},{line}" for i in range(5)]
    (project / "new.csv").write_text("\n".join(["key,who,first,last,town,born", *lines]) + "\n")
    assert gemel("gallery", "enroll", "new.csv", "--id", "key", "--label", "who").code == 0
    ask = ("gallery", "classify", "--label", "who")
    words = ("first=quentin", "last=xylander", "town=qqxxyyzz", "born=1911-11-11")
    one = gemel(*ask, *words).out
    assert re.search(r"^or as likely +z\d, z\d, z\d, \.\.\.$", one, re.M), one
    many = gemel(*ask, "new.csv", "--id", "key")
    assert many.out.splitlines()[0].split()[4:7] == ["or", "as", "likely"]
    assert "for 5 another class is more than a third as likely" in many.err
    assert len(json.loads(gemel(*ask, *words, "--json").out)["as_likely"]) == 4

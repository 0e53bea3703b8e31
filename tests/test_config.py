"""Settings: where values come from, and what happens to wrong ones."""

import shlex
from pathlib import Path

import pytest

from gemel.config import Config, describe, keys
from gemel.errors import ConfigError
from gemel.settings import SECTIONS


def write(folder: Path, text: str) -> Path:
    path = folder / "gemel.toml"
    path.write_text(text)
    return path


def test_a_later_source_overrules_an_earlier_one_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, "[train]\nseed = 1\nmax_epochs = 2\npatience = 3\n")
    environ = {"GEMEL__TRAIN__MAX_EPOCHS": "20", "GEMEL__TRAIN__PATIENCE": "30", "HOME": "/"}
    config = Config.load(path, environ, {"train.patience": 300})
    assert (config.train.seed, config.train.max_epochs, config.train.patience) == (1, 20, 300)
    origins = {k: config.origins[f"train.{k}"] for k in ("size", "seed", "max_epochs", "patience")}
    assert origins == {
        "size": "default",
        "seed": f"{path}:2",
        "max_epochs": "environment GEMEL__TRAIN__MAX_EPOCHS",
        "patience": "flag train.patience",
    }


def test_without_any_source_all_values_are_defaults() -> None:
    config = Config.load()
    assert {origin for _, _, origin in config.items()} == {"default"}
    assert [key for key, _, _ in config.items()] == keys()


def test_every_setting_says_what_it_means() -> None:
    assert all(len(describe(key)) > 8 for key in keys())
    assert all(struct.__doc__ for struct in SECTIONS.values())


def test_paths_start_from_the_folder_of_the_file(tmp_path: Path) -> None:
    config = Config.load(write(tmp_path, '[data]\npath = "records.csv"\n'))
    assert config.at(config.data.path) == tmp_path / "records.csv"
    assert config.at("/elsewhere/x") == Path("/elsewhere/x")


def test_a_list_is_taken_as_the_hint_writes_it(tmp_path: Path) -> None:
    """Quoted for a shell, it is a text in a file, and refused once more."""
    file = tmp_path / "gemel.toml"
    file.write_text("[serve]\nallowed_hosts = 'a.b'\n")
    with pytest.raises(ConfigError) as of_file:
        Config.load(file, {})
    file.write_text(f"[serve]\nallowed_hosts = {str(of_file.value.hint).partition(': ')[2]}\n")
    assert Config.load(file, {}).serve.allowed_hosts == ("one", "another")
    variable = "GEMEL__SERVE__ALLOWED_HOSTS"
    with pytest.raises(ConfigError) as of_shell:
        Config.load(None, {variable: "a.b"})
    (said,) = shlex.split(str(of_shell.value.hint).partition(": ")[2])
    assert Config.load(None, {variable: said}).serve.allowed_hosts == ("one", "another")


@pytest.mark.parametrize("quoted", ['"all-MiniLM-L6-v2"', "'all-MiniLM-L6-v2'", "all-MiniLM-L6-v2"])
def test_a_text_is_taken_in_quotes_as_a_file_has_it(quoted: str) -> None:
    assert Config.load(None, {}, {"train.backbone": quoted}).train.backbone == "all-MiniLM-L6-v2"
    config = Config.load(None, {"GEMEL__TRAIN__BACKBONE": quoted})
    assert config.train.backbone == "all-MiniLM-L6-v2"
    apart = Config.load(None, {}, {"data.path": "'it's'", "data.id": '"'})
    assert (apart.data.path, apart.data.id) == ("'it's'", '"')


def test_values_from_the_environment_are_read_by_their_type() -> None:
    config = Config.load(
        environ={
            "GEMEL__DATA__IGNORE": '["note", "source"]',
            "GEMEL__DATA__COLUMNS": '{"zip": "text"}',
            "GEMEL__CALIBRATE__PRIOR": "0.25",
            "GEMEL__DATA__IDENTITY": "",
        }
    )
    assert config.data.ignore == ("note", "source")
    assert config.data.columns == {"zip": "text"}
    assert config.calibrate.prior == 0.25
    assert config.data.identity is None


@pytest.mark.parametrize(
    ("text", "where", "what", "hint"),
    [
        ("[calibrate]\nintervals = 'mean'\n", ":2", "any more", "take the line out"),
        ("[stages]\nbits = 256\n", ":2", "any more", "gallery.engine = 'sketch'"),
        ("[train]\n\nlos = 'triplet'\n", ":3", "unknown setting train.los", "'loss'"),
        ("[data]\n[tain]\nseed = 1\n", ":2", "unknown section [tain]", "'train'"),
        ("seed = 1\n", ":1", "outside a section", "[split] or [train]"),
        ("[train]\nseed = -1\n", ":2", "train.seed = -1", "Same seed"),
        ("[train]\nseed = 'one'\n", ":2", "train.seed = 'one'", "Same seed"),
        ("[train]\nmining = 'some'\n", ":2", "train.mining = 'some'", "semi-hard"),
        ("[data.columns]\nzip = 'postcode'\n", ":1", "data.columns", "text, number"),
        ("[split]\ndev = 0.6\neval = 0.5\n", ":2", "leave nothing to train on", "below 1"),
        ("[calibrate]\ntarget = 'fmr'\n", ":2", "needs a value", "0.001"),
        ("[serve]\npointer = 'canary'\n", ":2", "serve.pointer = 'canary'", "one of stable"),
        ("[serve]\nallowed_hosts = 'a.b'\n", ":2", "allowed_hosts = 'a.b'", '["one", "another"]'),
        ("[train\n", "gemel.toml", "not TOML", "toml.io"),
        ("[train]\nseed = true\n", ":2", "train.seed = True", "Same seed"),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(
    tmp_path: Path, text: str, where: str, what: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.load(write(tmp_path, text))
    assert what in caught.value.what
    assert caught.value.where.endswith(where)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "variable", ["GEMEL__TRAIN__LOS", "GEMEL__TRAINING__LOSS", "GEMEL__TRAIN", "GEMEL__"]
)
def test_an_unknown_variable_is_an_error(variable: str) -> None:
    with pytest.raises(ConfigError, match="unknown") as caught:
        Config.load(environ={variable: "1"})
    assert variable in caught.value.where


def test_a_file_that_is_not_there_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file") as caught:
        Config.load(tmp_path / "gemel.toml")
    assert "gemel init" in caught.value.hint


@pytest.mark.parametrize("name", ["GEMEL_TRAIN_SEED", "GEMEL_TRAIN__SEED", "GEMEL__TRAIN_SEED"])
def test_a_variable_with_too_few_underscores_is_said(name: str) -> None:
    with pytest.raises(ConfigError, match=name) as caught:
        Config.load(environ={name: "1"})
    assert caught.value.hint == "name it GEMEL__TRAIN__SEED"


def test_other_variables_and_addresses_of_a_service_are_left_alone() -> None:
    others = {"GEMEL_HOME": "/x", "GEMEL_SERVE_PORT": "tcp://10.0.0.1:80", "HOME": "/"}
    assert Config.load(environ=others) == Config.load()


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("split.same_record", "did you mean data.same_record?"),
        ("data.columns.zip", """data.columns is a table: --set 'data.columns={"zip":"..."}'"""),
        ("split.sede", "did you mean 'seed'?"),
    ],
)
def test_a_setting_at_another_place_is_named_with_it(key: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown setting {key}") as e:
        Config.load(None, {}, {key: "text"})
    assert e.value.hint == hint

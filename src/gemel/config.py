"""The settings in force, resolved, and where each value came from.

Order: defaults < `gemel.toml` < `GEMEL__SECTION__KEY` < flag. An unknown key is an error. The
environment is an argument: nothing here reads it. Empty text means None where a setting can be
None, since TOML has no null. Paths are kept as written; `Config.at` resolves them.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from gemel.arguments import path_of, require
from gemel.errors import ConfigError
from gemel.settings import (
    SECTIONS,
    AdaptSettings,
    CalibrateSettings,
    DataSettings,
    GallerySettings,
    LedgerSettings,
    OtherSettings,
    Proven,
    ServeSettings,
    Settings,
    SplitSettings,
    StoreSettings,
    TrainSettings,
)

FILE = "gemel.toml"
PREFIX = "GEMEL__"
STAGES_GONE = "take the line out: sketches are an engine of the gallery (gallery.engine = 'sketch')"
GONE = {
    "calibrate.intervals": "take the line out: intervals are by the mean of both variances, which "
    "covered best",
    **{
        f"stages.{name}": STAGES_GONE
        for name in ("bits", "max_loss", "fmr", "fnmr", "sketch_cost", "review_cost")
    },
}
"""Settings that older files may have, with what to do."""
MOVED = {"stages.rules": "calibrate.rules"}
"""Settings that older files may have under another name."""


class Config(msgspec.Struct, frozen=True):
    """All settings, resolved.

    Attributes:
        root: folder that relative paths start from.
        origins: `section.key` to where its value came from.
    """

    data: DataSettings = DataSettings()
    other: OtherSettings = OtherSettings()
    split: SplitSettings = SplitSettings()
    train: TrainSettings = TrainSettings()
    calibrate: CalibrateSettings = CalibrateSettings()
    store: StoreSettings = StoreSettings()
    ledger: LedgerSettings = LedgerSettings()
    gallery: GallerySettings = GallerySettings()
    serve: ServeSettings = ServeSettings()
    adapt: AdaptSettings = AdaptSettings()
    root: Path = Path()
    origins: dict[str, str] = {}

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> Config:
        """The settings that a file, an environment and flags give together.

        Args:
            path: a `gemel.toml`, or None for defaults only.
            environ: `GEMEL__SECTION__KEY` variables count, all others are ignored.
            overrides: `section.key` to value, from flags; None values are left out.
        Raises:
            ConfigError: a file that cannot be read, an unknown key, a value of the wrong type.
        """
        path = None if path is None else path_of(path, "a file of settings")
        values: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
        origins = dict.fromkeys(keys(), "default")
        for key, value, where, loose in [
            *_from_file(path),
            *_from_environ(environ or {}),
            *((k, v, f"flag {k}", True) for k, v in (overrides or {}).items() if v is not None),
        ]:
            section, name = _known(key, where)
            values[section][name] = _convert(section, name, value, where, loose=loose)
            origins[f"{section}.{name}"] = where
        built: dict[str, Any] = {name: SECTIONS[name](**values[name]) for name in SECTIONS}
        config = cls(**built, root=path.parent if path else Path(), origins=origins)
        config._check()
        return config

    def at(self, path: str) -> Path:
        """A path of the file as seen from the working directory."""
        return self.root / Path(path).expanduser()

    def items(self) -> list[tuple[str, Any, str]]:
        """(`section.key`, value, origin) of every setting, in the order of declaration."""
        return [
            (key, getattr(getattr(self, key.split(".")[0]), key.split(".")[1]), self.origins[key])
            for key in keys()
        ]

    def _check(self) -> None:
        if self.split.dev + self.split.eval >= 1:
            raise ConfigError(
                f"dev {self.split.dev} and eval {self.split.eval} leave nothing to train on",
                where=self._where("split.dev", "split.eval"),
                hint="their sum must be below 1; 0.2 and 0.2 are usual",
            )
        if self.calibrate.target in get_args(Proven) and self.calibrate.value is None:
            raise ConfigError(
                f"target {self.calibrate.target!r} needs a value",
                where=self._where("calibrate.target"),
                hint="set calibrate.value, for example 0.001 for fmr and 0.99 for precision",
            )
        wanted = self.calibrate.categories
        if wanted in ("worst", "per_category") and self.data.category is None:
            raise ConfigError(
                f"categories = {wanted!r}, and no column says the category",
                where=self._where("calibrate.categories"),
                hint="name it in data.category",
            )
        goal = self.calibrate
        if goal.gallery_size is not None and goal.fpir is None and goal.use is None:
            raise ConfigError(
                "a gallery size without a use or an FPIR means nothing",
                where=self._where("calibrate.gallery_size"),
                hint="set calibrate.use to search or duplicates, or leave the size out",
            )

    def _where(self, *names: str) -> str:
        set_by = [self.origins.get(n, "default") for n in names]
        return next((w for w in set_by if w != "default"), names[0])


def check(section: str, settings: Settings) -> None:
    """Raise unless the values of a section that was made in Python are what they may be.

    Args:
        section: its name.
        settings: of it.
    Raises:
        ConfigError: they are others, or of another section.
    """
    kind = SECTIONS[section]
    require(settings, kind, f"the settings of {section}", f"gemel.settings.{kind.__name__}(...)")
    for name in kind.__struct_fields__:
        _convert(section, name, getattr(settings, name), f"{section}.{name}", loose=False)


def keys() -> list[str]:
    """Every `section.key` there is."""
    return [
        f"{section}.{name}"
        for section, struct in SECTIONS.items()
        for name in struct.__struct_fields__
    ]


def describe(key: str) -> str:
    """What a setting means, in one line."""
    section, name = key.split(".")
    hint = get_type_hints(SECTIONS[section], include_extras=True)[name]
    metas = reversed(hint.__metadata__)
    return str(next(m.description for m in metas if m.description))


def called(word: str) -> list[str]:
    """The settings that a word names: by section and name, or by any word of the name.

    Example:
        >>> called("data.same_record"), called("epochs"), called("lr")
        (['data.same_record'], ['train.max_epochs'], [])
    """
    keys = [f"{of}.{name}" for of, struct in SECTIONS.items() for name in struct.__struct_fields__]
    found = [key for key in keys if word in (key, key.partition(".")[2])]
    return found or [key for key in keys if word in key.partition(".")[2].split("_")]


def _from_file(path: Path | None) -> list[tuple[str, Any, str, bool]]:
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8")
        tree = tomllib.loads(text)
    except FileNotFoundError as e:
        raise ConfigError(
            "no such file", where=str(path), hint="write one with: gemel init RECORDS"
        ) from e
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"cannot be read: {e}", where=str(path)) from e
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"not TOML: {e}", where=str(path), hint="see https://toml.io") from e
    found = []
    for section, body in tree.items():
        where = f"{path}:{_line(text, None, section)}"
        if not isinstance(body, dict):
            homes = [f"[{n}]" for n, s in SECTIONS.items() if section in s.__struct_fields__]
            raise ConfigError(
                f"setting {section!r} stands outside a section",
                where=where,
                hint=f"put it under {' or '.join(homes or [f'[{n}]' for n in SECTIONS])}",
            )
        if section not in SECTIONS and not any(k.startswith(f"{section}.") for k in MOVED):
            raise ConfigError(
                f"unknown section [{section}]", where=where, hint=_suggest(section, list(SECTIONS))
            )
        for name, value in body.items():
            where = f"{path}:{_line(text, section, name)}"
            found.append((f"{section}.{name}", value, where, False))
    return found


def _from_environ(environ: Mapping[str, str]) -> list[tuple[str, Any, str, bool]]:
    found: list[tuple[str, Any, str, bool]] = []
    for variable in sorted(environ):
        _check_underscores(variable, environ[variable])
        if variable.startswith(PREFIX):
            key = variable[len(PREFIX) :].lower().replace("__", ".")
            found.append((key, environ[variable], f"environment {variable}", True))
    return found


def _check_underscores(variable: str, value: str) -> None:
    """Raise where a variable would be a setting if it had both underscores.

    An address is none: orchestrators name those of a service GEMEL_SERVE_PORT and the like.
    """
    if not variable.startswith("GEMEL_") or "://" in value:
        return
    plain = {f"gemel_{key.replace('.', '_')}": key for key in keys()}
    key = plain.get(variable.lower().replace("__", "_"))
    meant = key and PREFIX + key.upper().replace(".", "__")
    if key is not None and variable.upper() != meant:
        raise ConfigError(
            f"{variable} sets nothing: there are two underscores before the section and the key",
            where=f"environment {variable}",
            hint=f"name it {meant}",
        )


def _known(key: str, where: str) -> tuple[str, str]:
    if key in GONE:
        raise ConfigError(f"there is no setting {key} any more", where=where, hint=GONE[key])
    section, _, name = MOVED.get(key, key).partition(".")
    if section not in SECTIONS:
        raise ConfigError(
            f"unknown section {section!r}", where=where, hint=_suggest(section, list(SECTIONS))
        )
    fields = SECTIONS[section].__struct_fields__
    if name not in fields:
        hint = _elsewhere(section, name) or _suggest(name, list(fields))
        raise ConfigError(f"unknown setting {section}.{name}", where=where, hint=hint)
    return section, name


def _elsewhere(section: str, name: str) -> str:
    """What a setting may mean that is one of another section, or a part of a table; else empty."""
    homes = [home for home, struct in SECTIONS.items() if name in struct.__struct_fields__]
    if homes:
        return f"did you mean {homes[0]}.{name}?"
    table, _, part = name.partition(".")
    if not isinstance(getattr(SECTIONS[section](), table, None), dict):
        return ""
    example = msgspec.json.encode({part: "..."}).decode()
    return f"{section}.{table} is a table: --set '{section}.{table}={example}'"


def _convert(section: str, name: str, value: Any, where: str, *, loose: bool) -> Any:
    kind = get_type_hints(SECTIONS[section], include_extras=True)[name]
    if value == "" and getattr(SECTIONS[section](), name) is None:
        return None
    if loose and isinstance(value, str) and re.fullmatch(r"""("|')[^"'\\]*\1""", value):
        value = value[1:-1]  # quoted as in a file
    of_json = isinstance(getattr(SECTIONS[section](), name), tuple | dict)
    if of_json and loose and isinstance(value, str) and value[:1] in "[{":
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError as e:
            form = '{"NAME": "..."}' if value[0] == "{" else '["...", "..."]'
            hint = f"it is written so: --set '{section}.{name}={form}'"
            raise ConfigError(f"{section}.{name} is not JSON: {e}", where=where, hint=hint) from e
    try:
        return msgspec.convert(value, kind, strict=not loose)
    except msgspec.ValidationError as e:
        reason = str(e).replace("`", "").partition(" - at $")[0]
        raise ConfigError(
            f"{section}.{name} = {value!r}: {reason[:1].lower()}{reason[1:]}",
            where=where,
            hint=_takes(kind, reason, loose=loose) or describe(f"{section}.{name}"),
        ) from e


def _takes(kind: Any, reason: str, *, loose: bool) -> str:
    """What a setting takes where it was of another shape; empty where its meaning says it."""
    if reason.startswith("Expected array"):
        some = '["one", "another"]'
        return f"a list, as JSON: '{some}'" if loose else f"a list: {some}"
    if not reason.startswith("Invalid enum value"):
        return ""
    choices = [choice for part in _parts(kind) for choice in get_args(part)]
    return f"one of {', '.join(str(c) for c in choices)}" if choices else ""


def _parts(kind: Any) -> list[Any]:
    """The choices that a type allows, each as a Literal."""
    if get_origin(kind) is Literal:
        return [kind]
    return [part for arg in get_args(kind) for part in _parts(arg)]


def _suggest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"


def _line(text: str, section: str | None, name: str) -> int:
    """Line on which a section, or a key inside a section, stands; 1 when it cannot be told."""
    inside: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if section is None and re.match(rf"\s*{re.escape(name)}\s*=", line):
            return number
        header = re.match(r"\s*\[+\s*([\w.\-\"]+)", line)
        if header:
            inside = header[1].split(".")[0]
            if section is None and inside == name:
                return number
            if section == inside and header[1] == f"{section}.{name}":
                return number
        elif inside == section and re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*[.=]", line):
            return number
    return 1

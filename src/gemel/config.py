"""Every setting, once: its section, type, default and meaning; and where its value came from.

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
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta

from gemel.errors import ConfigError

FILE = "gemel.toml"
PREFIX = "GEMEL__"

FieldKind = Literal["text", "number", "category", "date", "date:dmy", "date:mdy"]
Ratio = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of `gemel.toml`."""

    def to_dict(self) -> dict[str, Any]:
        """Name to value, in the order of declaration."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class DataSettings(Settings, frozen=True):
    """Where the records are and how to read them."""

    path: Annotated[str, Meta(description="File of records or pairs, or folder of images")] = ""
    kind: Annotated[
        Literal["auto", "rows", "images", "pairs"],
        Meta(description="What the path holds; auto looks at it"),
    ] = "auto"
    identity: Annotated[
        str | None, Meta(description="Column that says which records belong together")
    ] = None
    id: Annotated[
        str | None, Meta(description="Column with a unique record id; without one, the row number")
    ] = None
    pairs: Annotated[
        str | None,
        Meta(description="File left,right,same with record ids; gives identities to the records"),
    ] = None
    ignore: Annotated[tuple[str, ...], Meta(description="Columns that are not used")] = ()
    columns: Annotated[
        dict[str, FieldKind],
        Meta(description="Kinds that overrule the inferred ones: text, number, category, date"),
    ] = {}
    missing: Annotated[
        tuple[str, ...], Meta(description='Texts that mean "no value", besides the empty one')
    ] = ()
    max_bad_ratio: Annotated[
        Ratio, Meta(description="Share of unreadable rows above which reading stops")
    ] = 0.01


class SplitSettings(Settings, frozen=True):
    """Shares of identities: train fits, dev chooses thresholds, eval is reported."""

    dev: Annotated[Ratio, Meta(description="Share of identities that choose the threshold")] = 0.2
    eval: Annotated[Ratio, Meta(description="Share of identities that are only reported")] = 0.2
    seed: Annotated[Count, Meta(description="Other seeds give other splits")] = 0
    dev_identities: Annotated[
        tuple[str, ...], Meta(description="Identities that must be in dev; replaces the share")
    ] = ()
    eval_identities: Annotated[
        tuple[str, ...], Meta(description="Identities that must be in eval; replaces the share")
    ] = ()


class TrainSettings(Settings, frozen=True):
    """How the encoder learns; 0 and null mean the measured default of the modality."""

    size: Annotated[Literal["small", "base"], Meta(description="Size of the tower")] = "small"
    loss: Annotated[
        Literal["infonce", "contrastive", "triplet"] | None,
        Meta(description="infonce, contrastive or triplet"),
    ] = None
    mining: Annotated[
        Literal["all", "semi-hard", "hard"] | None,
        Meta(description="Which comparisons of a batch count: all, semi-hard, hard"),
    ] = None
    margin: Annotated[
        Literal["hard", "soft"] | None,
        Meta(description="hard: a hinge at a distance; soft: a softplus without one"),
    ] = None
    identities_per_batch: Annotated[Count, Meta(description="P of a P x K batch")] = 0
    views_per_identity: Annotated[Count, Meta(description="K of a P x K batch")] = 0
    max_epochs: Annotated[Count, Meta(description="Epochs at most")] = 0
    patience: Annotated[
        Count, Meta(description="Epochs without a better dev metric before training stops")
    ] = 0
    learning_rate: Annotated[
        Annotated[float, Meta(ge=0)], Meta(description="Peak learning rate")
    ] = 0.0
    warmup_ratio: Annotated[
        Ratio | None, Meta(description="Share of the steps in which the rate rises")
    ] = None
    seed: Annotated[Count, Meta(description="Same seed, same weights")] = 0
    threads: Annotated[
        Count, Meta(description="Threads of torch; they decide the last bits of the weights")
    ] = 0


class CalibrateSettings(Settings, frozen=True):
    """Which operating point is wanted, and how sure it has to be."""

    target: Annotated[
        Literal["eer", "f1", "accuracy", "cost", "fmr", "precision"],
        Meta(description="Goal of the threshold: eer, f1, accuracy, cost, fmr, precision"),
    ] = "f1"
    value: Annotated[
        Ratio | None, Meta(description="The FMR or precision that is wanted, for those two targets")
    ] = None
    confidence: Annotated[
        Annotated[float, Meta(gt=0.5, lt=1)], Meta(description="Level of every interval")
    ] = 0.95
    prior: Annotated[
        Annotated[float, Meta(gt=0, lt=1)] | None,
        Meta(description="Share of genuine comparisons in use; null: as in the data"),
    ] = None
    false_match_cost: Annotated[
        Annotated[float, Meta(ge=0)], Meta(description="Cost of accepting a wrong pair")
    ] = 1.0
    false_non_match_cost: Annotated[
        Annotated[float, Meta(ge=0)], Meta(description="Cost of missing a right pair")
    ] = 1.0
    review_cost: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(description="Cost of asking a person; null: no review band"),
    ] = None
    max_comparisons: Annotated[
        Annotated[int, Meta(ge=1000)],
        Meta(description="Comparisons at most; above that, those of randomly chosen identities"),
    ] = 20_000_000
    seed: Annotated[Count, Meta(description="Of that random choice")] = 0


class StoreSettings(Settings, frozen=True):
    """Where state is kept."""

    path: Annotated[
        str, Meta(description="Folder of runs, releases, pointers, galleries and the ledger")
    ] = ".gemel"


class GallerySettings(Settings, frozen=True):
    """The enrolled records that are searched."""

    engine: Annotated[
        str,
        Meta(description="flat scans everything, hnsw walks a graph; auto: a graph when it pays"),
    ] = "auto"
    batch: Annotated[
        Annotated[int, Meta(ge=1)], Meta(description="Records per transaction of an enroll")
    ] = 512


class ServeSettings(Settings, frozen=True):
    """The HTTP service."""

    host: Annotated[str, Meta(description="Address to listen on")] = "127.0.0.1"
    port: Annotated[Annotated[int, Meta(ge=0, le=65535)], Meta(description="0: any free port")] = (
        8080
    )
    pointer: Annotated[
        Literal["stable", "canary", "shadow"], Meta(description="The release that is served")
    ] = "stable"
    max_batch: Annotated[
        Annotated[int, Meta(ge=1)], Meta(description="Payloads per call of the encoder")
    ] = 32
    max_queue: Annotated[
        Annotated[int, Meta(ge=1)],
        Meta(description="Waiting payloads above which new ones get 503"),
    ] = 256
    timeout_ms: Annotated[
        Annotated[int, Meta(ge=1)], Meta(description="Age at which a waiting request gets 504")
    ] = 5000
    max_body_bytes: Annotated[
        Annotated[int, Meta(ge=1024)], Meta(description="Largest request body")
    ] = 10_000_000
    threads: Annotated[
        Annotated[int, Meta(ge=1)], Meta(description="Threads of the encoder inside one call")
    ] = 1


SECTIONS: dict[str, type[Settings]] = {
    "data": DataSettings,
    "split": SplitSettings,
    "train": TrainSettings,
    "calibrate": CalibrateSettings,
    "store": StoreSettings,
    "gallery": GallerySettings,
    "serve": ServeSettings,
}


class Config(msgspec.Struct, frozen=True):
    """All settings, resolved.

    Attributes:
        root: folder that relative paths start from.
        origins: `section.key` to where its value came from.
    """

    data: DataSettings = DataSettings()
    split: SplitSettings = SplitSettings()
    train: TrainSettings = TrainSettings()
    calibrate: CalibrateSettings = CalibrateSettings()
    store: StoreSettings = StoreSettings()
    gallery: GallerySettings = GallerySettings()
    serve: ServeSettings = ServeSettings()
    root: Path = Path()
    origins: dict[str, str] = {}

    @classmethod
    def load(
        cls,
        path: Path | None = None,
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
        values: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
        origins = dict.fromkeys(keys(), "default")
        for key, value, where, loose in [
            *_from_file(path),
            *_from_environ(environ or {}),
            *((k, v, f"flag {k}", True) for k, v in (overrides or {}).items() if v is not None),
        ]:
            section, name = _known(key, where)
            values[section][name] = _convert(section, name, value, where, loose=loose)
            origins[key] = where
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
        if self.calibrate.target in ("fmr", "precision") and self.calibrate.value is None:
            raise ConfigError(
                f"target {self.calibrate.target!r} needs a value",
                where=self._where("calibrate.target"),
                hint="set calibrate.value, for example 0.001 for fmr and 0.99 for precision",
            )

    def _where(self, *names: str) -> str:
        set_by = [self.origins.get(n, "default") for n in names]
        return next((w for w in set_by if w != "default"), names[0])


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
        if section not in SECTIONS:
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
        if variable.startswith(PREFIX):
            key = variable[len(PREFIX) :].lower().replace("__", ".")
            found.append((key, environ[variable], f"environment {variable}", True))
    return found


def _known(key: str, where: str) -> tuple[str, str]:
    section, _, name = key.partition(".")
    if section not in SECTIONS:
        raise ConfigError(
            f"unknown section {section!r}", where=where, hint=_suggest(section, list(SECTIONS))
        )
    fields = SECTIONS[section].__struct_fields__
    if name not in fields:
        raise ConfigError(
            f"unknown setting {section}.{name}", where=where, hint=_suggest(name, list(fields))
        )
    return section, name


def _convert(section: str, name: str, value: Any, where: str, *, loose: bool) -> Any:
    kind = get_type_hints(SECTIONS[section], include_extras=True)[name]
    if value == "" and getattr(SECTIONS[section](), name) is None:
        return None
    if loose and isinstance(value, str) and value[:1] in "[{":
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError as e:
            raise ConfigError(f"{section}.{name} is not JSON: {e}", where=where) from e
    try:
        return msgspec.convert(value, kind, strict=not loose)
    except msgspec.ValidationError as e:
        reason = str(e).replace("`", "").partition(" - at $")[0]
        raise ConfigError(
            f"{section}.{name} = {value!r}: {reason[:1].lower()}{reason[1:]}",
            where=where,
            hint=describe(f"{section}.{name}"),
        ) from e


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

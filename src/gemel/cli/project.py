"""A project: the settings of one folder, and what its commands work with.

A run is named by the digest of everything that decides its weights, so asking for the same run
again finds the finished one. Stages are opened here and composed nowhere else in the command line.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gemel.arrays import canonical_json, digest
from gemel.cli import asked, show
from gemel.cli.options import words
from gemel.cli.state import State
from gemel.config import FILE, Config
from gemel.errors import ConfigError, GalleryError, NotFound

if TYPE_CHECKING:
    from gemel.data.leakage import Leakage
    from gemel.data.records import Dataset
    from gemel.data.splits import Splits
    from gemel.gallery.local.gallery import LocalGallery
    from gemel.ledger.bodies import Body
    from gemel.ledger.entries import Draft
    from gemel.ledger.ledger import Ledger
    from gemel.release.evidence.goals import Goals
    from gemel.release.evidence.schema import Sampling
    from gemel.release.release import Release
    from gemel.release.store import Store
    from gemel.serve.context import Caller

FEW = 3
"""Lines of what is refused where another command lists all."""
ELSEWHERE = (
    "there is no project here: go to the folder of its gemel.toml, or name that file with -c"
)
TRAINED = (
    "the store is empty: gemel train has run, and gemel calibrate has put no release there, which "
    "it does not where it refuses a goal; gemel calibrate --f1 takes the best threshold instead"
)
CLASS = "class"
"""The attribute that holds the class of an image."""


@dataclass(frozen=True)
class Project:
    """Settings and the state folder that goes with them."""

    config: Config

    @classmethod
    def open(
        cls,
        config: Path | None = None,
        sets: Sequence[str] | None = None,
        flags: Mapping[str, Any] | None = None,
    ) -> Project:
        """The project of a settings file, or of the working directory.

        Args:
            config: a settings file; None for `gemel.toml` here if there is one, else defaults.
            sets: `section.key=value` words.
            flags: `section.key` to value; None values do not count.
        Raises:
            ConfigError: unreadable file, unknown key, unfit value.
        """
        path = config or (Path(FILE) if Path(FILE).is_file() else None)
        given = {key: value for key, value in (flags or {}).items() if value is not None}
        return cls(Config.load(path, os.environ, {**words(sets or []), **given}))

    @property
    def state(self) -> State:
        """Where everything is that commands leave behind."""
        return State(self.config.at(self.config.store.path), self.config.store.tenant)

    @property
    def is_here(self) -> bool:
        """There are settings, or what commands left behind."""
        return self.state.folder.exists() or (self.config.root / FILE).is_file()

    @property
    def reads(self) -> list[Path]:
        """Files and folders that `[data]` names; nothing may be written over them."""
        data, other = self.config.data, self.config.other
        return [self.config.at(p) for p in (data.path, other.path, data.pairs) if p]

    def dataset(self, release: Release | None = None, *, most: int = FEW) -> Dataset:
        """The records that `[data]` names; what is refused is told.

        Args:
            release: whose fields are read, as they are written to it; None to look at the columns.
            most: lines of what is refused.
        Raises:
            ConfigError: it names none.
            DataError: they cannot be read, or too many are bad.
        """
        from gemel.cli import reading

        dataset = reading.read(self.config, release)
        show.refused(
            dataset.bad, dataset.gaps, most=most, all_in="gemel data check --json lists all"
        )
        return dataset

    def records_for(
        self,
        release: Release,
        path: Path | None,
        *,
        id: str | None = None,
        label: str | None = None,
        flag: str = "--identity",
    ) -> Dataset:
        """Records that a release can encode: of a file, or of `[data]` if none is given.

        What is refused is told.

        Args:
            release: its fields are the ones that are read.
            path: file or folder; None for the records of the project.
            id: id column of the file.
            label: identity column of the file.
            flag: that named it.
        Raises:
            ConfigError: an identity column without a file.
            DataError: unreadable, or without the fields of the release.
        """
        from gemel.cli import reading
        from gemel.data import records

        if path is None:
            if label is not None:
                raise ConfigError(
                    f"{flag} goes only with a file",
                    hint=f"name the file as well, or leave out {flag}: for the project's own "
                    "records data.identity of gemel.toml names the column",
                )
            return self.dataset(release)
        fields = release.encoder.prepare.fields or None
        categories = release.policy.categories
        category = categories.column if categories else None
        sheet = self.sheet_of(path)
        said = {} if fields else reading.said_of(self.config, path, (label, id), sheet)
        dataset = records.read(
            path,
            kind=records.kind_of(release.modality),
            identity=label,
            id=id,
            category=None if category == label else category,
            fields=fields,
            max_bad_ratio=self.config.data.max_bad_ratio,
            depth=self.config.data.depth,
            sheet=sheet,
            encoding=self.config.data.encoding,
            **said,
        )
        show.refused(dataset.bad, dataset.gaps)
        return dataset

    def sheet_of(self, path: Path) -> str | None:
        """The sheet that `data.sheet` names, if that is the file of `[data]`."""
        data = self.config.data
        is_own = bool(data.path) and self.config.at(data.path).resolve() == path.resolve()
        return data.sheet if is_own else None

    def label_of(self, release: Release, asked: str | None = None) -> str:
        """The attribute with the class of a record in the gallery of a release."""
        own = self.config.data.identity if release.encoder.prepare.fields else None
        return asked or own or CLASS

    def splits(self, dataset: Dataset) -> Splits:
        """The identity-disjoint splits that `[split]` describes; without labels, what learns."""
        from gemel.data import crossed, splits

        split = self.config.split
        if not dataset.has_identities:
            return splits.without_labels(dataset, dev=split.dev, seed=split.seed)
        if split.crossed:
            return crossed.thirds(dataset, split.seed)
        return splits.by_identity(
            dataset,
            dev=split.dev,
            eval=split.eval,
            seed=split.seed,
            dev_identities=split.dev_identities,
            eval_identities=split.eval_identities,
        )

    def judge(self, dataset: Dataset, found: Leakage) -> None:
        """Tell of what stands on two sides of a split, as `data.same_record` says.

        Raises:
            LeakageError: something does that may not.
        """
        from gemel.data.leakage import accepted

        allow = accepted(dataset, self.config.data.same_record)
        found.check(allow)
        for note in found.notes(allow):
            show.say(f"note: {note}")

    def run_folder(self, dataset: Dataset) -> Path:
        """Folder of the run that these records and settings decide."""
        from gemel.data.schema import readings
        from gemel.release.run import named_by

        settings: dict[str, Any] = {
            "split": named_by(self.config.split),
            "train": named_by(self.config.train),
        }
        if written := readings(dataset.fields):
            settings["readings"] = written
        return self.state.runs / digest(dataset.digest.encode(), canonical_json(settings))[:12]

    def run_of(self, release: Release, dataset: Dataset) -> Path:
        """Folder of the run that a release was built from, which may be that of a smaller one."""
        smaller = self.state.smaller_run(release.space_id)
        return smaller if smaller.is_dir() else self.run_folder(dataset)

    def sampling(self) -> Sampling:
        """Which comparisons `[calibrate]` makes."""
        return asked.sampling(self.config.calibrate)

    def goals(self, dataset: Dataset) -> Goals:
        """What `[calibrate]` asks of the decisions about these records."""
        return asked.goals(self.config.calibrate, dataset)

    def store(self) -> Store:
        """The shelf of releases and their pointers."""
        from gemel.release.store import Store

        return Store(self.state.folder)

    def release(self, name: str | None = None) -> Release:
        """A release by id, unique start of an id, or pointer; the served pointer if left out.

        Raises:
            NotFound: there is none of that name.
        """
        from gemel.release.shelf import EMPTY
        from gemel.release.words import unproven

        store, wanted = self.store(), name or self.config.serve.pointer
        if name is None and store.pointer(wanted) is None:
            hint = "see: gemel release list; then: gemel release promote ID"
            if not store.shelf.ids():
                hint = (
                    (TRAINED if self.state.runs.is_dir() else EMPTY) if self.is_here else ELSEWHERE
                )
            raise NotFound(f"no release is {wanted}", where=str(self.state.folder), hint=hint)
        release = store.get(wanted)
        if release.is_unproven:
            show.say(f"warning: {unproven.WARNING}")
        return release

    def gallery(self, release: Release, *, write: bool = False, make: bool = True) -> LocalGallery:
        """The gallery of a release's space, without what was erased from any other.

        Args:
            release: of the space.
            write: to change it.
            make: one where there is none, if it is to be written.
        Raises:
            GalleryError: there is none, or another process writes to it.
        """
        from gemel.gallery.local.gallery import LocalGallery
        from gemel.gallery.local.indexer import Indexing
        from gemel.serve.galleries.erasing import reach_before_opening

        folder = self.state.gallery_folder(release.space_id)
        reach_before_opening(folder, self.state.ledger_file)
        return LocalGallery.open(
            folder,
            space_id=release.space_id,
            dim=release.encoder.dim if make else None,
            comparator=release.comparator,
            write=write,
            indexing=Indexing(engine=self.config.gallery.engine),
        )

    def gallery_to_check(self, release: Release) -> LocalGallery:
        """The gallery of a release's space, to be changed if nobody else is doing so."""
        try:
            return self.gallery(release, write=True, make=False)
        except GalleryError:
            return self.gallery(release)

    def of_tenant(self, name: str) -> Project:
        """The project with the gallery and the ledger of a tenant."""
        of_store = msgspec.structs.replace(self.config.store, tenant=name)
        return Project(msgspec.structs.replace(self.config, store=of_store))

    def ledger(self, *, on_lost: Callable[[Draft], None] | None = None) -> Ledger:
        """The record of decisions and changes.

        Args:
            on_lost: told what could not be written by the end.
        """
        from gemel.ledger.ledger import Ledger

        return Ledger.open(self.state.ledger_file, on_lost=on_lost)

    def note(self, kind: str, body: Body) -> None:
        """Put a change that a person made into the ledger; on return it is on disk."""
        with self.ledger() as ledger:
            ledger.append_durable(kind, msgspec.structs.replace(body, actor=self.actor))

    def keep_head(self) -> None:
        """Keep the last entry in the file that `ledger.head_file` names, if it names one.

        Raises:
            LedgerError: it cannot be written.
        """
        if self.head_file is not None:
            from gemel.ledger import heads

            with self.ledger() as ledger:
                heads.keep(ledger.head(), self.head_file)

    @property
    def head_file(self) -> Path | None:
        """Where heads of the ledger are kept besides the store; of a tenant, beside that file."""
        named, tenant = self.config.ledger.head_file, self.config.store.tenant
        if not named:
            return None
        file = self.config.at(named)
        return file.with_name(f"{file.name}.{tenant}") if tenant else file

    @property
    def actor(self) -> str:
        """Who runs this command, for histories."""
        try:
            return getpass.getuser()
        except (KeyError, OSError):  # a user id without a name
            return f"user {os.getuid()}"

    @property
    def caller(self) -> Caller:
        """Who runs this command, as a service knows callers."""
        from gemel.serve.context import ROLES, Caller

        return Caller(self.actor, frozenset(ROLES))

"""The central noun: encoder, comparator, policy and evidence in one immutable folder.

A release is opened, checked and asked for its parts; it is never changed. Two digests identify it:
`space_id` (are two embeddings comparable?) and `id` (would this decision come out the same?). A new
threshold is a child in the same space; a new encoder is a release of another space.

    manifest.json     what this is, and the SHA-256 of every other file
    encoder/          prepare.json, encoder.onnx
    comparator.json   from two embeddings to a score (and the files it names)
    policy.json       from a score to a decision
    evidence.json     what was measured, on which data
    profile.json      what the embeddings look like
    probes.json/.npy  payloads with their embeddings, for the parity check
    gold.npz          labelled embeddings of dev, for later comparisons
    genuine.json      of rows: which keys genuine pairs share, see `release.genuine`
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

import gemel
from gemel.arguments import path_of, require
from gemel.arrays import Float32
from gemel.decide.policy import Policy
from gemel.encode import comparators, modality
from gemel.encode.comparators import Comparator
from gemel.encode.encoder import Encoder, open_prepare
from gemel.encode.modality import Prepare
from gemel.encode.profile import Profile
from gemel.errors import ReleaseError, SpaceMismatch
from gemel.figures import html_table
from gemel.release import folder as folders
from gemel.release import probes
from gemel.release.evidence.schema import Evidence
from gemel.release.folder import Manifest, Tolerance
from gemel.release.precedents import Gold, Precedents
from gemel.release.run import ENCODER
from gemel.release.words.unproven import MARK

POLICY = "policy.json"
EVIDENCE = "evidence.json"
PROFILE = "profile.json"
GOLD = "gold.npz"

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Release:
    """An opened release.

    Attributes:
        folder: where it lies.
        manifest: what it is.
    """

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: str | Path, *, verify: bool = True) -> Release:
        """The release that a folder holds.

        Args:
            folder: with a `manifest.json`.
            verify: hash every file. Without it only the manifest is checked now, and each file
                (except those of encoder and comparator) when it is read.
        Raises:
            NotFound: no manifest.
            DigestMismatch: a file was changed, added or removed; names it.
            ReleaseError: a format that this version does not know.
        """
        path = path_of(folder, "the folder of a release")
        release = cls(path, folders.read_manifest(path))
        if verify:
            release.verify()
        return release

    def __repr__(self) -> str:
        m = self.manifest
        return f"Release({m.id[:12]}, {m.modality}, {m.name!r}, created {m.created}, {self.folder})"

    def _repr_html_(self) -> str:
        from gemel.calibrate.goals.target import in_words
        from gemel.release.words.sentence import sentence

        at = self.policy.verify
        name = self.manifest.name
        rows = [*([("name", name)] if name else []), ("modality", self.modality)]
        rows += [("evidence", MARK)] if self.is_unproven else []
        rows += [("created", self.manifest.created), ("space", self.space_id[:12])]
        rows += [("threshold", f"{at.threshold:.4g}")]
        if EVIDENCE in self.manifest.files:
            rows += [
                ("goal", in_words(self.evidence.target)),
                ("expected", sentence(self.evidence)),
            ]
        rows += [("folder", str(self.folder))]
        return html_table(f"Release {self.short_id}", rows)

    @property
    def id(self) -> str:
        """The `release_id`, 64 hex digits."""
        return self.manifest.id

    @property
    def short_id(self) -> str:
        """The first 12 digits of the id, for people."""
        return self.manifest.id[:12]

    @property
    def space_id(self) -> str:
        """Digest of preprocessing, encoder and numeric format."""
        return self.manifest.space_id

    @property
    def modality(self) -> str:
        """Name of what it compares."""
        return self.manifest.modality

    @property
    def scale_id(self) -> str:
        """Whether thresholds are comparable with those of another release, see `Manifest`."""
        return self.manifest.scale_id

    @property
    def is_unproven(self) -> bool:
        """Whether its rates are estimates, since there were no labels."""
        return self.manifest.unproven

    @cached_property
    def prepare(self) -> Prepare:
        """What its encoder makes of an item, without the network."""
        return open_prepare(self.folder / ENCODER)

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder, on one thread.

        Raises:
            SpaceMismatch: it makes another space than the manifest says.
        """
        return self.open_encoder()

    def open_encoder(self, *, threads: int = 1) -> Encoder:
        """A new session of the encoder.

        Raises:
            SpaceMismatch: it makes another space than the manifest says.
        """
        encoder = Encoder.open(self.folder / ENCODER, threads=threads)
        if encoder.space_id != self.space_id:
            raise SpaceMismatch(
                f"the encoder makes space {encoder.space_id[:12]}, the manifest says "
                f"{self.space_id[:12]}",
                where=str(self.folder / ENCODER),
                hint="build the release again with this version",
            )
        return encoder

    @cached_property
    def comparator(self) -> Comparator:
        """From two embeddings to a score."""
        return comparators.load(self.folder)

    @cached_property
    def policy(self) -> Policy:
        """From a score to a decision."""
        data = folders.read_checked(self.folder, self.manifest, POLICY)
        return Policy.from_json(data, where=str(self.folder / POLICY))

    @cached_property
    def evidence(self) -> Evidence:
        """What was measured, on which data."""
        return self._struct(EVIDENCE, Evidence)

    @cached_property
    def profile(self) -> Profile:
        """What the embeddings of dev look like."""
        return self._struct(PROFILE, Profile)

    @cached_property
    def gold(self) -> Gold:
        """Labelled embeddings of dev."""
        data = folders.read_checked(self.folder, self.manifest, GOLD)
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as z:
                return Gold(z["embeddings"], z["identities"], z["ids"])
        except (ValueError, KeyError, OSError) as e:
            raise ReleaseError(f"cannot be read: {e}", where=str(self.folder / GOLD)) from e

    @cached_property
    def precedents(self) -> Precedents | None:
        """Comparisons of the gold set, with their answers; None without a gold set."""
        if GOLD not in self.manifest.files:
            return None
        return Precedents.of(self.gold, self.comparator)

    def probe_payloads(self) -> tuple[list[Any], Float32]:
        """The golden probes and their (n, d) float32 embeddings."""
        payloads = folders.read_checked(self.folder, self.manifest, probes.PAYLOADS)
        rows = folders.read_checked(self.folder, self.manifest, probes.EMBEDDINGS)
        kind = modality.named(self.modality)
        return probes.read(kind, payloads, rows, str(self.folder / probes.PAYLOADS))

    def verify(self) -> None:
        """Hash every file again.

        Raises:
            DigestMismatch: a file was changed, added or removed; names it.
        """
        folders.verify(self.folder, self.manifest)

    def check_parity(self, encoder: Encoder | None = None) -> probes.Parity:
        """Encode the golden probes again and compare with what they gave at build time.

        Args:
            encoder: the session to check; the release's own by default.
        Raises:
            ParityError: a probe moved further than the manifest allows; says which and how far.
            SpaceMismatch: the encoder is of another space.
        """
        encoder = encoder or self.encoder
        if encoder.space_id != self.space_id:
            raise SpaceMismatch(
                f"encoder of space {encoder.space_id[:12]}, release of {self.space_id[:12]}",
                where=str(self.folder),
            )
        payloads, expected = self.probe_payloads()
        where = str(self.folder / probes.PAYLOADS)
        return probes.check(encoder.encode, payloads, expected, self.manifest.tolerance, where)

    def sizes(self) -> dict[str, int]:
        """Bytes of each file, manifest included."""
        names = sorted([*self.manifest.files, folders.MANIFEST])
        return {name: (self.folder / name).stat().st_size for name in names}

    def child(
        self,
        *,
        into: str | Path,
        policy: Policy | None = None,
        evidence: Evidence | None = None,
        name: str | None = None,
        now: datetime | None = None,
    ) -> Release:
        """A new release in the same space, with another policy or other evidence.

        Nothing has to be embedded again: the encoder's files are shared.

        Args:
            into: folder to become; must not exist.
            policy: None keeps this one's.
            evidence: None keeps this one's.
            name: None keeps this one's.
            now: creation time, for reproducible ids.
        Raises:
            ReleaseError: `into` exists, or nothing would change.
            DigestMismatch: this release is damaged.
        """
        changed = {
            file: msgspec.json.format(msgspec.json.encode(part), indent=1) + b"\n"
            for file, part in ((POLICY, policy), (EVIDENCE, evidence))
            if part is not None
        }
        if not changed:
            raise ReleaseError(
                "a child without a new policy or new evidence", hint="give one of the two"
            )
        self.verify()
        head = Head(
            space_id=self.space_id,
            modality=self.modality,
            name=self.manifest.name if name is None else name,
            licence=self.manifest.licence,
            parent=self.id,
            tolerance=self.manifest.tolerance,
            unproven=self.is_unproven if evidence is None else evidence.is_estimated,
        )
        with folders.draft(Path(into)) as draft:
            kept = [f for f in self.manifest.files if f not in changed]
            folders.copy_files(self.folder, draft, kept)
            for file, data in changed.items():
                (draft / file).write_bytes(data)
            return seal(draft, Path(into), head, now=now)

    def _struct(self, name: str, kind: type[T]) -> T:
        data = folders.read_checked(self.folder, self.manifest, name)
        try:
            return msgspec.json.decode(data, type=kind)
        except msgspec.DecodeError as e:
            raise ReleaseError(f"cannot be read: {e}", where=str(self.folder / name)) from e


@dataclass(frozen=True)
class Head:
    """What a manifest says beside its files, format, version and time."""

    space_id: str
    modality: str
    name: str = ""
    licence: str = ""
    parent: str | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)
    unproven: bool = False

    def keys(self) -> dict[str, Any]:
        """What is written; that nothing is wanting goes without saying."""
        return {k: v for k, v in vars(self).items() if k != "unproven" or v}


def seal(draft: Path, into: Path, head: Head, *, now: datetime | None = None) -> Release:
    """Turn a filled draft (see `folder.draft`) into a release with its final name."""
    created = (now or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds")
    manifest = folders.seal(draft, {**head.keys(), "created": created, "gemel": gemel.__version__})
    folders.publish(draft, into)
    return Release(into, manifest)


def require_release(value: object, purpose: str) -> None:
    """Raise if an argument is no release.

    Raises:
        ConfigError: it is something else, such as the folder of one.
    """
    hint = 'gemel.Store(FOLDER).get("stable") opens one, and so does gemel.Release.open(FOLDER)'
    require(value, Release, f"a Release {purpose}", hint)

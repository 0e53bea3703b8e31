"""What people said about pairs: one line an answer, on disk before the next question is put.

A later line about a pair by the same person replaces the former; nothing is ever removed. A line
that a kill cut short is left out and written over. Beside them stands what most say about each
pair, as a file of labelled pairs. Several people may answer at once, each in a process: they write
one after the other, and whoever writes knows by then what the others wrote.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from gemel.errors import DataError
from gemel.files import Lock, write_whole
from gemel.improve.labels.questions import Pair

FILE = "answers.jsonl"
PAIRS_FILE = "pairs.csv"
LOCK = ".lock"

Said = Literal["same", "different", "unsure", "withdrawn"]


class Line(msgspec.Struct, frozen=True):
    """What one person said about one pair."""

    left: str
    right: str
    said: Said
    by: str
    time: str


class Answers:
    """All answers of a folder.

    Args:
        folder: made if it is not there.
    Raises:
        DataError: a line in the middle cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE
        self._said: dict[Pair, dict[str, Said]] = {}
        self._n_bytes = self._n_lines = 0
        self._read()

    def of(self, pair: Pair) -> dict[str, Said]:
        """Who said what about a pair."""
        return self._said.get(pair, {})

    def genuine(self, pair: Pair) -> bool | None:
        """What most say about a pair; None where nobody is sure or they are divided evenly."""
        said = list(self.of(pair).values())
        yes, no = said.count("same"), said.count("different")
        return None if yes == no else yes > no

    def all(self) -> dict[Pair, bool]:
        """Every pair with an answer."""
        found = {pair: self.genuine(pair) for pair in self._said}
        return {pair: same for pair, same in found.items() if same is not None}

    def asked(self) -> Set[Pair]:
        """Every pair that somebody has seen."""
        return self._said.keys()

    def agreement(self) -> tuple[int, int]:
        """Pairs that several people answered, and those of them where all agree."""
        several = [set(s.values()) for s in self._said.values() if len(s) > 1]
        return len(several), sum(len(s) == 1 for s in several)

    def say(self, said: Iterable[tuple[Pair, Said]], by: str) -> None:
        """Note answers of a person; they are on disk on return."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        lines = [Line(*pair, answer, by, now) for pair, answer in said]
        with self._alone():
            self._mend()
            with self.path.open("ab") as file:
                file.writelines(msgspec.json.encode(line) + b"\n" for line in lines)
                file.flush()
                os.fsync(file.fileno())
            self._read()

    def write_pairs(self) -> Path:
        """The file of pairs that `data.pairs` takes, with every answer; old or new, never half."""
        path, text = self.path.with_name(PAIRS_FILE), io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(["left", "right", "same"])
        with self._alone():
            self._read()
            for (left, right), same in sorted(self.all().items()):
                writer.writerow([left, right, int(same)])
            write_whole(path, text.getvalue().encode())
        return path

    def _alone(self) -> Lock:
        """While it is held nobody else writes."""
        return Lock(self.path.with_name(LOCK), wait=True)

    def _take(self, line: Line) -> None:
        about = self._said.setdefault((line.left, line.right), {})
        about.pop(line.by, None)
        if line.said != "withdrawn":
            about[line.by] = line.said
        if not about:
            del self._said[line.left, line.right]

    def _read(self) -> None:
        """Take the lines that were added since, by whomever.

        Raises:
            DataError: one cannot be read.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._n_bytes)
            *whole, _ = file.read().split(b"\n")
        for text in whole:
            self._n_lines += 1
            try:
                line = msgspec.json.decode(text, type=Line)
            except msgspec.DecodeError as e:
                raise DataError(
                    f"line {self._n_lines} is no answer: {e}",
                    where=str(self.path),
                    hint="take the line out, or put the file back as it was",
                ) from e
            self._take(line)
            self._n_bytes += len(text) + 1

    def _mend(self) -> None:
        """Take away a last line that was cut short."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            at = max(file.seek(0, os.SEEK_END) - 1, 0)
            file.seek(at)
            if file.read() in (b"", b"\n"):
                return
        os.truncate(self.path, self.path.read_bytes().rfind(b"\n") + 1)

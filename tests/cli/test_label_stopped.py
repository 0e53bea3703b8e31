"""`gemel label` at a terminal of its own: keys, Ctrl-C, signals, and a kill."""

import csv
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

LABELS = Path(".gemel/labels")
COMMAND = [sys.executable, "-m", "gemel", "label", "--by", "ann"]
WAIT = 120.0
"""Seconds after which something hangs."""


def heed_signals() -> None:
    """What a shell leaves of SIGINT to what it starts in the background is nothing."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A process that believes a person sits in front of it."""

    def __init__(self, command: list[str]) -> None:
        self.pid, self._fd = pty.fork()
        if not self.pid:
            heed_signals()
            os.execvpe(command[0], command, {**os.environ, "TERM": "xterm"})
        self.seen, self.status = "", None

    def read(self) -> bool:
        """Take what has been written, for a moment; False when the process has closed it."""
        if not select.select([self._fd], [], [], 0.2)[0]:
            return True
        try:
            self.seen += os.read(self._fd, 65536).decode(errors="replace")
        except OSError:
            return False
        return True

    def press(self, keys: str) -> None:
        """Press keys, whether or not the process reads any now."""
        os.write(self._fd, keys.encode())

    @property
    def shows_what_is_typed(self) -> bool:
        return bool(termios.tcgetattr(self._fd)[3] & termios.ECHO)

    def answer(self, keys: str) -> None:
        """Answer one question after the other, and wait for the next one."""
        for key in keys:
            n = self.seen.count("q stop")
            self.press(key)
            self.until("q stop", n + 1)

    def until(self, words: str, times: int = 1) -> None:
        """Read until words have been written so often."""
        end = time.monotonic() + WAIT
        while self.seen.count(words) < times:
            assert time.monotonic() < end and self.read(), self.seen

    def end(self, *, kill: int = 0) -> int:
        """Exit code, negative for the signal that ended it."""
        if kill:
            os.kill(self.pid, kill)
        end = time.monotonic() + WAIT
        while self.status is None:
            assert time.monotonic() < end, f"goes on: {self.seen}"
            self.read()
            done, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if done else None
        while self.read() and select.select([self._fd], [], [], 0)[0]:
            pass
        return self.status

    def close(self) -> None:
        """End it, whatever it does."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)


@pytest.fixture
def terminal(project: Path) -> Iterator[Terminal]:
    """`gemel label` in a finished project, waiting for the first key."""
    one = Terminal(COMMAND)
    try:
        one.until("q stop")
        yield one
    finally:
        one.close()


def answers() -> list[tuple[str, str, str]]:
    lines = (LABELS / "answers.jsonl").read_text().splitlines()
    return [(a["left"], a["right"], a["said"]) for a in map(json.loads, lines)]


def pairs() -> list[tuple[str, str, str]]:
    with (LABELS / "pairs.csv").open(newline="") as file:
        rows = csv.DictReader(file)
        return [(r["left"], r["right"], "same" if r["same"] == "1" else "different") for r in rows]


def test_a_signal_ends_it_as_ctrl_c_does(terminal: Terminal) -> None:
    terminal.answer("yu")
    code = terminal.end(kill=signal.SIGINT)
    _ended(terminal, code, ["same", "unsure"])
    again = Terminal(COMMAND)
    try:
        again.until("q stop")
        again.press("\x03")
        _ended(again, again.end(), ["same", "unsure"])
    finally:
        again.close()


def _ended(terminal: Terminal, code: int, said: list[str]) -> None:
    assert code == 0, terminal.seen
    assert f"this time; all answers: {LABELS / 'pairs.csv'}" in terminal.seen
    assert "gemel label goes on where it was" in terminal.seen
    assert [answer for *_, answer in answers()] == said
    assert pairs() == [answer for answer in answers() if answer[2] != "unsure"]


def test_keys_pressed_ahead_count_and_arrows_do_not(terminal: Terminal) -> None:
    terminal.press("yn\x1b[B\x1bOBuYbn")
    terminal.until("q stop", 7)
    assert not terminal.shows_what_is_typed
    terminal.press("xq" + 10 * "y")
    assert terminal.end() == 0
    said = [answer for *_, answer in answers()]
    assert said == ["same", "different", "unsure", "same", "withdrawn", "different"]
    assert terminal.shows_what_is_typed


def test_what_is_typed_before_the_first_question_is_no_answer(project: Path) -> None:
    early = Terminal(COMMAND)
    try:
        early.press("yyy")
        early.until("q stop")
        early.answer("n")
        _ended(early, early.end(kill=signal.SIGINT), ["different"])
    finally:
        early.close()


def test_a_signal_ends_it_behind_a_pipe_that_stays_open(project: Path) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        COMMAND, stdin=pipe, stderr=pipe, text=True, preexec_fn=heed_signals
    ) as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write("y\n")
        process.stdin.flush()
        seen = ""
        while seen.count("q stop") < 2:
            line = process.stderr.readline()
            assert line, seen
            seen += line
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT) == 0
        assert "1 question this time" in process.stderr.read()
    assert len(pairs()) == 1


def test_a_key_without_the_end_of_its_line_is_taken_at_once(project: Path) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(COMMAND, stdin=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write("y")
        process.stdin.flush()
        late = threading.Timer(WAIT, process.kill)
        late.start()
        seen = ""
        while seen.count("q stop") < 2:
            line = process.stderr.readline()
            assert line, seen
            seen += line
        late.cancel()
    assert len(pairs()) == 1


def test_a_kill_loses_no_pair(terminal: Terminal) -> None:
    terminal.answer("yyn")
    assert terminal.end(kill=signal.SIGKILL) == -signal.SIGKILL
    assert [answer for *_, answer in answers()] == ["same", "same", "different"]
    assert pairs() == sorted(answers())

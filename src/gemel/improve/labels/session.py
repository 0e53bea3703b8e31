"""One person's turn: which question is next, what an answer does, and what is known by now.

A second person is first asked again what others answered: a share of it, and every answer that
contradicts the decision. Questions drawn at random count in the order of the plan up to the first
that nobody has seen: whoever answers cannot choose which of them count. Where answers can teach the
release, two of three are chosen by what they teach: they say nothing about how good the matches
are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from gemel.arrays import Int64, digest
from gemel.calibrate.answers.known import Known
from gemel.calibrate.answers.strata import Drawn, is_due, needed
from gemel.improve.labels.answers import Answers, Said
from gemel.improve.labels.questions import Pair, Plan, Question
from gemel.improve.labels.teaching import Teaching
from gemel.ledger.verdicts import is_asked
from gemel.settings import EXACT

TEACHING = 2
"""Questions that teach, for each one that is drawn at random."""
DIGITS = 8


@dataclass
class Session:
    """A person who answers.

    Attributes:
        plan: what is asked.
        answers: of everybody.
        by: who answers.
        goal: the precision that is wanted.
        confidence: of its proof.
        second: share of what others answered that is asked again.
        teaching: chooses two of three questions by what their answers teach; None: all are drawn.
        teaches: training learns from all answers.
        is_measured: the release was measured on labels, so that `calibrate` takes no proof of
            answers.
    """

    plan: Plan
    answers: Answers
    by: str
    goal: float = 0.95
    confidence: float = 0.95
    second: float = 0.1
    teaching: Teaching | None = None
    teaches: bool = False
    is_measured: bool = False
    _mine: list[Question] = field(default_factory=list)
    _drawn: list[tuple[int, Question]] = field(default_factory=list)
    _again: list[Question] = field(default_factory=list)
    _proven: int = 0
    _looked: int = 0

    def __post_init__(self) -> None:
        self._pairs = {q.pair for q in self.plan.every}
        self._begin()

    def _begin(self) -> None:
        """Go through the questions drawn at random from the first on."""
        self._n_asked, self._drawn = np.zeros(len(self.plan.questions), np.int64), []
        self._go_on()

    def _go_on(self) -> Question | None:
        """The first question drawn at random that nobody has seen; all before it are known."""
        for k, question in self._path(self._n_asked):
            if not self.answers.of(question.pair):
                return question
            self._drawn.append((k, question))
        return None

    def _path(self, n_asked: Int64) -> Iterator[tuple[int, Question]]:
        """Questions drawn at random with their strata, after so many of each, which it counts."""
        while (k := self.plan.stratum_of_next(n_asked)) is not None:
            yield k, self.plan.questions[k][int(n_asked[k])]
            n_asked[k] += 1

    @property
    def n_asked(self) -> int:
        """Pairs that somebody was asked about, of this plan or another."""
        return len(self.answers.asked())

    @property
    def n_drawn(self) -> int:
        """Questions of this plan that somebody has seen, of those drawn at random."""
        return len(self._drawn)

    @property
    def n_teaching(self) -> int:
        """Those of the plan that teach, and that none which is drawn at random has come to."""
        if self.teaching is None:
            return 0
        return len(self._pairs & self.answers.asked()) - len(self._drawn)

    @property
    def expected(self) -> float | None:
        """The share of matches that is expected to be right before anybody answers, if any is."""
        n_false, n_match = self.plan.n_false, self.plan.n_match
        return None if n_false is None or not n_match else 1 - min(n_false / n_match, 1.0)

    def needed(self) -> int | None:
        """About how many questions drawn at random prove the goal, if that share is right."""
        plan = self.plan
        if self.expected is None:
            return None
        shares = [
            share * links.n / pairs.n
            for share, links, pairs in zip(plan.shares, plan.of_links, plan.strata, strict=True)
        ]
        return needed(
            plan.of_links, plan.present, shares, self.expected, self.goal, self.confidence
        )

    def next(self) -> Question | None:
        """The next question, first of all one that was taken back; None if there is none left."""
        if self._again:
            return self._again[-1]
        if second := next(self.seconds(), None):
            return second
        if self.teaching and self.n_teaching < TEACHING * len(self._drawn):
            teaches = self.teaching.next(self.answers)
            if teaches is not None:
                return teaches
        return self._go_on()

    def seconds(self) -> Iterator[Question]:
        """What others answered and this person is asked again."""
        for k, question in self._drawn:
            if self._wants_second(question, k):
                yield question

    def ahead(self) -> Iterator[Question]:
        """The questions drawn at random that nobody has seen, from the next one on."""
        for _, question in self._path(self._n_asked.copy()):
            if not self.answers.of(question.pair):
                yield question

    def say(self, question: Question, said: Said) -> None:
        """Note an answer; it is on disk on return, in the file of pairs as well."""
        self.say_all([(question.pair, said)])
        self._mine.append(question)
        self._again = [q for q in self._again if q.pair != question.pair]

    def say_all(self, said: Iterable[tuple[Pair, Said]]) -> None:
        """Note answers that are not taken back one by one; they are on disk on return."""
        self.answers.say(said, self.by)
        self.answers.write_pairs()
        self._go_on()

    def named(self, pair: Pair) -> Pair:
        """A pair as the plan names it, whichever of the two was named first."""
        other = (pair[1], pair[0])
        return other if other in self._pairs else pair

    def asks(self, pair: Pair) -> bool:
        """Whether a pair is among the questions of the plan."""
        return pair in self._pairs

    def undo(self) -> Pair | None:
        """Take the last answer of this turn back, and say about which pair it was."""
        if not self._mine:
            return None
        self._again.append(self._mine.pop())
        pair = self._again[-1].pair
        self.answers.say([(pair, "withdrawn")], self.by)
        self.answers.write_pairs()
        self._begin()
        n = len(self.drawn().stratum)
        if n < self._looked:  # The last look counted this answer.
            self._looked, self._proven = n, 0
        return pair

    def drawn(self) -> Drawn:
        """The answers that count.

        Those about links are as random a sample of the links of a stratum as all are of its pairs.
        """
        plan, stratum, genuine = self.plan, [], []
        for k, question in self._drawn:
            said = self.answers.genuine(question.pair)
            if said is not None and question.is_link:
                stratum.append(k)
                genuine.append(said)
        return Drawn(
            plan.of_links,
            plan.present,
            np.array(stratum, np.int64),
            np.array(genuine, np.bool_),
            may_lower=plan.engine == EXACT,
        )

    def known(self) -> Known:
        """What is known by now."""
        drawn, plan = self.drawn(), self.plan
        n = len(drawn.stratum)
        if is_due(n, self._looked):
            self._looked, self._proven = n, drawn.proven(self.goal, self.confidence)
        first = self._proven or plan.present
        n_double, n_agreed = self.answers.agreement()
        are_links = [question.is_link for _, question in self._drawn]
        missing = None if self._proven else drawn.missing(self.goal, self.confidence)
        if missing is not None:
            missing = math.ceil(missing * len(are_links) / max(1, sum(are_links)))
        return Known(
            n_answers=n,
            n_unsure=sum(are_links) - n,
            threshold=plan.threshold if first == plan.present else plan.strata[first - 1].low,
            precision=drawn.precision(first, self.confidence),
            recall=drawn.recall(first, self.confidence),
            n_match=sum(s.n for s in plan.of_links[:first]),
            n_genuine=float(np.nansum(drawn.expected())),
            n_pairs=plan.n_pairs,
            goal=self.goal,
            confidence=self.confidence,
            proven=self._proven > 0,
            missing=missing,
            n_double=n_double,
            n_agreed=n_agreed,
            n_teaching=self.n_teaching,
            links=plan.links,
            n_besides=len(are_links) - sum(are_links),
            engine=plan.engine,
        )

    def moves(self, known: Known) -> bool:
        """Whether what is proven gives the release its threshold: `gemel calibrate` takes it."""
        return known.proven and not self.is_measured

    def _wants_second(self, question: Question, stratum: int) -> bool:
        said = self.answers.of(question.pair)
        if self.by in said or len(said) != 1 or "unsure" in said.values():
            return False
        against = ("same" in said.values()) != (stratum < self.plan.present)
        digits = digest(f"{question.left}\n{question.right}".encode())[:DIGITS]
        return against or is_asked(digits, self.second)

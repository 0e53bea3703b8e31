"""The words of a column of answers: which say that two are the same, and which that they are not.

Small letters, and one space for a hyphen, an underscore or several spaces, stand for all ways of
writing one. What stands here is known everywhere; other words a user names in `data.same_is`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from gemel.errors import DataError, quoted

MOST_WORDS = 4
"""Different answers, in whatever writing, up to which a column holds words for the same and not."""
MOST_SHOWN = 5
"""Different answers that a tally shows on either side."""
IN_WORDS = "yes/no, 1/0 or same/different"
"""What stands in the column of answers, in words."""
_YES = (
    *("1", "1.0", "true", "t", "wahr", "vrai", "vero"),
    *("yes", "y", "ja", "j", "oui", "o", "si", "sí", "sì", "s", "sim", "tak"),
)
_NO = (
    *("0", "0.0", "-1", "-1.0", "false", "f", "falsch", "faux", "falso"),
    *("no", "n", "nein", "non", "não", "nao", "nie"),
    *("different", "distinct", "dissimilar", "unequal", "anders", "verschieden", "ungleich"),
    *("nonmatch", "nonduplicate", "mismatch", "unmatched"),
)
_ALIKE = (
    *("same", "match", "matched", "matching", "duplicate", "dup", "equal", "equivalent", "similar"),
    *("identical", "paraphrase", "gleich", "identisch", "treffer", "dublette", "duplikat"),
)
_NOT = ("no", "not", "not a", "non", "kein", "keine", "nicht")
_OPEN = {
    *("unsure", "not sure", "uncertain", "unclear", "unknown", "undecided", "withdrawn", "skip"),
    *("maybe", "perhaps", "possibly", "?", "unsicher", "unklar", "unbekannt", "vielleicht"),
    *("incertain", "peut être"),
}
_SAME = {
    **dict.fromkeys(_NO, False),
    **{f"{no} {word}": False for no in _NOT for word in _ALIKE},
    **dict.fromkeys((*_YES, *_ALIKE), True),
}
_BETWEEN = re.compile(r"(?<=\w)[\s_-]+(?=\w)")


def meaning(text: str) -> bool | None:
    """Whether a word says that two are the same; None where it is not known.

    Example:
        >>> meaning("Kein Match"), meaning("not_duplicate"), meaning("J"), meaning("perhaps")
        (False, False, True, None)
    """
    return _SAME.get(plain(text))


def is_open(text: str, same_is: Sequence[str] = ()) -> bool:
    """Whether a word says that whoever was asked does not know, unless the user named it.

    Example:
        >>> is_open("Not sure"), is_open("?"), is_open("no")
        (True, True, False)
    """
    return plain(text) in _OPEN and plain(text) not in map(plain, same_is)


def plain(text: str) -> str:
    """A word in the one way of writing that stands for all."""
    return _BETWEEN.sub(" ", text.strip().lower())


def check(said: Sequence[str | None], column: str, same_is: Sequence[str], file: str) -> None:
    """Raise where half of the answers or more are words of which nothing is known.

    Args:
        said: the answers.
        column: that they stand in.
        same_is: words that the user named.
        file: for the error.
    Raises:
        DataError: with the setting that says it.
    """
    words = counted(text for text in said if text is not None and not is_open(text, same_is))
    shown = " and ".join(quoted(word) for word, _ in words.most_common(MOST_WORDS))
    if len(words) > MOST_WORDS:
        shown = f"{len(words):,} different texts, such as {shown}"
    if same_is and words and not set(words) & {plain(w) for w in same_is}:
        raise DataError(
            f"column {column!r} holds {shown}, and never what data.same_is names",
            where=file,
            hint="name what stands there where two are the same",
        )
    unknown = [w for w in words if meaning(w) is None and not any(map(str.isdigit, w))]
    both = {True, False} <= {meaning(word) for word in words}
    if same_is or both or not unknown or 2 * sum(words[word] for word in unknown) < words.total():
        return
    example = json.dumps(words.most_common(2)[-1][0][:40], ensure_ascii=False)
    name = f"name it in data.same_is, for example --set 'data.same_is=[{example}]'"
    if len(words) > MOST_WORDS:
        name = f"if another column says it, name that in data.same; if this one does, {name}"
    which = "whether that means" if len(words) == 1 else "which of them means"
    raise DataError(
        f"column {column!r} holds {shown}, and nothing says {which} that two are the same",
        where=file,
        hint=f"{name}; all else then means different, so take out rows that mean neither",
    )


def tally(words: Mapping[str, int], is_same: Callable[[str], bool]) -> str:
    """How many pairs each word counts for, on which side.

    Args:
        words: how often each was said.
        is_same: whether a word says that two are the same.
    Example:
        >>> tally({"gleich": 3, "anders": 5}, lambda word: word == "gleich")
        "the same: 'gleich' 3; different: 'anders' 5"
    """
    told = {True: list[str](), False: list[str]()}
    for word, n in Counter(words).most_common():
        told[is_same(word)].append(f"{quoted(word)} {n:,}")
    same, rest = (
        ", ".join(some[:MOST_SHOWN])
        + f", {len(some) - MOST_SHOWN:,} more words" * (len(some) > MOST_SHOWN)
        or "none"
        for some in told.values()
    )
    more = "; rows of a word that means neither are better taken out of the file"
    return f"the same: {same}; different: {rest}{more if len(told[False]) > 1 else ''}"


def counted(said: Iterable[str | None]) -> Counter[str]:
    """How often each answer comes, in the one way of writing.

    Example:
        >>> counted(["Same", "same ", None, "not-same"])
        Counter({'same': 2, 'not same': 1})
    """
    return Counter(plain(text) for text in said if text is not None and text.strip())

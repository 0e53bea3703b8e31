"""Bodies as they are read: a key that stands twice is found however it is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.errors import InvalidInput
from gemel.serve.http.body import Body
from gemel.serve.wire.pairs import VerifyBody

KEYS = st.text('ab:"\\é', max_size=2)
VALUES = st.recursive(
    st.none() | st.integers(0, 9) | st.text('a:"{,', max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(KEYS, inner), max_size=3),
    max_leaves=12,
)


def written(value: Any) -> str:
    """A value as JSON; a list of pairs is an object."""
    if isinstance(value, list) and value and all(isinstance(one, tuple) for one in value):
        inner = (f"{json.dumps(key)} :{written(one)}" for key, one in value)
        return f"{{{','.join(inner)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(written, value))}]"
    return json.dumps(value)


def has_twice(value: Any) -> bool:
    """Whether a key stands twice in any of its objects."""
    if not isinstance(value, list):
        return False
    pairs = [one for one in value if isinstance(one, tuple)]
    inner = [one for _, one in pairs] if pairs else value
    return len({key for key, _ in pairs}) < len(pairs) or any(map(has_twice, inner))


@given(VALUES)
def test_a_key_that_stands_twice_is_refused_and_nothing_else(value: Any) -> None:
    body: Body[Any] = Body(object)
    sent = written(value).encode()
    if has_twice(value):
        with pytest.raises(InvalidInput, match="stands twice"):
            body.read(sent)
    else:
        assert body.read(sent) == json.loads(sent)


@pytest.mark.parametrize(
    ("sent", "where"),
    [
        ('{"left": {"a": 1, "by": 1e400}, "right": {}}', "left.by"),
        ('{"left": {"a": 1, "by": [-1e999]}, "right": {}}', "left.by[0]"),
        ('{"left": {}}', "right"),
        ('{"left": {}, "right": {}, "lable": 1}', "lable"),
    ],
)
def test_an_error_says_which_key_it_is_about(sent: str, where: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Body(VerifyBody).read(sent.encode())
    assert caught.value.where == where

"""The methods that both clients have: each verb once, waiting or awaited by what sends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import signature
from typing import Any, Generic, ParamSpec, Protocol, Self, TypeVar, overload

from gemel.client import asks
from gemel.client.asks import Ask

P = ParamSpec("P")
Reply = TypeVar("Reply")
T = TypeVar("T")


class Waits(Protocol):
    """What waits for a reply."""

    def send(self, ask: Ask[T]) -> T:
        """The reply to a request."""


class Awaits(Protocol):
    """What is awaited for a reply."""

    async def send(self, ask: Ask[T]) -> T:
        """The reply to a request."""


class Verb(Generic[P, Reply]):
    """A method of a client, made of what it asks.

    Args:
        ask: makes the request of the method's arguments.
    """

    def __init__(self, ask: Callable[P, Ask[Reply]]) -> None:
        self._ask = ask
        self.__doc__ = ask.__doc__

    @overload
    def __get__(self, client: None, kind: type) -> Self: ...
    @overload
    def __get__(self, client: Waits, kind: type) -> Callable[P, Reply]: ...
    @overload
    def __get__(self, client: Awaits, kind: type) -> Callable[P, Awaitable[Reply]]: ...
    def __get__(self, client: Any, kind: type) -> Any:
        """The method of a client."""
        if client is None:
            return self

        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.send(self._ask(*args, **kwargs))

        method.__name__, method.__doc__ = self._ask.__name__, self.__doc__
        method.__signature__ = signature(self._ask)  # type: ignore[attr-defined]
        return method


class Verbs:
    """All verbs of a service; the arguments are those of the functions in `asks`."""

    verify = Verb(asks.verify)
    verify_batch = Verb(asks.verify_batch)
    search = Verb(asks.search)
    search_batch = Verb(asks.search_batch)
    identify = Verb(asks.identify)
    classify = Verb(asks.classify)
    explain = Verb(asks.explain)
    embed = Verb(asks.embed)
    rerank = Verb(asks.rerank)
    duplicates = Verb(asks.duplicates)
    enroll = Verb(asks.enroll)
    delete = Verb(asks.delete)
    get = Verb(asks.get)
    count = Verb(asks.count)
    verdict = Verb(asks.verdict)
    review = Verb(asks.review)
    proposal = Verb(asks.proposal)
    rollout = Verb(asks.rollout)
    release = Verb(asks.release)
    card = Verb(asks.card)
    ready = Verb(asks.ready)

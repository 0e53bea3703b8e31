"""Rate limits of keys and tokens: as many requests at once, then as they come back."""

from __future__ import annotations

from collections.abc import Callable

from gemel.errors import RateLimited
from gemel.figures import number_of

MAX_KEPT = 4096
"""Names whose requests are remembered before those that have all of them back are forgotten."""


class Rates:
    """Counts requests of the last moment, by name.

    Args:
        clock: seconds of a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}
        self._room = MAX_KEPT

    def take(self, name: str, most: int, what: str) -> None:
        """Count one more request, if there may be one.

        Args:
            name: who asks.
            most: requests a second, or that many at once; 0 for any.
            what: who asks, for people.
        Raises:
            RateLimited: there were as many.
        """
        if not most:
            return
        now = self._clock()
        left, at = self._left.get(name, (float(most), now))
        left = min(float(most), left + (now - at) * most)
        if left < 1:
            raise RateLimited(
                f"{what} may ask {number_of(most, 'time')} a second",
                hint="try again after the time in Retry-After",
            )
        self._left[name] = left - 1, now
        if len(self._left) > self._room:
            # After a second without a request all of them are back, however many they were.
            self._left = {n: (k, t) for n, (k, t) in self._left.items() if now - t < 1}
            self._room = max(MAX_KEPT, 2 * len(self._left))

"""How far a long step of a release has come."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]


def ticker(progress: Progress | None, n_steps: int) -> Callable[[], None]:
    """What to call after each of n steps, so that `progress` hears of them."""
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, n_steps)

    return tick

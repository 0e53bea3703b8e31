"""The library `transformers`, as it is asked: with its errors as errors of the setting."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from gemel.errors import ConfigError


def transformers() -> Any:
    """The library.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import transformers as library
    except ImportError as e:
        hint = "pip install 'gemel[transformers]'"
        raise ConfigError("pretrained networks need the package transformers", hint=hint) from e
    library.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    return library


@contextlib.contextmanager
def opening() -> Iterator[None]:
    """What the library raises where it cannot read a folder, as an error of the setting."""
    try:
        yield
    except (OSError, ValueError, KeyError, AttributeError) as e:
        said = (str(e).strip().splitlines() or [type(e).__name__])[0]
        raise ConfigError(f"transformers cannot open it: {said}", where="train.backbone") from e

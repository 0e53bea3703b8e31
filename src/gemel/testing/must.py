"""How a suite says what is wrong."""


def must(holds: bool, otherwise: str) -> None:
    """Raise AssertionError, with a sentence about what a user would notice, unless it holds."""
    if not holds:
        raise AssertionError(otherwise)

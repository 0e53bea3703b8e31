"""Names and words without their accents, so that a list of known words holds one way of writing."""

from __future__ import annotations

import unicodedata


def without(text: str) -> str:
    """A text without the marks above and below its letters.

    Example:
        >>> without("Tél."), without("prénom"), without("Straße")
        ('Tel.', 'prenom', 'Straße')
    """
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c))

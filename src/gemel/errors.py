"""The one tree of errors, each with a machine code, an HTTP status and an exit code.

    GemelError
      ConfigError
      DataError           > LeakageError TargetRefused
      TrainingError       > CollapseError
      ReleaseError        > NotFound DigestMismatch ParityError SpaceMismatch GateFailed
                            PointerMoved RolloutConflict NotYet
      GalleryError        > UnknownRecord DuplicateRecord GalleryFull GalleryUnavailable
                            ReadOnly
      LedgerError         > RowRefused LedgerUnavailable
      RequestError        > InvalidInput UnknownDecision Unauthenticated NotAllowed
                            RateLimited QuotaReached Overloaded DeadlineExceeded MalformedBody
                            UnknownPath WrongMethod NoGallery NoLedger BodyTooLarge WrongMediaType
                            WrongHost HeadTooLarge TooSlow
      ServiceUnreachable
      InternalError

A message says what and where; the hint says what to do. How an error is shown (a line on a
terminal, a problem+json body) is decided by who shows it, never here.
"""

from __future__ import annotations

from typing import Any, ClassVar


def quoted(value: object, most: int = 60) -> str:
    """A value that a user gave, as text; quotes are closed where it is cut.

    Example:
        >>> quoted("abcdefgh", 4)
        "'abcd...'"
    """
    if not isinstance(value, str):
        text = repr(value)
        return text if len(text) <= most else f"{text[:most]}..."
    return repr(short(value, most))


def short(text: str, most: int = 60) -> str:
    """A text as it may stand in a message: its beginning where it is longer."""
    return text if len(text) <= most else f"{text[:most]}..."


class GemelError(Exception):
    """An error that a user can act on.

    Args:
        what: what went wrong, one sentence without a full stop.
        where: file and key, row and column, record id; empty when there is no place.
        hint: what to do about it; empty when nothing better is known than the message.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what = what
        self.where = where
        self.hint = hint
        super().__init__(f"{where}: {what}" if where else what)
        if hint:
            self.add_note(f"hint: {hint}")  # in a traceback, which shows no attributes


class ConfigError(GemelError):
    """A setting is unknown, of the wrong type or contradicts another one."""

    code = "config"


class DataError(GemelError):
    """Input records cannot be read or are not fit for the purpose."""

    code = "data"
    status = 422


class LeakageError(DataError):
    """The same identity or the same record stands on both sides of a split."""

    code = "leakage"


class TargetRefused(DataError):
    """The data cannot prove the rate that a threshold was asked for.

    Args:
        what: as for every error.
        hint: what is missing.
        refusal: the same as numbers, a `calibrate.goals.refusal.Refusal`.
    """

    code = "target_refused"

    def __init__(self, what: str, *, hint: str, refusal: Any) -> None:
        self.refusal = refusal
        super().__init__(what, hint=hint)


class TrainingError(GemelError):
    """Training cannot start or cannot go on."""

    code = "training"


class CollapseError(TrainingError):
    """The encoder gives nearly the same embedding to everything."""

    code = "collapse"


class ReleaseError(GemelError):
    """A release is damaged, unsuitable or not there."""

    code = "release"
    status = 503


class NotFound(ReleaseError):
    """No release or pointer of that name."""

    code = "not_found"
    status = 404


class DigestMismatch(ReleaseError):
    """A file of a release is not the one its manifest names."""

    code = "digest_mismatch"


class ParityError(ReleaseError):
    """Golden probes no longer give the embeddings they gave when the release was built."""

    code = "parity"


class SpaceMismatch(ReleaseError):
    """Embeddings of different spaces were about to be compared."""

    code = "space_mismatch"
    status = 409


class PointerMoved(ReleaseError):
    """A pointer stands elsewhere than whoever wanted to move it thought."""

    code = "pointer_moved"
    status = 409


class RolloutConflict(ReleaseError):
    """There is no rollout to change, or another one is under way."""

    code = "rollout_conflict"
    status = 409


class NotYet(ReleaseError):
    """A rollout has not come as far as whoever waits for it wants."""

    code = "not_yet"
    status = 425


class GateFailed(ReleaseError):
    """A release did not pass the checks that promotion asks for."""

    code = "gate_failed"
    status = 409
    exit_code = 3


class GalleryError(GemelError):
    """The gallery cannot do what was asked."""

    code = "gallery"


class UnknownRecord(GalleryError):
    """No record of that id in the gallery."""

    code = "unknown_record"
    status = 404


class DuplicateRecord(GalleryError):
    """One id stands twice in one batch, or for another content than is enrolled under it."""

    code = "duplicate_record"
    status = 409


class GalleryFull(GalleryError):
    """The disk has no room for a change; nothing of it was stored."""

    code = "gallery_full"
    status = 507


class GalleryUnavailable(GalleryError):
    """The file of the gallery was taken away; what is in memory is still searched."""

    code = "gallery_unavailable"
    status = 503


class ReadOnly(GalleryError):
    """The gallery is open to be searched only; another process changes it."""

    code = "read_only"
    status = 409


class LedgerError(GemelError):
    """The ledger cannot be written or its chain is broken."""

    code = "ledger"


class RowRefused(LedgerError):
    """The table refuses this entry; others may well be taken."""

    code = "row_refused"


class LedgerUnavailable(LedgerError):
    """The ledger does not take entries at the moment; nothing is decided or changed unnoted."""

    code = "ledger_unavailable"
    status = 503


class RequestError(GemelError):
    """A request that cannot be served.

    Args:
        what: see `GemelError`, and so are where and hint.
        where: see what.
        hint: see what.
        retry_s: seconds after which it is worth asking again, where it is worth it at all.
    """

    code = "request"
    status = 400

    def __init__(self, what: str, *, where: str = "", hint: str = "", retry_s: float = 1.0) -> None:
        super().__init__(what, where=where, hint=hint)
        self.retry_s = retry_s


class InvalidInput(RequestError):
    """The payload does not fit the schema of the release."""

    code = "invalid_input"
    status = 422


class UnknownDecision(RequestError):
    """No decision of that id was made here."""

    code = "unknown_decision"
    status = 404


class Unauthenticated(RequestError):
    """The caller has no key that is valid."""

    code = "unauthenticated"
    status = 401


class NotAllowed(RequestError):
    """The caller may not do this."""

    code = "not_allowed"
    status = 403


class RateLimited(RequestError):
    """The caller asked too often."""

    code = "rate_limited"
    status = 429


class QuotaReached(RequestError):
    """The gallery holds as many records as the caller may keep."""

    code = "quota_reached"
    status = 403


class Overloaded(RequestError):
    """The queue is full or the service is stopping."""

    code = "overloaded"
    status = 503


class DeadlineExceeded(RequestError):
    """The request waited longer than it may."""

    code = "deadline_exceeded"
    status = 504


class MalformedBody(RequestError):
    """The body is not JSON."""

    code = "malformed_json"


class UnknownPath(RequestError):
    """There is nothing at that path."""

    code = "unknown_path"
    status = 404


class WrongMethod(RequestError):
    """The path does not answer that method."""

    code = "wrong_method"
    status = 405


class NoGallery(RequestError):
    """The service runs without a gallery."""

    code = "no_gallery"
    status = 409


class NoLedger(RequestError):
    """The service keeps no record of decisions."""

    code = "no_ledger"
    status = 409


class BodyTooLarge(RequestError):
    """The body is larger than the service takes."""

    code = "body_too_large"
    status = 413


class WrongMediaType(RequestError):
    """The body is not announced as JSON."""

    code = "media_type"
    status = 415


class WrongHost(RequestError):
    """The service is not asked under this name."""

    code = "wrong_host"
    status = 421


class HeadTooLarge(RequestError):
    """The headers are more, or larger, than the service takes."""

    code = "head_too_large"
    status = 431


class TooSlow(RequestError):
    """The request did not come in time."""

    code = "too_slow"
    status = 408


class ServiceUnreachable(GemelError):
    """A client got no answer from its service."""

    code = "unreachable"
    status = 503


class InternalError(GemelError):
    """A fault of the service."""

    code = "internal"

"""What an error says to the model that caused it: what happened, and what to do next."""

from __future__ import annotations

from polaris_core import (
    ConflictError,
    EventError,
    InvalidCursorError,
    LimitExceededError,
    OutcomeUnknownError,
    PolarisError,
    StorageError,
    StoreBusyError,
    StoreClosedError,
    StoreDamagedError,
    StoreFullError,
    StoreReadOnlyError,
    ToolError,
    UnsupportedError,
    ValidationError,
)

__all__ = ["sentence"]

# The first class an error belongs to decides, so the special ones stand before the general ones.
_HINTS: tuple[tuple[type[PolarisError], str], ...] = (
    (InvalidCursorError, "Leave the cursor out to start again from the first page, and keep the other arguments."),
    (ValidationError, "Nothing was changed. Correct the argument and call again."),
    (ConflictError, "Nothing was changed. Somebody else wrote meanwhile: read again, then decide again."),
    (LimitExceededError, "Nothing was changed. Ask for less in one call."),
    (StoreBusyError, "Nothing was changed. Another process holds the store; call again in a moment."),
    (StoreFullError, "Nothing was changed. Tell the user that the disk is full."),
    (StoreReadOnlyError, "Nothing was changed. The store is open for reading only; tell the user."),
    (StoreDamagedError, "Do not call again. Tell the user that the store is damaged and needs repair."),
    (StoreClosedError, "The server is stopping; calls are no longer answered."),
    (OutcomeUnknownError, "Read before you repeat it: it may have happened."),
    (UnsupportedError, "This store cannot do it; tell the user."),
    (StorageError, "If it stays so, tell the user."),
    (EventError, "If it stays so, tell the user."),
)


def sentence(error: PolarisError) -> str:
    """Return what to tell the model."""
    text = str(error)
    if isinstance(error, ToolError):
        return text
    hint = next((hint for kind, hint in _HINTS if isinstance(error, kind)), "")
    return f"{text if text.endswith(('.', '?', '!')) else f'{text}.'} {hint}".strip()

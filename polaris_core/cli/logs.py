"""Logging to standard error. The library configures none; a command line does, for as long as its command runs."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from polaris_core.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["JsonLines", "TextLines", "logging_to_stderr"]

_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class TextLines(logging.Formatter):
    """A record a line; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line = f"{record.levelname} {record.name}: {printable(record.getMessage())}"
        if record.exc_info:
            line += "".join(f"\n{printable(part)}" for part in self.formatException(record.exc_info).split("\n"))
        return line


class JsonLines(logging.Formatter):
    """A record a line of ASCII JSON: time, level, logger and message, then what the caller added."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        fields |= {name: value for name, value in vars(record).items() if name not in _OWN_FIELDS | set(fields)}
        return json.dumps(fields, default=str)


@contextmanager
def logging_to_stderr(level: str, form: str) -> Iterator[None]:
    """Log to standard error, as text or as JSON, warnings included; leave everything as it was at the end."""
    root = logging.getLogger()
    handlers, old_level = root.handlers[:], root.level
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = handlers
        root.setLevel(old_level)

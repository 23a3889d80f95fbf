"""Names and values that a careless store confuses, changes, or takes for something else."""

from __future__ import annotations

from typing import Any

__all__ = ["NAMES", "VALUES"]

NAMES = (
    "Foo",
    "foo",
    "FOO",
    "stra\N{LATIN SMALL LETTER SHARP S}e",
    "strasse",
    "Stra\N{LATIN SMALL LETTER SHARP S}e",
    "../x",
    "/etc/passwd",
    "C:\\CON",
    ".",
    "..",
    "trailing ",
    "trailing",
    " trailing",
    "trailing.",
    "%00",
    "%",
    "_",
    "*",
    "'; DROP TABLE nodes; --",
    '","body":{"x":1}',
    '"',
    "\\",
    "\\u0041",
    "A",
    "\N{FULLWIDTH LATIN CAPITAL LETTER A}",
    "\N{CYRILLIC CAPITAL LETTER A}",
    "\N{FULLWIDTH SOLIDUS}",
    "a\u2028b\u2029c",
    "a\N{ZERO WIDTH SPACE}b",
    "ab",
    "\u202eright",
    "\ufeffmark",
    "mark",
    "\N{LATIN SMALL LIGATURE FI}sh",
    "fish",
    "\N{LATIN SMALL LETTER E WITH ACUTE}",
    "e",
    "\N{LATIN SMALL LETTER DOTLESS I}",
    "i",
    "1",
    "01",
    "1.0",
    "null",
    "true",
    "\ufffe",
    "\uffff",
    "\U0001f600",
    "\U0001f600" * 200,
    "\U0010ffff",
    "n" * 1_024,
)
"""Names that differ, and that a careless store confuses, changes, or takes for something else."""

VALUES: dict[str, Any] = {
    "integers": [0, -1, 1, 2**53 + 1, 2**63 - 1, -(2**63)],
    "floats": [1.0, -0.0, 0.1, 1e22, 1e-7, 5e-324, 1.7976931348623157e308],
    "not the same": [1, 1.0, True, "1", None],
    "texts": ["", " ", "\u2028\u2029\u0085\x1c\n\r\t", "\x7f\x01", "\ufeff", "\uffff\ufffe", "\U0001f600", "e\u0301"],
    "keys": {"": 1, " ": 2, "$ref": 3, "a.b": 4, "\U0001f600": 5, "b": {"a": []}, "a": {}},
    "deep": [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]],
}

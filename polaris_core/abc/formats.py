"""What a format plugin implements: reading a file as records, writing a graph as a file. Both stream, and own up to losses."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, BinaryIO, Final, Literal, TypeAlias, TypeVar

import attrs

from polaris_core.codec import parse_json
from polaris_core.errors import InvalidValueError, LossError, ValidationError
from polaris_core.model import Edge, EdgeKey, Key, Node
from polaris_core.mutations import UpsertEdge, UpsertNode

__all__ = ["MAX_LINE_BYTES", "FormatSpec", "Loss", "Losses", "OnLoss", "read_lines"]

T = TypeVar("T")

# A record is at most 1 MiB of canonical JSON unless the settings allow more, and another program may spell each of its
# characters as six.
MAX_LINE_BYTES: Final = 16 << 20

Of: TypeAlias = Literal["node", "edge", "file", "graph"]
OnLoss: TypeAlias = Literal["skip", "error"]
"""What becomes of what its new place cannot hold: it is left out and counted, or refuses the whole."""


@attrs.frozen
class Loss:
    """So many nodes, edges or files, or the graph, `of`, lost something: their `attributes`, say."""

    of: Of
    what: str
    count: int

    def __str__(self) -> str:
        of = "the graph" if self.of == "graph" else f"{self.count:,} {self.of}{'' if self.count == 1 else 's'}"
        return f"{self.what} of {of}"


class Losses:
    """What a reader or writer has to leave out because the place it goes to cannot hold it.

    `place` names that place in messages. With `on_loss="error"` the first loss raises `LossError`.
    """

    def __init__(self, place: str, on_loss: OnLoss = "skip") -> None:
        if on_loss not in ("skip", "error"):
            raise InvalidValueError(f"on_loss is 'skip' or 'error', not {on_loss!r}")
        self._place = place
        self._strict = on_loss == "error"
        self._counts: Counter[tuple[Of, str]] = Counter()

    def add(self, key: Key | None, what: str) -> None:
        """Count that a node or edge, by its key, or for None the file as a whole, loses something.

        `what` is a noun that stands in front of "of 3 nodes", such as "attributes". Call it once a record and thing.
        """
        self._count("file" if key is None else "edge" if isinstance(key, EdgeKey) else "node", key, what)

    def add_of_graph(self, what: str) -> None:
        """Count that the graph loses something that is in no record, such as its schemas."""
        self._count("graph", None, what)

    def _count(self, of: Of, key: Key | None, what: str) -> None:
        if self._strict:
            name = of if key is None else f"{of} {key if isinstance(key, EdgeKey) else repr(key)}"
            raise LossError(f"{self._place} cannot hold the {what} of the {name}", key=key, what=what)
        self._counts[of, what] += 1

    def counted(self) -> tuple[Loss, ...]:
        """Return what was lost, in the order in which it was met first."""
        return tuple(Loss(of, what, count) for (of, what), count in self._counts.items())


def read_lines(file: BinaryIO, record: Callable[[Any], T]) -> Iterator[T]:
    """Yield what a function makes of each line of JSON; empty lines are passed over.

    Raises `ValidationError` with the line's number for one of more than `MAX_LINE_BYTES`, one that is no JSON, and one that the
    function refuses with that error.
    """
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise ValidationError(f"line {number}: longer than {MAX_LINE_BYTES:,} bytes")
        if line.isspace():
            continue
        try:
            yield record(parse_json(line))
        except ValidationError as error:
            raise ValidationError(f"line {number}: {error}") from error


@attrs.frozen(kw_only=True)
class FormatSpec:
    """A file format. `read` yields what `Graph.load` takes, in any order; `write` yields the file's bytes.

    An upsert stands for a record; one whose type is None keeps the type that is there. `write` is given all nodes before
    all edges.

    Nothing is dropped in silence: what the graph cannot hold of a file, or the format of a graph, is refused with a
    `ValidationError` or counted in the `Losses`. What a file holds is not trusted: `read` bounds what it keeps in memory and
    raises `ValidationError` with the line, or the element, for what it cannot understand. A format may do only one of the two.
    """

    name: str
    sentence: str
    read: Callable[[BinaryIO, Losses], Iterator[UpsertNode | UpsertEdge]] | None = None
    write: Callable[[AsyncIterator[Node | Edge], Losses], AsyncIterator[bytes]] | None = None

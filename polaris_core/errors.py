"""Everything Polaris raises on purpose.

::

    PolarisError
    ├── ValidationError (ValueError)       what was asked is malformed; nothing was tried
    │   ├── InvalidNameError               .name
    │   ├── InvalidValueError              .path
    │   ├── InvalidSchemaError             .path
    │   ├── SchemaViolationError           .key  .path  .expected
    │   │   └── EdgeEndsError
    │   ├── InvalidCursorError             .cursor
    │   ├── InvalidLocationError           .location
    │   ├── LossError                      .key  .what
    │   └── ConfigError                    .setting
    ├── StorageError                       the store, or what it holds, said no
    │   ├── RefusedError                   the batch changed nothing; its neighbours were not hurt
    │   │   ├── NotFoundError (LookupError)    .key  .near
    │   │   │   ├── NodeNotFoundError
    │   │   │   ├── EdgeNotFoundError
    │   │   │   └── SchemaNotFoundError
    │   │   ├── AlreadyExistsError         .key
    │   │   │   ├── NodeExistsError
    │   │   │   └── EdgeExistsError
    │   │   ├── NodeHasEdgesError          .key  .edges
    │   │   ├── ConflictError              .key  .expected  .actual
    │   │   ├── IdempotencyKeyReusedError  .key
    │   │   └── LimitExceededError         .limit  .size  .maximum
    │   ├── StoreUnavailableError          .location
    │   │   ├── StoreNotFoundError
    │   │   ├── StoreBusyError             .pid  .seconds
    │   │   ├── StoreFullError
    │   │   ├── StoreReadOnlyError
    │   │   ├── StoreFormatError           not a Polaris store, or of a newer format
    │   │   ├── StoreDamagedError          .where
    │   │   └── EditConflictError          .where
    │   ├── StoreClosedError
    │   ├── ForkedError
    │   ├── MigrationError                 .where
    │   ├── OutcomeUnknownError            the commit may or may not have happened
    │   ├── HistoryReplacedError           .cursor
    │   ├── HistoryTrimmedError            .cursor  .floor
    │   ├── UnsupportedError               .capability  .supported_by
    │   └── ProgramError                   a program broke the contract of `Storage`
    ├── EventError
    │   ├── EventNotFoundError             .id
    │   └── EventConflictError             .source  .expected  .actual
    ├── PluginError                        .plugin
    │   ├── PluginNotFoundError (LookupError)  .kind  .known
    │   ├── PluginLoadError                the original exception is its `__cause__`
    │   ├── PluginSpecificationError
    │   ├── PluginBlockedError
    │   ├── PluginIncompatibleError        .requirement
    │   └── PluginAmbiguousError           .kind  .claimants
    └── ToolError                          what a tool tells the model; .hint says what to do next

Each carries what it is about as attributes, can be copied and pickled, and reads as a sentence.
"""

from __future__ import annotations

import builtins
from typing import Any, Self, TypeVar, dataclass_transform

import attrs

__all__ = [
    "AlreadyExistsError",
    "ConfigError",
    "ConflictError",
    "EdgeEndsError",
    "EdgeExistsError",
    "EdgeNotFoundError",
    "EditConflictError",
    "EventConflictError",
    "EventError",
    "EventNotFoundError",
    "ForkedError",
    "HistoryReplacedError",
    "HistoryTrimmedError",
    "IdempotencyKeyReusedError",
    "InvalidCursorError",
    "InvalidLocationError",
    "InvalidNameError",
    "InvalidSchemaError",
    "InvalidValueError",
    "LimitExceededError",
    "LossError",
    "MigrationError",
    "NodeExistsError",
    "NodeHasEdgesError",
    "NodeNotFoundError",
    "NotFoundError",
    "OutcomeUnknownError",
    "PluginAmbiguousError",
    "PluginBlockedError",
    "PluginError",
    "PluginIncompatibleError",
    "PluginLoadError",
    "PluginNotFoundError",
    "PluginSpecificationError",
    "PolarisError",
    "ProgramError",
    "RefusedError",
    "SchemaNotFoundError",
    "SchemaViolationError",
    "StorageError",
    "StoreBusyError",
    "StoreClosedError",
    "StoreDamagedError",
    "StoreFormatError",
    "StoreFullError",
    "StoreNotFoundError",
    "StoreReadOnlyError",
    "StoreUnavailableError",
    "ToolError",
    "UnsupportedError",
    "ValidationError",
]

Path = tuple[str | int, ...]


def _rebuild(cls: type[PolarisError], fields: dict[str, Any]) -> PolarisError:
    error = cls.__new__(cls)
    builtins.Exception.__init__(error, fields["message"])
    error.__dict__.update(fields)
    if "__notes__" in fields:  # each error's notes are its own
        error.__notes__ = list(fields["__notes__"])
    return error


T = TypeVar("T")


@dataclass_transform(kw_only_default=True)
def _error(cls: type[T]) -> type[T]:
    """Give an error its fields, by keyword."""
    return attrs.define(slots=False, eq=False, kw_only=True, repr=False, str=False)(cls)


@dataclass_transform()  # of the same kind as its children's, or type checkers would not hand down `message`
def _root(cls: type[T]) -> type[T]:
    return attrs.define(slots=False, eq=False, repr=False, str=False)(cls)


@_root
class PolarisError(Exception):
    """The root of everything Polaris raises on purpose."""

    message: str

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), dict(self.__dict__))

    def fresh(self) -> Self:
        """Return an equal error of the same cause, without traceback or context.

        Each caller of a shared operation raises its own, and what the caller was handling meanwhile becomes its context.
        """
        error = _rebuild(type(self), dict(self.__dict__))
        error.__cause__ = self.__cause__
        error.__suppress_context__ = self.__suppress_context__  # which the line before has set, whatever the cause
        return error  # type: ignore[return-value]


@_error
class ValidationError(PolarisError, ValueError):
    """What was asked is malformed; nothing was tried."""


@_error
class InvalidNameError(ValidationError):
    """A name or type is empty, too long, or holds what no name may hold."""

    name: object = None


@_error
class InvalidValueError(ValidationError):
    """A value is not JSON that every backend can keep."""

    path: Path = ()

    def __str__(self) -> str:
        where = "".join(f"[{step!r}]" for step in self.path)
        return f"{self.message} (at {where})" if where else self.message


@_error
class InvalidSchemaError(ValidationError):
    """What was to be the schema of a type is no JSON Schema, or more than is accepted; `path` is where in it."""

    path: Path = ()

    def __str__(self) -> str:
        where = "".join(f"[{step!r}]" for step in self.path)
        return f"{self.message} (at {where} of the schema)" if where else self.message


@_error
class SchemaViolationError(ValidationError):
    """A value does not satisfy the JSON Schema it has to; `key` is that of the node or edge, or the type of the event."""

    key: object = None
    path: Path = ()
    expected: object = None


@_error
class EdgeEndsError(SchemaViolationError):
    """An edge would join nodes that edges of its type may not join; `expected` holds the types of nodes that may stand there."""


@_error
class InvalidCursorError(ValidationError):
    """A cursor is not one that this store and this query gave out."""

    cursor: object = None


@_error
class InvalidLocationError(ValidationError):
    """A store's URL cannot be understood."""

    location: str = ""


@_error
class LossError(ValidationError):
    """A file or a graph cannot hold a part of what was to go into it, and leaving that out was forbidden."""

    key: object = None
    what: str = ""


@_error
class ConfigError(ValidationError):
    """A setting is unknown or has a value that it cannot have."""

    setting: str = ""


@_error
class StorageError(PolarisError):
    """The store, or what it holds, said no."""


@_error
class RefusedError(StorageError):
    """A batch was refused: it changed nothing, and the batches beside it went on."""


@_error
class NotFoundError(RefusedError, LookupError):
    """What was named does not exist; `near` holds existing names that look alike."""

    key: object
    near: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.near:
            return self.message
        return f"{self.message}; did you mean {' or '.join(repr(name) for name in self.near)}?"


@_error
class NodeNotFoundError(NotFoundError):
    """No node has this name."""


@_error
class EdgeNotFoundError(NotFoundError):
    """No edge joins these two nodes with this type."""


@_error
class SchemaNotFoundError(NotFoundError):
    """No schema is kept for this type."""


@_error
class AlreadyExistsError(RefusedError):
    """What was to be created exists."""

    key: object


@_error
class NodeExistsError(AlreadyExistsError):
    """A node of this name exists."""


@_error
class EdgeExistsError(AlreadyExistsError):
    """An edge of this type joins these two nodes already."""


@_error
class NodeHasEdgesError(RefusedError):
    """A node with edges is deleted only when asked to detach it; `edges` is how many there are, at least."""

    key: object
    edges: int


@_error
class ConflictError(RefusedError):
    """What the batch expected is no longer so: read again and decide again."""

    key: object
    expected: object = None
    actual: object = None


@_error
class IdempotencyKeyReusedError(RefusedError):
    """The idempotency key was used for another request."""

    key: str


@_error
class LimitExceededError(RefusedError):
    """A limit of the settings would be passed; `limit` names the setting."""

    limit: str
    size: int
    maximum: int


@_error
class StoreUnavailableError(StorageError):
    """The store cannot be used as asked."""

    location: str = ""


@_error
class StoreNotFoundError(StoreUnavailableError):
    """There is no store, and none was to be created."""


@_error
class StoreBusyError(StoreUnavailableError):
    """Another process held the store beyond the deadline; `pid` is that process where it is known."""

    pid: int | None = None
    seconds: float = 0.0


@_error
class StoreFullError(StoreUnavailableError):
    """The disk or the quota is full; the write changed nothing."""


@_error
class StoreReadOnlyError(StoreUnavailableError):
    """The store was opened, or can only be opened, for reading."""


@_error
class StoreFormatError(StoreUnavailableError):
    """What is there is not a Polaris store, or of a format this release does not know."""


@_error
class StoreDamagedError(StoreUnavailableError):
    """The store holds bytes that Polaris did not write; `where` says which."""

    where: str = ""


@_error
class EditConflictError(StoreUnavailableError):
    """Files were edited by hand in a way that cannot be taken in as a commit; `where` is the file and line."""

    where: str = ""


@_error
class StoreClosedError(StorageError):
    """The graph was closed, or its event loop or a load has ended."""


@_error
class ForkedError(StorageError):
    """The process forked after the graph was opened: open it again in the child."""


@_error
class MigrationError(StorageError):
    """A graph cannot be copied into that store, or the copy differs; `where` names the first row that does."""

    where: str = ""


@_error
class OutcomeUnknownError(StorageError):
    """The commit was sent and its answer lost: read before you repeat, or repeat with an idempotency key."""


@_error
class HistoryReplacedError(StorageError):
    """The history this cursor belongs to was replaced by a restore or a recovery: start again from the beginning."""

    cursor: object = None


@_error
class HistoryTrimmedError(StorageError):
    """The changes after this cursor were trimmed; the oldest one kept follows `floor`."""

    cursor: object = None
    floor: int = 0


@_error
class UnsupportedError(StorageError):
    """This backend does not claim the capability that was asked for."""

    capability: str
    supported_by: tuple[str, ...] = ()


@_error
class ProgramError(StorageError):
    """A program awaited something other than its session, or a plan was not made from the state it is stored into."""


@_error
class EventError(PolarisError):
    """The event log or the bus said no."""


@_error
class EventNotFoundError(EventError):
    """No event, subscription or dead letter has this id."""

    id: str


@_error
class EventConflictError(EventError):
    """The source's position in the log is not the expected one: another process appended first."""

    source: str
    expected: object = None
    actual: object = None


@_error
class PluginError(PolarisError):
    """A plugin could not be used; `plugin` names it as the user typed it or as its distribution is called."""

    plugin: str


@_error
class PluginNotFoundError(PluginError, LookupError):
    """No installed plugin offers this name; `known` lists those that are there."""

    kind: str = ""
    known: tuple[str, ...] = ()


@_error
class PluginLoadError(PluginError):
    """The plugin's module failed while it was imported or asked; the original exception is the cause."""


@_error
class PluginSpecificationError(PluginError):
    """The plugin's hooks or specifications break the rules of the plugin interface."""


@_error
class PluginBlockedError(PluginError):
    """The settings keep this plugin from being loaded."""


@_error
class PluginIncompatibleError(PluginError):
    """The plugin needs another release of the core than the running one."""

    requirement: str = ""


@_error
class PluginAmbiguousError(PluginError):
    """Two distributions claim one name; the settings have to say which one is meant."""

    kind: str = ""
    claimants: tuple[str, ...] = ()


@_error
class ToolError(PolarisError):
    """What a tool tells the model that called it; `hint` says what to do next."""

    hint: str = ""

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message

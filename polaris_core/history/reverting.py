"""A commit taken back: mutations that lead from the present to the present without it, if nothing later touched the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, NoReturn

from polaris_core.codec import loads
from polaris_core.errors import ConflictError, RefusedError
from polaris_core.history.places import change_at, cursor_of
from polaris_core.history.undoing import deleted_edge, deleted_node, reading, undo_attributes, undo_observations
from polaris_core.model import EdgeKey, Key, Observation, Patch, Path
from polaris_core.mutations import (
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteMeta,
    DeleteNode,
    Expect,
    ExpectRevision,
    ExpectUnchanged,
    Mutation,
    PatchEdge,
    PatchNode,
    RenameNode,
    SetMeta,
)
from polaris_core.planning.delta import same
from polaris_core.records import ChangeRecord, EdgeRecord, NodeRecord, Session

__all__ = ["Inverse", "changes_of_commit", "inverse"]

_PAGE = 1_000
_MISSING = object()


class Inverse(NamedTuple):
    """What takes a commit back, and what must be so for that to be right."""

    mutations: tuple[Mutation, ...]
    expect: tuple[Expect, ...]


async def changes_of_commit(session: Session, seq: int) -> list[ChangeRecord]:
    """Return the changes of the commit that the change of a number, which is kept, belongs to, as far as they are kept."""
    first = (await change_at(session, seq)).commit
    found: list[ChangeRecord] = []
    while True:
        page = await session.changes(found[-1].seq if found else first - 1, _PAGE, None)
        mine = [change for change in page if change.commit == first]
        found += mine
        if len(mine) < _PAGE:
            return found


async def inverse(session: Session, changes: Sequence[ChangeRecord]) -> Inverse:
    """Return what takes the changes of one commit back.

    Raises `ConflictError` where something later touched the same fields of a record, or a record that was created or deleted,
    and `RefusedError` where the commit was a bulk load.
    """
    return await _Reversal(session).of(changes)


class _Thing:
    """A node or an edge in the middle of being taken back, its body as plain JSON."""

    def __init__(self, record: NodeRecord | EdgeRecord) -> None:
        body = loads(record.body)
        self.revision = record.revision
        self.type = record.type
        self.attributes: dict[str, Any] = body["attributes"]
        self.observations: list[Any] = body.get("observations", [])
        self.name = record.name if isinstance(record, NodeRecord) else ""
        self.ends = (record.source, record.target) if isinstance(record, EdgeRecord) else (0, 0)


class _Reversal:
    """The way back through one commit, the last change first, from the present."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._things: dict[int, _Thing] = {}
        self._names: dict[int, str] = {}  # of nodes, as they are at this point of the way back
        self._meta: dict[str, Any] = {}
        self._last: dict[int, int] = {}  # record -> its last change in the commit
        self._mutations: list[Mutation] = []

    async def of(self, changes: Sequence[ChangeRecord]) -> Inverse:
        kinds: dict[int, set[str]] = {}
        for change in changes:
            if change.kind == "graph.imported":
                raise RefusedError("a bulk load cannot be undone; delete what it brought, or restore a backup")
            kinds.setdefault(change.id, set()).add(change.kind.partition(".")[2])
            self._last[change.id] = change.seq
        fleeting = {id for id, seen in kinds.items() if id and {"created", "deleted"} <= seen}
        wanted = [change for change in changes if change.id not in fleeting and change.kind != "event"]
        expect = await self._load(wanted)
        for change in reversed(wanted):
            with reading(change) as body:
                getattr(self, "_" + change.kind.replace(".", "_"))(change, body)
        return Inverse(tuple(self._mutations), expect)

    async def _load(self, changes: Sequence[ChangeRecord]) -> tuple[Expect, ...]:
        """Load everything that is touched and still there; return that it must not change before the undo is committed."""
        nodes = {change.id for change in changes if change.kind.startswith("node.")}
        edges = {change.id for change in changes if change.kind.startswith("edge.")}
        nodes |= {end for change in changes if change.id in edges for end in (change.source, change.target)}
        expect: list[Expect] = []
        for node in await self._session.nodes(sorted(nodes)):
            if node is not None:
                self._things[node.id], self._names[node.id] = _Thing(node), node.name
                expect.append(ExpectRevision(node.name, node.revision))
        for edge in await self._session.edges(sorted(edges)):
            if edge is not None:
                self._things[edge.id] = _Thing(edge)
                expect.append(ExpectRevision(self._key(edge.source, edge.type, edge.target), edge.revision))
        keys = [loads(change.body)["key"] for change in changes if change.kind.startswith("meta.")]
        if keys:
            records = await self._session.meta(keys)
            self._meta = {record.key: loads(record.body) for record in records if record}
            expect.append(ExpectUnchanged(cursor_of(await self._session.head())))
        return tuple(expect)

    def _key(self, source: int, type: str, target: int) -> EdgeKey:
        return EdgeKey(self._names[source], type, self._names[target])

    # --- nodes ----------------------------------------------------------------------------------------------------

    def _node_created(self, change: ChangeRecord, body: Any) -> None:
        node = self._untouched(change, body)
        del self._things[change.id], self._names[change.id]
        self._mutations.append(DeleteNode(node.name))

    def _node_deleted(self, change: ChangeRecord, _body: Any) -> None:
        node = _Thing(deleted_node(change))
        self._things[change.id], self._names[change.id] = node, node.name
        self._mutations.append(CreateNode(node.name, node.type, node.attributes, _observed(node.observations)))

    def _node_renamed(self, change: ChangeRecord, body: Any) -> None:
        node = self._present(change, body)
        if node.name != body["patch"]["name"]:
            _conflict(change, body, "has another name by now")
        before = body["undo"]["name"]
        self._mutations.append(RenameNode(node.name, before))
        node.name = self._names[change.id] = before

    def _node_updated(self, change: ChangeRecord, body: Any) -> None:
        node, undo = self._present(change, body), body["undo"]
        _check_attributes(change, body, node.attributes)
        if "type" in undo:
            if node.type != body["patch"]["type"]:
                _conflict(change, body, "has another type by now")
            node.type = undo["type"]
        before = node.observations
        if "observe" in undo or "forget" in undo:
            _check_observations(change, body, before)
            node.observations = undo_observations(before, undo)
        undo_attributes(node.attributes, undo)
        kept = next(
            (at for at, pair in enumerate(zip(before, node.observations, strict=False)) if pair[0] != pair[1]),
            min(len(before), len(node.observations)),
        )
        patch = Patch(
            _sets(undo),
            _unsets(undo),
            _observed(node.observations[kept:]),
            [item["text"] for item in before[kept:]],
            undo.get("type"),
        )
        self._mutations.append(PatchNode(node.name, patch))

    # --- edges ----------------------------------------------------------------------------------------------------

    def _edge_created(self, change: ChangeRecord, body: Any) -> None:
        edge = self._untouched(change, body)
        del self._things[change.id]
        self._mutations.append(DeleteEdge(*self._key(change.source, edge.type, change.target)))

    def _edge_deleted(self, change: ChangeRecord, body: Any) -> None:
        if change.source not in self._names or change.target not in self._names:
            _conflict(change, body, "has lost an end")
        edge = self._things[change.id] = _Thing(deleted_edge(change))
        key = self._key(change.source, edge.type, change.target)
        self._mutations.append(CreateEdge(*key, edge.attributes))

    def _edge_updated(self, change: ChangeRecord, body: Any) -> None:
        edge, undo = self._present(change, body), body["undo"]
        _check_attributes(change, body, edge.attributes)
        undo_attributes(edge.attributes, undo)
        key = self._key(change.source, edge.type, change.target)
        self._mutations.append(PatchEdge(*key, Patch(_sets(undo), _unsets(undo))))

    # --- what stands beside the graph ---------------------------------------------------------------------------------

    def _meta_set(self, change: ChangeRecord, body: Any) -> None:
        key, updates = body["key"], "undo" in body
        if not same(self._meta.get(key, _MISSING), body["patch"]["value"] if updates else body["record"]):
            _conflict(change, body, "has been changed since")
        if updates:
            self._meta[key] = body["undo"]["value"]
            self._mutations.append(SetMeta(key, self._meta[key]))
        else:
            del self._meta[key]
            self._mutations.append(DeleteMeta(key))

    def _meta_deleted(self, change: ChangeRecord, body: Any) -> None:
        key = body["key"]
        if key in self._meta:
            _conflict(change, body, "is there again")
        self._meta[key] = body["record"]
        self._mutations.append(SetMeta(key, self._meta[key]))

    # --- shared ---------------------------------------------------------------------------------------------------

    def _present(self, change: ChangeRecord, body: Any) -> _Thing:
        if change.id not in self._things:
            _conflict(change, body, "has been deleted since")
        return self._things[change.id]

    def _untouched(self, change: ChangeRecord, body: Any) -> _Thing:
        """Return what the commit created: nobody else's work may be lost with it."""
        thing = self._present(change, body)
        if thing.revision != self._last[change.id]:
            _conflict(change, body, "has been changed since")
        return thing


def _conflict(change: ChangeRecord, body: Any, what: str) -> NoReturn:
    key: Key = EdgeKey(*body["key"]) if isinstance(body["key"], list) else body["key"]
    shown = str(key) if isinstance(key, EdgeKey) else repr(key)
    raise ConflictError(f"change {change.seq} cannot be undone: {shown} {what}", key=key)


def _check_attributes(change: ChangeRecord, body: Any, attributes: Any) -> None:
    """Refuse where an attribute that the change wrote is no longer as it left it."""
    patch = body["patch"]
    for path, value in patch.get("set", ()):
        if not same(_at(attributes, path), value):
            _conflict(change, body, f"has another value at {path} by now")
    for path in patch.get("unset", ()):
        parent = _at(attributes, path[:-1])
        if not isinstance(parent, dict) or path[-1] in parent:
            _conflict(change, body, f"has another value at {path} by now")


def _check_observations(change: ChangeRecord, body: Any, observations: Sequence[Any]) -> None:
    """Refuse where an observation that the change added or removed is no longer there, or is there again."""
    present, patch = {item["text"]: item for item in observations}, body["patch"]
    added = {item["text"]: item for item in patch.get("observe", ())}
    for text, item in added.items():
        if any(present.get(text, {}).get(name, _MISSING) != item[name] for name in ("text", "source", "recorded_at")):
            _conflict(change, body, f"has lost the observation {text!r}")
    for text in patch.get("forget", ()):
        if text in present and text not in added:
            _conflict(change, body, f"has the observation {text!r} again")


def _at(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return _MISSING
        value = value[key]
    return value


def _sets(undo: Any) -> dict[str | Path, Any]:
    return {tuple(path): value for path, value in undo.get("set", ())}


def _unsets(undo: Any) -> list[Path]:
    return [tuple(path) for path in undo.get("unset", ())]


def _observed(items: Sequence[Any]) -> list[Observation]:
    return [Observation(item["text"], item["source"], _moment(item["recorded_at"])) for item in items]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)

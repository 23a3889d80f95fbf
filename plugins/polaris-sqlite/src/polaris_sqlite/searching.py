"""Text search by FTS5, over an index of words that is brought up to date when somebody searches.

The core takes texts apart and folds their words; FTS5 is given the words, and finds and ranks. So the index and a scan agree
about every script, whatever release of Unicode this SQLite knows.

A commit does not touch the index: it would make each single write dearer by a fifth, also where nobody ever searches. The
index says up to which change it stands, for which epoch and which chosen attributes. A search that finds it behind is run
again by the writer, which first catches up, a piece of the feed at a time, so a search never sees another state than the
rest of its program. What cannot be caught up with, a feed that was trimmed or replaced, is indexed anew.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from polaris_core.abc import WEIGHTS, Found, TextHits, folded_text, found_in, run_program, searched_paths, texts_of
from polaris_sqlite.integrity import read

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

    from polaris_core.abc import Head, NodeRecord, Phrase, TextQuery
    from polaris_sqlite.session import SqliteSession

__all__ = ["SearchBehind", "advance", "has_fts", "has_other_words", "search"]

PIECE = 5_000
"""How many nodes are indexed in one transaction, so that other writers come between."""

_FEW = 1_000
_RANK = f"bm25({', '.join(str(weight) for weight in WEIGHTS)})"
# An index made by another statement is made anew: one of `tokenize = ascii` has the words of texts that were not in NFC.
_WORDS = "CREATE VIRTUAL TABLE search USING fts5(name, observations, attributes, tokenize = 'ascii')"
_TABLES = (
    "DROP TABLE IF EXISTS search",
    "DROP TABLE IF EXISTS search_state",
    _WORDS,
    "INSERT INTO search (search, rank) VALUES ('rank', :rank)",
    """CREATE TABLE search_state (
        only INTEGER PRIMARY KEY CHECK (only = 1), epoch TEXT NOT NULL, attributes TEXT NOT NULL, seq INTEGER NOT NULL,
        after INTEGER NOT NULL, upto INTEGER NOT NULL
    ) STRICT""",
)
_NODES_SINCE = """
    SELECT seq, kind, id, body FROM changes WHERE seq > :seq AND seq <= :upto
    AND (kind GLOB 'node.*' OR kind = 'graph.imported') ORDER BY seq LIMIT :limit
"""
_HITS = """
    SELECT rowid, -rank FROM search WHERE search MATCH :match ORDER BY rank LIMIT :limit
"""
_HITS_OF_TYPE = """
    SELECT search.rowid, -rank FROM search CROSS JOIN nodes ON nodes.id = search.rowid
    WHERE search MATCH :match AND nodes.type = :type ORDER BY rank LIMIT :limit
"""


_COLUMNS = ("name", "observations", "attributes")
_CONTENT = "SELECT id, c0, c1, c2 FROM search_content"
_VOCABULARIES = (
    "CREATE VIRTUAL TABLE temp.search_terms USING fts5vocab(main, search, row)",
    "CREATE VIRTUAL TABLE temp.search_words USING fts5vocab(main, search, instance)",
)
_INDEXED = """
    SELECT found.doc, found.col, found.offset, found.term
    FROM temp.search_terms AS listed CROSS JOIN temp.search_words AS found ON found.term = listed.term
"""  # each term is looked up, as a search does it: what leads to a term may be damaged, too
_TOKEN = re.compile("[0-9A-Za-z\x80-\U0010ffff]+")
_TOKEN_BYTES = 32_768  # FTS5 cuts off what is longer


class SearchBehind(BaseException):
    """The index is behind the state a program reads: catch up, and run the program again."""


class _State(NamedTuple):
    """Where the index stands: at change `seq`, the nodes with ids above `after` and up to `upto` not counted in."""

    epoch: str
    attributes: str
    seq: int
    after: int
    upto: int


def has_fts(database: sqlite3.Connection) -> bool:
    """Return whether this SQLite has FTS5."""
    return bool(database.execute("SELECT count(*) FROM pragma_module_list WHERE name = 'fts5'").fetchone()[0])


def search(database: sqlite3.Connection, session: SqliteSession, query: TextQuery) -> TextHits | None:
    """Answer from the index where it stands at the session's state, else return None; so too where it tells what is not so."""
    head, attributes = session.head(), _attributes(session)
    if not _stands_at(database, head, attributes):
        return None
    parameters = {"match": _match(query.phrases), "type": query.type, "limit": query.limit}
    rows = read(database, _HITS if query.type is None else _HITS_OF_TYPE, parameters)
    paths, hits = _paths(attributes), list[Found]()
    for record, (_, score) in zip(session.nodes([id for id, _ in rows]), rows, strict=True):
        found = None if record is None else found_in(record, query.phrases, paths)
        if found is None:
            return None
        hits.append(found._replace(score=score))
    return TextHits(hits)


def _match(phrases: Sequence[Phrase]) -> str:
    """Return phrases in the language of FTS5. Their words are letters and digits, so the quotes cannot be left."""
    return " AND ".join(f'"{" ".join(phrase.words)}"{" *" if phrase.prefix else ""}' for phrase in phrases)


def _attributes(session: SqliteSession) -> str:
    return orjson.dumps(run_program(searched_paths, session)).decode()


def _paths(attributes: str) -> list[tuple[str, ...]]:
    return [tuple(path) for path in orjson.loads(attributes)]


def _state(database: sqlite3.Connection) -> _State | None:
    if not read(database, "SELECT 1 FROM sqlite_schema WHERE name = 'search' AND sql = :words", {"words": _WORDS}):
        return None
    rows = read(database, "SELECT epoch, attributes, seq, after, upto FROM search_state")
    return _State._make(rows[0]) if rows else None


def _stands_at(database: sqlite3.Connection, head: Head, attributes: str) -> bool:
    state = _state(database)
    if state is None or (state.epoch, state.attributes) != (head.epoch, attributes) or state.after < state.upto:
        return False
    if head.seq - state.seq > _FEW or state.seq < head.floor:
        return False
    parameters = {"seq": state.seq, "upto": head.seq, "limit": 1}
    return state.seq == head.seq or not read(database, _NODES_SINCE, parameters)


# --- catching up ------------------------------------------------------------------------------------------------------


def advance(database: sqlite3.Connection, session: SqliteSession) -> bool:
    """Index some nodes, inside a transaction that writes; return whether the index now stands at the session's state."""
    head, attributes = session.head(), _attributes(session)
    state = _state(database)
    if state is None or (state.epoch, state.attributes) != (head.epoch, attributes) or state.seq < head.floor:
        for statement in _TABLES:
            database.execute(statement, {"rank": _RANK})
        state = _State(head.epoch, attributes, head.seq, 0, head.next_id)
        database.execute("INSERT INTO search_state VALUES (1, ?, ?, ?, ?, ?)", state)
    if state.after < state.upto:
        state = _advance_range(database, session, state)
    elif state.seq < head.seq:
        state = _advance_feed(database, session, state, head.seq)
    database.execute("UPDATE search_state SET seq = :seq, after = :after, upto = :upto", state._asdict())
    return state.seq == head.seq and state.after >= state.upto


def _advance_range(database: sqlite3.Connection, session: SqliteSession, state: _State) -> _State:
    """Index nodes that came in numbers: all there were at first, or those of a load."""
    records = session.scan("node", state.after, PIECE)
    _index(database, state, [record for record in records if record.id <= state.upto])
    ended = len(records) < PIECE or records[-1].id >= state.upto
    return state._replace(after=state.upto if ended else records[-1].id)


def _advance_feed(database: sqlite3.Connection, session: SqliteSession, state: _State, seq: int) -> _State:
    """Index the nodes that the feed tells of."""
    ids: dict[int, None] = {}
    changes = read(database, _NODES_SINCE, {"seq": state.seq, "upto": seq, "limit": PIECE})
    state = state._replace(seq=changes[-1][0] if len(changes) == PIECE else seq)
    for number, kind, id, body in changes:
        if kind == "graph.imported":
            imported = orjson.loads(body)
            state = state._replace(seq=number, after=imported["first_id"] - 1, upto=imported["last_id"])
            break
        ids[id] = None
    records = session.nodes(list(ids))
    gone = [(id,) for id, record in zip(ids, records, strict=True) if record is None]
    database.executemany("DELETE FROM search WHERE rowid = ?", gone)
    _index(database, state, [record for record in records if record is not None])
    return state


def _index(database: sqlite3.Connection, state: _State, records: Iterable[NodeRecord]) -> None:
    paths = _paths(state.attributes)
    rows: list[tuple[Any, ...]] = [(record.id, *map(folded_text, texts_of(record, paths))) for record in records]
    database.executemany(
        "INSERT OR REPLACE INTO search (rowid, name, observations, attributes) VALUES (?, ?, ?, ?)", rows
    )


# --- looking for damage -----------------------------------------------------------------------------------------------


def has_other_words(database: sqlite3.Connection) -> bool:
    """Return whether the index holds other words, or at other places, than the texts it was made of.

    SQLite looks at that itself from 3.44 on, and leaves it alone where it may only read. Sums of hashes are compared,
    since an index is ordered by its words and the texts are not.
    """
    if not has_fts(database) or not read(database, "SELECT 1 FROM sqlite_schema WHERE name = 'search'"):
        return False
    for statement in _VOCABULARIES:
        database.execute(statement)
    return sum(map(hash, database.execute(_INDEXED))) != sum(map(hash, _words(database.execute(_CONTENT))))


def _words(texts: Iterable[tuple[Any, ...]]) -> Iterator[tuple[int, str, int, str]]:
    """Yield every word of indexed texts as `fts5vocab` does."""
    for id, *columns in texts:
        for column, text in zip(_COLUMNS, columns, strict=True):
            for place, token in enumerate(_TOKEN.findall(text.lower() if text.isascii() else text)):
                yield id, column, place, token if len(token) * 4 <= _TOKEN_BYTES else _cut(token)


def _cut(token: str) -> str:
    return token.encode("utf-8", "surrogateescape")[:_TOKEN_BYTES].decode("utf-8", "surrogateescape")

"""The limits a graph is opened with; errors name the limit and the size that passed it."""

from __future__ import annotations

import attrs

__all__ = ["Limits"]


@attrs.frozen(kw_only=True)
class Limits:
    """Bounds on what one graph accepts. Sizes are bytes of canonical JSON in UTF-8.

    `record_bytes`: one node's or edge's body. `observations`: of one node. `commit_records`: nodes and edges one batch may
    write or delete. `batch_mutations`: mutations in one batch. `group_batches`, `group_records` and `group_bytes`: how many
    batches, records written or deleted, and bytes of bodies and changes travel together in one commit; a larger batch
    travels alone. `receipt_seconds`: how long an idempotency key is remembered. `page`: the most rows one call returns,
    and the most names that `subgraph` and `degrees` take. `scan`: the most records that one page of a filtered scan, or one
    `subgraph`, `degrees` or `hubs`, looks at. `walk`: the most links, and the most nodes, one walk comes by.
    `past_changes`: the most changes that a view of the past takes back, and
    `past_bytes` how much of them it keeps in memory. `load_records`: nodes and edges of one bulk load. `queued`: calls that
    may wait for the store at one time. `cache_bytes`: how much of the graph is remembered in memory. `schemas`:
    schemas of types in one graph. `schema_work`: to hold one record against its schema, the values in it times the subschemas
    that may look at one; `commit_schema_work`: the same for all records of one batch, and of the batches that travel together.
    """

    record_bytes: int = 1 << 20
    observations: int = 10_000
    commit_records: int = 100_000
    batch_mutations: int = 100_000
    group_batches: int = 1_024
    group_records: int = 10_000
    group_bytes: int = 4 << 20
    receipt_seconds: int = 7 * 24 * 3600
    page: int = 1_000
    scan: int = 1_000_000
    walk: int = 1_000_000
    past_changes: int = 1_000_000
    past_bytes: int = 64 << 20
    load_records: int = 10_000_000
    queued: int = 100_000
    cache_bytes: int = 64 << 20
    schemas: int = 1_000
    schema_work: int = 200_000
    commit_schema_work: int = 200_000

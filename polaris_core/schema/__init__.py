"""JSON Schemas: those of events and tools, compiled, and those that a graph keeps for its own types."""

from polaris_core.schema.accepted import accept
from polaris_core.schema.checker import Checker, checker_of
from polaris_core.schema.compiled import Schema
from polaris_core.schema.definition import (
    SCHEMAS,
    SchemaKind,
    TypeSchema,
    definition,
    fields_of,
    restricts_ends,
    schema_key,
    schema_kind,
    stored_schema,
    type_schema,
)
from polaris_core.schema.work import Work

__all__ = [
    "SCHEMAS",
    "Checker",
    "Schema",
    "SchemaKind",
    "TypeSchema",
    "Work",
    "accept",
    "checker_of",
    "definition",
    "fields_of",
    "restricts_ends",
    "schema_key",
    "schema_kind",
    "stored_schema",
    "type_schema",
]

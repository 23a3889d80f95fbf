"""The laws a storage backend keeps, as tests: a module a subject."""

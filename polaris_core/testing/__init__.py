"""What a third party tests a plugin with: plain functions and classes, no test framework's magic."""

from polaris_core.testing.programs import writing

__all__ = ["writing"]

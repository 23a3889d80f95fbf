"""The decision: what a group of batches needs to see (`load`), and what becomes of it (`plan`). Both without any I/O."""

from polaris_core.planning.footprint import Footprint, footprint
from polaris_core.planning.load import Current, load
from polaris_core.planning.plan import plan

__all__ = ["Current", "Footprint", "footprint", "load", "plan"]

"""The decision, without any I/O: what a group of batches needs to see (`load`), and what becomes of it (`plan`).

A bulk load is taken in (`Intake`) before the store is asked about anything, and decided on as a whole (`settle`).
"""

from polaris_core.planning.bulk import settle
from polaris_core.planning.footprint import Footprint, footprint
from polaris_core.planning.intake import Intake, Loadable, OnDangling, OnExisting
from polaris_core.planning.load import Current, load
from polaris_core.planning.plan import plan
from polaris_core.planning.schemas import stored_schemas

__all__ = [
    "Current",
    "Footprint",
    "Intake",
    "Loadable",
    "OnDangling",
    "OnExisting",
    "footprint",
    "load",
    "plan",
    "settle",
    "stored_schemas",
]

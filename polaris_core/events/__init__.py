"""Events: a bus over a durable log."""

from polaris_core.events.bus import EventBus, Failure, Subscription
from polaris_core.events.memory import MemoryEventLog

__all__ = ["EventBus", "Failure", "MemoryEventLog", "Subscription"]

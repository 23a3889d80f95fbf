"""How frozen records are made of parts that need no check: they passed the door already, or come from where they were stored.

A frozen class answers every assignment with a call, and its converters look at each part again. So an object is made as one of
an open class with the same slots, is filled, and becomes what it stands for: that costs a third.
"""

from __future__ import annotations

from typing import Any

__all__ = ["opened"]


def opened(cls: type) -> Any:
    """Return a class whose objects have the slots of a frozen one, can be written, and can be given that one as their class.

    The frozen class has slots, none of them for weak references, and no base with slots.
    """
    return type(f"Open{cls.__name__}", (), {"__slots__": vars(cls)["__slots__"]})

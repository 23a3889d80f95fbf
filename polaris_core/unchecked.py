"""How frozen records are made of parts that need no check: they passed the door already, or come from where they were stored.

A frozen class answers every assignment with a call, and its converters look at each part again. So an object is made as one of
an open class with the same slots, is filled, and becomes what it stands for: that costs a third.
"""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["unchecked"]


def unchecked(cls: type) -> Any:
    """Return a function that makes an object of a frozen class from all its fields, in their order, past its converters.

    The class has slots, none of them for weak references, and no base with slots. As attrs does, the function is written out
    from the names of the fields.
    """
    fields = [field.name for field in attrs.fields(cls)]
    names = {"Open": type(f"Open{cls.__name__}", (), {"__slots__": vars(cls)["__slots__"]}), "cls": cls}
    lines = ["made = Open()", *(f"made.{name} = {name}" for name in fields), "made.__class__ = cls", "return made"]
    exec(f"def make({', '.join(fields)}):\n    " + "\n    ".join(lines), names)  # noqa: S102
    return names["make"]

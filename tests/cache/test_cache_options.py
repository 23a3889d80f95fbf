"""What may be said of how a cache is bounded."""

from typing import Any

import pytest

from polaris_core import InvalidValueError
from polaris_core.abc import CacheOptions


def test_a_bound_in_bytes_needs_to_know_what_a_value_weighs() -> None:
    with pytest.raises(InvalidValueError, match="weigh"):
        CacheOptions(bytes=10)


@pytest.mark.parametrize("bounds", [{"entries": 0}, {"bytes": 0, "weigh": len}, {"seconds": 0}, {"seconds": -1.0}])
def test_bounds_are_more_than_nothing(bounds: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError, match="more than 0"):
        CacheOptions(**bounds)

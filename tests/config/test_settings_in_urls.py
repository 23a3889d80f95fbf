"""What a store's URL says about how it is opened wins over the call, and is no option of the backend."""

from __future__ import annotations

from typing import Any

import pytest

from polaris_core import ConfigError, Location, StorageOptions, open_graph
from polaris_core.abc import Storage, StorageSpec
from polaris_core.registry import Registry


class Watching(Registry):
    """The installed plugins, remembering what a storage is made with."""

    options: StorageOptions

    def storage(self, scheme: str) -> StorageSpec:
        def factory(location: Location, options: StorageOptions) -> Storage:
            self.options = options
            return found.factory(location, options)

        found = super().storage(scheme)
        return StorageSpec(name=found.name, sentence=found.sentence, factory=factory)


def opened(url: str, **arguments: Any) -> StorageOptions:
    plugins = Watching()
    open_graph(url, plugins=plugins, **arguments)
    return plugins.options


def test_a_setting_in_a_url_is_no_option_of_the_backend() -> None:
    location = Location.parse("memory:?durability=process&busy_seconds=3&color=red&graph=x")
    assert (location.options, location.graph) == ({"color": "red"}, "x")


def test_a_setting_in_a_url_wins_over_the_call() -> None:
    options = opened("memory:?durability=process&busy_seconds=3", durability="power", busy_seconds=5.0)
    assert (options.durability, options.busy_seconds) == ("process", 3.0)


def test_without_one_the_call_decides() -> None:
    options = opened("memory:", durability="process", busy_seconds=5.0)
    assert (options.durability, options.busy_seconds) == ("process", 5.0)


def test_a_setting_in_a_url_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match="the store's URL: busy_seconds is a number of seconds"):
        open_graph("memory:?busy_seconds=soon")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("durability", "Power"),
        ("durability", None),
        ("busy_seconds", "10"),
        ("busy_seconds", -1),
        ("busy_seconds", True),
    ],
)
def test_a_value_that_an_argument_cannot_have_is_refused_like_one_in_a_url(setting: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"^{setting} is .*, not {value!r}$") as caught:
        open_graph("memory:", **{setting: value})
    assert caught.value.setting == setting

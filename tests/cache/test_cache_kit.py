"""The built-in cache keeps the laws, and each law catches the caches that are wrong in the way it is about."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from broken_caches import BREACHES, Breach
from hypothesis import Phase, settings

from polaris_core.abc import Cache, CacheOptions
from polaris_core.cache import LRUCache
from polaris_core.testing import CacheConformance


class TestLRU(CacheConformance):
    def open(self, options: CacheOptions) -> Cache:
        return LRUCache(options)


@contextmanager
def settings_of_any_example() -> Iterator[None]:
    """Search for an example that shows the breach, not for the smallest."""
    before = settings.get_current_profile_name()
    settings.register_profile("broken", settings.get_profile(before), phases=[Phase.explicit, Phase.generate])
    settings.load_profile("broken")
    yield
    settings.load_profile(before)


LAWS = {name for name, _ in inspect.getmembers(CacheConformance) if name.startswith("test_")}


@pytest.mark.parametrize("breach", BREACHES, ids=lambda breach: f"{breach.cache.__name__}-{breach.law}")
def test_a_broken_cache_is_caught_by_the_law_it_breaks(breach: Breach, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("caches", "cache_subject"):
        monkeypatch.setattr(f"polaris_core.testing.laws.{module}.PATIENCE", 1.0)
    said: dict[str, Any] = {"open": lambda _, options: breach.cache(options)}
    kit: Any = type("TestBroken", (CacheConformance,), said)()
    with settings_of_any_example(), pytest.raises((AssertionError, KeyError, ZeroDivisionError, pytest.fail.Exception)):
        getattr(kit, breach.law)()


def test_every_law_is_broken_by_some_cache() -> None:
    assert {breach.law for breach in BREACHES} | {"test_no_law_is_weakened"} == LAWS


def test_a_law_may_not_be_weakened() -> None:
    with pytest.raises(TypeError, match="overrides a law"):
        type("TestMine", (CacheConformance,), {"test_none_is_a_value": lambda self: None})


def test_a_kit_is_not_made_anew_by_who_derives_from_it() -> None:
    with pytest.raises(TypeError, match="derives from a kit"):

        class Lenient(CacheConformance, parameters=("open",)):
            pass


def test_a_kit_that_does_not_say_how_a_cache_is_made_says_so() -> None:
    kit: Any = type("TestMine", (CacheConformance,), {})()
    with pytest.raises(NotImplementedError, match="override `open`"):
        kit.test_none_is_a_value()


def test_a_listener_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def departed(*_: object) -> None:
        raise ZeroDivisionError

    cache = LRUCache(CacheOptions(departed=departed))
    cache.set("a", 1)
    with caplog.at_level(logging.ERROR):
        cache.set("a", 2)
    assert "'a' was replaced" in caplog.text

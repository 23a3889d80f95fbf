"""Which plugin a name means is decided by metadata and settings, before anything is imported."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from polaris_core import (
    PluginAmbiguousError,
    PluginBlockedError,
    PluginIncompatibleError,
    PluginNotFoundError,
    PluginSpecificationError,
)
from polaris_core.config import PluginSettings
from polaris_core.registry import Registry, Row

MEMORY = Row(
    kind="storages",
    name="memory",
    module="polaris_core.storage.plugin",
    distribution="polaris-kg-core",
    version="0.1.0",
)


def row(name: str = "odd", distribution: str = "stranger", *, kind: Any = "storages", **others: Any) -> Row:
    fields = {"module": f"{distribution.replace('-', '_')}_nobody_imports_me", "version": "1.0", **others}
    return Row(kind=kind, name=name, distribution=distribution, **fields)


def registry(*rows: Row, version: str = "0.1.0", **settings: Any) -> Registry:
    return Registry(PluginSettings(**settings), discovery=lambda: (MEMORY, *rows), version=version)


def test_a_miss_lists_the_names_there_are() -> None:
    with pytest.raises(PluginNotFoundError) as caught:
        registry(row("odd"), row("even")).storage("prime")
    assert caught.value.known == ("even", "memory", "odd")
    assert (caught.value.plugin, caught.value.kind) == ("prime", "storages")
    assert str(caught.value) == "no storage 'prime' is installed, only even, memory, odd"


def test_a_miss_is_a_lookup_error() -> None:
    with pytest.raises(LookupError):
        registry().cache("lru2")


@pytest.mark.parametrize(
    ("kind", "name", "distribution"),
    [("storage", "sqlite", "polaris-kg-sqlite"), ("event_store", "sqlite", "polaris-kg-event-store")],
)
def test_a_miss_of_a_first_party_name_says_what_to_install(kind: str, name: str, distribution: str) -> None:
    with pytest.raises(PluginNotFoundError, match=f"pip install {distribution}$"):
        getattr(registry(), kind)(name)


def test_a_slip_is_answered_with_the_near_name() -> None:
    with pytest.raises(PluginNotFoundError, match=r"did you mean 'memory'\?"):
        registry().storage("memroy")
    with pytest.raises(PluginNotFoundError, match=r"did you mean 'sqlite' \(pip install polaris-kg-sqlite\)\?"):
        registry().storage("sqlit")


def test_two_claimants_are_both_refused_with_the_line_that_decides() -> None:
    with pytest.raises(PluginAmbiguousError) as caught:
        registry(row(distribution="b"), row(distribution="a")).storage("odd")
    assert caught.value.claimants == ("a", "b")
    assert str(caught.value) == (
        'storage \'odd\' is claimed by a and by b: write in polaris.toml, under [plugins.prefer], "storage.odd" = "a"'
    )


@pytest.mark.parametrize("preferred", ["a", "b"])
def test_a_preference_decides_between_two_claimants(preferred: str) -> None:
    rows = (row(distribution="a"), row(distribution="b"))
    chosen = registry(*rows, prefer={"storage.odd": preferred})
    assert [found.distribution for found in rows if chosen.verdict(found) is None] == [preferred]


def test_a_preference_for_somebody_else_decides_nothing() -> None:
    with pytest.raises(PluginAmbiguousError):
        registry(row(distribution="a"), row(distribution="b"), prefer={"storage.odd": "c"}).storage("odd")


def test_blocking_one_claimant_leaves_the_other() -> None:
    rows = (row(distribution="a"), row(distribution="b"))
    assert registry(*rows, block=["a"]).verdict(rows[1]) is None


def test_names_are_unique_within_a_kind_only() -> None:
    rows = (row(distribution="a"), row(distribution="b", kind="caches"))
    assert [registry(*rows).verdict(found) for found in rows] == [None, None]


def test_identical_rows_are_one_claim() -> None:
    assert registry(row(), row()).verdict(row()) is None


def test_two_rows_of_one_distribution_for_a_name_are_refused() -> None:
    with pytest.raises(PluginSpecificationError, match="two rows for storage 'odd': one and two"):
        registry(row(module="one"), row(module="two")).storage("odd")


@pytest.mark.parametrize(
    "settings", [{"block": ["Stranger"]}, {"allow": ["somebody-else"]}, {"allow": []}, {"safe_mode": True}]
)
def test_what_the_settings_keep_out_is_refused_before_it_is_imported(settings: dict[str, Any]) -> None:
    kept_out = registry(row(), **settings)
    with pytest.raises(PluginBlockedError) as caught:
        kept_out.storage("odd")
    assert caught.value.plugin == "stranger"
    assert f"plugins.{next(iter(settings))}" in str(caught.value)
    assert kept_out.names("storages") == ("memory",)


def test_safe_mode_lets_first_party_plugins_in_by_their_distribution() -> None:
    own = row("sqlite", "polaris-kg-sqlite")
    other = row("better-sqlite", "polaris-kg-better-sqlite")
    assert registry(own, other, safe_mode=True).names("storages") == ("memory", "sqlite")


@pytest.mark.parametrize("settings", [{"allow": []}, {"safe_mode": True}])
def test_what_is_built_in_is_always_there(settings: dict[str, Any]) -> None:
    assert registry(**settings).storage("memory").name == "memory"


@pytest.mark.parametrize("distribution", ["thief", "polaris-kg-core"])
def test_what_is_built_in_cannot_be_taken(distribution: str, caplog: pytest.LogCaptureFixture) -> None:
    taking = registry(row("memory", distribution), prefer={"storage.memory": "thief"})
    with caplog.at_level(logging.WARNING):
        assert taking.storage("memory").factory.__module__ == "polaris_core.storage.plugin"
        assert taking.storage("memory").name == "memory"
    (warning,) = caplog.messages
    assert "the core has that name built in" in warning


@pytest.mark.parametrize("name", ["Odd", "1odd", "-odd", "odd_one", "öd", "odd!", "", "a\x1b[2J"])
def test_a_name_that_is_not_allowed_is_refused_and_not_listed(name: str) -> None:
    odd = registry(row(name))
    assert odd.names("storages") == ("memory",)
    with pytest.raises(PluginSpecificationError, match="a name is made of a-z, 0-9 and -"):
        odd.storage(name)


@pytest.mark.parametrize("module", ["", "odd:plugin", "odd plugin", "odd [extra]", ".odd", "odd."])
def test_a_row_names_a_module(module: str) -> None:
    with pytest.raises(PluginSpecificationError, match="the name of a module"):
        registry(row(module=module)).storage("odd")


def test_a_warning_is_given_once_and_only_of_the_kind_that_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    odd = registry(row("Odd"))
    odd.names("caches")
    assert caplog.messages == []
    odd.names("storages")
    odd.names("storages")
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    "requirement",
    ["polaris-kg-core>=0.2", "polaris_kg_core<0.1", "Polaris.KG.Core[testing]==0.3", "polaris-kg-core!=0.1.0"],
)
def test_a_plugin_for_another_core_is_refused_before_it_is_imported(requirement: str) -> None:
    with pytest.raises(PluginIncompatibleError) as caught:
        registry(row(requires=lambda: ["attrs", requirement])).storage("odd")
    assert caught.value.requirement.startswith("polaris-kg-core")
    assert "this is 0.1.0" in str(caught.value)


@pytest.mark.parametrize(
    "requirement",
    [
        "polaris-kg-core>=0.1,<0.2",
        "polaris-kg-core",
        'polaris-kg-core>=9; extra == "future"',
        'polaris-kg-core>=9; python_version < "3"',
        "polaris-kg-corex>=9",
        "this is no requirement",
    ],
)
def test_a_plugin_for_this_core_is_let_in(requirement: str) -> None:
    wants = row(requires=lambda: [requirement])
    assert registry(wants).verdict(wants) is None


def test_a_pre_release_of_the_core_satisfies_what_is_below_it() -> None:
    wants = row(requires=lambda: ["polaris-kg-core>=0.1"])
    assert registry(wants, version="0.2.0rc1").verdict(wants) is None

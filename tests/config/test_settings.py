"""What is told more closely wins, and what cannot be understood is refused with the place it stands in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from polaris_core import ConfigError, Limits, Settings
from polaris_core.config import PluginSettings, mask_url
from polaris_core.config.document import line_of
from polaris_core.config.merging import PREFERENCE
from polaris_core.registry.kinds import KINDS

if TYPE_CHECKING:
    from pathlib import Path


def load(folder: Path, document: str = "", overrides: dict[str, object] | None = None, **environ: Any) -> Settings:
    if document:
        (folder / "polaris.toml").write_text(document, encoding="utf-8")
    variables = {f"POLARIS_KG_{name.upper()}": text for name, text in environ.items()}
    return Settings.load(overrides, variables, folder)


def origin(settings: Settings, name: str) -> str:
    (found,) = [each.origin for each in settings.explain() if each.setting == name]
    return found


def fault(folder: Path, document: str = "", overrides: dict[str, object] | None = None, **environ: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, document, overrides, **environ)
    return str(caught.value)


def test_with_nothing_told_everything_is_default(tmp_path: Path) -> None:
    assert load(tmp_path) == Settings()
    assert {each.origin for each in load(tmp_path).explain()} == {"default"}


def test_the_url_wins_over_the_command_line_over_the_environment_over_the_file_over_the_default(tmp_path: Path) -> None:
    document = "busy_seconds = 1"
    at = tmp_path / "polaris.toml"
    told: dict[str, object] = {}
    settings = load(tmp_path)
    assert (settings.busy_seconds, origin(settings, "busy_seconds")) == (10.0, "default")
    settings = load(tmp_path, document)
    assert (settings.busy_seconds, origin(settings, "busy_seconds")) == (1.0, f"{at}:1")
    settings = load(tmp_path, document, busy_seconds="2")
    assert (settings.busy_seconds, origin(settings, "busy_seconds")) == (2.0, "POLARIS_KG_BUSY_SECONDS")
    told["busy_seconds"] = "3"
    settings = load(tmp_path, document, told, busy_seconds="2")
    assert (settings.busy_seconds, origin(settings, "busy_seconds")) == (3.0, "the command line")
    told["store"] = "sqlite:///kg.db?busy_seconds=4"
    settings = load(tmp_path, document, told, busy_seconds="2")
    assert (settings.busy_seconds, origin(settings, "busy_seconds")) == (4.0, "the store's URL")


def test_settings_for_another_store_take_what_its_url_says(tmp_path: Path) -> None:
    settings = load(tmp_path, "busy_seconds = 1").for_url("sqlite:///kg.db?durability=process&graph=x")
    assert (settings.store, settings.durability, settings.busy_seconds) == (
        "sqlite:///kg.db?durability=process&graph=x",
        "process",
        1.0,
    )
    with pytest.raises(ConfigError, match="the store's URL: durability is one of power, process, not 'none'"):
        settings.for_url("sqlite:///kg.db?durability=none")


def test_each_setting_is_decided_on_its_own(tmp_path: Path) -> None:
    settings = load(tmp_path, "[limits]\npage = 5\nscan = 6", {"log_level": "debug"}, limits_scan="7")
    assert settings == Settings(limits=Limits(page=5, scan=7), log_level="debug")


def test_every_setting_can_be_given_as_a_variable_and_in_the_file(tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "store": "memory:",
        "events": "sqlite:////e.db",
        "durability": "process",
        "busy_seconds": "1.5",
        "log_level": "info",
        "log_format": "json",
        "plugins_allow": "One, two_three,",
        "plugins_block": "four",
        "plugins_safe_mode": "yes",
        "plugins_prefer": "storage.odd=Odd.One, cache.even=even",
        **{f"limits_{field.name}": "17" for field in attrs.fields(Limits)},
    }
    document = """
        store = "memory:"
        events = "sqlite:////e.db"
        durability = "process"
        busy_seconds = 1.5
        log_level = "info"
        log_format = "json"
        [plugins]
        allow = ["One", "two_three"]
        block = ["four"]
        safe_mode = true
        [plugins.prefer]
        "storage.odd" = "Odd.One"
        cache.even = "even"
        [limits]
    """ + "\n".join(f"{field.name} = 17" for field in attrs.fields(Limits))
    expected = Settings(
        store="memory:",
        events="sqlite:////e.db",
        durability="process",
        busy_seconds=1.5,
        log_level="info",
        log_format="json",
        plugins=PluginSettings(
            allow=("one", "two-three"),
            block=("four",),
            safe_mode=True,
            prefer={"storage.odd": "odd-one", "cache.even": "even"},
        ),
        limits=Limits(**{field.name: 17 for field in attrs.fields(Limits)}),
    )
    assert load(tmp_path, **given) == expected
    assert load(tmp_path, document) == expected


def test_the_nearest_file_above_is_found(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "polaris.toml").write_text("busy_seconds = 1", encoding="utf-8")
    assert load(below).busy_seconds == 1.0
    (tmp_path / "a" / "polaris.toml").write_text("durability = 'process'", encoding="utf-8")
    assert load(below) == Settings(durability="process")


def test_a_variable_names_another_file(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("busy_seconds = 7", encoding="utf-8")
    assert load(tmp_path, "busy_seconds = 1", config=str(tmp_path / "other.toml")).busy_seconds == 7.0
    assert "absent.toml: the settings cannot be read" in fault(tmp_path, config=str(tmp_path / "absent.toml"))


def test_a_variable_set_to_nothing_is_unset(tmp_path: Path) -> None:
    assert load(tmp_path, busy_seconds="", config="", plugins_allow="") == Settings()


def test_a_relative_path_in_the_file_starts_from_the_file(tmp_path: Path) -> None:
    below = tmp_path / "a b" / "c"
    below.mkdir(parents=True)
    (tmp_path / "a b" / "polaris.toml").write_text(
        "store = 'sqlite:///kg.db?graph=x'\nevents = 'sqlite:////srv/e.db'", encoding="utf-8"
    )
    settings = load(below)
    assert settings.store == f"sqlite:///{tmp_path}/a%20b/kg.db?graph=x"
    assert settings.events == "sqlite:////srv/e.db"


@pytest.mark.parametrize("url", ["memory:", "pg://host/kg", "sqlite:///?graph=x", "json:////srv/kg"])
def test_a_url_without_a_relative_path_is_left_alone(tmp_path: Path, url: str) -> None:
    assert load(tmp_path, f"store = '{url}'").store == url


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ("\nstor = 'x'", ":2: there is no setting stor; did you mean store?"),
        ("[limits]\npage = 1\n\npagee = 2", ":4: there is no setting limits.pagee; did you mean limits.page?"),
        ("[limit]\npage = 1", ":2: there is no setting limit.page; did you mean limits.page?"),
        ("limits = 3", ":1: there is no setting limits"),
        ("plugins.block = [\n 'a',\n 3,\n]", ":1: plugins.block is a list of names, not ['a', 3]"),
        ("plugins.block = 'a'", ":1: plugins.block is a list of names, not 'a'"),
        ("plugins.block = ['Polaris_KG.core']", ":1: plugins.block cannot hold the core itself"),
        ("plugins.safe_mode = 1", ":1: plugins.safe_mode is true or false, not 1"),
        ("plugins.prefer.sqlite = 'x'", ":1: there is no setting plugins.prefer.sqlite; a line under [plugins.prefer]"),
        ("[plugins.prefer]\n'storages.x' = 'x'", ":2: there is no setting plugins.prefer.storages.x; a line"),
        ("durability = 'maybe'", ":1: durability is one of power, process, not 'maybe'"),
        ("busy_seconds = -1", ":1: busy_seconds is a number of seconds, 0 or more, not -1"),
        ("busy_seconds = nan", ":1: busy_seconds is a number of seconds, 0 or more, not nan"),
        ("busy_seconds = '3'", ":1: busy_seconds is a number of seconds, 0 or more, not '3'"),
        ("limits.page = 0", ":1: limits.page is a whole number of at least 1, not 0"),
        ("limits.page = 1.0", ":1: limits.page is a whole number of at least 1, not 1.0"),
        ("limits.page = true", ":1: limits.page is a whole number of at least 1, not True"),
        ("store = 3", ":1: store is a text"),
        ("a =", ": not TOML: "),
    ],
)
def test_a_fault_in_the_file_is_told_with_its_line(tmp_path: Path, document: str, complaint: str) -> None:
    assert fault(tmp_path, document).startswith(f"{tmp_path / 'polaris.toml'}{complaint}")


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("limits_pag", "1", "there is no such setting; did you mean POLARIS_KG_LIMITS_PAGE?"),
        ("limits_page", "many", "limits.page is a whole number of at least 1, not 'many'"),
        ("limits_page", "1.5", "limits.page is a whole number of at least 1, not '1.5'"),
        ("busy_seconds", "inf", "busy_seconds is a number of seconds, 0 or more, not inf"),
        ("plugins_safe_mode", "maybe", "plugins.safe_mode is true or false, not 'maybe'"),
        ("plugins_prefer", "sqlite", "there is no setting plugins.prefer.sqlite; a line"),
        ("log_level", "INFO", "log_level is one of debug, info, warning, error, critical, not 'INFO'"),
    ],
)
def test_a_fault_in_a_variable_is_told_with_its_name(tmp_path: Path, name: str, text: Any, complaint: str) -> None:
    assert fault(tmp_path, **{name: text}).startswith(f"POLARIS_KG_{name.upper()}: {complaint}")


def test_a_value_that_loses_is_checked_all_the_same(tmp_path: Path) -> None:
    assert "polaris.toml:1: busy_seconds" in fault(tmp_path, "busy_seconds = 'x'", {"busy_seconds": 3})


@pytest.mark.parametrize(
    "overrides", [{"limits.pages": 1}, {"origins": {}}, {"limits": Limits()}, {"plugins.prefer": {}}]
)
def test_a_fault_in_the_call_is_told(tmp_path: Path, overrides: dict[str, object]) -> None:
    assert fault(tmp_path, overrides=overrides).startswith("the command line: there is no setting ")


@pytest.mark.parametrize("content", [b"\xff", None])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "own.toml"
    path.mkdir() if content is None else path.write_bytes(content)
    assert fault(tmp_path, config=str(path)).startswith(f"{path}: the settings cannot be read: ")


def test_a_fault_names_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, limits_page="x")
    assert caught.value.setting == "limits.page"


SECRET = "pg://ada:secret@host/kg"


def test_a_password_is_in_no_output(tmp_path: Path) -> None:
    settings = load(tmp_path, f"store = '{SECRET}'", events=SECRET)
    assert settings.store == SECRET
    assert "secret" not in repr(settings)
    assert "secret" not in repr(settings.explain())
    assert mask_url(SECRET) == "pg://***@host/kg"
    assert "secret" not in fault(tmp_path, f"store = ['{SECRET}']")


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ("a = 1", 1),
        ("b = 2\n\n# a = 0\na = 1", 4),
        ('b = """\na = 3\n"""\na = 1', 4),
        ("b = 1\na = [\n  1,\n  2,\n]", 2),
        ("'a' = 1\n", 1),
        ("b = 1", None),
    ],
)
def test_the_line_of_a_setting_is_where_its_statement_begins(document: str, line: int | None) -> None:
    assert line_of(document, "a") == line


def test_a_preference_can_be_given_for_every_kind() -> None:
    assert all(PREFERENCE.fullmatch(f"plugins.prefer.{kind.noun}.x-1") for kind in KINDS.values())


def test_settings_are_frozen_and_equal_by_value(tmp_path: Path) -> None:
    settings: Any = load(tmp_path, "busy_seconds = 3")
    assert settings == Settings(busy_seconds=3.0)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        settings.store = "memory:"

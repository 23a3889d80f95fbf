"""A plugin that is broken, in whatever way, is told of with the cause to who asks for it, and hurts nobody else."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from polaris_core import PluginLoadError, PluginSpecificationError
from polaris_core.registry import Registry

if TYPE_CHECKING:
    from tests.conftest import Site

IMPORTS = "from polaris_core.abc import CacheSpec, CommandSpec, StorageSpec, hookimpl\n"
SPEC = "StorageSpec(name='broken', sentence='It is broken.', factory=lambda location, options: None)"
OTHER = SPEC.replace("broken", "other", 1)


def storages(answer: str, *, mark: str = "@hookimpl", define: str = "def polaris_storages()") -> str:
    return f"{IMPORTS}{mark}\n{define}:\n    return {answer}\n"


class Broken(NamedTuple):
    source: str
    error: type[Exception]
    says: str
    cause: type[BaseException] | None = None


BROKEN = {
    "a syntax error": Broken("def (:\n", PluginLoadError, "SyntaxError", SyntaxError),
    "an exit": Broken("import sys\nsys.exit('no licence')\n", PluginLoadError, "SystemExit: no licence", SystemExit),
    "a dependency that is missing": Broken(
        "import a_module_nobody_has\n", PluginLoadError, "No module named 'a_module_nobody_has'", ModuleNotFoundError
    ),
    "an error of its own": Broken("1 / 0\n", PluginLoadError, "ZeroDivisionError: division by zero", ZeroDivisionError),
    "an error in its hook": Broken(storages("1 / 0"), PluginLoadError, "failed in polaris_storages", ZeroDivisionError),
    "an exit in its hook": Broken(storages("exit(3)"), PluginLoadError, "SystemExit: 3", SystemExit),
    "a hook that wants arguments": Broken(
        storages("()", define="def polaris_storages(config)"), PluginSpecificationError, "{'config'}"
    ),
    "an async hook": Broken(
        storages(f"[{SPEC}]", define="async def polaris_storages()"), PluginSpecificationError, "is async"
    ),
    "a hook that returns a coroutine": Broken(
        f"{IMPORTS}async def later():\n    return ()\n@hookimpl\ndef polaris_storages():\n    return later()\n",
        PluginSpecificationError,
        "returns a coroutine",
    ),
    "a wrapper": Broken(
        f"{IMPORTS}@hookimpl(wrapper=True)\ndef polaris_storages():\n    yield\n    return ()\n",
        PluginSpecificationError,
        "is a wrapper",
    ),
    "an old wrapper": Broken(
        f"{IMPORTS}@hookimpl(hookwrapper=True)\ndef polaris_storages():\n    yield\n",
        PluginSpecificationError,
        "is a wrapper",
    ),
    "an unknown hook": Broken(
        f"{storages(f'[{SPEC}]')}@hookimpl\ndef polaris_storage():\n    return ()\n",
        PluginSpecificationError,
        "unknown hook 'polaris_storage'",
    ),
    "no hook": Broken(IMPORTS, PluginSpecificationError, "no hook polaris_storages"),
    "one hook twice": Broken(
        f"{storages(f'[{SPEC}]')}@hookimpl(specname='polaris_storages')\ndef again():\n    return ()\n",
        PluginSpecificationError,
        "implements polaris_storages twice",
    ),
    "a specification of the wrong class": Broken(
        storages("[CacheSpec(name='broken', sentence='A cache.', factory=None)]"),
        PluginSpecificationError,
        "returns a CacheSpec where a StorageSpec is due",
    ),
    "something that is no specification": Broken(
        storages("[{'name': 'broken'}]"), PluginSpecificationError, "returns a dict where a StorageSpec is due"
    ),
    "one specification that is no sequence": Broken(
        storages(SPEC), PluginSpecificationError, "returns a StorageSpec where a tuple or a list is due"
    ),
    "nothing": Broken(storages("None"), PluginSpecificationError, "returns nothing where a tuple or a list is due"),
    "a text": Broken(storages("'broken'"), PluginSpecificationError, "returns a str where"),
    "a generator": Broken(
        storages("None").replace("return", "yield"), PluginSpecificationError, "returns a generator where"
    ),
    "a specification without a row": Broken(
        storages(f"[{SPEC}, {OTHER}]"),
        PluginSpecificationError,
        """add `other = "MODULE"` under [project.entry-points."polaris_core.storages"]""",
    ),
    "a hook without a row": Broken(
        f"{storages(f'[{SPEC}]')}@hookimpl\ndef polaris_caches():\n    return ()\n",
        PluginSpecificationError,
        """add `NAME = "MODULE"` under [project.entry-points."polaris_core.caches"]""",
    ),
    "a row without a specification": Broken(
        storages("()"), PluginSpecificationError, "offers nothing, but no 'broken'"
    ),
    "a name that is not allowed": Broken(
        storages(f"[{SPEC}, {SPEC.replace('broken', 'Bro ken', 1)}]"), PluginSpecificationError, "'Bro ken' is no name"
    ),
    "one name twice": Broken(storages(f"[{SPEC}, {SPEC}]"), PluginSpecificationError, "returns 'broken' twice"),
    "no sentence": Broken(
        storages(f"[{SPEC.replace('It is broken.', '')}]"), PluginSpecificationError, "lacks the sentence"
    ),
}
MODULES = {what: f"broken_{number}" for number, what in enumerate(BROKEN)}
GOOD = f"""{IMPORTS}
def configure(parser):
    parser.add_argument("word")
def run(context, arguments):
    print(arguments.word)
    return 0
@hookimpl
def polaris_commands():
    return [CommandSpec(name="echo", sentence="Repeat a word.", configure=configure, run=run)]
"""

FATAL = {
    "vanishing": "import os\nos._exit(0)\n",
    "crashing": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
    "leaving": "import subprocess, sys, os\n"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(20)'])\nos._exit(7)\n",
    "printing": f"print('hello')\n{GOOD.replace('echo', 'printing')}",
}
HANGING = "import threading\nthreading.Event().wait()\n"


@pytest.mark.parametrize("what", BROKEN)
def test_who_asks_for_a_broken_plugin_is_told_the_cause(site: Site, what: str) -> None:
    broken = BROKEN[what]
    site.add("broken", {"storages": {"broken": MODULES[what]}}, {MODULES[what]: broken.source})
    registry = Registry()
    for _ in range(2):  # a failure leaves nothing half done
        with pytest.raises(broken.error) as caught:
            registry.storage("broken")
        assert broken.says.replace("MODULE", MODULES[what]) in str(caught.value)
        assert caught.value.plugin == "broken"  # type: ignore[attr-defined]
        if broken.cause is not None:
            assert type(caught.value.__cause__) is broken.cause
    assert registry.storage("memory").name == "memory"


def test_nothing_is_imported_to_list_names(site: Site) -> None:
    site.add("broken", {"storages": {"broken": "never_imported"}}, {"never_imported": "1 / 0\n"})
    assert "broken" in Registry().names("storages")
    assert "never_imported" not in sys.modules


def install_everything(site: Site) -> None:
    """One good command among all that is broken."""
    for what, broken in BROKEN.items():
        name = MODULES[what].replace("_", "-")
        site.add(
            name, {"storages": {name: MODULES[what]}}, {MODULES[what]: broken.source.replace("'broken'", f"'{name}'")}
        )
    for name, source in FATAL.items():
        site.add(name, {"commands": {name: f"{name}_plugin"}}, {f"{name}_plugin": source})
    site.add("good", {"commands": {"echo": "good_plugin"}}, {"good_plugin": GOOD})


def test_a_command_works_beside_every_broken_plugin(site: Site) -> None:
    install_everything(site)
    finished = site.run("echo", "hello")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "hello\n", "")


def test_listing_and_help_import_none_of_them(site: Site) -> None:
    install_everything(site)
    listed = site.run("plugins", "--json")
    assert (listed.returncode, listed.stderr) == (0, "")
    entries = {entry["name"]: entry for entry in json.loads(listed.stdout)}
    assert {entries[name]["status"] for name in FATAL} == {"available"}
    helped = site.run("--help")
    assert helped.returncode == 0
    assert all(f"{name} " in helped.stdout for name in [*FATAL, "echo"])


def test_a_check_survives_every_broken_plugin_and_tells_of_each(site: Site) -> None:
    install_everything(site)
    listed = site.run("plugins", "--check", "--json", "--deadline", "60")
    assert listed.returncode == 1
    entries = {entry["name"]: entry for entry in json.loads(listed.stdout)}
    assert entries["echo"]["status"] == entries["printing"]["status"] == entries["memory"]["status"] == "ok"
    for what, broken in BROKEN.items():
        entry = entries[MODULES[what].replace("_", "-")]
        assert entry["status"] == "failed", what
        if broken.cause is not None:
            assert broken.cause.__name__ in entry["detail"]
    assert entries["vanishing"]["detail"] == "it ended the process with status 0"
    assert entries["crashing"]["detail"] == "it ended the process with SIGSEGV"
    assert entries["leaving"]["detail"] == "it ended the process with status 7"


def test_a_check_ends_a_plugin_that_does_not_end(site: Site) -> None:
    site.add("hanging", {"caches": {"hanging": "hanging_plugin"}}, {"hanging_plugin": HANGING})
    listed = site.run("plugins", "--check", "--json", "--deadline", "0.5")
    assert listed.returncode == 1
    (found,) = [entry for entry in json.loads(listed.stdout) if entry["name"] == "hanging"]
    assert (found["status"], found["detail"]) == ("failed", "it was not done after 0.5 seconds")


def test_what_a_plugin_prints_while_it_loads_is_not_the_output(site: Site) -> None:
    site.add("printing", {"commands": {"printing": "printing_plugin"}}, {"printing_plugin": FATAL["printing"]})
    finished = site.run("printing", "word")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "word\n", "hello\n")


def test_a_broken_command_is_one_line_with_the_cause(site: Site) -> None:
    site.add("lost", {"commands": {"lost": "lost_plugin"}}, {"lost_plugin": "import a_module_nobody_has\n"})
    finished = site.run("lost")
    assert (finished.returncode, finished.stdout) == (1, "")
    assert finished.stderr == (
        "polaris-kg: lost_plugin of lost 1.0 cannot be imported: "
        "ModuleNotFoundError: No module named 'a_module_nobody_has'\n"
    )

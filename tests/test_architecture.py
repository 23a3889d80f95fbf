"""Imports run down only, and plugins use nothing but public names, another plugin's if they require it.

What is read is the source, so an import counts wherever it stands: inside a function, under TYPE_CHECKING, or as a
literal argument of `import_module`.
"""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
CORE = "polaris_core"

# The modules and packages of the core, the lowest first. Each may import what an earlier row names, and what stands
# left of it in its own row.
LAYERS = (
    ("errors", "limits", "values", "unchecked"),
    ("model",),
    ("schema", "mutations", "outcomes", "records", "wire", "codec", "query", "search"),
    ("planning", "history"),
    ("config",),  # below abc: a command is given the settings
    ("abc",),
    ("registry",),
    ("storage", "cache", "events", "formats"),
    ("graph",),
    ("testing",),  # its laws reach from the rows of a backend to the graph that stands on it
    ("cli",),
    ("__init__", "__main__"),
)
STRANGERS = {"storage", "cache", "events", "formats"}  # know each other only through abc
SUMMITS = {"__init__", "__main__", "testing"}  # for people outside; no module of the core imports them
# The one name from above: a tool's handler is given the public Graph, and only type checkers need to know.
NAMED_FOR_CHECKERS = {("polaris_core.abc.tools", "polaris_core.graph")}
PUBLIC = {CORE, f"{CORE}.abc"}
PUBLIC_TO_TESTS = PUBLIC | {f"{CORE}.testing"}

RANKS = {
    name: (row, 0 if name in STRANGERS else place)
    for row, names in enumerate(LAYERS)
    for place, name in enumerate(names)
}


def modules_below(package: Path) -> dict[str, Path]:
    """The file of each module of a package by its dotted name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(module: str, path: Path, known: set[str]) -> Iterator[tuple[int, str, str]]:
    """The line, the module and the name (or nothing) of every import of one file, relative ones resolved."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]

    def absolute(level: int, name: str) -> str:
        if not level:
            return name
        base = package.split(".")[: len(package.split(".")) - level + 1]
        return ".".join([*base, *([name] if name else [])])

    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            source = absolute(node.level, node.module or "")
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield (node.lineno, inner, "") if inner in known else (node.lineno, source, alias.name)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    name = argument.value.lstrip(".")
                    yield node.lineno, absolute(len(argument.value) - len(name), name), ""


def checked_only(path: Path) -> set[int]:
    """The lines under `if TYPE_CHECKING:`, which never run."""
    return {
        inner.lineno
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
        if isinstance(inner, ast.stmt)
    }


def component(module: str) -> str:
    """The row entry that a module of the core belongs to."""
    return module.split(".")[1] if "." in module else "__init__"


def core_violations(root: Path, plugins: set[str]) -> Iterator[str]:
    """Every import of the core that runs up or sideways or out, and every module without a place."""
    modules = modules_below(root / CORE)
    for name in sorted({component(module) for module in modules} - set(RANKS)):
        yield f"{CORE}.{name} is in no layer: give it a row in LAYERS"
    for module, path in modules.items():
        mine = component(module)
        for line, target, name in imports(module, path, set(modules)):
            where = f"{path.relative_to(root)}:{line}"
            if target.split(".")[0] in plugins:
                yield f"{where}: the core imports the plugin {target}"
            if target.split(".")[0] != CORE or (target, name) == (CORE, "__version__"):
                continue
            theirs = component(target)
            if theirs == mine or mine not in RANKS:
                continue
            if (module, target) in NAMED_FOR_CHECKERS and line in checked_only(path):
                continue
            if theirs in SUMMITS or theirs not in RANKS or RANKS[theirs] >= RANKS[mine]:
                yield f"{where}: {mine} may not import {target}"


def project_of(plugin: Path) -> dict[str, Any]:
    """What a plugin's pyproject.toml says of it."""
    path = plugin / "pyproject.toml"
    found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["project"] if path.exists() else {}
    return found


def required_plugins(root: Path, plugin: Path) -> set[str]:
    """The packages of the plugins that this one requires, and whose public names it may therefore use."""
    names = {Requirement(text).name for text in project_of(plugin).get("dependencies", ())}
    packages = root.glob("plugins/*/src/*/__init__.py")
    return {path.parent.name for path in packages if project_of(path.parents[2]).get("name") in names}


def plugin_violations(root: Path, plugin: Path, plugins: set[str], core: set[str]) -> Iterator[str]:
    """Every import of a plugin, or of its tests, that reaches behind the public names."""
    own = {path.parent.name for path in plugin.glob("src/*/__init__.py")}
    required = required_plugins(root, plugin)
    files = []
    for package in sorted(own):
        files += [(module, path, PUBLIC) for module, path in modules_below(plugin / "src" / package).items()]
    files += [(path.stem, path, PUBLIC_TO_TESTS) for path in sorted(plugin.glob("tests/**/*.py"))]
    for module, path, public in files:
        for line, target, name in imports(module, path, core):
            where = f"{path.relative_to(root)}:{line}"
            top = target.split(".")[0]
            private = name.startswith("_") and name != "__version__"
            if top == CORE and (target not in public or private):
                yield f"{where}: a plugin may not import {target}{f'.{name}' if name else ''}"
            if top in required - own and (target != top or private):
                yield f"{where}: only what {top} itself exports is public, not {target}{f'.{name}' if name else ''}"
            if top in plugins - own - required:
                yield f"{where}: a plugin may not import another plugin that it does not require, {target}"


def violations(root: Path) -> list[str]:
    """Everything in a checkout that goes against the directions."""
    folders = sorted(path.parent for path in root.glob("plugins/*/src"))
    plugins = {path.parent.name for path in root.glob("plugins/*/src/*/__init__.py")}
    core = set(modules_below(root / CORE))
    found = list(core_violations(root, plugins))
    for folder in folders:
        found += plugin_violations(root, folder, plugins, core)
    return found


def test_imports_run_down_only_and_plugins_use_public_names() -> None:
    assert violations(ROOT) == []


def test_every_layer_names_a_module_that_exists() -> None:
    present = {component(module) for module in modules_below(ROOT / CORE)}
    assert sorted(set(RANKS) - present) == []


LAWFUL = {
    "polaris_core/__init__.py": "__version__ = '0.1.0'\nfrom polaris_core.graph import Graph",
    "polaris_core/errors.py": "import enum",
    "polaris_core/limits.py": "from .errors import LimitExceededError",
    "polaris_core/model.py": "from polaris_core import errors",
    "polaris_core/abc/__init__.py": "from .storage import Storage",
    "polaris_core/abc/storage.py": "from ..model import Node",
    "polaris_core/storage/__init__.py": "from polaris_core.abc import Storage",
    "polaris_core/storage/service.py": "from . import memory\nfrom ..abc.storage import Storage",
    "polaris_core/storage/memory.py": "import asyncio",
    "polaris_core/cache/__init__.py": "",
    "polaris_core/graph/__init__.py": "from polaris_core.storage.service import StorageService",
    "polaris_core/cli/__init__.py": "from polaris_core import __version__",
    "polaris_core/testing/__init__.py": "from polaris_core.abc import Storage",
    "plugins/polaris-one/src/polaris_one/__init__.py": "from .plugin import thing",
    "plugins/polaris-one/src/polaris_one/plugin.py": "from polaris_core.abc import Storage\nimport polaris_core",
    "plugins/polaris-one/tests/test_one.py": "from polaris_core.testing import kit\nimport polaris_one.plugin",
    "plugins/polaris-two/src/polaris_two/__init__.py": "",
    "plugins/polaris-two/pyproject.toml": "[project]\nname = 'polaris-kg-two'",
    "plugins/polaris-three/src/polaris_three/__init__.py": "from polaris_two import Two",
    "plugins/polaris-three/pyproject.toml": "[project]\nname = 'x'\ndependencies = ['polaris-kg-two>=0.1,<0.2']",
}
UNLAWFUL = [
    ("polaris_core/model.py", "from polaris_core.graph import Graph", "model may not import polaris_core.graph"),
    ("polaris_core/model.py", "from .abc.storage import Storage", "model may not import polaris_core.abc.storage"),
    ("polaris_core/abc/storage.py", "from .. import graph", "abc may not import polaris_core.graph"),
    ("polaris_core/abc/storage.py", "def f():\n    from ..cli import main", "abc may not import polaris_core.cli"),
    ("polaris_core/errors.py", "from polaris_core.limits import Limits", "errors may not import polaris_core.limits"),
    ("polaris_core/errors.py", "from polaris_core import Node", "errors may not import polaris_core"),
    ("polaris_core/errors.py", "import polaris_core.model as m", "errors may not import polaris_core.model"),
    ("polaris_core/errors.py", "import_module('.model', __package__)", "errors may not import polaris_core.model"),
    (
        "polaris_core/errors.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .model import Node",
        "errors.py:3",
    ),
    (
        "polaris_core/storage/memory.py",
        "from polaris_core.cache import Lru",
        "storage may not import polaris_core.cache",
    ),
    ("polaris_core/testing/__init__.py", "import polaris_core.cli", "testing may not import"),
    ("polaris_core/graph/__init__.py", "import polaris_core.testing", "graph may not import polaris_core.testing"),
    ("polaris_core/graph/__init__.py", "import polaris_two", "the core imports the plugin polaris_two"),
    ("polaris_core/gossip.py", "", "polaris_core.gossip is in no layer"),
    (
        "plugins/polaris-one/src/polaris_one/plugin.py",
        "from polaris_core.abc.storage import Storage",
        "polaris_core.abc.storage.Storage",
    ),
    (
        "plugins/polaris-one/src/polaris_one/plugin.py",
        "from polaris_core import model",
        "may not import polaris_core.model",
    ),
    (
        "plugins/polaris-one/src/polaris_one/plugin.py",
        "from polaris_core import _secret",
        "may not import polaris_core._secret",
    ),
    (
        "plugins/polaris-one/src/polaris_one/plugin.py",
        "import polaris_core.testing",
        "may not import polaris_core.testing",
    ),
    ("plugins/polaris-one/src/polaris_one/plugin.py", "import polaris_two", "does not require, polaris_two"),
    ("plugins/polaris-three/src/polaris_three/plugin.py", "from polaris_two.inner import Two", "polaris_two.inner.Two"),
    ("plugins/polaris-three/src/polaris_three/plugin.py", "from polaris_two import _two", "not polaris_two._two"),
    (
        "plugins/polaris-three/src/polaris_three/plugin.py",
        "import polaris_one",
        "another plugin that it does not require",
    ),
    (
        "plugins/polaris-one/tests/test_one.py",
        "import polaris_core.storage.memory",
        "may not import polaris_core.storage.memory",
    ),
]


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, source in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(source, encoding="utf-8")
    return root


def test_a_lawful_tree_passes(tmp_path: Path) -> None:
    assert violations(plant(tmp_path, LAWFUL)) == []


@pytest.mark.parametrize(
    ("path", "source", "complaint"), UNLAWFUL, ids=[f"{path}: {source}" for path, source, _ in UNLAWFUL]
)
def test_an_unlawful_import_is_found(tmp_path: Path, path: str, source: str, complaint: str) -> None:
    (found,) = violations(plant(tmp_path, {**LAWFUL, path: source}))
    assert complaint in found

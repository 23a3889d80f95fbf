"""Importing one plugin module and holding it to the rules of the plugin interface."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pluggy

from polaris_core.errors import PluginLoadError, PluginSpecificationError
from polaris_core.registry.hookspecs import PROJECT, Hooks
from polaris_core.registry.kinds import KINDS, PluginKind, Specification
from polaris_core.registry.resolution import NAME

if TYPE_CHECKING:
    from types import ModuleType

    from polaris_core.registry.discovery import Row

__all__ = ["Loader"]

T = TypeVar("T")


class Loader:
    """Plugin modules, each imported and registered with pluggy once, when it is first asked for."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(Hooks)
        self._found: dict[tuple[str, str], Mapping[str, Specification]] = {}

    def specifications(self, row: Row, rows: Sequence[Row]) -> Mapping[str, Specification]:
        """Return what a row's module offers of the row's kind, by name; the row's own name is among them.

        Raises `PluginLoadError` where the plugin's code fails, and `PluginSpecificationError` where it breaks a rule.
        """
        kind = KINDS[row.kind]
        key = (row.module, row.kind)
        if key not in self._found:
            module = self._manager.get_plugin(row.module) or self._register(row, rows)
            self._found[key] = self._ask(kind, module, row, rows)
        found = self._found[key]
        if row.name not in found:
            raise _broken(row, f"its {kind.hook} offers {', '.join(sorted(found)) or 'nothing'}, but no {row.name!r}")
        return found

    def _register(self, row: Row, rows: Sequence[Row]) -> ModuleType:
        module = _isolated(row, "cannot be imported", lambda: import_module(row.module))
        hooks = _hooks(self._manager, module)
        for name, (options, function) in hooks.items():
            if options["wrapper"] or options["hookwrapper"]:
                raise _broken(row, f"its {name} is a wrapper, which would see the answers of other plugins")
            if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
                raise _broken(row, f"its {name} is async, but hooks are called without an event loop: write `def`")
        hooked = [options["specname"] or name for name, (options, _) in hooks.items()]
        for name in hooked:
            if hooked.count(name) > 1:
                raise _broken(row, f"it implements {name} twice")
        for kind in KINDS.values():
            if kind.hook in hooked and not any(_same(kind, row, other) for other in rows):
                line = f'NAME = "{row.module}"'
                raise _broken(row, f"it implements {kind.hook} but has no row for it: {_remedy(kind, line)}")
        try:
            self._manager.register(module, row.module)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            if self._manager.has_plugin(row.module):
                self._manager.unregister(module)
            raise _broken(row, " ".join(str(error).split())) from error
        return module

    def _ask(
        self, kind: PluginKind[Specification], module: ModuleType, row: Row, rows: Sequence[Row]
    ) -> Mapping[str, Specification]:
        implemented = {caller.name for caller in self._manager.get_hookcallers(module) or ()}
        if kind.hook not in implemented:
            raise _broken(row, f"it has the row {row.name!r} in {kind.group} but no hook {kind.hook}")
        others = self._manager.get_plugins() - {module}
        answer: object = _isolated(row, f"failed in {kind.hook}", lambda: kind.ask(_of_one(self._manager, others)))
        if inspect.iscoroutine(answer):
            answer.close()
        if not isinstance(answer, Sequence) or isinstance(answer, str | bytes):
            raise _broken(row, f"its {kind.hook} returns {_kind_of(answer)} where a tuple or a list is due")
        found: dict[str, Specification] = {}
        for item in answer:
            if not isinstance(item, kind.specification):
                raise _broken(row, f"its {kind.hook} returns {_kind_of(item)} where a {kind.class_name} is due")
            _check(kind, item, row, rows)
            if item.name in found:
                raise _broken(row, f"its {kind.hook} returns {item.name!r} twice")
            found[item.name] = item
        return found


def _hooks(
    manager: pluggy.PluginManager, module: ModuleType
) -> dict[str, tuple[Mapping[str, Any], Callable[..., object]]]:
    """Return the implementations of a module with their options, by the name they have there."""
    marked = ((name, manager.parse_hookimpl_opts(module, name)) for name in dir(module))
    return {
        name: (cast("Mapping[str, Any]", options), getattr(module, name))
        for name, options in marked
        if options is not None
    }


def _of_one(manager: pluggy.PluginManager, others: set[Any]) -> Hooks:
    """Return the hooks as they are when all plugins but one are left out."""

    class Subset:
        def __getattr__(self, name: str) -> object:
            return manager.subset_hook_caller(name, others)

    return cast("Hooks", Subset())


def _isolated(row: Row, what: str, call: Callable[[], T]) -> T:
    try:
        return call()
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise PluginLoadError(f"{_titled(row)} {what}: {reason}", plugin=row.distribution) from error


def _check(kind: PluginKind[Specification], item: Specification, row: Row, rows: Sequence[Row]) -> None:
    name, sentence = cast("object", item.name), cast("object", item.sentence)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise _broken(row, f"{name!r} is no name: it is made of a-z, 0-9 and -, and begins with a letter")
    if not isinstance(sentence, str) or not sentence.strip():
        raise _broken(row, f"its {name!r} lacks the sentence that says what it is good for")
    if not any(other.name == name and _same(kind, row, other) for other in rows):
        line = f'{name} = "{row.module}"'
        raise _broken(row, f"its {name!r} has no row: {_remedy(kind, line)}")


def _same(kind: PluginKind[Specification], row: Row, other: Row) -> bool:
    return (other.kind, other.distribution, other.module) == (kind.kind, row.distribution, row.module)


def _remedy(kind: PluginKind[Specification], line: str) -> str:
    return f'add `{line}` under [project.entry-points."{kind.group}"] in its pyproject.toml'


def _broken(row: Row, why: str) -> PluginSpecificationError:
    return PluginSpecificationError(f"{_titled(row)} breaks the rules for plugins: {why}", plugin=row.distribution)


def _titled(row: Row) -> str:
    return f"{row.module} of {row.distribution} {row.version}"


def _kind_of(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"

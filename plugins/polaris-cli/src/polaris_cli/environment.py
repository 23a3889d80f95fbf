"""The Python packages installed in the running environment, as nodes and edges: what the demo's graph is made of.

A distribution is a node of type `package`, named by its normalised name; the licences and top-level modules are nodes of
their own, `licence:MIT` and `module:attr`, because names are unique in a graph. `requires` joins a package to what it needs
here and now: markers are evaluated, and an extra counts where another package asks for it. What is required and missing is a
package with the attribute `installed` false.
"""

from __future__ import annotations

from importlib.metadata import distributions, packages_distributions
from typing import TYPE_CHECKING, Any

import attrs
from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from polaris_cli.licences import first, licences
from polaris_core import Edge, EdgeKey, Node, Observation, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from importlib.metadata import Distribution

__all__ = ["ATTRIBUTES", "SOURCE", "Inventory", "take_inventory"]

SOURCE = "package metadata"
ATTRIBUTES = frozenset({
    "installed", "requested", "version", "requires_python", "homepage", "extras", "installer", "versions", "marker",
})  # fmt: skip


@attrs.define
class Inventory:
    """Nodes by name and edges by key. What cannot be a node or an edge, such as a name with a control character, is left out."""

    nodes: dict[str, Node] = attrs.Factory(dict)
    edges: dict[EdgeKey, Edge] = attrs.Factory(dict)

    def add_node(self, name: str, type: str, attributes: Mapping[str, Any], summary: str = "") -> None:
        """Add a node, or leave the one of this name as it is."""
        try:
            observations = [Observation(summary, SOURCE)] if summary else []
            node = Node(name, type, attributes, observations)
        except ValidationError:
            return
        self.nodes.setdefault(node.name, node)

    def add_edge(self, source: str, type: str, target: str, attributes: Mapping[str, Any] | None = None) -> None:
        """Add an edge between nodes that are there."""
        if source in self.nodes and target in self.nodes:
            edge = Edge(source, type, target, attributes or {})
            self.edges.setdefault(edge.key, edge)


def take_inventory() -> Inventory:
    """Return what is installed in this environment, as its metadata says."""
    found = _installed()
    inventory = Inventory()
    for name, distribution in found.items():
        inventory.add_node(name, "package", _attributes(distribution), first(distribution.metadata, "Summary"))
    for name, distribution in found.items():
        for licence in licences(distribution.metadata):
            inventory.add_node(f"licence:{licence}", "licence", {})
            inventory.add_edge(name, "licensed-under", f"licence:{licence}")
    for module, owners in sorted(packages_distributions().items()):
        if module.isidentifier() and not module.startswith("__"):
            inventory.add_node(f"module:{module}", "module", {})
            for owner in filter(None, owners):
                inventory.add_edge(canonicalize_name(owner), "provides", f"module:{module}")
    for name, requirements in _needs(found).items():
        for requirement in requirements:
            target = canonicalize_name(requirement.name)
            inventory.add_node(target, "package", {"installed": False})
            inventory.add_edge(name, "requires", target, _of_requirement(requirement))
    return inventory


def _installed() -> dict[str, Distribution]:
    """Return the distributions by name; of one that is on sys.path twice, the one that is imported."""
    found: dict[str, Distribution] = {}
    for distribution in distributions():
        if name := first(distribution.metadata, "Name"):
            found.setdefault(canonicalize_name(name), distribution)
    return dict(sorted(found.items()))


def _attributes(distribution: Distribution) -> dict[str, Any]:
    metadata = distribution.metadata
    said = {
        "version": first(metadata, "Version"),
        "requires_python": first(metadata, "Requires-Python"),
        "homepage": _homepage(first(metadata, "Home-page"), metadata.get_all("Project-URL") or ()),
        "extras": sorted(metadata.get_all("Provides-Extra") or ()),
        "installer": (distribution.read_text("INSTALLER") or "").strip(),
    }
    requested = distribution.read_text("REQUESTED") is not None  # by name, and not because something requires it
    return {"installed": True, "requested": requested, **{key: value for key, value in said.items() if value}}


def _homepage(field: str, urls: Iterable[str]) -> str:
    if field and field != "UNKNOWN":
        return field
    labelled = {label.strip().lower(): url.strip() for label, _, url in (url.partition(",") for url in urls)}
    for label in ("homepage", "home", "source", "source code", "repository", "github"):
        if label in labelled:
            return labelled[label]
    return next(iter(labelled.values()), "")


def _needs(found: Mapping[str, Distribution]) -> dict[str, list[Requirement]]:
    """Return what each distribution requires here, the extras that others ask for included."""
    declared = {name: list(_requirements(distribution)) for name, distribution in found.items()}
    extras: dict[str, set[str]] = {name: set() for name in found}
    while True:
        needs = {
            name: [requirement for requirement in requirements if _applies(requirement, extras[name])]
            for name, requirements in declared.items()
        }
        before = sum(map(len, extras.values()))
        for requirement in (requirement for requirements in needs.values() for requirement in requirements):
            extras.get(canonicalize_name(requirement.name), set()).update(map(canonicalize_name, requirement.extras))
        if sum(map(len, extras.values())) == before:
            return needs


def _requirements(distribution: Distribution) -> Iterator[Requirement]:
    for text in distribution.requires or ():
        try:
            yield Requirement(text)
        except InvalidRequirement:
            continue  # old distributions hold lines that were never valid


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    if requirement.marker is None:
        return True
    try:
        return any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *sorted(extras)))
    except (UndefinedComparison, UndefinedEnvironmentName):
        return False


def _of_requirement(requirement: Requirement) -> dict[str, Any]:
    said = {
        "versions": str(requirement.specifier),
        "extras": sorted(requirement.extras),
        "marker": "" if requirement.marker is None else str(requirement.marker),
    }
    return {key: value for key, value in said.items() if value}

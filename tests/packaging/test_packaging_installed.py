"""Under tox, the code under test is the code in the wheels."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sysconfig
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.skipif(
    "POLARIS_WHEELS" not in os.environ, reason="POLARIS_WHEELS is not set: these tests run where tox installed wheels"
)


@pytest.mark.parametrize(
    "package",
    [
        "polaris_core",
        "polaris_cli",
        "polaris_event_store",
        "polaris_formats",
        "polaris_json_fs",
        "polaris_mcp",
        "polaris_sqlite",
    ],
)
def test_a_package_is_imported_from_site_packages(package: str) -> None:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).is_relative_to(sysconfig.get_path("purelib"))


def test_each_distribution_was_installed_from_its_wheel(wheels: Mapping[str, Path]) -> None:
    for name, wheel in wheels.items():
        origin = json.loads(distribution(name).read_text("direct_url.json") or "{}")
        assert origin["url"] == wheel.as_uri()
        assert origin["archive_info"]["hashes"]["sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()

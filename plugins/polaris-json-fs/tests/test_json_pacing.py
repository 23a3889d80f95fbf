"""Long work beside commits: nothing is left out, and what is freed in parts was nobody's any more."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from polaris_json_fs.pacing import delete, drop, in_slices

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = os.urandom(1 << 20) * 11  # more than is freed at once


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "journal"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def shortened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths that files are cut to."""
    sizes: list[int] = []
    cut = os.ftruncate

    def noted(descriptor: int, size: int) -> None:
        sizes.append(size)
        cut(descriptor, size)

    monkeypatch.setattr(os, "ftruncate", noted)
    return sizes


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1_000])
def test_slices_are_all_rows_in_their_order(count: int) -> None:
    assert [row for some in in_slices(range(count)) for row in some] == list(range(count))


def test_rows_are_let_go_to_the_last() -> None:
    rows = list(range(5_000))
    drop(rows)
    assert rows == []


def test_a_file_that_nobody_else_has_is_freed_a_part_at_a_time(file: Path, shortened: list[int]) -> None:
    delete(file)
    assert not file.exists()
    assert shortened == sorted(shortened, reverse=True)
    assert len(shortened) == 2


def test_who_has_the_file_open_reads_it_to_its_end(file: Path, shortened: list[int]) -> None:
    with file.open("rb") as reader:
        delete(file)
        assert not file.exists()
        assert reader.read() == CONTENT
    assert not shortened


def test_another_name_of_the_file_keeps_what_it_holds(file: Path, shortened: list[int]) -> None:
    copy = file.with_name("copy")
    copy.hardlink_to(file)
    delete(file)
    assert copy.read_bytes() == CONTENT
    assert not shortened


def test_a_file_that_is_gone_is_deleted_already(tmp_path: Path) -> None:
    delete(tmp_path / "none")

"""Laws that are skipped: the kit says which do not apply, and a law that anybody else skips has failed."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NoReturn

import pytest

__all__ = ["SkipWatch", "not_applicable"]


_BY_THE_KIT = "by_the_kit"


def not_applicable(reason: str) -> NoReturn:
    """Skip the law that runs: it is not about a backend of which its class says what this one's class says."""
    __tracebackhide__ = True
    try:
        pytest.skip(reason)
    except pytest.skip.Exception as skipped:
        vars(skipped)[_BY_THE_KIT] = True  # pytest would print a note, and a class of its own, beside the reason
        raise


class SkipWatch:
    """A plugin of pytest that lets a law be skipped by the kit, and expected to fail by its own mark, and by nothing else.

    Marks that come from a module or a class are refused where laws are collected. What is left are fixtures, set-up
    methods, `open` and `conftest.py`, which are seen only when they have skipped something.
    """

    def __init__(self, is_law: Callable[[pytest.Item], bool]) -> None:
        self._is_law = is_law

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Turn a skip that is not the kit's, or a failure that its law's mark does not expect, into a failure."""
        report = yield
        if report.skipped and call.excinfo is not None and self._is_law(item):
            reason = getattr(report, "wasxfail", None)
            if reason is None:
                allowed, became = _BY_THE_KIT in vars(call.excinfo.value), f"skipped ({call.excinfo.value})"
            else:
                marks = getattr(getattr(item, "function", None), "pytestmark", ())
                allowed, became = any(mark.name == "xfail" for mark in marks), f"expected to fail ({reason})"
            if not allowed:
                report.outcome = "failed"
                report.__dict__.pop("wasxfail", None)
                report.longrepr = (
                    f"{item.name} was {became}, and not by the kit, which weakens it; a law that does not hold yet is "
                    'marked @pytest.mark.xfail(reason="...") in the class'
                )
        return report

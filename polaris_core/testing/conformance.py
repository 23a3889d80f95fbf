"""The kit that certifies a storage backend: all its laws in one class."""

from __future__ import annotations

from typing import Any

from polaris_core.testing.kits import Kit
from polaris_core.testing.laws.answers import AnswerLaws
from polaris_core.testing.laws.backups import BackupLaws
from polaris_core.testing.laws.callers import CallerLaws
from polaris_core.testing.laws.claims import ClaimLaws
from polaris_core.testing.laws.commits import CommitLaws
from polaris_core.testing.laws.graphs import GraphLaws
from polaris_core.testing.laws.history import HistoryLaws
from polaris_core.testing.laws.keys import KeyLaws
from polaris_core.testing.laws.links import LinkLaws
from polaris_core.testing.laws.loads import LoadLaws
from polaris_core.testing.laws.model import ModelLaws
from polaris_core.testing.laws.opening import OpeningLaws
from polaris_core.testing.laws.processes import ProcessLaws
from polaris_core.testing.laws.records import RecordLaws
from polaris_core.testing.laws.stamps import StampLaws
from polaris_core.testing.laws.states import StateLaws
from polaris_core.testing.laws.subject import Subject

__all__ = ["PARAMETERS", "StorageConformance"]

PARAMETERS = ("url", "open", "opener", "file", "capabilities", "persistent", "shared", "examples")
"""What a third party's class may say; everything else of the kit is the kit's."""


class StorageConformance(
    RecordLaws,
    LinkLaws,
    KeyLaws,
    CommitLaws,
    StateLaws,
    HistoryLaws,
    StampLaws,
    CallerLaws,
    OpeningLaws,
    ProcessLaws,
    GraphLaws,
    ClaimLaws,
    BackupLaws,
    LoadLaws,
    AnswerLaws,
    ModelLaws,
    Subject,
    Kit,
    parameters=PARAMETERS,
):
    """All laws of a storage. Derive a class from it, say how its stores are opened, and let pytest collect it.

    ::

        class TestPocket(StorageConformance):
            url = "pocket:///{folder}/notes.pocket"
            shared = False

    The parameters are those of `Subject`. A law is a method; a class that overrides one is refused with `TypeError` where it
    is defined. The only way to live with a law that a backend does not keep yet says so and why::

            @pytest.mark.xfail(reason="the server sorts by its own locale until release 3")
            def test_names_come_in_the_order_of_their_code_points(self) -> None: ...

    What runs then is the law as it stands in the kit, whatever the body here. A law that is skipped by anybody but the kit, or
    expected to fail by anything but such a mark, has failed.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.examples < Subject.examples:
            raise TypeError(
                f"{cls.__name__}.examples is {cls.examples}; fewer than {Subject.examples} would weaken laws"
            )

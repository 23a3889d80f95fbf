"""The past, told by the feed: what the changes after a number undo, and a session that reads the state there was."""

from polaris_core.history.asof import AsOf, read_on
from polaris_core.history.chains import chain, last_change_of
from polaris_core.history.keys import merged_keys
from polaris_core.history.past import Past
from polaris_core.history.places import check_kept, cursor_of, place_of
from polaris_core.history.reverting import Inverse, changes_of_commit, inverse
from polaris_core.history.touching import Touched, touched
from polaris_core.history.trimming import READERS, moved_reader, readers, trimmed

__all__ = [
    "READERS",
    "AsOf",
    "Inverse",
    "Past",
    "Touched",
    "chain",
    "changes_of_commit",
    "check_kept",
    "cursor_of",
    "inverse",
    "last_change_of",
    "merged_keys",
    "moved_reader",
    "place_of",
    "read_on",
    "readers",
    "touched",
    "trimmed",
]

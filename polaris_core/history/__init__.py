"""The past, told by the feed: what the changes after a number undo, and a session that reads the state there was."""

from polaris_core.history.asof import AsOf, read_on
from polaris_core.history.keys import merged_keys
from polaris_core.history.past import Past
from polaris_core.history.places import check_kept, cursor_of, place_of

__all__ = ["AsOf", "Past", "check_kept", "cursor_of", "merged_keys", "place_of", "read_on"]

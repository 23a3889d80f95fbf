"""Whether a store's place is a disk of this machine, as Linux tells it; elsewhere nobody knows."""

from __future__ import annotations

import os
import re
from pathlib import Path

from polaris_core.abc.location import Location
from polaris_core.errors import InvalidLocationError, StoreUnavailableError

__all__ = ["NETWORK", "allows_network", "check_local", "file_system_of"]

NETWORK = "network"
"""The option of a location that says whether a store may be on a network file system."""

MOUNTS = Path("/proc/self/mountinfo")

# File backends share memory and locks between the processes of one machine, which a server's other clients know nothing of.
_REMOTE = frozenset(
    "afs beegfs ceph cifs coda glusterfs gpfs lustre ncpfs nfs nfs4 ocfs2 orangefs smb3 smbfs".split()  # noqa: SIM905 - a list of words
)
_REMOTE_FUSE = frozenset("ceph-fuse curlftpfs glusterfs gcsfuse goofys rclone s3fs sshfs".split())  # noqa: SIM905
_OCTAL = re.compile(r"\\([0-7]{3})")


def allows_network(location: Location) -> bool:
    """Return whether a location says `network=allow`; raises `InvalidLocationError` where it says anything else of it."""
    said = location.options.get(NETWORK)
    if said not in (None, "allow"):
        raise InvalidLocationError(
            f"{location}: the option {NETWORK} is {NETWORK}=allow or absent", location=str(location)
        )
    return said is not None


def check_local(path: str | os.PathLike[str], location: str) -> None:
    """Raise `StoreUnavailableError` if a path, which need not exist yet, is on a network file system."""
    kind = _file_system(os.path.realpath(path))
    if kind in _REMOTE or (kind.startswith("fuse.") and kind[5:] in _REMOTE_FUSE):
        raise StoreUnavailableError(
            f"{location} is on a network file system ({kind}), where the processes of two machines would damage it; "
            "keep it on a local disk, or say network=allow in its URL if no other machine ever opens it",
            location=location,
        )


def _file_system(path: str) -> str:
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    return file_system_of(path, mounts)


def file_system_of(path: str, mounts: str) -> str:
    """Return the kind of file system of an absolute path, given what `/proc/self/mountinfo` says; '' where it says nothing."""
    longest, kind = -1, ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4])
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= longest:  # of two mounts on one point, the later one is seen
            longest, kind = len(point), after.split(" ")[0]
    return kind

"""Which file system a path is on, as Linux lists what is mounted."""

import pytest

from polaris_core.abc import mounts

MOUNTED = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:30 / /srv/team\040disk rw - nfs4 server:/export rw
31 22 0:31 / /srv/team rw - cifs //server/share rw
32 22 0:32 / /home/ada/far rw - fuse.sshfs ada@far: rw
33 32 0:33 / /home/ada/far rw - ext4 /dev/sdb1 rw
34 22 0:34 / /mnt rw - nfs server:/ rw
35 34 8:2 / /mnt/local rw - xfs /dev/sdc rw
a line that says nothing
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/graph.db", "ext4"),
        ("/srv/team disk/graph.db", "nfs4"),
        ("/srv/team/graph.db", "cifs"),
        ("/srv/teamwork/graph.db", "ext4"),
        ("/home/ada/far/graph.db", "ext4"),
        ("/mnt/graph.db", "nfs"),
        ("/mnt/local/graph.db", "xfs"),
    ],
)
def test_the_file_system_of_a_path_is_that_of_the_innermost_and_latest_mount(path: str, kind: str) -> None:
    assert mounts.file_system_of(path, MOUNTED) == kind

"""What kind of file system a folder is on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from batchgen.errors import StorageError

NETWORK: Final = {"9p", "afs", "cifs", "fuse.sshfs", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"}
"""On these SQLite's ledger is not safe (sqlite.org/wal.html), and a lock need not hold between machines."""

_MOUNTS: Final = Path("/proc/self/mountinfo")


def refuse_network(root: Path) -> None:
    """StorageError where a ledger can't be trusted to last."""
    if (kind := _kind(root)) in NETWORK:
        raise StorageError(
            f"{root}: is on a network file system ({kind}), where a ledger can't be kept safely; "
            "choose a folder of this machine with --output, and copy it over when it is made"
        )


def _kind(path: Path) -> str:
    """The type of the file system, as mountinfo(5) names it; nothing where the system does not tell."""
    device = path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = _MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        mount, _, about = line.partition(" - ")
        if mount.split()[2] == number:
            return about.split()[0]
    return ""

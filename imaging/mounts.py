"""File systems that other machines hold: the kernel does not hear of changes, and a refusal may pass."""

from __future__ import annotations

import os
import re

MOUNTS = "/proc/self/mounts"

#: Types of such file systems.
_TYPES = """
    9p afs beegfs ceph cifs coda davfs drvfs glusterfs gpfs lustre ncpfs nfs nfs4 ocfs2 orangefs prl_fs smb2
    smb3 smbfs vboxsf virtiofs vmhgfs fuse.ceph-fuse fuse.curlftpfs fuse.davfs2 fuse.gcsfuse fuse.glusterfs
    fuse.goofys fuse.grpcfuse fuse.juicefs fuse.rclone fuse.s3fs fuse.smbnetfs fuse.sshfs fuse.vmhgfs-fuse
"""
NETWORK = frozenset(_TYPES.split())

_ESCAPE = re.compile(rb"\\([0-7]{3})")


def network_type(folder: bytes) -> str | None:
    """The type of the network file system that ``folder`` (absolute, real) lies on; None for a local one."""
    kind = file_system(folder)
    return kind if kind in NETWORK else None


def file_system(folder: bytes) -> str:
    """Type of the file system that holds ``folder``, by the table of mounts (fstab(5)); '' if unknown."""
    best, kind = b"", ""
    try:
        with open(MOUNTS, "rb") as table:
            for line in table:
                fields = line.split(b" ")
                place = _ESCAPE.sub(lambda octal: bytes([int(octal[1], 8)]), fields[1])
                # A later mount on the same place hides the earlier one.
                if len(place) >= len(best) and _holds(place, folder):
                    best, kind = place, os.fsdecode(fields[2])
    except OSError:
        return ""
    return kind


def _holds(place: bytes, folder: bytes) -> bool:
    return (folder + b"/").startswith(place.rstrip(b"/") + b"/")

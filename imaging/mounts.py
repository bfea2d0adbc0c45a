"""What is known of a file system by its type.

Of those that other machines hold the kernel does not hear of changes, and a refusal may pass. Some keep the
inode number of a file for as long as it is there; network mounts, FAT and FUSE may give it another one.
"""

from __future__ import annotations

import functools
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

#: Types that keep inode numbers, across mounts and however many files there are.
_KEEPING = """
    apfs bcachefs btrfs ext2 ext3 ext4 f2fs hfs hfsplus jfs nilfs2 ntfs3 reiserfs tmpfs udf ufs xfs zfs
"""
KEEPING_INODES = frozenset(_KEEPING.split())

_ESCAPE = re.compile(rb"\\([0-7]{3})")


def network_type(folder: bytes) -> str | None:
    """The type of the network file system that ``folder`` (absolute, real) lies on; None for a local one."""
    kind = file_system(folder)
    return kind if kind in NETWORK else None


@functools.cache
def keeps_inodes(folder: bytes, device: int) -> bool:
    """Whether files of ``folder`` (absolute, real) on ``device`` (``st_dev``) keep their inode numbers.

    Of one that is mounted below ``folder`` nothing is known: False.
    """
    try:
        return os.stat(folder).st_dev == device and file_system(folder) in KEEPING_INODES
    except OSError:
        return False


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

"""Processes whose kernel lets them neither speak to the network nor write outside one folder.

Both bind every process that they start, native code and threads included, and need no privilege:
seccomp(2) kills at the first internet socket, Landlock (landlock(7), from Linux 5.13) refuses to write.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

#: What a process that opens an internet socket ends with.
KILLED = -signal.SIGSYS

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _SECCOMP_MODE_FILTER = 22, 38, 2
_ALLOW, _KILL_PROCESS = 0x7FFF0000, 0x80000000
#: The architecture as the kernel audits it, and its number of socket(2).
_SOCKET = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_AF_UNIX = 1
#: Instructions of a filter (linux/bpf_common.h), and where it finds the call (struct seccomp_data).
_LOAD, _EQUALS, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
#: Rights to change files, by the version of Landlock from which they can be asked for.
_WRITING = {1: 0b1_1111_1111_0010, 2: 1 << 13, 3: 1 << 14}
#: Of these, the rights that a file itself can have: to be written and truncated.
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_PATH_BENEATH = 1


def no_network() -> None:
    """Have the kernel kill this process, and all that it starts, at its first socket that is no Unix one."""
    architecture, number = _SOCKET[platform.machine()]
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUALS, 0, 4, architecture),
        (_LOAD, 0, 0, _NUMBER),
        (_EQUALS, 0, 2, number),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUALS, 0, 1, _AF_UNIX),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _KILL_PROCESS),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    described = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _check(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, described))


def no_writing_but_below(*places: Path) -> None:
    """Have the kernel refuse this process, and all that it starts, to change a file outside ``places``.

    A kernel without Landlock refuses nothing.
    """
    version = _libc.syscall(_CREATE_RULESET, None, 0, 1)
    rights = sum(right for since, right in _WRITING.items() if since <= version)
    if not rights:
        return
    rules = _check(_libc.syscall(_CREATE_RULESET, struct.pack("Q", rights), 8, 0))
    for place in places:
        folder = os.open(place, os.O_PATH | os.O_CLOEXEC)
        granted = rights if place.is_dir() else rights & (_WRITE_FILE | _TRUNCATE)
        _check(_libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", granted, folder), 0))
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _check(_libc.syscall(_RESTRICT_SELF, rules, 0))


def without_a_route() -> Sequence[str]:
    """What to put before a command so that it has no network at all; nothing where that is not allowed."""
    command = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
    try:
        allowed = subprocess.run([*command, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return []
    return command if allowed else []


def _check(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

"""Takes from a process what it needs for nothing: sockets of its own machine, and looks into other processes.

Its user, or a group of that, may reach the engine's socket, and whoever has that has the machine. A filter of system
calls (seccomp(2)) stays until the process ends, for all that it starts, and cannot be taken off from within.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import socket
import struct
from dataclasses import dataclass

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
_NUMBER, _MACHINE, _FIRST_ARGUMENT = 0, 4, 16
"""Offsets in ``struct seccomp_data``; both machines have the low half of an argument first."""
_X32 = 0x40000000
"""System calls of x86_64 by the numbers of another form of it begin here."""
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 38, 2


@dataclass(frozen=True, slots=True)
class _Machine:
    """Numbers of one kind of processor: its own, that of socket(2), and those of calls that are refused."""

    audit: int
    socket: int
    refused: tuple[int, ...]


_MACHINES = {
    # ptrace, process_vm_readv, process_vm_writev, io_uring_setup (which opens sockets past any filter), pidfd_getfd
    "x86_64": _Machine(0xC000003E, 41, (101, 310, 311, 425, 438)),
    "aarch64": _Machine(0xC00000B7, 198, (117, 270, 271, 425, 438)),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def confine() -> str:
    """Do it, before other threads begin; why it could not be done, and empty where it was."""
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return f"not on {platform.machine()}"
    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (AttributeError, OSError):
        return "this system has no seccomp"
    code = _filter(machine)
    program = _Program(len(code) // 8, code)
    arguments = (ctypes.c_ulong(1), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
    if prctl(_PR_SET_NO_NEW_PRIVS, *arguments) or prctl(
        _PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), ctypes.byref(program)
    ):
        return errno.errorcode.get(ctypes.get_errno(), "refused")
    return ""


def _filter(machine: _Machine) -> bytes:
    refused = machine.refused
    body = [
        (_LOAD, 0, 0, _MACHINE),
        (_EQUAL, 0, len(refused) + 6, machine.audit),  # else: refuse
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, len(refused) + 4, 0, _X32),
        *((_EQUAL, len(refused) + 3 - place, 0, number) for place, number in enumerate(refused)),
        (_EQUAL, 0, 2, machine.socket),  # else: allow
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 1, 0, int(socket.AF_UNIX)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("=HBBI", *each) for each in body)

"""What a confined process cannot do any more, and can still."""

from __future__ import annotations

import subprocess
import sys

_TRIED = """
import asyncio, ctypes, errno, os, socket, subprocess, sys, uvloop
from controller.kit.confined import confine
before = socket.socket(socket.AF_UNIX)
assert confine() == "", confine()
for open_one in (lambda: socket.socket(socket.AF_UNIX), lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)):
    try:
        open_one()
    except PermissionError:
        continue
    sys.exit("a socket of the machine")
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
assert libc.syscall(425, 1, None) == -1 and ctypes.get_errno() == errno.EPERM, "io_uring"
assert libc.ptrace(16, os.getppid(), None, None) == -1 and ctypes.get_errno() == errno.EPERM, "ptrace"
with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
    pass
socket.socketpair()[0].close()
socket.getaddrinfo("localhost", 80)
uvloop.run(asyncio.sleep(0))
child = "import socket; socket.socket(socket.AF_UNIX)"
assert subprocess.run([sys.executable, "-c", child], stderr=subprocess.DEVNULL).returncode == 1, "by a child"
"""


def test_a_confined_process_opens_no_socket_of_the_machine_and_looks_into_no_other_process() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", _TRIED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

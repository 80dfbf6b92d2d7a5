"""Chromium on a Linux that has no network at all: only 127.0.0.1, as on a plane.

Chromium asks the system which network interfaces are up. If only the loopback is, Chromium considers
itself offline and never connects to its push service, although that service is on the same machine.
No switch changes this. If Chromium cannot ask, it considers itself online. So on such a machine, and
only there, this program starts it: it has the system refuse that one question (a NETLINK_ROUTE
socket, by a seccomp filter) and then becomes Chromium:

    python offline.py /usr/bin/chromium --headless=new …
"""

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

IFF_UP, IFF_LOOPBACK, IFF_RUNNING = 0x1, 0x8, 0x40  # linux/if.h
SIOCGIFFLAGS = 0x8913  # linux/sockios.h
NETLINK, ROUTE = 16, 0  # the arguments of socket(): its family and its protocol
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38  # linux/prctl.h
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EAFNOSUPPORT  # linux/seccomp.h

# The machine: its number in linux/audit.h, and the number of the system call socket().
MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}


def is_offline() -> bool:
    """Say whether only the loopback is up, on a Linux for which there is a filter."""
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return False
    return not any(_up(name) for _, name in socket.if_nameindex())


def _up(name: str) -> bool:
    import fcntl  # which Windows does not have

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16sH14x", name.encode(), 0))
    (flags,) = struct.unpack_from("H", answer, 16)
    return flags & (IFF_UP | IFF_RUNNING | IFF_LOOPBACK) == IFF_UP | IFF_RUNNING


def instructions(machine: str) -> bytes:
    """Return the filter in the kernel's packet filter language (BPF), 8 bytes an instruction."""
    number, socket_call = MACHINES[machine]
    load, equal, answer = 0x20, 0x15, 0x06
    lines = [  # what, lines to skip if so, if not, with which value
        (load, 0, 0, 4),  # the machine
        (equal, 0, 7, number),
        (load, 0, 0, 0),  # the system call
        (equal, 0, 5, socket_call),
        (load, 0, 0, 16),  # its first argument
        (equal, 0, 3, NETLINK),
        (load, 0, 0, 32),  # its third
        (equal, 0, 1, ROUTE),
        (answer, 0, 0, REFUSE),
        (answer, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


class _Program(ctypes.Structure):
    """struct sock_fprog of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("lines", ctypes.c_void_p))


def refuse_the_question() -> None:
    """Have the system refuse the question to this process and the program that it becomes.

    Raises OSError if the kernel takes no filter.
    """
    code = instructions(platform.machine())
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for order in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),  # the kernel's condition for a filter
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0),
    ):
        if prctl(*order):
            raise OSError(ctypes.get_errno(), "no seccomp filter can be set")


if __name__ == "__main__":
    refuse_the_question()
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606  # a program and its arguments, without a shell

"""The network guard: from `install` on, this process talks to this machine alone.

It is an audit hook, which nothing can take out again and nothing that opens a socket gets around. Only the standard
library is used, since every Python process that a test starts installs it first thing (see sitecustomize.py).
"""

import ipaddress
import sys
from typing import Any

NAMES = frozenset({"", "localhost", "ip6-localhost"})


class OutsideError(Exception):
    """A test reached for the network. No OSError: no code that expects network trouble may swallow it."""


def is_here(host: object) -> bool:
    """Is this name or address one of this machine, known without asking anybody?"""
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if text is None:
        return True
    if not isinstance(text, str):
        return False
    try:
        return ipaddress.ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return text.lower() in NAMES


def _host_of(address: object) -> object:
    """The host of an internet address; paths of Unix sockets and the kernel's own families lead nowhere else."""
    return address[0] if isinstance(address, tuple) and address and isinstance(address[0], str | bytes) else None


def _asked_for(event: str, args: tuple[Any, ...]) -> object:
    match event:
        case "socket.connect" | "socket.sendto" | "socket.sendmsg":
            return _host_of(args[1])
        case "socket.getnameinfo":
            return _host_of(args[0])
        case "socket.getaddrinfo" | "socket.gethostbyname" | "socket.gethostbyaddr":
            return args[0]
    return None


def _guard(event: str, args: tuple[Any, ...]) -> None:
    if event.startswith("socket.") and not is_here(host := _asked_for(event, args)):
        raise OutsideError(f"{event} to {host!r}: tests talk to this machine alone")


def install() -> None:
    """Guard this process from here on; a second time changes nothing."""
    if not getattr(sys, "_batchgen_loopback_only", False):
        sys._batchgen_loopback_only = True  # type: ignore[attr-defined]
        sys.addaudithook(_guard)

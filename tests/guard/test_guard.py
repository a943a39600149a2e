"""The nets under the other tests hold: no network but loopback, no blocked event loop, no settings from outside."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import anyio
import pytest
from blockbuster import BlockingError
from loopback_only import OutsideError, is_here

from batchgen.job import load_job
from batchgen.keys import read_key
from batchgen.report.status import status_of
from batchgen.store.folder import OutputFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ELSEWHERE = "192.0.2.1"  # kept for documentation: nobody answers there


def _connect() -> None:
    socket.create_connection((ELSEWHERE, 80), timeout=5)


def _connect_ipv6() -> None:
    with socket.socket(socket.AF_INET6) as sock:
        sock.settimeout(5)
        sock.connect(("2001:db8::1", 80))


def _datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"?", (ELSEWHERE, 53))


def _message() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendmsg([b"?"], [], 0, (ELSEWHERE, 53))


def _look_up() -> None:
    socket.getaddrinfo("example.com", 443)


def _look_up_by_name() -> None:
    socket.gethostbyname("example.com")


def _look_up_by_address() -> None:
    socket.gethostbyaddr(ELSEWHERE)


def _look_up_service() -> None:
    socket.getnameinfo((ELSEWHERE, 80), 0)


REACHES = [
    _connect,
    _connect_ipv6,
    _datagram,
    _message,
    _look_up,
    _look_up_by_name,
    _look_up_by_address,
    _look_up_service,
]


@pytest.mark.parametrize("reach", REACHES)
def test_this_process_reaches_nobody_outside(reach: Callable[[], None]) -> None:
    with pytest.raises(OutsideError, match="this machine alone"):
        reach()


def _in_a_child(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603


@pytest.mark.parametrize(
    "call",
    [
        f"socket.create_connection(({ELSEWHERE!r}, 80), timeout=5)",
        "socket.getaddrinfo('example.com', 443)",
        f"socket.socket(type=socket.SOCK_DGRAM).sendto(b'?', ({ELSEWHERE!r}, 53))",
    ],
)
def test_a_child_process_reaches_nobody_outside(call: str) -> None:
    ended = _in_a_child(f"import socket; {call}")
    assert ended.returncode == 1
    assert "OutsideError" in ended.stderr


def test_a_child_of_a_child_is_guarded_too() -> None:
    inner = "import socket; socket.gethostbyname('example.com')"
    ended = _in_a_child(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])")
    assert "OutsideError" in ended.stderr


def test_loopback_is_open() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(("localhost", server.getsockname()[1]), timeout=5),
    ):
        server.accept()[0].close()


def test_unix_sockets_are_open(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1", b"localhost", None, ""])
def test_this_machine_is_here(host: object) -> None:
    assert is_here(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "example.com", "localhost.example.com", "10.0.0.1", "fe80::1%eth0", 7])
def test_other_machines_are_not_here(host: object) -> None:
    assert not is_here(host)


async def test_a_blocking_call_of_batchgen_in_the_event_loop_fails(tmp_path: Path) -> None:
    await anyio.Path(tmp_path / "key").write_text("sandbox")
    await anyio.Path(tmp_path / "key").chmod(0o600)
    with pytest.raises(BlockingError):
        read_key("SOME_KEY", {"SOME_KEY_FILE": str(tmp_path / "key")})
    with pytest.raises(BlockingError):
        load_job(tmp_path / "job.yaml", run_id="1")


async def test_a_blocking_call_of_the_store_is_found_where_batchgen_makes_it(tmp_path: Path) -> None:
    OutputFolder.open(tmp_path / "output", "1").close()  # this test's own affair
    with pytest.raises(BlockingError):
        status_of(tmp_path / "output")


async def test_a_blocking_call_of_a_test_itself_is_its_own_affair() -> None:
    time.sleep(0)  # noqa: ASYNC251 - the very call that would be refused in batchgen


def test_settings_from_outside_are_gone() -> None:
    assert "GATEWAY_API_KEY" not in os.environ
    assert not [name for name in os.environ if name.startswith("BATCHGEN_")]

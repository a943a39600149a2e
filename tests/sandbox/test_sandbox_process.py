"""The sandbox as a process: how it says where it is, what ends it, and what it says when it cannot start."""
# ruff: noqa: S310, S603 - the addresses and programs here are our own

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from batchgen.sandbox.command import command

SANDBOX = [sys.executable, "-m", "batchgen.sandbox", "--port", "0", "--size", "small"]
PATIENCE_S = 20


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Whatever is put here is ended."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def start(processes: list[subprocess.Popen[str]], *options: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    process = subprocess.Popen([*SANDBOX, *options], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    processes.append(process)
    return process


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def ending(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Close its stdin, wait for its end: exit code and the rest of its stdout and stderr."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.close()
    rest, errors = process.stdout.read(), process.stderr.read()
    return process.wait(PATIENCE_S), rest, errors


def whereabouts(process: subprocess.Popen[str]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(first_line(process))
    return told


def test_it_says_where_it_is_in_one_line_of_json(processes: list[subprocess.Popen[str]]) -> None:
    process = start(processes, "--json", "--end-with-parent")
    told = whereabouts(process)
    base = f"http://127.0.0.1:{told['port']}"
    assert told == {
        "url": f"{base}/v1/images/generations",
        "log": f"{base}/log",
        "control": f"{base}/control",
        "port": told["port"],
        "pid": process.pid,
    }
    with urllib.request.urlopen(told["log"], timeout=PATIENCE_S) as response:
        assert json.load(response)["requests"] == []
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(told["url"], data=b"x", timeout=PATIENCE_S)
    assert refused.value.code == 401
    refused.value.close()
    assert ending(process) == (0, "", "")


def test_it_says_to_people_what_to_paste(processes: list[subprocess.Popen[str]]) -> None:
    process = start(processes)
    assert "ready" in first_line(process)
    process.send_signal(signal.SIGINT)
    _code, rest, errors = ending(process)
    assert "curl http://127.0.0.1:" in rest
    assert '-H "Authorization: Bearer sandbox"' in rest
    assert errors == ""


def test_a_key_of_ones_own_is_not_shown(processes: list[subprocess.Popen[str]]) -> None:
    process = start(processes, "--key", "canary-7", "--end-with-parent")
    _code, rest, errors = ending(process)
    assert "$YOUR_API_KEY" in rest
    assert "canary" not in rest + errors


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_it_quietly(processes: list[subprocess.Popen[str]], number: int, code: int) -> None:
    process = start(processes, "--json")
    whereabouts(process)
    process.send_signal(number)
    assert ending(process) == (code, "", "")


def test_ctrl_c_is_left_to_the_parent(processes: list[subprocess.Popen[str]]) -> None:
    process = start(processes, "--json", "--end-with-parent")
    told = whereabouts(process)
    process.send_signal(signal.SIGINT)
    with urllib.request.urlopen(told["log"], timeout=PATIENCE_S) as response:
        assert response.status == 200
    assert ending(process) == (0, "", "")


PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
time.sleep(600)
"""


def test_it_ends_with_a_parent_that_is_killed(processes: list[subprocess.Popen[str]]) -> None:
    command_line = [sys.executable, "-c", PARENT, *SANDBOX, "--json", "--end-with-parent"]
    parent = subprocess.Popen(command_line, stdout=subprocess.PIPE, text=True)
    processes.append(parent)
    told = whereabouts(parent)
    child = os.pidfd_open(told["pid"])
    try:
        assert not _ended(child, wait_s=0)
        parent.kill()
        assert _ended(child, wait_s=PATIENCE_S)
    finally:
        os.close(child)


def _ended(process: int, wait_s: float) -> bool:
    """Whether the process of this descriptor ends within the time."""
    return bool(select.select([process], [], [], wait_s)[0])


def test_a_hanging_request_does_not_keep_it(processes: list[subprocess.Popen[str]]) -> None:
    process = start(processes, "--json", "--end-with-parent", "--fail", "hang=1")
    told = whereabouts(process)
    form = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    body = form % (b"model", b"sd-core") + form % (b"prompt", b"x") + b"--b--\r\n"
    head = (
        "POST /v1/images/generations HTTP/1.1\r\nHost: sandbox\r\nAccept: image/*\r\nAuthorization: Bearer sandbox\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", told["port"]), timeout=PATIENCE_S) as connection:
        connection.sendall(head.encode() + body)
        while not _log(told["log"])["requests"]:
            time.sleep(0.01)
        assert ending(process) == (0, "", "")


def _log(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as response:
        log: dict[str, Any] = json.load(response)
        return log


def test_a_taken_port_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(command, ["--port", str(port)])
    assert result.exit_code == 2
    assert result.stdout == ""
    remedy = "choose another with --port, or --port 0 for any free one"
    assert result.stderr == f"batchgen sandbox: port {port} on 127.0.0.1 is taken; {remedy}\n"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--log", "/nowhere/log.ndjson"], "batchgen sandbox: /nowhere/log.ndjson: No such file or directory"),
        (["--host", "192.0.2.1"], "batchgen sandbox: cannot listen on port 8100 of 192.0.2.1"),
        (["--limit", "150"], "write it as 150/10s, or none"),
        (["--limit", "none", "--limit", "150/10s"], "none means no limit at all; give it alone"),
        (["--restore-after", "5"], "give --halve-after an earlier time"),
        (["--halve-after", "5", "--restore-after", "5"], "give --halve-after an earlier time"),
        (["--retry-after", "5\n"], "is not text of a header"),
        (["--outage", "40..10"], "write FROM..TO in seconds after the start, as 10..40"),
        (["--flap", "10"], "write both in seconds, as 10/5"),
        (["--fail", "oops=1"], "KIND is one of 400, 401, 402"),
        (["--fail", "cut=0.6", "--fail", "drop=0.6"], "together they are at most 1"),
        (["--size", "huge"], "'huge' is not one of"),
    ],
)
def test_what_cannot_be_is_told_with_its_remedy(options: list[str], told: str) -> None:
    result = CliRunner().invoke(command, options)
    assert result.exit_code == 2
    assert told in result.stderr


def test_help_begins_with_an_example() -> None:
    lines = CliRunner().invoke(command, ["--help"]).stdout.splitlines()
    assert lines[2].strip() == "Example:"
    assert lines[3].strip().startswith("batchgen sandbox --port 8100")


def test_help_does_not_wait_for_the_server_to_be_imported() -> None:
    code = "import sys, batchgen.sandbox.command; print([m for m in ('aiohttp', 'PIL') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"

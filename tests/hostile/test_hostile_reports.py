"""No exception of the client is kept or logged whole, and no report of a bug holds the key, whatever carries it."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import aiohttp
import pytest
from aiohttp.client_reqrep import RequestInfo
from canary import KEY, heard, leaks, spelled
from hostile_runs import JOB, job, run, served
from multidict import CIMultiDict, CIMultiDictProxy
from page_server import Answer, PageServer, png
from raw_server import ok
from test_transport_errors import BARE, KINDS, _made
from yarl import URL

from batchgen.cli.exits import BUG, exits
from batchgen.cli.main import batchgen
from batchgen.engine.exchange import Exchange
from batchgen.engine.transport import Transport
from batchgen.executors.worker import Worker
from batchgen.manifest.build import Surroundings
from batchgen.model import Secret
from batchgen.providers.conversation import Body, Call
from batchgen.run import RunSettings
from batchgen.store.rows import Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WHERE = URL("http://127.0.0.1:1/")
HEADERS = CIMultiDictProxy(CIMultiDict({"Authorization": f"Bearer {KEY}"}))


def _with_headers() -> Exception:
    """What the client raises about an answer: it holds all that was sent."""
    return aiohttp.ClientResponseError(RequestInfo(WHERE, "POST", HEADERS, WHERE), (), status=400, message=KEY)


@contextmanager
def _all_logs(path: Path) -> Iterator[None]:
    """Every logger writes all that it has to say, the event loop's in its debug mode, into this file."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s %(args)r"))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("asyncio").debug("all that is said is heard")
    try:
        with patch.dict(os.environ, {"PYTHONASYNCIODEBUG": "1"}):
            yield
    finally:
        root.setLevel(before)
        root.removeHandler(handler)
        handler.close()


def _raising(error: BaseException) -> Callable[..., Any]:
    async def request(*_args: object, **_kwargs: object) -> None:
        raise error

    return request


def test_the_client_s_errors_show_the_key() -> None:
    """Else nothing here would prove anything."""
    assert spelled(repr(_with_headers()).encode())
    assert any("canary-key-0123456789" in repr(_made(kind)) for kind in KINDS)


@pytest.mark.parametrize("where", ["_request", "readchunk"])
@pytest.mark.parametrize("kind", [*KINDS, *BARE], ids=lambda kind: kind.__name__)
def test_no_exception_of_the_client_is_kept_or_logged_whole(tmp_path: Path, kind: type[Exception], where: str) -> None:
    error = _made(kind)
    error.__cause__ = _with_headers()
    error.add_note(KEY)
    part = aiohttp.ClientSession if where == "_request" else aiohttp.StreamReader
    with served(ok(png(7))) as server, _all_logs(tmp_path / "debug.log"), patch.object(part, where, _raising(error)):
        ended = run(job(server.url), cwd=tmp_path)
    assert ended.code in {1, 3}, ended.err
    assert "failed: " in ended.err or "stopped: " in ended.err
    assert (tmp_path / "debug.log").stat().st_size
    assert list(leaks(tmp_path)) == []


SAYS = {
    "a picture": [],
    "no picture": [Answer(200, {"Content-Type": f"text/html; key={KEY}"}, f"<html>{KEY}</html>".encode())],
    "an error": [Answer(400, {"X-Key": KEY, "Set-Cookie": f"key={KEY}; Expires=no"}, KEY.encode())],
    "a cut": [Answer(200, {"Content-Length": "4000", "Content-Encoding": KEY}, KEY.encode())],
    "a redirect": [Answer(302, {"Location": f"http://{KEY}@127.0.0.1:1/{KEY}"})],
}


@pytest.mark.parametrize("case", SAYS)
def test_no_logger_says_the_key_at_its_highest_voice(tmp_path: Path, case: str) -> None:
    with PageServer(key=KEY) as page, _all_logs(tmp_path / "debug.log"):
        page.script(*SAYS[case])
        run(job(page.url), cwd=tmp_path)
    assert page.seen[0].headers["authorization"] == f"Bearer {KEY}"
    assert "asyncio" in (tmp_path / "debug.log").read_text()
    assert list(leaks(tmp_path)) == []


# Reports of bugs


def _crashed(folder: Path, text: str) -> str:
    """What a run that meets a bug says; it ends with 70."""
    (folder / JOB).write_text(text)
    out, err = StringIO(), StringIO()
    with (
        chdir(folder),
        patch.dict(os.environ, {"PICTURE_KEY": KEY}),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as end,
        exits(),
    ):
        batchgen.main(["run", JOB, "-v"], prog_name="batchgen", standalone_mode=False)
    said = out.getvalue() + err.getvalue()
    heard(said)
    assert end.value.code == BUG, said
    assert "this is a bug in batchgen" in said
    assert "Traceback (most recent call last)" in said
    return said


def _chained() -> Exception:
    error = KeyError({"headers": dict(HEADERS)})
    error.__cause__ = _with_headers()
    error.__cause__.__context__ = ValueError(f"Authorization: Bearer {KEY}")
    error.add_note(f"sent with {KEY}")
    return error


BUGS: dict[str, Callable[[], BaseException]] = {
    "its text": lambda: RuntimeError(f"no such thing as Bearer {KEY}"),
    "its values": lambda: ValueError("bad header", HEADERS),
    "its bytes": lambda: RuntimeError(f"Authorization: Bearer {KEY}\r\n".encode()),
    "its chain": _chained,
    "its group": lambda: ExceptionGroup(f"with {KEY}", [_chained(), RuntimeError(KEY)]),
    "its syntax": lambda: SyntaxError("no", ("<job>", 1, 1, f"key = {KEY!r}")),
}
PLACES = {
    "the client": (aiohttp.ClientSession, "_request"),
    "the transport": (Transport, "exchange"),
    "the worker": (Worker, "_end"),
}


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize("place", PLACES)
def test_the_report_of_a_bug_holds_no_key(tmp_path: Path, place: str, bug: str) -> None:
    with served(ok(png(7))) as server, patch.object(*PLACES[place], _raising(BUGS[bug]())):
        said = _crashed(tmp_path, job(server.url))
    assert spelled(said.encode()) == [], said
    assert "***" in said
    assert list(leaks(tmp_path)) == []


def test_the_report_of_a_bug_with_the_key_at_hand_holds_none(tmp_path: Path) -> None:
    """Where the key is handed on as text, a wrong use of it would show in what is raised."""

    def shared_path(_state: Path, url: str, key: Secret) -> Path:
        raise ValueError(f"{url}\n{key.reveal()}")

    with served(ok(png(7))) as server, patch("batchgen.account.shared_path", shared_path):
        said = _crashed(tmp_path, job(server.url))
    assert spelled(said.encode()) == [], said


LOUD = """\
import asyncio, logging, sys
from batchgen.cli import main
from batchgen.engine.transport import Transport
exchange = Transport.exchange

async def loud(self, call, sink, on_sent):
    key = call.bearer.reveal()
    logging.getLogger("aiohttp.client").warning("sent with %s", {"Authorization": key})
    context = {"message": "a task failed", "exception": RuntimeError(key)}
    asyncio.get_running_loop().call_exception_handler(context)
    return await exchange(self, call, sink, on_sent)

Transport.exchange = loud
sys.argv = ["batchgen", "run", "otters.yaml", "-v"]
main.main()
"""


def test_what_libraries_warn_of_without_a_log_holds_no_key(tmp_path: Path) -> None:
    with served(ok(png(7))) as server:
        (tmp_path / JOB).write_text(job(server.url))
        ended = subprocess.run(  # noqa: S603 - batchgen, with a loud library
            [sys.executable, "-c", LOUD],
            cwd=tmp_path,
            env={**os.environ, "PICTURE_KEY": KEY},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    heard(ended.stdout, ended.stderr)
    assert ended.returncode == 0, ended.stderr
    assert "sent with {'Authorization': '***'}" in ended.stderr
    assert "RuntimeError: ***" in ended.stderr
    assert spelled(ended.stderr.encode()) == [], ended.stderr


# What shows itself


def test_no_value_that_holds_the_key_shows_it(tmp_path: Path) -> None:
    key = Secret(KEY)
    call = Call(method="POST", url="http://127.0.0.1/", headers={}, body=Body(head=b""), bearer=key)
    environment = {"PICTURE_KEY": KEY}
    values = [
        key,
        call,
        Exchange(key, lambda: None),
        RunSettings(run_id="1", output=tmp_path, environment=environment, asked=Asked(job="/otters.yaml")),
        Surroundings(
            environment=environment,
            inspect_image=lambda _: pytest.fail("no image"),
            lines=lambda _: iter(()),
            stamps={},
        ),
    ]
    for value in values:
        for shown in (repr(value), str(value), f"{value}", "%s" % (value,), ascii(value)):  # noqa: UP031 - one of the ways
            assert KEY not in shown, type(value)
            assert spelled(shown.encode()) == [], type(value)


async def test_a_task_that_was_forgotten_does_not_show_it() -> None:
    """The event loop's debug mode shows a task by its coroutine's name and place, never by what it holds."""
    loop = asyncio.get_running_loop()
    loop.set_debug(enabled=True)
    task = asyncio.create_task(_raising(RuntimeError("no"))(Secret(KEY)))
    handle = loop.call_soon(str, Secret(KEY))
    assert KEY not in repr(task) + repr(handle)
    handle.cancel()
    with pytest.raises(RuntimeError):
        await task

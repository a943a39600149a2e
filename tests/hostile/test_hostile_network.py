"""The key goes to the job's address alone: no proxy, no netrc, nothing in the clear beyond this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from canary import KEY, heard, leaks
from hostile_runs import JOB, job, quoted, run, served, tame
from hypothesis import example, given
from hypothesis import strategies as st
from in_process import called
from page_server import PageServer, png
from processes import batchgen, pictures, sidecars
from raw_server import free_port, ok, read_any
from yarl import URL

from batchgen.manifest.settings import LOOPBACK, _check_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from batchgen.manifest.reading.problems import Problems

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "WS_PROXY", "http_proxy", "https_proxy", "all_proxy")


def _surroundings(home: Path, proxy: str) -> Mapping[str, str]:
    """An environment with every proxy, and a netrc that knows this machine."""
    home.mkdir()
    netrc = home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login fox password hole\ndefault login fox password hole\n")
    netrc.chmod(0o600)
    names = dict.fromkeys(PROXIES, proxy)
    return {**names, "NO_PROXY": "", "no_proxy": "", "HOME": str(home), "NETRC": str(netrc)}


def test_proxies_and_netrc_of_the_environment_are_not_followed(tmp_path: Path) -> None:
    with served(ok(png(7))) as proxy, served(ok(png(7))) as server:
        (tmp_path / JOB).write_text(job(server.url))
        env = _surroundings(tmp_path / "home", f"http://127.0.0.1:{proxy.port}")
        ended = tame(batchgen("run", JOB, "-v", cwd=tmp_path, env={**env, "PICTURE_KEY": KEY}))
    assert ended.code == 0, ended.err
    assert (proxy.connections, server.connections) == (0, 1)
    assert server.headers()["authorization"] == f"Bearer {KEY}"
    assert server.requests[0].lower().count(b"\nauthorization:") == 1
    assert b"proxy-" not in server.requests[0].lower()
    assert len(pictures(tmp_path / "output/otters")) == 1


def test_a_call_over_tls_asks_no_proxy_either(tmp_path: Path) -> None:
    """To nobody who listens: had it asked the proxy to connect it, that would have heard of it."""
    with served(b"HTTP/1.1 200 Connection established\r\n\r\n", reads=read_any) as proxy:
        url = f"https://127.0.0.1:{free_port()}/v1"
        (tmp_path / JOB).write_text(job(url, timeout="2s"))
        env = _surroundings(tmp_path / "home", f"http://127.0.0.1:{proxy.port}")
        ended = tame(batchgen("run", JOB, "-v", cwd=tmp_path, env={**env, "PICTURE_KEY": KEY}))
    assert proxy.connections == 0
    assert ended.code == 1
    assert "UNREACHABLE: no connection to 127.0.0.1" in ended.err


def test_a_server_that_speaks_no_tls_never_sees_the_key(tmp_path: Path) -> None:
    with served(b"HTTP/1.1 400 Bad\r\n\r\n", reads=read_any) as server:
        ended = run(job(server.url.replace("http:", "https:"), timeout="5s"), cwd=tmp_path)
    assert ended.code == 1
    assert "UNREACHABLE: " in ended.err
    assert server.connections == 1
    assert KEY.encode() not in b"".join(server.requests)


IN_THE_CLEAR = [
    "http://images.example/v1",
    "HTTP://IMAGES.EXAMPLE/v1",
    "http://127.0.0.1.images.example/v1",
    "http://localhost.images.example/v1",
    "http://images.example/v1?127.0.0.1",
    "http://images.example#127.0.0.1",
    "http://0.0.0.0/v1",
    "http://10.0.0.1/v1",
    "http://2130706433/v1",
    "http://127.1/v1",
    "http://[::ffff:127.0.0.1]/v1",
    "http://127.0.0.1\t.images.example/v1",
    "http://127.0.0.1%2eimages.example/v1",
    "http://①②⑦.0.0.1/v1",
    "http://localhost。images.example/v1",
]
NO_ADDRESS = [
    "http://127.0.0.1@images.example/v1",
    "http://127.0.0.1:80@images.example/v1",
    "https://fox:hole@images.example/v1",
    "https://fox@images.example/v1",
    "http://images.example\\@127.0.0.1/v1",
    "ftp://127.0.0.1/v1",
    "file:///etc/passwd",
    "//images.example/v1",
    "images.example/v1",
    "http:///v1",
    "http://",
    "http://127.0.0.1:99999/v1",
    "http://127.0.0.1:x/v1",
    "http://[::1/v1",
    "javascript:alert(1)",
    "unix:///run/x.sock",
]


@pytest.mark.parametrize("url", [*IN_THE_CLEAR, *NO_ADDRESS])
@pytest.mark.parametrize("how", ["job", "flag", "environment"])
def test_an_address_that_is_none_or_in_the_clear_is_refused_at_its_line(tmp_path: Path, url: str, how: str) -> None:
    said = "http would send the key in the clear" if url in IN_THE_CLEAR else "is not the address of an API"
    remedy = "use https; http is for this machine" if url in IN_THE_CLEAR else "accepted: https://host/path"
    written, env = quoted(url), {}
    flags: list[str] = []
    if how == "flag":
        written, flags = "https://images.example/v1", ["--set", f"provider.url={quoted(url)}"]
    if how == "environment":
        written, env = "'${SOME_URL}'", {"SOME_URL": url}
    text = job("URL").replace("'URL'", written)
    ended = run(text, *flags, cwd=tmp_path, env=env)
    assert ended.code == 2, ended.err
    line = ended.err.splitlines()[0]
    assert said in line
    assert remedy in line
    assert "hole" not in line  # a password, should it be one
    assert [path.name for path in tmp_path.iterdir()] == [JOB]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST"])
def test_this_machine_may_be_called_in_the_clear(tmp_path: Path, host: str) -> None:
    with served(ok(png(7))) as server:
        ended = run(job(server.url.replace("127.0.0.1", host)), cwd=tmp_path)
    assert ended.code == 0, ended.err


class _Told(list[str]):
    def add(self, _path: object, cause: str, _accepted: str) -> None:
        self.append(cause)


@given(st.text("/\\@:#?.[]%;127.0localhostevil \t\n\u3002①\xad\u200b", max_size=40).map("http://".__add__))
@example("http://127.0.0.1\\@evil")
@example("http://localhost:80\\.evil")
@example("http://127.0.0.1;evil")
@example("http://localhost\u3002evil")
@example("http://loc\xadalhost/")
def test_the_client_calls_the_very_host_that_was_looked_at(url: str) -> None:
    """Two readings of one address could look at one host and call another."""
    told: _Told = _Told()
    problems: Problems = told  # type: ignore[assignment]  # all that is asked of it
    _check_url(url, problems)
    if not told:
        try:
            host = URL(url).host
        except ValueError:
            return
        assert host in LOOPBACK


def test_a_replay_of_a_sidecar_of_others_sends_the_key_nowhere_untold(tmp_path: Path) -> None:
    with PageServer(key=KEY) as page:
        assert run(job(page.url), cwd=tmp_path).code == 0
        [place] = sidecars(tmp_path / "output/otters")
        path = f"output/otters/{place}"
        ended = tame(called("replay", path, cwd=tmp_path, env={"GATEWAY_API_KEY": KEY}))
        assert ended.code == 2
        assert "say where to send your key with --set provider.url=" in ended.err
        assert len(page.seen) == 1
    heard(ended.err)
    assert list(leaks(tmp_path)) == []

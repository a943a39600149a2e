"""Servers that keep a rule, each a child process on loopback that ends with its trial.

batchgen's own sandbox, and two that nobody here wrote: nginx's limit_req and a stick table of haproxy. Those two answer
with a picture at once; the sandbox takes the latency that it is told.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from signal import SIGQUIT, SIGUSR1
from typing import TYPE_CHECKING, Protocol

from PIL import Image

from benchmarks.children import child_of, found, free_port, wait_for
from benchmarks.rules import Kind, Rule
from benchmarks.seen import of_haproxy, of_nginx, of_sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from benchmarks.seen import Seen

KEY = "sandbox"
ENDPOINT = "/v1/images/generations"


@dataclass(frozen=True, slots=True)
class Running:
    """A server that listens."""

    url: str
    log: Path
    """A line for each request; whole once it has ended."""
    read: Callable[[str], Seen]
    began: float
    """When it said that it listens, by this machine's monotonic clock."""

    def seen(self) -> Seen:
        """What it saw; whole once it has ended."""
        return self.read(self.log.read_text())


class Server(Protocol):
    """One server as it will be started."""

    @property
    def rule(self) -> Rule:
        """What it lets in."""

    @property
    def latency_s(self) -> float:
        """Mean seconds that an answer takes."""

    @property
    def words(self) -> str:
        """The server in the words of the table."""

    def absent(self) -> str | None:
        """Why it can't be started here, or None."""

    def start(self, folder: Path) -> AbstractContextManager[Running]:
        """Start it, with its files in `folder`; OSError or RuntimeError when it does not listen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """`batchgen sandbox`, with small pictures."""

    rule: Rule
    latency_s: float
    spread_s: float
    """Latency is even between its mean less and its mean plus this."""
    penalty_s: float = 0.0
    retry_after: bool = False
    arrival_jitter_s: float = 0.0
    outage: tuple[int, int] | None = None
    """Everything is 503 between these seconds after the start."""

    @property
    def limit(self) -> str:
        """The rule as --limit spells it; ValueError for one that the sandbox does not know."""
        match self.rule.kind:
            case Kind.WINDOW:
                return self.rule.told
            case Kind.BUCKET:
                return f"bucket:{self.rule.per_s}/s:{self.rule.sends}"
            case kind:
                raise ValueError(f"the sandbox keeps no {kind} rule; take a window or a bucket")

    @property
    def words(self) -> str:
        """See Server."""
        penalty = f", then {self.penalty_s:g} s of 429" if self.penalty_s else ""
        says = ", Retry-After" if self.retry_after else ""
        late = f", arriving up to {self.arrival_jitter_s:g} s late" if self.arrival_jitter_s else ""
        return f"sandbox: {self.rule.words}{penalty}{says}{late}; {self.latency_s:g} +- {self.spread_s:g} s"

    def absent(self) -> str | None:
        """See Server."""
        return None

    @contextmanager
    def start(self, folder: Path) -> Iterator[Running]:
        """See Server."""
        log = folder / "sandbox.ndjson"
        command = [sys.executable, "-m", "batchgen", "sandbox", *self._options(), "--log", str(log)]
        with child_of(command, folder, stdout=subprocess.PIPE) as child:
            line = child.stdout.readline() if child.stdout else ""
            if not line:
                raise RuntimeError(f"the sandbox did not start; see {folder / 'errors.txt'}")
            yield Running(json.loads(line)["url"], log, of_sandbox, time.monotonic())

    def _options(self) -> list[str]:
        return [
            *("--port", "0", "--json", "--key", KEY, "--size", "small", "--limit", self.limit),
            *("--penalty", f"{self.penalty_s}", "--retry-after", "seconds" if self.retry_after else "none"),
            *("--latency", f"{self.latency_s - self.spread_s}", "--jitter", f"{2 * self.spread_s}"),
            *(("--arrival-jitter", f"{self.arrival_jitter_s}") if self.arrival_jitter_s else ()),
            *(("--outage", "{}..{}".format(*self.outage)) if self.outage else ()),
        ]


@dataclass(frozen=True, slots=True)
class Nginx:
    """nginx with limit_req, from Debian's nginx-light."""

    rule: Rule
    latency_s: float = 0.0

    @property
    def words(self) -> str:
        """See Server."""
        return f"nginx: {self.rule.words}"

    def absent(self) -> str | None:
        """See Server."""
        return None if found("nginx") else "nginx is not here (apt install nginx-light)"

    @contextmanager
    def start(self, folder: Path) -> Iterator[Running]:
        """See Server."""
        port, log = free_port(), folder / "access.log"
        _picture(folder)
        (folder / "nginx.conf").write_text(_NGINX.format(rule=self.rule, folder=folder, port=port, path=ENDPOINT))
        with child_of(
            [found("nginx") or "nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)], folder, end=SIGQUIT
        ) as child:
            wait_for(child, port, folder)
            yield Running(f"http://127.0.0.1:{port}{ENDPOINT}", log, of_nginx, time.monotonic())


@dataclass(frozen=True, slots=True)
class Haproxy:
    """haproxy with a stick table that counts requests."""

    rule: Rule
    latency_s: float = 0.0

    @property
    def words(self) -> str:
        """See Server."""
        return f"haproxy: {self.rule.words}"

    def absent(self) -> str | None:
        """See Server."""
        return None if found("haproxy") else "haproxy is not here (apt install haproxy)"

    @contextmanager
    def start(self, folder: Path) -> Iterator[Running]:
        """See Server."""
        port, log = free_port(), folder / "haproxy.log"
        _picture(folder)
        (folder / "haproxy.cfg").write_text(_HAPROXY.format(rule=self.rule, folder=folder, port=port))
        with (
            log.open("w") as lines,
            # Asked to end softly it writes the last lines of its log first.
            child_of(
                [found("haproxy") or "haproxy", "-f", str(folder / "haproxy.cfg")], folder, stdout=lines, end=SIGUSR1
            ) as child,
        ):
            wait_for(child, port, folder)
            yield Running(f"http://127.0.0.1:{port}{ENDPOINT}", log, of_haproxy, time.monotonic())


# A POST for a file is a 405 to nginx; error_page turns it into a GET of the picture, which is not counted again.
_NGINX = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/errors.txt;
events {{ worker_connections 1024; }}
http {{
  log_format seen '$status $msec $request_time';
  access_log {folder}/access.log seen;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  limit_req_zone $http_authorization zone=key:1m rate={rule.per_s}r/s;
  limit_req_status 429;
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    root {folder};
    keepalive_requests 100000;
    location = {path} {{
      limit_req zone=key burst={rule.sends} nodelay;
      types {{ }}
      default_type image/png;
      try_files /picture.png =404;
      error_page 405 =200 $uri;
    }}
  }}
}}
"""

_HAPROXY = """\
global
  hard-stop-after 5s
  log stdout format raw local0
  maxconn 1024
defaults
  mode http
  log global
  option dontlognull
  option http-buffer-request
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  timeout http-request 60s
frontend key
  bind 127.0.0.1:{port}
  log-format "seen %ST %[date(0,ms)] %Ta"
  stick-table type string len 64 size 1k expire 10m store http_req_rate({rule.seconds}s)
  http-request track-sc0 req.hdr(authorization)
  http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {rule.sends} }}
  http-request return status 200 content-type image/png file {folder}/picture.png
"""


def _picture(folder: Path) -> None:
    Image.new("RGB", (64, 64), "seagreen").save(folder / "picture.png")

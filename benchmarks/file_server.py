"""nginx that answers every request with one picture: the server that is never what one waits for.

Two workers, as many as the machine has cores; one process of a client keeps neither busy. Debian's nginx-light.
"""

from __future__ import annotations

import io
import os
import pwd
import random
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from signal import SIGQUIT
from typing import TYPE_CHECKING

from PIL import Image

from benchmarks.children import child_of, found, free_port, wait_for
from benchmarks.seen import of_nginx
from benchmarks.servers import ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.seen import Seen


@dataclass(frozen=True, slots=True)
class Noise:
    """A PNG of random pixels: no packing makes it smaller, and every chunk has its CRC."""

    words: str
    side_px: int

    def content(self) -> bytes:
        """The file."""
        return _png(self.side_px)


@cache
def _png(side_px: int) -> bytes:
    pixels = random.Random(side_px).randbytes(3 * side_px**2)  # noqa: S311 - the same picture each time
    target = io.BytesIO()
    Image.frombytes("RGB", (side_px, side_px), pixels).save(target, "PNG", compress_level=1)
    return target.getvalue()


TINY = Noise("200 bytes", 6)
KB_10 = Noise("10 KB", 58)
KB_264 = Noise("264 KB", 297)
MB_20 = Noise("20 MB", 2582)


@dataclass(frozen=True, slots=True)
class FileServer:
    """A server that listens."""

    url: str
    log: Path
    """A line for each request; whole once it has ended."""

    def seen(self) -> Seen:
        """What it saw; whole once it has ended."""
        return of_nginx(self.log.read_text())

    def first_arrival(self) -> float:
        """When the first request came, in seconds since the epoch; ValueError if none did."""
        return min(arrivals(self.log.read_text()))

    def answered(self) -> list[float]:
        """When each picture was sent whole, in seconds since the epoch, in their order."""
        return sorted(float(line.split()[1]) for line in self.log.read_text().splitlines() if line.startswith("200 "))


def arrivals(log: str) -> list[float]:
    """When each request came, in seconds since the epoch, of lines `$status $msec $request_time`."""
    return [float(ended) - float(took) for _, ended, took in map(str.split, log.splitlines())]


def absent() -> str | None:
    """Why it can't be started here, or None."""
    return None if found("nginx") else "nginx is not here (apt install nginx-light)"


@contextmanager
def serving(picture: Noise, folder: Path) -> Iterator[FileServer]:
    """Serve a picture, with the server's files in `folder`; RuntimeError when it does not listen."""
    folder.mkdir()
    port, log, configuration = free_port(), folder / "access.log", folder / "nginx.conf"
    (folder / "picture.png").write_bytes(picture.content())
    user = pwd.getpwuid(os.getuid()).pw_name
    configuration.write_text(_NGINX.format(folder=folder, port=port, path=ENDPOINT, user=user))
    command = [found("nginx") or "nginx", "-c", str(configuration), "-p", str(folder)]
    with child_of(command, folder, end=SIGQUIT) as child:
        wait_for(child, port, folder)
        yield FileServer(f"http://127.0.0.1:{port}{ENDPOINT}", log)


# A POST for a file is a 405 to nginx; error_page turns it into a GET of the picture. A log line is written late, many
# at once, so that writing them is no work of the measured time.
_NGINX = """\
daemon off;
user {user};
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/errors.txt;
events {{ worker_connections 1024; }}
http {{
  log_format seen '$status $msec $request_time';
  access_log {folder}/access.log seen buffer=1m;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  sendfile on;
  tcp_nopush on;
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    root {folder};
    keepalive_requests 10000000;
    keepalive_timeout 60s;
    location = {path} {{
      types {{ }}
      default_type image/png;
      try_files /picture.png =404;
      error_page 405 =200 $uri;
    }}
  }}
}}
"""

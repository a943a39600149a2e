"""One client's run at one group's work, measured: what the part `throughput` compares."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.file_server import serving
from benchmarks.throughput_clients import MADE
from benchmarks.watched import watch

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.file_server import Noise
    from benchmarks.places import Place
    from benchmarks.throughput_clients import Client

_ENDS_WITHIN_S = 120.0
_LOG_STEP_S = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a run took."""

    pictures: int
    served_s: float
    """From the server's first arrival to its last answer."""
    wall_s: float
    cpu_s: float

    @property
    def a_second(self) -> float:
        """Pictures a second of the server's time."""
        return self.pictures / max(self.served_s, _LOG_STEP_S)

    @property
    def a_cpu_second(self) -> float:
        """Pictures a second of the client's CPU, its start counted too."""
        return self.pictures / self.cpu_s


@dataclass(frozen=True, slots=True)
class Work:
    """So many pictures of a kind, to be kept in a place."""

    picture: Noise
    pictures: int
    place: Place

    @property
    def words(self) -> str:
        """The work in the words of the tables."""
        return f"{self.picture.words}, {self.place.words}"

    def absent(self) -> str | None:
        """Why it can't be done here, or None."""
        return self.place.absent(need_bytes=2 * self.pictures * len(self.picture.content()))


def tried(client: Client, work: Work) -> Trial | str:
    """What a run of a client took, or what went wrong with it: a picture counts once all its bytes lie there."""
    with work.place.room() as folder:
        with serving(work.picture, folder / "server") as server:
            command = client.command(server.url, work.pictures, folder)
            watched = watch(command, folder, within_s=_ENDS_WITHIN_S)
        kept = kept_whole(folder / MADE, len(work.picture.content()))
        seen = server.seen()
    if watched.fault:
        return watched.fault
    if not kept == seen.served == work.pictures:
        return f"kept {kept:,} and was served {seen.served:,} of {work.pictures:,} pictures"
    return Trial(pictures=kept, served_s=seen.seconds, wall_s=watched.wall_s, cpu_s=watched.cpu_s)


def kept_whole(folder: Path, size_bytes: int) -> int:
    """How many files of so many bytes lie below a folder."""
    paths = (os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)  # noqa: PTH118 - in thousands
    return sum(os.stat(path).st_size == size_bytes for path in paths)  # noqa: PTH116 - same

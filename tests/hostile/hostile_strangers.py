"""What may stand in an output folder and is none of batchgen's; each puts itself at a path."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path


def to_a_file(path: Path, outside: Path) -> None:
    """A link to somebody's file."""
    path.symlink_to(outside / "precious")


def to_a_folder(path: Path, outside: Path) -> None:
    """A link to somebody's folder."""
    path.symlink_to(outside / "trove")


def to_nothing(path: Path, outside: Path) -> None:
    """A link to what is not there, and would be made by writing."""
    path.symlink_to(outside / "new")


def to_itself(path: Path, _outside: Path) -> None:
    """A link that leads nowhere."""
    path.symlink_to(path.name)


def second_name(path: Path, outside: Path) -> None:
    """Another name of somebody's file."""
    path.hardlink_to(outside / "precious")


def second_name_of_a_ledger(path: Path, outside: Path) -> None:
    """Another name of somebody's database."""
    path.hardlink_to(outside / "other.sqlite")


def a_pipe(path: Path, _outside: Path) -> None:
    """What is never read to its end."""
    os.mkfifo(path)


def a_socket(path: Path, _outside: Path) -> None:
    """What can't be opened."""
    with chdir(path.parent), socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path.name)


def ledger_of_others(path: Path, outside: Path) -> None:
    """Another program's database."""
    path.write_bytes((outside / "other.sqlite").read_bytes())


def a_folder(path: Path, _outside: Path) -> None:
    """A folder with something in it."""
    path.mkdir()
    (path / "mine").write_text("mine")


def a_file(path: Path, _outside: Path) -> None:
    """A file of somebody's own."""
    path.write_text("mine, and of no program")


LINKS = [to_a_file, to_a_folder, to_nothing, to_itself]
OTHERS = [a_pipe, a_socket]
Stranger = Callable[[Path, Path], None]
"""Puts itself at a path; beside that it knows what lies outside."""

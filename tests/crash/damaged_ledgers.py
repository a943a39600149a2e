"""The ledger is removed, cut, zeroed or overwritten between two runs: nothing that is made is paid for again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from evidence import LEDGER
from rounds import SMALL, Round
from stage import staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from judge import Tally


def _remove_all(output: Path) -> None:
    for path in output.glob(f"{LEDGER}*"):
        path.unlink()


def _remove_database(output: Path) -> None:
    (output / LEDGER).unlink()


def _remove_log(output: Path) -> None:
    (output / f"{LEDGER}-wal").unlink(missing_ok=True)


def _empty(output: Path) -> None:
    (output / LEDGER).write_bytes(b"")


def _cut(output: Path) -> None:
    for path in (output / LEDGER, output / f"{LEDGER}-wal"):
        if path.exists():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _zero(output: Path) -> None:
    _remove_log(output)
    (output / LEDGER).write_bytes(bytes((output / LEDGER).stat().st_size))


def _zero_second_half(output: Path) -> None:
    _remove_log(output)
    content = (output / LEDGER).read_bytes()
    (output / LEDGER).write_bytes(content[: len(content) // 2].ljust(len(content), b"\0"))


def _scribble(output: Path) -> None:
    _remove_log(output)
    (output / LEDGER).write_bytes(b"this is no database" * 500)


DAMAGES = {
    "removed": _remove_all,
    "removed but for its log": _remove_database,
    "its log removed": _remove_log,
    "empty": _empty,
    "cut in half": _cut,
    "zeroed": _zero,
    "second half zeroed": _zero_second_half,
    "overwritten": _scribble,
}
REBUILDING = ("before:set_aside:1", "after:set_aside:1", "before:commit:1", "after:commit:1", "after:commit:2")
"""Runs that die while a damaged ledger is set aside and another one made in its place."""
DEATHS = ("after:answer_begins:6", "before:rename_new:6", "")
"""What the run before came to; the last: its end in order, with all made."""


def ledger_rounds() -> Iterator[Round]:
    """Every damage, after different ends of the run before it."""
    for what, damage in DAMAGES.items():
        for death in DEATHS:
            yield Round(group="damaged ledgers", name=f"{what}, {death or 'all made'}", go=_go(damage, death))
    # What is cut in half after a death is made whole by its log.
    for what, death in (("cut in half", ""), *(("overwritten", death) for death in DEATHS)):
        name = f"{what}, {death or 'all made'}, and killed while rebuilding"
        yield Round(group="damaged ledgers", name=name, go=_go(DAMAGES[what], death, *REBUILDING))
    yield Round(group="damaged ledgers", name="of a newer batchgen", go=_newer)


def _go(damage: Callable[[Path], None], death: str, *rebuilding: str) -> Callable[[Path], Tally]:
    def go(base: Path) -> Tally:
        with staged(base, SMALL) as stage:
            if death:
                stage.die_at(death)
            else:
                stage.run()
            damage(stage.output)
            stage.ledger_gone = stage.snapshot()
            for step in rebuilding:
                stage.die_at(step)
            stage.complete()
            return stage.judged()

    return go


def _newer(base: Path) -> Tally:
    """It is refused and left alone, and nothing is sent; once it is as it was the job goes on."""
    with staged(base, SMALL) as stage:
        stage.die_at(DEATHS[0])
        before = _set_version(stage.output, 99)
        asked = stage.snapshot().asked
        stage.run(allowed=(5,))
        if stage.snapshot().asked != asked:
            stage.findings.append("with a ledger of a newer batchgen something was sent")
        if _set_version(stage.output, before) != 99:
            stage.findings.append("the ledger of a newer batchgen was changed")
        stage.complete()
        return stage.judged()


def _set_version(output: Path, version: int) -> int:
    """Give the ledger another version; the one that it had."""
    with closing(sqlite3.connect(output / LEDGER)) as database:
        before = database.execute("PRAGMA user_version").fetchone()[0]
        database.execute(f"PRAGMA user_version = {version}")
        return int(before)

"""Part `flat`: what does not grow with the number of tasks or the size of pictures, and how soon a run is at work.

Everything lies in memory, so that no disk is measured. Seconds to the first request run from exec to its arrival, by
the server's own log.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import file_server
from benchmarks.file_server import MB_20
from benchmarks.flat_growth import growth_mb, ms_a_picture
from benchmarks.flat_runs import fill, make
from benchmarks.measure import Figure, run, table
from benchmarks.places import MEMORY
from benchmarks.watched import how_busy, turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.flat_runs import Made

PEAK_MB = 120
PAUSE_MS = 50
_RESUMES_WITHIN_S, _PACES_WITHIN_S = 60.0, 150.0
"""No further round begins later."""
_QUICKSTART = Path(__file__).parents[1] / "jobs" / "quickstart.yaml"


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is tried."""

    tasks: int
    """Of the large job."""
    long_run: int
    """Pictures of the run whose memory is looked at as it goes on."""
    large_pictures: int
    """Of 20 MB each."""
    trees: tuple[int, ...]
    """Tasks that are made in a folder when the time of a picture is taken; the last is the large job's folder."""
    a_tree: int
    """Pictures that are made for that."""
    rounds: int

    @property
    def need_bytes(self) -> int:
        """Of memory: 4 KiB each for a picture and a sidecar, the kernel's own record of both, the ledger."""
        return max(6 * 1024 * self.tasks, 12 * 1024 * self.long_run, 25_000_000 * self.large_pictures)


FULL = Extent(1_000_000, 200_000, 130, (1_000, 10_000, 100_000), 2_000, 5)
QUICK = Extent(20_000, 20_000, 70, (1_000, 10_000), 1_000, 3)


def report() -> bool:
    """Print the part's tables, in some ten minutes; whether every figure keeps its bound."""
    return _show(FULL)


def report_quick() -> bool:
    """The same with 20,000 tasks, in two minutes."""
    return _show(QUICK)


def _show(extent: Extent) -> bool:
    if why := file_server.absent() or MEMORY.absent(extent.need_bytes):
        print(f"\nFlat: skipped: {why}")
        return True
    parts: tuple[tuple[str, Callable[[Extent, Path], list[Figure]]], ...] = (
        ("Start (whole processes)", _starts),
        (f"A new job of {extent.tasks:,} tasks", _new),
        (f"A run of {extent.long_run:,} pictures", _long),
        (f"{extent.large_pictures} pictures of 20 MB, 64 in flight", _large),
        (f"A folder in which {extent.tasks - 10:,} of {extent.tasks:,} are made", _nearly_made),
    )
    print(f"\nFlat ({how_busy()})")
    met = [_table(title, figures, extent) for title, figures in parts]
    return all(met)


def _table(title: str, figures: Callable[[Extent, Path], list[Figure]], extent: Extent) -> bool:
    with MEMORY.room() as folder:
        try:
            return table(title, figures(extent, folder))
        except RuntimeError as fault:
            print(f"\n{title}: failed: {fault}")
            return False


def _starts(extent: Extent, folder: Path) -> list[Figure]:
    helps = [run(["-m", "batchgen", "--help"], folder).seconds for _ in range(extent.rounds)]
    plans = [run(["-m", "batchgen", "plan", str(_QUICKSTART)], folder).seconds for _ in range(extent.rounds)]
    return [
        Figure(name="batchgen --help", values=tuple(helps), unit="s", bound=0.2),
        Figure(name="batchgen plan jobs/quickstart.yaml", values=tuple(plans), unit="s", bound=0.4),
    ]


def _new(extent: Extent, folder: Path) -> list[Figure]:
    runs = [make(folder, folder / f"output-{number}", 200, f"1..{extent.tasks}") for number in range(extent.rounds)]
    return [_first(runs, "first request", within_s=1), _peak(runs), _pause(runs)]


def _long(extent: Extent, folder: Path) -> list[Figure]:
    made = make(folder, folder / "output", extent.long_run, f"1..{extent.tasks}")
    growth = (growth_mb(made.watched.memory, made.answered),)
    return [
        Figure(name="memory in its last tenth, more than in its first", values=growth, unit="MB", bound=5),
        _peak([made]),
        _pause([made]),
    ]


def _large(extent: Extent, folder: Path) -> list[Figure]:
    made = make(folder, folder / "output", extent.large_pictures, f"1..{extent.tasks}", picture=MB_20)
    return [_peak([made]), _pause([made])]


def _nearly_made(extent: Extent, folder: Path) -> list[Figure]:
    output, all_of = folder / "output", f"1..{extent.tasks}"
    fill(folder, output, extent.tasks - 10, all_of)
    status = [run(["-m", "batchgen", "status", str(output)], folder).seconds for _ in range(extent.rounds)]
    same = [make(folder, output, 10 // extent.rounds, all_of) for _ in turns(extent.rounds, _RESUMES_WITHIN_S)]
    paces, changed = _paces(extent, folder, output)
    return [
        Figure(name="batchgen status", values=tuple(status), unit="s", bound=1),
        _first(same, "first request", within_s=5),
        _peak(same),
        _pause(same),
        _first(changed, "first request once the job has changed", within_s=20),
        _peak(changed),
        _pause(changed),
        *paces,
    ]


def _paces(extent: Extent, folder: Path, output: Path) -> tuple[list[Figure], list[Made]]:
    """The time of a picture where more and more are made; the runs in `output`, whose job has new tasks before all."""
    times: dict[int, list[float]] = {tasks: [] for tasks in (*extent.trees, extent.tasks)}
    new, changed = f"{extent.tasks + 1}..{extent.tasks + extent.rounds * extent.a_tree}", []
    for _ in turns(extent.rounds, _PACES_WITHIN_S):
        for tasks in extent.trees:
            tree = folder / f"tree-{tasks}"
            if tree.exists() and tasks < 20 * extent.a_tree:  # else what a round adds is little beside what is there
                rmtree(tree)
            if not tree.exists():
                fill(folder, tree, tasks, f"1..{extent.tasks}")
            times[tasks].append(_ms(make(folder, tree, extent.a_tree, f"1..{extent.tasks}")))
        changed.append(make(folder, output, extent.a_tree, new, f"1..{extent.tasks}"))
        times[extent.tasks].append(_ms(changed[-1]))
    return [_pace(times, tasks) for tasks in list(times)[1:]], changed


def _ms(made: Made) -> float:
    return ms_a_picture(made.answered, skipped=len(made.answered) // 10)


def _pace(times: dict[int, list[float]], tasks: int) -> Figure:
    fewest = min(times)
    ratios = tuple(many / few for many, few in zip(times[tasks], times[fewest], strict=True))
    name = f"time of a picture ({median(times[tasks]):.2f} ms) where {tasks:,} are made / where {fewest:,} are"
    return Figure(name=name, values=ratios, unit="x", bound=1.1)


def _first(runs: Sequence[Made], name: str, *, within_s: float) -> Figure:
    return Figure(name=name, values=tuple(made.first_s for made in runs), unit="s", bound=within_s)


def _peak(runs: Sequence[Made]) -> Figure:
    return Figure(name="peak memory", values=tuple(made.watched.peak_mb for made in runs), unit="MB", bound=PEAK_MB)


def _pause(runs: Sequence[Made]) -> Figure:
    work_ms = 1000 * median(made.work_s for made in runs)
    name = f"longest pause of its event loop (at work for at most {work_ms:.0f} ms)"
    return Figure(name=name, values=tuple(1000 * made.pause_s for made in runs), unit="ms", bound=PAUSE_MS)

"""Part `plan`: ten million tasks from two prompts, and a table of a million prompts."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Figure, run, table

if TYPE_CHECKING:
    from benchmarks.measure import Run

RUNS = 5
SWEEP = """\
prompts:
  - a red fox in deep snow
  - an owl at dusk
sweep:
  seeds: 1..1000000
  ratios: [1:1, 16:9, 2:3, 3:2, 4:5]
"""
TABLE = "prompts: [{file: prompts.csv}]\n"
WORDS = ("red", "blue", "ancient", "golden", "fox", "owl", "castle", "river", "city", "at dusk", "in the snow", "stars")


def report() -> bool:
    """Print the part's table; whether every figure keeps its bound."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder)
        sweeps = [run(["-m", "batchgen", "plan", "sweep.yaml", "--json"], folder) for _ in range(RUNS)]
        tables = [run(["-m", "batchgen", "plan", "table.yaml", "--json"], folder) for _ in range(RUNS)]
        counts = {json.loads(each.output)["tasks"] for each in sweeps + tables}
        if counts != {10_000_000, 1_000_000}:
            raise RuntimeError(f"the plans count {counts}")
        expansions = [_expansion("sweep.yaml", folder) for _ in range(RUNS)]
        of_table = [_expansion("table.yaml", folder) for _ in range(RUNS)]
    return table(
        "Planning (whole processes)",
        [
            *_plan_figures("10,000,000 tasks, 2 prompts x 1,000,000 seeds x 5 ratios", sweeps, seconds=1, peak_mb=120),
            *_plan_figures("1,000,000 prompts of a CSV", tables, seconds=15, peak_mb=300),
            _first("10,000,000 tasks", expansions),
            _first("1,000,000 prompts", of_table),
            Figure(
                name="tasks expanded, with ids",
                values=tuple(each["tasks_a_second"] for each in expansions),
                unit="a second",
                bound=100_000,
                at_least=True,
            ),
        ],
    )


def _write(folder: Path) -> None:
    (folder / "sweep.yaml").write_text(SWEEP)
    (folder / "table.yaml").write_text(TABLE)
    chance = random.Random(1)  # noqa: S311 - the same table each time
    with (folder / "prompts.csv").open("w") as file:
        file.write("id,prompt,style\n")
        for number in range(1_000_000):
            words = " ".join(chance.choices(WORDS, k=8))
            file.write(f"p{number},{words} number {number},{chance.choice(WORDS)}\n")


def _expansion(job: str, folder: Path) -> dict[str, float]:
    script = str(Path(__file__).with_name("expansion.py"))
    found: dict[str, float] = json.loads(run([script, job], folder).output)
    return found


def _plan_figures(name: str, runs: list[Run], *, seconds: float, peak_mb: float) -> list[Figure]:
    return [
        Figure(name=f"plan of {name}", values=tuple(each.seconds for each in runs), unit="s", bound=seconds),
        Figure(name="its peak memory", values=tuple(each.peak_mb for each in runs), unit="MB", bound=peak_mb),
    ]


def _first(name: str, runs: list[dict[str, float]]) -> Figure:
    values = tuple(each["first_task_s"] for each in runs)
    return Figure(name=f"first task of {name}, after reading", values=values, unit="s", bound=1)

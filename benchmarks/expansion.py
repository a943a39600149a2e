"""A process of its own: reads a job, then times its first task that is due and the expansion of its first tasks."""

from __future__ import annotations

import json
import sys
import time
from itertools import islice
from pathlib import Path

from batchgen.comparison import compare
from batchgen.due import Part, tasks_due
from batchgen.job import load_job
from batchgen.manifest.survey import survey
from batchgen.store.folder import contents_of

EXPANDED = 200_000


def main(job: Path) -> None:
    """Print the figures as one JSON object."""
    manifest = load_job(job, run_id="bench")
    read = time.perf_counter()
    found = survey(manifest)
    comparison = compare(manifest, found, contents_of(Path("nothing-made")))
    manifest.task(next(tasks_due(manifest, found, comparison, Part())))
    first = time.perf_counter()
    ids = sum(len(task.id) == 26 for task in islice(manifest, EXPANDED))
    seconds = time.perf_counter() - first
    print(json.dumps({"first_task_s": first - read, "tasks_a_second": ids / seconds}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

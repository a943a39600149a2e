"""`plan --explain N`: each value of a task, and which line of the job it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchgen.errors import UsageError, one_line

if TYPE_CHECKING:
    from batchgen.manifest.manifest import Manifest


def explained(manifest: Manifest, index: int) -> list[str]:
    """The lines to print; UsageError where the job has no such task."""
    if index >= len(manifest):
        raise UsageError(f"--explain {index}: no such task; the job has {len(manifest):,}, counted from 0")
    task = manifest.task(index)
    origins = manifest.origins(index)
    values = {**dict(task.request.fields), **task.variables}
    if task.request.image is not None:
        values["image"] = task.request.image.path
    rows = []
    for name, value in values.items():
        column, position = origins.get(name, (None, 0))
        origin = column.origin if column else "follows from image"
        where = manifest.where(column.place(position)) if column else ""
        rows.append((one_line(name, 60), one_line(value, 60), one_line(origin, 60), one_line(where, 100)))
    widths = [max(len(row[number]) for row in rows) for number in range(3)]
    lines = [f"task {index}: {task.id}", f"  images/{task.stem}", ""]
    return lines + [
        f"  {name:{widths[0]}}  {value:{widths[1]}}  {origin:{widths[2]}}  {where}".rstrip()
        for name, value, origin, where in rows
    ]

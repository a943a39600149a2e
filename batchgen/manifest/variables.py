"""`vars:`: the variables of a job's templates. A list, or a list in a file, is an axis of the prompts that name it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchgen.manifest.axes import Variable, pinned
from batchgen.manifest.reading.table import TableError, read_table
from batchgen.manifest.sources import PLURALS, Source
from batchgen.manifest.template import names

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from batchgen.manifest.axes import ColumnReader
    from batchgen.manifest.reading.problems import Problems
    from batchgen.manifest.reading.schema import JobShape, PromptShape, TaskShape
    from batchgen.manifest.reading.table import Lines

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def variable_names(job: JobShape) -> set[str]:
    """The names that vars define or that a prompt's template asks for."""
    found = set(job.vars) | set(names(str(job.defaults.get("negative_prompt", ""))))
    shapes: list[PromptShape | TaskShape] = [*job.prompts, *job.tasks]
    for shape in shapes:
        found.update(names(shape.prompt or ""))
        found.update(names(str((shape.model_extra or {}).get("negative_prompt", ""))))
    return found


class VariableReader:
    """Reads `vars:` and notes what is wrong with it."""

    def __init__(self, problems: Problems, columns: ColumnReader, lines: Lines) -> None:
        self._problems = problems
        self._columns = columns
        self._lines = lines

    def read(self, specs: Mapping[str, Any], parameters: Collection[str]) -> Source:
        """Each variable's values; `parameters` are names that a variable can't have."""
        source = Source()
        for name, spec in specs.items():
            if name in parameters or name in PLURALS:
                accepted = "put it under defaults or sweep, or choose another name"
                self._problems.add(("vars", name), f"{name} is a parameter of the API", accepted, key=True)
            elif not NAME.fullmatch(name):
                accepted = "accepted: letters, digits, _ and -, not beginning with a digit"
                self._problems.add(("vars", name), f"no template can name {name!r}", accepted, key=True)
            else:
                self._add(source, name, spec)
        return source

    def _add(self, source: Source, name: str, spec: Any) -> None:
        path = ("vars", name)
        if isinstance(spec, dict) and "file" in spec:
            spec = self._listed_in_file(name, spec)
        if not isinstance(spec, list | dict) and not (isinstance(spec, str) and ".." in spec):
            source.pin(self._columns.pin(Variable(name=name), spec, "vars", path))
            return
        column = self._columns.read(Variable(name=name), spec, "vars", path)
        several = len(column.values) > 1
        column = column if column.values else pinned(name, "", "vars", path)
        source.columns[name] = (column, ("vars", name) if several else None)

    def _listed_in_file(self, name: str, spec: Mapping[str, Any]) -> list[str]:
        path, column = ("vars", name), spec.get("column", "prompt")
        if spec.keys() - {"file", "column"} or not isinstance(spec["file"], str):
            accepted = "accepted: {file: names.txt} or {file: a.csv, column: name}"
            self._problems.add(path, "not a list in a file", accepted)
            return [""]
        try:
            table = read_table(spec["file"], self._lines)
        except TableError as error:
            self._problems.add_in_file(spec["file"], error.line, error)
        except ValueError as error:
            self._problems.add_said(path, error)
        else:
            if column in table.columns:
                number = table.columns.index(column)
                return [cell for row in range(len(table)) if (cell := table.row(row)[number])]
            self._problems.add(path, f"no column {column} in {table.file}", f"columns: {', '.join(table.columns)}")
        return [""]

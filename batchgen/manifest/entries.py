"""One entry of `prompts:` or `tasks:` -> its Prompt: its sources put in order, its cases made and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchgen.errors import nearest
from batchgen.manifest.axes import Column, pinned
from batchgen.manifest.identity import short_digest
from batchgen.manifest.matrix import Block, blocks
from batchgen.manifest.paths import DEFAULT, DEFAULT_SPLIT, SPLIT_ABOVE, PathTemplate, slug
from batchgen.manifest.prompts import Case, OneRow, Pins, Prompt
from batchgen.manifest.reading.schema import PromptShape
from batchgen.manifest.reading.table import TableError, read_table
from batchgen.manifest.rows import TableRows
from batchgen.manifest.sources import PLURALS, Source, SourceReader, arranged, winners
from batchgen.manifest.template import names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from batchgen.manifest.checks import CombinationCheck
    from batchgen.manifest.matrix import Entry
    from batchgen.manifest.reading.document import Path
    from batchgen.manifest.reading.problems import Problems
    from batchgen.manifest.reading.schema import TaskShape
    from batchgen.manifest.reading.table import Lines, Table
    from batchgen.manifest.sources import AxisKey
    from batchgen.providers.capabilities import Parameter


DEFAULT_PATH, SPLIT_PATH = PathTemplate.read(DEFAULT), PathTemplate.read(DEFAULT_SPLIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What the job says for all of its entries."""

    parameters: Mapping[str, Parameter]
    reader: SourceReader
    built_in: Source
    defaults: Source
    vars: Source
    sweep: Source
    presets: Mapping[str, Source]
    repeat: int
    path: PathTemplate | None
    """The job's own, if it has one."""
    check: CombinationCheck
    lines: Lines
    read_images: Callable[[Column], None]
    own_excludes: list[Entry]
    """The excludes of entries' own sweeps; filled as entries are read."""
    matched: set[Path]
    """The places of excludes that cut something out of some entry; filled as entries are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """What an entry says itself."""

    text: str | None
    pins: Source
    presets: tuple[Source, ...]
    sweep: Source
    zips: Source
    with_job_sweep: bool

    @property
    def is_text_alone(self) -> bool:
        """Does it say nothing but its text?"""
        return not (self.pins.columns or self.presets or self.sweep.says_anything or self.zips.columns)


class EntryReader:
    """Reads the entries of one job."""

    def __init__(self, common: Common, problems: Problems) -> None:
        self._common = common
        self._problems = problems
        self._of_text_alone: dict[tuple[bool, tuple[str, ...]], Case] = {}

    def prompt(self, path: Path, shape: PromptShape) -> Prompt | None:
        """An entry of `prompts:`; None, and a note, where it can't be read."""
        if shape.prompt is None and shape.file is None:
            self._problems.add(path, *_no_prompt(shape, self._common.parameters))
            return None
        own = _Own(
            text=shape.prompt,
            pins=self._pins(path, shape),
            presets=self._presets(path, shape.preset),
            sweep=self._common.reader.sweep("prompt's sweep", (*path, "sweep"), shape.sweep),
            zips=self._common.reader.zips((*path, "zip"), shape.zip),
            with_job_sweep=True,
        )
        self._common.own_excludes.extend(own.sweep.excludes)
        for name in own.sweep.columns.keys() & own.zips.columns.keys():
            self._problems.add((*path, "sweep"), f"{name} is in this prompt's zip too", "keep one of them")
        if shape.file is not None:
            return self._table_prompt(path, shape, own)
        return self._literal(path, shape, own)

    def task(self, path: Path, shape: TaskShape) -> Prompt | None:
        """An entry of `tasks:`: one request, no sweep."""
        own = _Own(
            text=shape.prompt,
            pins=self._pins(path, shape),
            presets=self._presets(path, shape.preset),
            sweep=Source(),
            zips=Source(),
            with_job_sweep=False,
        )
        return self._literal(path, shape, own)

    def _pins(self, path: Path, shape: PromptShape | TaskShape) -> Source:
        return self._common.reader.pins("prompt", path, shape.model_extra or {}, also=tuple(type(shape).model_fields))

    def _presets(self, path: Path, wanted: Sequence[str]) -> tuple[Source, ...]:
        known = self._common.presets
        for name in wanted:
            if name not in known:
                accepted = f"{nearest(name, known)} accepted: {', '.join(known) or 'none is defined'}".strip()
                self._problems.add((*path, "preset"), f"unknown preset {name!r}", accepted)
        return tuple(known[name] for name in wanted if name in known)

    def _literal(self, path: Path, shape: PromptShape | TaskShape, own: _Own) -> Prompt | None:
        text = shape.prompt or ""
        try:
            self._common.parameters["prompt"].text(text.strip() and text)
        except ValueError as error:
            self._problems.add(
                _text_path(path, self._problems), f"a prompt of {len(text.strip())} characters", str(error)
            )
            return None
        column = pinned("prompt", text, "prompt", _text_path(path, self._problems))
        words = slug(text)
        label = shape.id or f"{words}-{short_digest(text)[:6]}"
        row = OneRow(self._case_of_text(own, column), Pins(label, words, {"prompt": text}), column)
        return self._finished(label, row, shape.repeat)

    def _case_of_text(self, own: _Own, text: Column) -> Case:
        """The combinations of an entry in the job: those that say nothing but a text share them, however many."""
        if not own.is_text_alone:
            return self.case(own, own.pins, text)
        kind = own.with_job_sweep, tuple(names(str(text.values[0])))
        if kind not in self._of_text_alone:
            wrong = len(self._problems)
            case = self.case(own, own.pins, text)
            if len(self._problems) > wrong:
                return case  # what is wrong is said at each entry's place
            self._of_text_alone[kind] = case
        return self._of_text_alone[kind]

    def _table_prompt(self, path: Path, shape: PromptShape, own: _Own) -> Prompt | None:
        table = self._table(path, str(shape.file))
        if table is None:
            return None
        for name in (name for name in table.columns if name in PLURALS):
            self._problems.add_in_file(table.file, 1, ValueError(f"a column {name}; rename it {PLURALS[name]}"))
        if shape.prompt is None and "prompt" not in table.columns:
            known = ", ".join(table.columns)
            self._problems.add(
                (*path, "file"), f"no column prompt in {table.file} ({known})", "add one, or prompt: beside file:"
            )
            return None
        template = _text_path(path, self._problems) if own.text else None
        rows = TableRows(table, self._common.parameters, own.text, self._deciding(own), template)
        rows.fill(lambda columns, text: self.case(own, _with(own.pins, columns), text), self._problems)
        self._warn_of_unused((*path, "file"), table, rows)
        for column in rows.images():
            self._common.read_images(column)
        return self._finished(shape.id or table.file, rows, shape.repeat) if rows.cases() else None

    def _warn_of_unused(self, path: Path, table: Table, rows: TableRows) -> None:
        """A column that is much like a field and that no text names is a field misspelt."""
        named = {*rows.named(), *(self._common.path.variables if self._common.path else ()), "id", "prompt"}
        for column in table.columns:
            if column in named or column in self._common.parameters:
                continue
            if hint := nearest(column, [*self._common.parameters, *named]):
                self._problems.warn(path, f"column {column} of {table.file} is used by nothing", hint)

    def _table(self, path: Path, file: str) -> Table | None:
        try:
            return read_table(file, self._common.lines)
        except TableError as error:
            self._problems.add_in_file(file, error.line, error)
        except ValueError as error:
            self._problems.add_said((*path, "file"), error)
        return None

    def _finished(self, label: str, rows: OneRow | TableRows, repeat: int | None) -> Prompt:
        times = repeat or self._common.repeat
        largest = max(case.count for case in rows.cases()) * times
        default = SPLIT_PATH if largest > SPLIT_ABOVE else DEFAULT_PATH
        return Prompt(label, rows, times, self._common.path or default)

    def _deciding(self, own: _Own) -> set[str]:
        """The names that includes and excludes look at."""
        entries = (*self._common.sweep.includes, *self._common.sweep.excludes, *own.sweep.includes, *own.sweep.excludes)
        return {name for entry in entries for name in entry.columns}

    def case(self, own: _Own, pins: Source, text: Column) -> Case:
        """The combinations of everything that is not pinned, checked."""
        common = self._common
        job_sweep = common.sweep if own.with_job_sweep else Source()
        includes = (*job_sweep.includes, *own.sweep.includes)
        above = (*own.presets, pins, own.zips)
        negative = winners((common.defaults, job_sweep, *above, own.sweep)).get("negative_prompt")
        templates = [text, *([negative[0]] if negative else [])]
        templates += [entry.columns["negative_prompt"] for entry in includes if "negative_prompt" in entry.columns]
        named = {name for column in templates for value in column.values for name in names(str(value))}
        swept = self._of_use(job_sweep, named)
        below = (common.built_in, common.defaults, self._of_use(common.vars, named))
        base, axes = arranged(
            winners((*below, swept, *above, own.sweep)), _order(common.vars, own.zips, swept, own.sweep)
        )
        unswept, others = arranged(winners((*below, *above)), _order(common.vars, own.zips))
        for column in (*base.values(), *(column for axis in axes for column in axis.columns)):
            if column.name == "image":
                common.read_images(column)
        excludes = (*swept.excludes, *own.sweep.excludes)
        made, idle = blocks(
            Block({**base, "prompt": text}, axes), Block({**unswept, "prompt": text}, others), includes, excludes
        )
        common.matched.update(entry.path for entry in excludes if entry.path not in idle)
        return Case(tuple(common.check.checked(block) for block in made))

    def _of_use(self, source: Source, named: Collection[str]) -> Source:
        """The parameters of a source, and those of its variables that the templates name."""
        columns = {
            name: column for name, column in source.columns.items() if name in self._common.parameters or name in named
        }
        return Source(columns, source.includes, source.excludes)


def _no_prompt(shape: PromptShape, parameters: Collection[str]) -> tuple[str, str]:
    keys = [key for key in shape.model_extra or {} if key not in parameters and key not in PLURALS]
    if len(keys) == 1 and (hint := nearest(keys[0], PromptShape.model_fields)):
        return f"unknown key {keys[0]!r}", hint
    if len(keys) == 1:
        return f"{keys[0]!r}: a mapping where a prompt was meant", "quote a prompt that holds ': '"
    return "an entry without its prompt", "add prompt: with its text, or file: with a data file"


def _with(pins: Source, columns: Mapping[str, Column]) -> Source:
    """A prompt's own keys, and its data row's in their place where both say something."""
    return Source({**pins.columns, **{name: (column, None) for name, column in columns.items()}})


def _order(*sources: Source) -> list[AxisKey]:
    keys = (key for source in sources for _, key in source.columns.values())
    return list(dict.fromkeys(key for key in keys if key is not None))


def _text_path(path: Path, problems: Problems) -> Path:
    return problems.innermost(path, "prompt")

"""Where a field's values come from: a job's sources in their order, the most specific one taking a field's place.

Least specific first: built-in, defaults, vars, the job's sweep, a preset that the prompt names, the prompt's own keys
or its data row, the prompt's own zip and sweep. A prompt that pins a field collapses the job's axis of that name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchgen.manifest.axes import Axis, Column, ColumnReader, Variable
from batchgen.manifest.matrix import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from batchgen.manifest.axes import Reads
    from batchgen.manifest.reading.document import Path
    from batchgen.manifest.reading.problems import Problems
    from batchgen.providers.capabilities import Parameter

# Kinder spellings of the axes that are swept most, each for the API's own name.
PLURALS = {
    "seeds": "seed",
    "styles": "style_preset",
    "ratios": "aspect_ratio",
    "models": "model",
    "strengths": "strength",
    "formats": "output_format",
}
MOST_ENTRIES = 1_000
MATRIX_KEYS = ("include", "exclude")

AxisKey = tuple[str, str | int]
"""What makes columns one axis: ("vars", name), ("zip", number) or ("sweep", name)."""


@dataclass(slots=True)
class Source:
    """The columns that one place of the job gives, and the axis that each belongs to; None: it is pinned."""

    columns: dict[str, tuple[Column, AxisKey | None]] = field(default_factory=dict)
    includes: list[Entry] = field(default_factory=list)
    excludes: list[Entry] = field(default_factory=list)

    @property
    def says_anything(self) -> bool:
        """Does it give a column, include or exclude anything?"""
        return bool(self.columns or self.includes or self.excludes)

    def pin(self, column: Column | None) -> None:
        """Take a column of one value, if it could be read."""
        if column is not None:
            self.columns[column.name] = (column, None)


class SourceReader:
    """Reads the sources of one job."""

    def __init__(
        self, problems: Problems, parameters: Mapping[str, Parameter], variables: Iterable[str], read: ColumnReader
    ) -> None:
        self._problems = problems
        self._parameters = {name: each for name, each in parameters.items() if name != "prompt"}
        self._variables = set(variables)
        self._read = read

    def pins(self, origin: str, base: Path, specs: Mapping[str, Any], *, also: Sequence[str] = ()) -> Source:
        """Fields of one value each: `defaults`, a preset, a prompt's own keys; `also` are further keys it may have."""
        source = Source()
        for key, reads in self._by_key(base, specs, also).items():
            source.pin(self._read.pin(reads, specs[key], origin, (*base, key)))
        return source

    def sweep(self, origin: str, base: Path, specs: Mapping[str, Any]) -> Source:
        """A cartesian product, with what is included and excluded."""
        source = Source()
        axes = {key: spec for key, spec in specs.items() if key not in MATRIX_KEYS}
        for key, reads in self._by_key(base, axes, MATRIX_KEYS).items():
            column = self._read.read(reads, axes[key], origin, (*base, key))
            source.columns[reads.name] = (column, ("sweep", reads.name))
        for kind, entries in (("include", source.includes), ("exclude", source.excludes)):
            entries.extend(self._matrix_entries(kind, (*base, kind), specs.get(kind)))
        return source

    def zips(self, base: Path, groups: Sequence[Mapping[str, Any]]) -> Source:
        """Groups of lists that advance together."""
        source = Source()
        for number, group in enumerate(groups):
            columns = [
                self._read.read(reads, group[key], "zip", (*base, number, key), alike=True)
                for key, reads in self._by_key((*base, number), group, ()).items()
            ]
            if len({len(column.values) for column in columns}) > 1:
                lengths = ", ".join(f"{column.name} {len(column.values)}" for column in columns)
                self._problems.add((*base, number), f"lists of unequal length: {lengths}", "make them equally long")
                continue
            for column in columns:
                if column.name in source.columns:
                    self._problems.add((*base, number), f"{column.name} is in two zip groups", "keep one of them")
                source.columns[column.name] = (column, ("zip", number))
        return source

    def _matrix_entries(self, kind: str, base: Path, entries: Any) -> list[Entry]:
        if entries is None:
            return []
        if isinstance(entries, list) and len(entries) > MOST_ENTRIES:
            accepted = "write fewer; a value left out of an axis needs no exclude"
            self._problems.add(base, f"more than {MOST_ENTRIES:,} entries", accepted)
            return []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) and entry for entry in entries):
            self._problems.add(base, f"{kind} is not a list of mappings", f"accepted: {kind}: [{{model: …, seed: …}}]")
            return []
        return [
            Entry(
                {name: column for name, (column, _) in self.pins(kind, (*base, number), entry).columns.items()},
                (*base, number),
            )
            for number, entry in enumerate(entries)
        ]

    def _by_key(self, base: Path, specs: Mapping[str, Any], also: Sequence[str]) -> dict[str, Reads]:
        """The parameter or variable that each key names; two spellings of one are a problem."""
        found: dict[str, Reads] = {}
        spelt: dict[str, str] = {}
        for key in specs:
            if (reads := self._known(key, (*base, key), also)) is None:
                continue
            if other := spelt.get(reads.name):
                self._problems.add((*base, key), f"{key} and {other} are one axis", "keep one of them", key=True)
                continue
            found[key], spelt[reads.name] = reads, key
        return found

    def _known(self, key: str, path: Path, also: Sequence[str]) -> Reads | None:
        """The parameter or variable that a key names; anything else is a problem."""
        name = PLURALS.get(key, key)
        if name in self._parameters:
            return self._parameters[name]
        if name in self._variables:
            return Variable(name=name)
        if name == "prompt":
            self._problems.add(path, "a prompt can't stand here", "list prompts under prompts", key=True)
        else:
            self._problems.unknown_key(path, [*self._parameters, *also], [*PLURALS, *sorted(self._variables)])
        return None


def winners(sources: Iterable[Source]) -> dict[str, tuple[Column, AxisKey | None]]:
    """For each field the column of the most specific source that gives it."""
    found: dict[str, tuple[Column, AxisKey | None]] = {}
    for source in sources:
        found.update(source.columns)
    return found


def arranged(
    chosen: Mapping[str, tuple[Column, AxisKey | None]], order: Sequence[AxisKey]
) -> tuple[dict[str, Column], tuple[Axis, ...]]:
    """The pinned columns, and the axes in this order."""
    base = {name: column for name, (column, key) in chosen.items() if key is None}
    groups: dict[AxisKey, list[Column]] = {key: [] for key in order}
    for column, key in chosen.values():
        if key is not None:
            groups[key].append(column)
    return base, tuple(Axis(tuple(columns), str(key[0])) for key, columns in groups.items() if columns)

"""Job text -> Manifest: shape, sources, combinations; all that is wrong is said at once."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from batchgen import __version__
from batchgen.errors import UsageError, nearest
from batchgen.manifest.axes import Column, ColumnReader, pinned
from batchgen.manifest.checks import CombinationCheck
from batchgen.manifest.entries import Common, EntryReader
from batchgen.manifest.manifest import Manifest
from batchgen.manifest.overrides import effective, override
from batchgen.manifest.paths import PathTemplate, safe_name
from batchgen.manifest.reading.problems import Problems
from batchgen.manifest.reading.reader import load
from batchgen.manifest.reading.schema import JobShape, PromptShape, TaskShape
from batchgen.manifest.reading.wording import shape_problems
from batchgen.manifest.seeds import DerivedSeed
from batchgen.manifest.settings import provider_settings
from batchgen.manifest.sources import MATRIX_KEYS, PLURALS, Source, SourceReader
from batchgen.manifest.variables import VariableReader, variable_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from batchgen.manifest.prompts import Prompt
    from batchgen.manifest.reading.document import Document, Path
    from batchgen.manifest.reading.table import Lines
    from batchgen.manifest.settings import ProviderSettings
    from batchgen.model import InputImage


MOST_TASKS = 10**12
ENTRIES = ("prompts", "tasks")
NOT_OF_TASKS = {"name", "limits", "retry", "schedule"}
NOT_OF_TASKS_OF_PROVIDER = {"url", "api_key_env", "rate_limit", "margin", "concurrency", "timeout", "prices"}
"""Keys of a job, and of its provider, that change no task."""
OTHERS_NEED = (("provider", "models"), ("provider", "kind"), ("presets",), ("vars",))
"""Where one of these can't be read, what refers to it would seem wrong too."""
WITH_FIELDS = {"skip_invalid", "defaults", "presets", "sweep", *ENTRIES}
WITHOUT_A_SAY = {"seed", "aspect_ratio", "output_format", "style_preset", "id", "file", "repeat"}
"""Where one of the others can't be read, fields would seem not to go together."""


def no_files(path: str) -> Iterator[str]:
    """For a job that names no data file."""
    raise ValueError(f"{path} can't be read here; no files are given")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """All that a job takes from outside its text."""

    environment: Mapping[str, str] = field(repr=False)
    inspect_image: Callable[[str], InputImage]
    """Reads the input image at a path of the job; ValueError says why it can't be used."""
    stamps: Mapping[str, str]
    """The `date` and `run` of a path."""
    lines: Lines = no_files
    """Reads the data file at a path of the job, line by line."""
    provider: str | None = None
    """A kind of provider in place of the job's."""
    overrides: Sequence[str] = ()
    """`key=value` in place of the job's own values."""


def build(data: bytes, file: str, surroundings: Surroundings) -> Manifest:
    """The manifest of a job's bytes; ManifestError says everything that is wrong with them."""
    document = load(data, file, surroundings.environment)
    surroundings = replace(surroundings, lines=(noted := _Noted(surroundings.lines)))
    problems = Problems(document, surroundings.lines)
    try:
        override(document, surroundings.overrides)
    except UsageError:
        problems.check()  # a job that can't be read is no place for a setting
        raise
    job = _shape(document, problems)
    return _Builder(document, job, surroundings, problems).manifest(data, noted)


class _Noted:
    """Data files as they are read, and what they held as a digest."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.held = sha256()

    def __call__(self, path: str) -> Iterator[str]:
        for line in self._lines(path):
            self.held.update(line.encode())
            yield line


def _shape(document: Document, problems: Problems) -> JobShape:
    """The job's shape; what is wrong with it is noted and left out, so that the rest can be looked at too."""
    unread = list(document.stand_ins())
    wrong: list[Path] = []
    try:
        job = JobShape.model_validate(document.values)
    except ValidationError as error:
        for problem in shape_problems(error, document):
            problems.note(problem)
        wrong = [each["loc"] for each in error.errors(include_url=False, include_input=False)]
    needed = [*wrong, *(place for place in unread if place[:2] == ("provider", "models"))]
    if not all(needed) or any(place[: len(each)] == each for place in needed for each in OTHERS_NEED):
        problems.check()
    if wrong:
        job = JobShape.model_validate(_without(document.values, wrong))
    return job.model_copy(update={"skip_invalid": True}) if any(map(_has_a_say, [*unread, *wrong])) else job


def _without(values: Mapping[str, Any], wrong: Sequence[Path]) -> dict[str, Any]:
    """A job's values without the wrong ones: keys of the job, of its provider and of its entries."""
    left = {key: copy(each) for key, each in values.items()}
    for place in wrong:
        match place:
            case ("prompts" | "tasks" as key, int() as number, *inner):
                left[key][number] = _entry_without(left[key][number], inner)
            case ("provider", str() as inner, *_):  # its other keys may name models
                left["provider"].pop(inner, None)
            case (str() as key, *_):
                left.pop(key, None)
    return left


def _entry_without(entry: Any, inner: Sequence[str | int]) -> dict[str, Any]:
    """An entry without the key that `inner` begins with; one that is left without a prompt gets some text for it."""
    if not isinstance(entry, dict) or not inner:
        return {"prompt": "left out"}
    if inner[0] in {"prompt", "file"}:
        return {**entry, inner[0]: None, "prompt": "left out"}
    return {key: each for key, each in entry.items() if key != inner[0]} if inner[0] in entry else entry


def _has_a_say(place: Path) -> bool:
    """Does the value here say which fields go together, so that without it others may seem not to?"""
    names = {PLURALS.get(str(part), str(part)) for part in place}
    return place[0] in WITH_FIELDS and (names.isdisjoint(WITHOUT_A_SAY) or not names.isdisjoint(MATRIX_KEYS))


class _Builder:
    """Reads one job, collecting problems as it goes."""

    def __init__(self, document: Document, job: JobShape, surroundings: Surroundings, problems: Problems) -> None:
        self._document = document
        self._job = job
        self._surroundings = surroundings
        self._problems = problems
        self._images: dict[str, InputImage] = {}

    def manifest(self, data: bytes, noted: _Noted) -> Manifest:
        settings = provider_settings(self._job.provider, self._surroundings.provider, self._problems)
        prompts = self._prompts(settings)
        self._check_ids()
        total = sum(prompt.count for prompt in prompts)
        if total > MOST_TASKS:
            self._problems.add((), f"the job makes {total:,} tasks", f"accepted: up to {MOST_TASKS:,}")
        if all(self._document.values.get(name) is None for name in ENTRIES):
            self._problems.add((), "no prompts", "add prompts: with a list of texts")
        elif total == 0 and not self._problems.found:
            self._problems.add((), "nothing is left to make", "exclude less")
        self._problems.check()
        return Manifest(
            file=self._document.file,
            name=safe_name(self._job.name or PurePosixPath(self._document.file).stem),
            seed_root=self._job.seed_root,
            seed_mode=self._job.seed_mode,
            settings=settings,
            limits=self._job.limits,
            retry=self._job.retry,
            prompts=tuple(prompts),
            images=self._images,
            stamps=self._surroundings.stamps,
            source=effective(self._document, data, self._surroundings.provider, self._surroundings.overrides),
            digest=self._digest(noted),
            warnings=tuple(self._document.warnings),
            places=self._document.places,
        )

    def _digest(self, noted: _Noted) -> str:
        """Of all that tasks are made of: the values with what was put into them, data files, images, the code."""
        images = {path: image.sha256 for path, image in self._images.items()}
        values = {key: value for key, value in self._document.values.items() if key not in NOT_OF_TASKS}
        if isinstance(provider := values.get("provider"), dict):
            values["provider"] = {key: value for key, value in provider.items() if key not in NOT_OF_TASKS_OF_PROVIDER}
        held = (__version__, self._surroundings.provider, values, images, noted.held.hexdigest())
        return sha256(repr(held).encode("utf-8", "surrogatepass")).hexdigest()

    def _prompts(self, settings: ProviderSettings) -> list[Prompt]:
        common = self._common(settings)
        reader = EntryReader(common, self._problems)
        found = [reader.prompt(("prompts", number), shape) for number, shape in enumerate(self._job.prompts)]
        found += [reader.task(("tasks", number), shape) for number, shape in enumerate(self._job.tasks)]
        self._check_path([prompt for prompt in found if prompt is not None], common.path)
        for entry in (*common.sweep.excludes, *common.own_excludes):
            if entry.path not in common.matched:
                self._problems.warn(entry.path, "this exclude matches no combination", "remove or mend it")
        return [prompt for prompt in found if prompt is not None]

    def _common(self, settings: ProviderSettings) -> Common:
        job, capabilities = self._job, settings.provider.capabilities
        columns = ColumnReader(self._problems)
        reader = SourceReader(self._problems, capabilities.parameters, variable_names(job), columns)
        variables = VariableReader(self._problems, columns, self._surroundings.lines)
        built_in = Source()
        built_in.pin(pinned("model", capabilities.parameters["model"].default, "built-in", ()))
        built_in.pin(pinned("seed", DerivedSeed(0), "built-in", ()))
        return Common(
            parameters=capabilities.parameters,
            reader=reader,
            built_in=built_in,
            defaults=reader.pins("defaults", ("defaults",), job.defaults),
            vars=variables.read(job.vars, capabilities.parameters),
            sweep=reader.sweep("sweep", ("sweep",), job.sweep),
            presets={
                name: reader.pins(f"preset {name}", ("presets", name), fields) for name, fields in job.presets.items()
            },
            repeat=job.repeat,
            path=self._path(),
            check=CombinationCheck(capabilities, self._problems, job.vars, skip_invalid=job.skip_invalid),
            lines=self._surroundings.lines,
            read_images=self._read_images,
            own_excludes=[],
            matched=set(),
        )

    def _path(self) -> PathTemplate | None:
        if self._job.output.path is None:
            return None
        try:
            return PathTemplate.read(self._job.output.path)
        except ValueError as error:
            self._problems.add_said(("output", "path"), error)
            return None

    def _read_images(self, column: Column) -> None:
        for position, value in enumerate(column.values):
            if not isinstance(value, str) or value in self._images:
                continue
            try:
                self._images[value] = self._surroundings.inspect_image(value)
            except ValueError as error:
                self._problems.add_said(column.place(position), error)

    def _check_path(self, prompts: Sequence[Prompt], path: PathTemplate | None) -> None:
        known = {*self._job.vars, *(name for prompt in prompts for block, _ in prompt.blocks() for name in block.names)}
        for name in path.variables if path else ():
            if name not in known:
                hint = nearest(name, known)
                accepted = f"{hint} define it under vars".strip()
                self._problems.add(("output", "path"), f"{{vars.{name}}} names no variable of the job", accepted)

    def _check_ids(self) -> None:
        first: dict[str, str] = {}
        entries: tuple[tuple[str, list[PromptShape | TaskShape]], ...]
        entries = (("prompts", [*self._job.prompts]), ("tasks", [*self._job.tasks]))
        for base, shapes in entries:
            for number, shape in enumerate(shapes):
                if (
                    shape.id is not None
                    and (other := first.setdefault(shape.id, f"{base}[{number}]")) != f"{base}[{number}]"
                ):
                    self._problems.add(
                        (base, number, "id"), f"the id {shape.id!r} stands at {other} too", "ids are unique"
                    )

"""Job text -> Manifest: shape, values, precedence, capabilities; all that is wrong is said at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from batchgen.errors import nearest
from batchgen.manifest.axes import Axis, AxisReader
from batchgen.manifest.document import read
from batchgen.manifest.identity import canonical, short_digest
from batchgen.manifest.manifest import Manifest, Prompt, ProviderSettings
from batchgen.manifest.paths import DEFAULT, DEFAULT_SPLIT, SPLIT_ABOVE, PathTemplate, safe_name, slug
from batchgen.manifest.schema import JobShape, PromptShape
from batchgen.manifest.wording import shape_problems, unknown_key
from batchgen.providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchgen.errors import Problem
    from batchgen.manifest.document import Document, Path
    from batchgen.model import InputImage
    from batchgen.providers.conversation import Provider

# Kinder spellings of the axes that are swept most, each for the API's own name.
PLURALS = {
    "seeds": "seed",
    "styles": "style_preset",
    "ratios": "aspect_ratio",
    "models": "model",
    "strengths": "strength",
    "formats": "output_format",
}
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """All that a job takes from outside its text."""

    environment: Mapping[str, str]
    inspect_image: Callable[[str], InputImage]
    """Reads the input image at a path of the job; ValueError says why it can't be used."""
    stamps: Mapping[str, str]
    """The `date` and `run` of a path."""
    provider: str | None = None
    """A kind of provider in place of the job's."""


def build(data: bytes, file: str, surroundings: Surroundings) -> Manifest:
    """The manifest of a job's bytes; ManifestError says everything that is wrong with them."""
    document = read(data, file, surroundings.environment)
    try:
        shape = JobShape.model_validate(_without_empty_keys(document.values))
    except ValidationError as error:
        raise document.error(shape_problems(error, document)) from None
    return _Builder(document, shape, surroundings).manifest(data)


def _without_empty_keys(values: Any) -> Any:
    return {key: value for key, value in values.items() if value is not None} if isinstance(values, dict) else values


class _Builder:
    """Reads one job, collecting problems as it goes."""

    def __init__(self, document: Document, job: JobShape, surroundings: Surroundings) -> None:
        self._document = document
        self._job = job
        self._surroundings = surroundings
        self._problems: list[Problem] = []
        self._images: dict[str, InputImage] = {}
        self._provider = self._chosen_provider()
        self._parameters = {
            name: each for name, each in self._provider.capabilities.parameters.items() if name != "prompt"
        }

    def manifest(self, data: bytes) -> Manifest:
        settings = self._settings()
        prompts = tuple(self._prompt(number, shape) for number, shape in enumerate(self._job.prompts))
        self._check_ids(prompts)
        if self._problems:
            raise self._document.error(list(dict.fromkeys(self._problems)))
        return Manifest(
            file=self._document.file,
            name=self._name(),
            seed_root=self._job.seed_root,
            settings=settings,
            prompts=prompts,
            images=self._images,
            stamps=self._surroundings.stamps,
            source=data,
            warnings=tuple(self._document.warnings),
        )

    def _wrong(self, path: Path, cause: str, accepted: str = "", *, key: bool = False) -> None:
        self._problems.append(self._document.problem(path, cause, accepted, key=key))

    def _name(self) -> str:
        return safe_name(self._job.name or PurePosixPath(self._document.file).stem)

    # The provider

    def _chosen_provider(self) -> Provider:
        kind = self._surroundings.provider or self._job.provider.kind
        if kind not in PROVIDERS:
            accepted = f"{nearest(kind, PROVIDERS)} accepted: {', '.join(PROVIDERS)}".strip()
            path = ("provider", "kind") if ("provider", "kind") in self._document.places else ("provider",)
            self._wrong(path, f"unknown provider {kind!r}", accepted)
        return PROVIDERS.get(kind, PROVIDERS["gateway"])

    def _settings(self) -> ProviderSettings:
        spec, provider = self._job.provider, self._provider
        own = self._surroundings.provider in {None, spec.kind}  # another kind has another address and another key
        if own and spec.url is not None:
            self._check_url(spec.url)
        return ProviderSettings(
            provider=provider,
            url=(own and spec.url) or provider.url,
            api_key_env=(own and spec.api_key_env) or provider.api_key_env,
            windows=provider.windows if spec.rate_limit is None else spec.rate_limit,
            concurrency=spec.concurrency,
            timeout_s=spec.timeout,
        )

    def _check_url(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            parts, host = urlsplit(""), None
        if not host or parts.scheme not in {"http", "https"} or parts.username or parts.password:
            self._wrong(("provider", "url"), f"{url!r} is not the address of an API", "accepted: https://host/path")
        elif parts.scheme == "http" and host not in LOOPBACK:
            self._wrong(
                ("provider", "url"), "http would send the key in the clear", "use https; http is for this machine"
            )

    # One prompt

    def _prompt(self, number: int, shape: PromptShape) -> Prompt:
        path: Path = ("prompts", number)
        try:
            self._provider.capabilities.parameters["prompt"].text(shape.prompt.strip() and shape.prompt)
        except ValueError as error:
            self._wrong(path, f"a prompt of {len(shape.prompt.strip())} characters", str(error))
        prompt_slug = slug(shape.prompt)
        prompt_id = shape.id or f"{prompt_slug}-{short_digest(shape.prompt)[:6]}"
        axes = self._axes(path, shape, prompt_id)
        self._check_combinations(axes)
        prompt = Prompt(
            id=prompt_id,
            slug=prompt_slug,
            text=shape.prompt,
            axes=axes,
            repeat=shape.repeat or self._job.repeat,
            path=PathTemplate(()),
        )
        return self._with_path(prompt)

    def _with_path(self, prompt: Prompt) -> Prompt:
        given = self._job.output.path
        default = DEFAULT_SPLIT if prompt.count > SPLIT_ABOVE else DEFAULT
        try:
            template = PathTemplate.read(given if given is not None else default)
        except ValueError as error:
            cause, _, accepted = str(error).partition("; ")
            self._wrong(("output", "path"), cause, accepted)
            return prompt
        return Prompt(
            id=prompt.id, slug=prompt.slug, text=prompt.text, axes=prompt.axes, repeat=prompt.repeat, path=template
        )

    def _axes(self, path: Path, shape: PromptShape, prompt_id: str) -> tuple[Axis, ...]:
        """Every field's axis, from the least to the most specific source; a more specific one takes its place."""
        reader = AxisReader(self._document, self._problems, self._seed_key(prompt_id))
        sources = (
            ("built-in", (), {"model": self._provider.capabilities.parameters["model"].default, "seed": {"random": 1}}),
            ("defaults", ("defaults",), self._job.defaults),
            ("sweep", ("sweep",), self._job.sweep),
            ("prompt", path, dict(shape.model_extra or {})),
            ("prompt's sweep", (*path, "sweep"), shape.sweep),
        )
        axes: dict[str, Axis] = {}
        swept = {PLURALS.get(key, key) for key in self._job.sweep}
        for origin, base, specs in sources:
            for name, (key, spec) in self._named(origin, base, specs).items():
                if origin in {"defaults", "prompt"} and isinstance(spec, list | dict):
                    self._wrong((*base, key), f"{key} is pinned here, to one value", "put several under sweep")
                    continue
                axis = reader.read(self._parameters[name], spec, origin, (*base, key))
                if origin == "sweep" or (origin == "prompt's sweep" and name not in swept):
                    axes.pop(name, None)  # the order of a sweep's keys is the order of its axes
                axes[name] = axis
        self._read_images(axes.get("image"))
        return tuple(axes.values())

    def _named(self, origin: str, base: Path, specs: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
        """Each parameter's key and value in one source; unknown and doubled keys are problems."""
        found: dict[str, tuple[str, Any]] = {}
        for key, spec in specs.items():
            name = PLURALS.get(key, key)
            if name not in self._parameters:
                self._unknown(origin, (*base, key))
            elif name in found:
                self._wrong((*base, key), f"{key} and {found[name][0]} are one axis", "keep one of them", key=True)
            else:
                found[name] = (key, spec)
        return found

    def _unknown(self, origin: str, path: Path) -> None:
        if origin == "prompt":
            self._problems.append(unknown_key(self._document, path, PromptShape, tuple(self._parameters)))
            return
        known = [*self._parameters, *PLURALS]
        accepted = f"{nearest(str(path[-1]), known)} accepted: {', '.join(self._parameters)}".strip()
        self._wrong(path, f"unknown parameter {path[-1]!r}", accepted, key=True)

    def _seed_key(self, prompt_id: str) -> str | None:
        match self._job.seed_mode:
            case "shared":
                return canonical([self._job.seed_root, "shared"])
            case "per_prompt":
                return canonical([self._job.seed_root, "per_prompt", prompt_id])
        return None

    def _read_images(self, axis: Axis | None) -> None:
        for number, value in enumerate(axis.values if axis else ()):
            if not isinstance(value, str) or value in self._images:
                continue
            try:
                self._images[value] = self._surroundings.inspect_image(value)
            except ValueError as error:
                cause, _, accepted = str(error).partition("; ")
                self._wrong(_place_of(axis, number), cause, accepted)

    # What holds between fields

    def _check_combinations(self, axes: tuple[Axis, ...]) -> None:
        """Checks one combination for each way in which the fields' presence, the model and the mode can meet.

        Whether fields go together depends on nothing else, so a million seeds cost no more than one.
        """
        if any(not axis.values for axis in axes):
            return
        for chosen in product(*(_representatives(axis) for axis in axes)):
            fields = {axis.name: str(value) for axis, (_, value) in zip(axes, chosen, strict=True) if value is not None}
            for misfit in self._provider.capabilities.misfits(fields):
                axis, (number, _) = next(
                    pair for pair in zip(axes, chosen, strict=True) if pair[0].name == misfit.field
                )
                self._wrong(_place_of(axis, number), misfit.cause, misfit.accepted)

    def _check_ids(self, prompts: tuple[Prompt, ...]) -> None:
        first: dict[str, int] = {}
        for number, (prompt, shape) in enumerate(zip(prompts, self._job.prompts, strict=True)):
            if shape.id is not None and prompt.id in first:
                path = ("prompts", number, "id")
                self._wrong(path, f"the id {prompt.id!r} stands at prompts[{first[prompt.id]}] too", "ids are unique")
            first.setdefault(prompt.id, number)


def _representatives(axis: Axis) -> list[tuple[int, Any]]:
    """The values that matter for what goes together: each model and mode; of other fields one sent, one left out."""
    if axis.name in {"model", "mode"}:
        return list(enumerate(axis.values))
    sent = next(((number, value) for number, value in enumerate(axis.values) if value is not None), None)
    left_out = next(((number, value) for number, value in enumerate(axis.values[:1000]) if value is None), None)
    return [each for each in (sent, left_out) if each is not None]


def _place_of(axis: Axis | None, number: int) -> Path:
    return (*axis.path, number) if axis else ()

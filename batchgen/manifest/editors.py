"""The JSON Schema of a job, for editors that complete and check YAML as it is written (draft-07, what they all read).

Keys, types, bounds, words and forms are those of the parser's own shapes and of the provider's table. Only what the
shapes leave to `build` is put together here: fields, axes and what stands in an entry. It accepts a little more than
the parser: what depends on several values at once or on more than the job's text (does a model take a style? is there
such a file, a preset, a variable, a time zone?) and what a value comes to (how many seeds a range holds) is said by
`batchgen validate`. What it refuses, the parser refuses; one table of cases holds both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchgen.manifest.axes import RANGE
from batchgen.manifest.reading import schema as shapes
from batchgen.manifest.sources import MATRIX_KEYS, PLURALS
from batchgen.providers import PROVIDERS
from batchgen.providers.capabilities import Choice, Number, Text, Whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from batchgen.providers.capabilities import Parameter

Schema = dict[str, Any]

NULL: Schema = {"type": "null"}
REFERENCE: Schema = {"type": "string", "pattern": r"\$\{[A-Za-z_]"}
"""A value that comes from the environment."""
RANGED: Schema = {"type": "string", "pattern": f"^{RANGE}$"}
VALUE: Schema = {"type": ["string", "number", "boolean", "null"]}
TEMPLATE_NAME = "^[A-Za-z_][A-Za-z0-9_-]*$"
PATH_NOTE = (
    "Tokens: {name} {prompt_id} {prompt_slug} {model} {aspect_ratio} {seed} {strength} {style_preset} {repeat} {index} "
    "{date} {run} {vars.NAME} {id:12} .{ext}"
)

NOTES = {
    "model": "Which model paints; see batchgen models.",
    "mode": "Follows from image; need not be given.",
    "image": "The input of image-to-image; its path is relative to the job.",
    "strength": "How far image-to-image leaves its input: 0 keeps it, 1 is as if there were none.",
    "negative_prompt": "What the picture should not show.",
    "seed": "0 lets the server choose; none given: one derived from seed_root.",
    "aspect_ratio": "Width to height; need not be quoted.",
    "output_format": "png or jpeg.",
    "style_preset": "A look; sd-core only.",
    "name": "Default: the file's stem. Pictures go to output/<name>.",
    "seed_root": "Every derived seed comes from it.",
    "skip_invalid": "Leave out what a model can't take, and count it.",
    "api_key_env": "The name of a variable, never a key.",
    "prompt": "{{name}} is the value of a variable.",
    "id": "A name that stays the same.",
    "file": "A txt, csv, tsv, json or jsonl file; its columns are fields or variables.",
    "zip": "Groups of equally long lists that advance together.",
    "path": PATH_NOTE,
    "include": "Added to each combination it does not overwrite, else a new one.",
    "exclude": "Cuts out every combination that it matches.",
}


def job_schema() -> Schema:
    """The schema of a whole job."""
    known = PROVIDERS["gateway"].capabilities.parameters
    parameters = {name: each for name, each in known.items() if name != "prompt"}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "batchgen job",
        "description": "A job of batchgen: prompts and sweeps that become a folder of pictures.",
        **_job(),
        "definitions": {
            "axis": _axis(VALUE, "spaced"),
            "random": _shape(shapes.RandomSeeds),
            "spaced": _any(
                _shape(shapes.Range, range=_shape(shapes.Bounds)),
                _shape(shapes.Linspace, linspace=_shape(shapes.EvenBounds)),
            ),
            "fields": _fields(parameters),
            "group": _group(parameters),
            "sweep": _sweep(parameters),
            "prompt": _any(_text(known["prompt"]), _prompt(known)),
            "task": _entry(shapes.TaskShape, known) | {"required": ["prompt"]},
        },
    }


# Shapes of the parser


def _shape(shape: type[BaseModel], /, **inner: Schema) -> Schema:
    """A shape as pydantic describes it, with the schemas of what stands in it; null is as if a key were not there."""
    found = shape.model_json_schema()
    required = found.get("required", [])
    properties = {name: inner[name] if name in inner else _scalar(each) for name, each in found["properties"].items()}
    return {
        "type": "object",
        "properties": {
            name: _noted(name, each if name in required else _any(each, NULL)) for name, each in properties.items()
        },
        "additionalProperties": found.get("additionalProperties", True),
        **({"required": required} if required else {}),
    }


def _scalar(found: Schema) -> Schema:
    """A value's schema without pydantic's names and defaults; where not any text will do, a reference does too."""
    forms = [
        {key: each for key, each in form.items() if key not in {"title", "default"}}
        for form in found.get("anyOf", [found])
    ]
    return _any(*forms) if {"type": "string"} in forms else _any(*forms, REFERENCE)


def _any(*several: Schema) -> Schema:
    """Any of these, each said once."""
    forms: list[Schema] = []
    for each in several:
        forms += [form for form in (each["anyOf"] if each.keys() == {"anyOf"} else [each]) if form not in forms]
    return forms[0] if len(forms) == 1 else {"anyOf": forms}


def _noted(name: str, schema: Schema) -> Schema:
    return {"description": NOTES[name], **schema} if name in NOTES and "$ref" not in schema else schema


def _reference(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _by_name(each: Schema, **more: Any) -> Schema:
    """A mapping whose keys its author chooses."""
    return {"type": "object", "additionalProperties": each, **more}


def _given(name: str) -> Schema:
    """This key stands there, and with a value."""
    return {"required": [name], "properties": {name: {"not": NULL}}}


def _job() -> Schema:
    parameters = PROVIDERS["gateway"].capabilities.parameters
    free = {"not": {"enum": [*parameters, *PLURALS]}, "pattern": TEMPLATE_NAME}
    found = _shape(
        shapes.JobShape,
        provider=_any({"enum": list(PROVIDERS)}, REFERENCE, _provider()),
        limits=_shape(shapes.LimitsShape),
        retry=_shape(shapes.RetryShape),
        defaults=_reference("fields"),
        presets=_by_name(_reference("fields")),
        vars=_by_name(_any(_reference("axis"), _file_list()), propertyNames=free),
        sweep=_reference("sweep"),
        prompts={"type": "array", "minItems": 1, "items": _reference("prompt")},
        tasks={"type": "array", "minItems": 1, "items": _reference("task")},
        output=_shape(shapes.OutputShape, path={"type": "string", "pattern": r"\.\{ext\}$"}),
        schedule=_shape(shapes.ScheduleShape),
    )
    return found | {"anyOf": [_given("prompts"), _given("tasks")]}


def _provider() -> Schema:
    price = _shape(shapes.PriceShape) | {"oneOf": [_given("credits"), _given("usd")]}
    return _shape(
        shapes.ProviderShape,
        kind=_any({"enum": list(PROVIDERS)}, REFERENCE),
        models=_by_name(_shape(shapes.ModelShape)),
        prices=_shape(shapes.PricesShape) | {"additionalProperties": price},
    )


def _file_list() -> Schema:
    text = {"type": "string"}
    properties = {"file": text, "column": text}
    return {"type": "object", "properties": properties, "required": ["file"], "additionalProperties": False}


# Fields, axes and entries


def _fields(parameters: Mapping[str, Parameter]) -> Schema:
    """Fields of one value each, in both spellings, and variables."""
    return {
        "type": "object",
        "properties": _spelt("fields", {name: _noted(name, _value(each)) for name, each in parameters.items()}),
        "additionalProperties": VALUE,
        "propertyNames": {"not": {"const": "prompt"}},
    }


def _group(parameters: Mapping[str, Parameter]) -> Schema:
    """Fields and variables of several values each."""
    axes = {name: _noted(name, _axis(_value(each), *_generated(each))) for name, each in parameters.items()}
    return {
        "type": "object",
        "properties": _spelt("group", axes),
        "additionalProperties": _reference("axis"),
        "propertyNames": {"not": {"const": "prompt"}},
    }


def _spelt(home: str, properties: Schema) -> Schema:
    """Properties of the definition `home` by both of their names."""
    return {**properties, **{plural: _at_home(home, name) for plural, name in PLURALS.items()}}


def _at_home(home: str, name: str) -> Schema:
    return _reference(f"{home}/properties/{name}")


def _generated(parameter: Parameter) -> tuple[str, ...]:
    """What may stand for many values of a field at once."""
    if not isinstance(parameter, Whole | Number):
        return ()
    return ("random", "spaced") if parameter.name == "seed" else ("spaced",)


def _axis(value: Schema, *generated: str) -> Schema:
    items = _any(value, *([RANGED] if generated else []), *map(_reference, generated))
    return _any(items, {"type": "array", "items": items, "minItems": 1})


def _sweep(parameters: Mapping[str, Parameter]) -> Schema:
    found = _group(parameters)
    entry = {"allOf": [_reference("fields")], "minProperties": 1}
    matrix = {name: _noted(name, _any({"type": "array", "items": entry}, NULL)) for name in MATRIX_KEYS}
    return found | {"properties": {name: _at_home("group", name) for name in found["properties"]} | matrix}


def _value(parameter: Parameter) -> Schema:
    """One value of a field; null leaves it out."""
    match parameter:
        case Choice(name="model", options=options):
            return _any({"enum": list(options)}, {"type": "string"})  # a job may add models of its own
        case Choice(options=options):
            return _any({"enum": [*options, None]}, REFERENCE)
        case Whole(low=low, high=high):
            return _any({"type": "integer", "minimum": low, "maximum": high}, NULL, REFERENCE)
        case Number(low=low, high=high):
            return _any({"type": "number", "minimum": low, "maximum": high}, NULL, REFERENCE)
        case Text(most=most):
            return {**VALUE, "minLength": 1, "maxLength": most}
        case _:
            return _any({"type": "string", "minLength": 1}, NULL)


def _text(parameter: Parameter) -> Schema:
    """A prompt: whatever stands there is read as text, null and true too."""
    return _noted("prompt", {**_value(parameter), "pattern": r"\S"})


def _entry(shape: type[BaseModel], parameters: Mapping[str, Parameter], **inner: Schema) -> Schema:
    """An entry's own keys, and beside them fields and variables."""
    found = _shape(shape, prompt=_text(parameters["prompt"]), **inner)
    fields = _fields({name: each for name, each in parameters.items() if name != "prompt"})
    return found | {
        "properties": {name: _at_home("fields", name) for name in fields["properties"]} | found["properties"],
        "additionalProperties": fields["additionalProperties"],
    }


def _prompt(parameters: Mapping[str, Parameter]) -> Schema:
    groups = {"type": "array", "items": _reference("group")}
    found = _entry(shapes.PromptShape, parameters, zip=groups, sweep=_reference("sweep"))
    return found | {"anyOf": [{"required": ["prompt"]}, _given("file")]}

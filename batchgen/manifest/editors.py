"""The JSON Schema of a job, for editors that complete and check YAML as it is written (draft-07, what they all read).

It knows the same names and tables as the parser, which a test holds it to. It accepts a little more: what depends on
several values at once, such as whether a model takes a style, is said by `batchgen validate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchgen.manifest.sources import PLURALS
from batchgen.providers import PROVIDERS
from batchgen.providers.capabilities import Choice, Number, Text, Whole

if TYPE_CHECKING:
    from batchgen.providers.capabilities import Parameter

Schema = dict[str, Any]

REFERENCE: Schema = {"type": "string", "pattern": r"\$\{[A-Za-z_]"}
"""A value that comes from the environment."""
RANGE: Schema = {"type": "string", "pattern": r"^[-+]?[0-9.]+\.\.[-+]?[0-9.]+(:[-+]?[0-9.]+)?$"}
DURATION: Schema = {"type": ["string", "number"], "pattern": r"^[0-9.]+\s*(ms|s|m|h|d)$|\$\{"}
WINDOW: Schema = {"type": "string", "pattern": r"^[0-9]+\s*/\s*[0-9.]*\s*(ms|s|m|h|d)$|^(none|unknown)$|\$\{"}
VALUE: Schema = {"type": ["string", "number", "boolean", "null"]}
PATH_NOTE = (
    "Tokens: {name} {prompt_id} {prompt_slug} {model} {aspect_ratio} {seed} {strength} {style_preset} {repeat} {index} "
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
}


def job_schema() -> Schema:
    """The schema of a whole job."""
    parameters = {name: each for name, each in PROVIDERS["gateway"].capabilities.parameters.items() if name != "prompt"}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "batchgen job",
        "description": "A job of batchgen: prompts and sweeps that become a folder of pictures.",
        "type": "object",
        "additionalProperties": False,
        "anyOf": [{"required": ["prompts"]}, {"required": ["tasks"]}],
        "properties": _job_properties(),
        "definitions": {
            "value": VALUE,
            "generated": _generated(),
            "axis": _axis(VALUE),
            "sweep": _sweep(parameters),
            "fields": _object({name: _noted(name, _value(each)) for name, each in parameters.items()}, more=VALUE),
            "prompt": _prompt(parameters),
            "task": _task(parameters),
        },
    }


def _object(properties: Schema, *, more: Schema | bool = False, required: tuple[str, ...] = ()) -> Schema:
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": more}
    return found | ({"required": list(required)} if required else {})


def _reference(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _or_reference(schema: Schema) -> Schema:
    return {"anyOf": [schema, REFERENCE]}


def _noted(name: str, schema: Schema) -> Schema:
    return {"description": NOTES[name], **schema} if name in NOTES else schema


def _value(parameter: Parameter) -> Schema:
    match parameter:
        case Choice(name="model", options=options):
            return {"anyOf": [{"enum": list(options)}, {"type": "string"}]}
        case Choice(options=options):
            return {"anyOf": [{"enum": [*options, None]}, REFERENCE]}
        case Whole(low=low, high=high):
            return {"anyOf": [{"type": "integer", "minimum": low, "maximum": high}, {"type": "null"}, REFERENCE]}
        case Number(low=low, high=high):
            return {"anyOf": [{"type": "number", "minimum": low, "maximum": high}, {"type": "null"}, REFERENCE]}
        case Text(most=most):
            return {"type": ["string", "number", "boolean", "null"], "maxLength": most}
        case _:
            return {"type": ["string", "null"]}


def _axis(value: Schema, *, ranged: bool = True) -> Schema:
    items = {"anyOf": [value, *([RANGE, _reference("generated")] if ranged else [])]}
    return {"anyOf": [*items["anyOf"], {"type": "array", "items": items, "minItems": 1}]}


def _generated() -> Schema:
    number = {"type": "number"}
    step = _object({"from": number, "to": number, "step": number}, required=("from", "to"))
    count = _object({"from": number, "to": number, "count": {"type": "integer"}}, required=("from", "to", "count"))
    return {
        "anyOf": [
            _object({"random": {"type": "integer", "minimum": 1}}, required=("random",)),
            _object({"range": step}, required=("range",)),
            _object({"linspace": count}, required=("linspace",)),
        ]
    }


def _sweep(parameters: dict[str, Parameter]) -> Schema:
    axes = {
        name: _noted(name, _axis(_value(each), ranged=isinstance(each, Whole | Number)))
        for name, each in parameters.items()
    }
    plurals = {plural: axes[name] for plural, name in PLURALS.items()}
    entries = {"type": "array", "items": _reference("fields")}
    matrix = {
        "include": {"description": "Added to each combination it does not overwrite, else a new one.", **entries},
        "exclude": {"description": "Cuts out every combination that it matches.", **entries},
    }
    return _object({**axes, **plurals, **matrix}, more=_reference("axis"))


def _entry(parameters: dict[str, Parameter]) -> Schema:
    text = {"type": ["string", "number", "boolean", "null"], "description": "{{name}} is the value of a variable."}
    return {
        "prompt": text,
        "id": {"type": "string", "minLength": 1, "maxLength": 100, "description": "A name that stays the same."},
        "preset": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "repeat": _or_reference({"type": "integer", "minimum": 1, "maximum": 1_000_000}),
        **{name: _noted(name, _value(each)) for name, each in parameters.items()},
        **{plural: _value(parameters[name]) for plural, name in PLURALS.items()},
    }


def _prompt(parameters: dict[str, Parameter]) -> Schema:
    lists = {"type": "object", "additionalProperties": _reference("axis")}
    properties = {
        **_entry(parameters),
        "file": {
            "type": "string",
            "description": "A txt, csv, tsv, json or jsonl file; its columns are fields or variables.",
        },
        "zip": {"type": "array", "items": lists, "description": "Groups of equally long lists that advance together."},
        "sweep": _reference("sweep"),
    }
    written = {"type": ["string", "number", "boolean"]}
    entry = _object(properties, more=VALUE) | {"anyOf": [{"required": ["prompt"]}, {"required": ["file"]}]}
    return {"anyOf": [written, entry]}


def _task(parameters: dict[str, Parameter]) -> Schema:
    return _object(_entry(parameters), more=VALUE, required=("prompt",))


def _job_properties() -> Schema:
    whole = _or_reference({"type": "integer", "minimum": 1})
    amount = _or_reference({"type": "number", "exclusiveMinimum": 0})
    return {
        "version": {"const": 1},
        "name": {"type": "string", "description": "Default: the file's stem. Pictures go to output/<name>."},
        "seed_root": {"description": "Every derived seed comes from it.", **_or_reference({"type": "integer"})},
        "seed_mode": _or_reference({"enum": ["shared", "per_prompt", "per_task"]}),
        "provider": {"anyOf": [{"enum": list(PROVIDERS)}, REFERENCE, _provider()]},
        "limits": _object({"max_images": whole, "max_cost": amount}),
        "retry": _object(
            {
                "attempts": whole,
                "within": DURATION,
                "ambiguous": _or_reference({"enum": ["retry", "skip"]}),
                "paid": _or_reference({"type": "integer", "minimum": 0}),
            }
        ),
        "defaults": _reference("fields"),
        "presets": {"type": "object", "additionalProperties": _reference("fields")},
        "vars": {"type": "object", "additionalProperties": {"anyOf": [_reference("axis"), _file_list()]}},
        "sweep": _reference("sweep"),
        "repeat": _or_reference({"type": "integer", "minimum": 1, "maximum": 1_000_000}),
        "skip_invalid": {
            "description": "Leave out what a model can't take, and count it.",
            **_or_reference({"type": "boolean"}),
        },
        "prompts": {"type": "array", "minItems": 1, "items": _reference("prompt")},
        "tasks": {"type": "array", "minItems": 1, "items": _reference("task")},
        "output": _object(
            {"path": {"type": "string", "pattern": r"\.\{ext\}$", "description": PATH_NOTE + "{id:12} .{ext}"}}
        ),
        "schedule": _object(
            {
                "cron": {"type": "string"},
                "timezone": {"type": "string"},
                "catch_up": _or_reference({"enum": ["once", "none"]}),
                "overlap": _or_reference({"enum": ["skip", "wait"]}),
            },
            required=("cron",),
        ),
    }


def _file_list() -> Schema:
    return _object({"file": {"type": "string"}, "column": {"type": "string"}}, required=("file",))


def _provider() -> Schema:
    amount = {"type": "number", "exclusiveMinimum": 0}
    price = {
        "anyOf": [_object({"credits": amount}, required=("credits",)), _object({"usd": amount}, required=("usd",))]
    }
    like = _object({"like": {"type": "string"}}, required=("like",))
    return _object(
        {
            "kind": {"anyOf": [{"enum": list(PROVIDERS)}, REFERENCE]},
            "url": {"type": "string"},
            "api_key_env": {"type": "string", "description": "The name of a variable, never a key."},
            "rate_limit": {"anyOf": [WINDOW, {"type": "array", "items": WINDOW}]},
            "concurrency": {"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1}, REFERENCE]},
            "timeout": DURATION,
            "models": {"type": "object", "additionalProperties": like},
            "prices": {
                "type": "object",
                "properties": {"date": {"type": "string"}},
                "required": ["date"],
                "additionalProperties": price,
            },
        }
    )

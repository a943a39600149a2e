"""The schema for editors, the parser and the examples hold together."""

from __future__ import annotations

import inspect
import json
import re
from decimal import Decimal
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from example_jobs import FILES, FULL, SMALLEST
from job_texts import job
from jsonschema import Draft7Validator
from pydantic import BaseModel

from batchgen.errors import ManifestError
from batchgen.job import read_job
from batchgen.manifest.editors import job_schema
from batchgen.manifest.reading import schema
from batchgen.manifest.reading.reader import read
from batchgen.manifest.sources import MATRIX_KEYS, PLURALS
from batchgen.providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = job_schema()
VALIDATOR = Draft7Validator(SCHEMA)
JOBS = sorted((Path(__file__).parents[2] / "jobs").glob("*.yaml"))


class AsTheyAre(dict[str, str]):
    """An environment in which every reference is set, to itself, as an editor sees it."""

    def get(self, name: str, _default: Any = None) -> Any:
        """The reference."""
        return f"${{{name}}}"

    def __contains__(self, _name: object) -> bool:
        return True


def as_json(value: Any) -> Any:
    """A job's values as an editor has them."""
    match value:
        case Decimal():
            return float(value)
        case dict():
            return {key: as_json(each) for key, each in value.items()}
        case list():
            return [as_json(each) for each in value]
        case _:
            return value


def schema_errors(text: str | bytes) -> list[str]:
    """What an editor says of a job."""
    data = text if isinstance(text, bytes) else text.encode()
    values = as_json(read(data, "job.yaml", AsTheyAre()).values)
    return [f"{list(error.absolute_path)}: {error.message}" for error in VALIDATOR.iter_errors(values)]


def parser_accepts(text: str, files: Mapping[str, str]) -> bool:
    """Is this a job?"""
    try:
        job(text, files=files, environment={"N": "8", "FLAG": "true", "MODE": "per_task", "KIND": "sandbox"})
    except ManifestError:
        return False
    return True


def test_it_is_a_schema_of_draft_7() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"


# Jobs that are right


@pytest.mark.parametrize("text", [SMALLEST, FULL], ids=["smallest", "full"])
def test_the_examples_are_right_for_both(text: str) -> None:
    assert schema_errors(text) == []
    assert parser_accepts(text, FILES)


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.name)
def test_every_job_of_the_folder_is_right_for_both(path: Path) -> None:
    assert schema_errors(path.read_bytes()) == []
    manifest = read_job(path.read_bytes(), path.name, path.parent, run_id="r")
    assert len(manifest) > 0
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=../batchgen.schema.json\n")


def test_the_folder_has_jobs() -> None:
    assert {"quickstart.yaml", "styles.yaml"} <= {path.name for path in JOBS}


RIGHT = [
    "tasks: [{prompt: a}]",
    "prompts: [2024, true, ~x]",
    "prompts: [a]\nprovider: sandbox",
    "prompts: [a]\nprovider: {kind: sandbox, rate_limit: [150/10s, 15/s], concurrency: 8}",
    "prompts: [a]\nprovider: {rate_limit: none, concurrency: '${N}'}",
    "prompts: [a]\nprovider: {prices: {date: 2025-08, sd-core: {usd: 0.5}}}",
    "prompts: [a]\nretry: {attempts: 1, within: 1.5h, ambiguous: skip, paid: 0}",
    "prompts: [a]\nlimits: {max_cost: 0.5}",
    "prompts: [a]\nlimits: {max_cost: '${N}'}",
    "prompts: [a]\nseed_mode: per_task\nseed_root: -7\nrepeat: 1000000",
    "prompts: [a]\nsweep: {seeds: '1..4'}",
    "prompts: [a]\nsweep: {seed: [1, 2..4, {random: 3}, {range: {from: 5, to: 9, step: 2}}]}",
    "prompts: [a]\nsweep: {seed: {linspace: {from: 0, to: 10, count: 3}}}",
    "prompts: [a]\nsweep: {image: a.png, strengths: [0.2..0.8:0.2, 1, .5]}",
    "prompts: [a]\nsweep: {ratios: [~, 1:1], formats: [png, jpeg], include: [], exclude: []}",
    "prompts: [a]\nsweep: {seed: [1], include: [{seed: 2, negative_prompt: b}], exclude: [{ratios: 1:1}]}",
    "prompts: ['{{x}}']\nvars: {x: [1, b, true], y: 1..3, z: {file: names.txt}, w: {file: t.csv, column: c}}",
    "prompts: ['{{x}}']\nsweep: {x: [1, 2]}\nvars: {x: 0}",
    "prompts: ['a {{x}}']\ndefaults: {x: 1, seed: 7, aspect_ratio: ~}",
    "prompts: [{prompt: a, zip: [{seed: [1, 2], x: [b, c]}], id: i, repeat: 2}]\nvars: {x: 1}",
    "prompts: [{prompt: a, preset: p}]\npresets: {p: {models: sd-core}}",
    "prompts: [{prompt: a, preset: [p, q], seeds: 4}]\npresets: {p: {seed: 1}, q: {}}",
    "prompts: [{file: names.txt, prompt: b, aspect_ratio: 1:1}]",
    "prompts: [a]\nvars: {x: 1}\nskip_invalid: true\noutput: {path: '{name}/{vars.x}/{seed}-{id:12}.{ext}'}",
    "prompts: [a]\nschedule: {cron: '* * * * *', catch_up: none, overlap: wait}",
    "prompts: [a]\nprovider: {models: {x: {like: sd-core}}}\ndefaults: {model: x}",
    "prompts: [{prompt: a, zip: [{seed: 1, x: b}, {aspect_ratio: 1:1}]}]\nvars: {x: 1}",
    "prompts: [{prompt: a, repeat: '${N}'}]\nseed_root: ${N}\nrepeat: ${N}\nsweep: {seed: ['${N}']}",
    "prompts: [a]\nlimits: {max_images: '${N}'}\nretry: {attempts: '${N}', paid: '${N}'}",
    "prompts: [a]\nlimits: ~\nretry: ~\noutput: ~\nschedule: ~\nprovider: ~\nsweep: ~\nvars: ~\ndefaults: ~\n",
    "prompts: [a]\npresets: ~\nversion: ~\nname: ~\nseed_root: ~\nseed_mode: ~\nrepeat: ~\nskip_invalid: ~\ntasks: ~\n",
    "prompts: ~\ntasks: [{prompt: a, id: ~, preset: ~, repeat: ~}]",
    "prompts: [{prompt: a, file: ~, zip: ~, sweep: ~, id: ~, preset: ~, repeat: ~, seed: ~}]",
    "prompts: [a]\nprovider: {kind: ~, url: ~, api_key_env: ~, rate_limit: ~, concurrency: ~, timeout: ~, models: ~}",
    "prompts: [a]\nprovider: {prices: {date: 2025-08-31, sd-core: {credits: 1, usd: ~}}}",
    "prompts: [a]\nretry: {attempts: ~, within: ~, ambiguous: ~, paid: ~}\nlimits: {max_images: ~, max_cost: ~}",
    "prompts: [a]\nschedule: {cron: '0 0 1 JAN *', timezone: ~, catch_up: ~, overlap: ~}\noutput: {path: ~}",
    "prompts: [a]\nsweep: {include: ~, exclude: ~}",
    "prompts: [~, null, {prompt: ~}]",
    "prompts: [a]\nname: ${N}x\nprovider: {timeout: ' 180 s ', rate_limit: 150 / 10s, concurrency: '0005'}",
    "prompts: [a]\nretry: {attempts: 1000, paid: 100}\nprovider: {api_key_env: _a1, rate_limit: unknown}",
    "prompts: [a]\nsweep: {seed: ['+1..+4', {range: {from: 5, to: 6}}, {linspace: {from: 8, to: 9, count: 2}}]}",
    "prompts: [a]\nsweep: {seed: {random: '${N}'}, x-y: 1..3}\nvars: {x-y: 1}",
    "prompts: [a]\nvars: {_z: {linspace: {from: 0, to: 1, count: 3}}}",
    "prompts: [a]\nsweep: {negative_prompt: [5, a, true]}",
    "prompts: [a]\nschedule: {cron: '*/5 0-6,22 * * MON-FRI', timezone: Europe/Berlin}",
    "prompts: [a]\nskip_invalid: ${FLAG}\nseed_mode: ${MODE}\nprovider: ${KIND}",
]
DATA = {"names.txt": "fox\nowl\n", "t.csv": "c\n1\n"}


@pytest.mark.parametrize("text", RIGHT)
def test_what_the_parser_takes_the_schema_takes(text: str) -> None:
    assert parser_accepts(text, DATA)
    assert schema_errors(text) == []


# Jobs that are wrong

WRONG = [
    "name: x",
    "prompts: []",
    "prompts: a fox",
    "prompts: [{seed: 7}]",
    "prompts: [[a, b]]",
    "prompts: [a]\nnaem: x",
    "prompts: [a]\nversion: 2",
    "prompts: [a]\nname: 2024",
    "prompts: [a]\nseed_root: x",
    "prompts: [a]\nseed_mode: random",
    "prompts: [a]\nrepeat: 0",
    "prompts: [a]\nrepeat: 1000001",
    "prompts: [a]\nskip_invalid: maybe",
    "prompts: [a]\nprovider: gatway",
    "prompts: [a]\nprovider: {knd: gateway}",
    "prompts: [a]\nprovider: {rate_limit: 150}",
    "prompts: [a]\nprovider: {timeout: fast}",
    "prompts: [a]\nprovider: {concurrency: 0}",
    "prompts: [a]\nprovider: {models: {x: sd-core}}",
    "prompts: [a]\nprovider: {prices: {sd-core: {credits: 1}}}",
    "prompts: [a]\nprovider: {prices: {date: 2025-08, sd-core: {credits: 0}}}",
    "prompts: [a]\nlimits: {max_cost: 0}",
    "prompts: [a]\nlimits: {max_imges: 5}",
    "prompts: [a]\nretry: {attempts: 0}",
    "prompts: [a]\nretry: {ambiguous: maybe}",
    "prompts: [a]\ndefaults: {aspect_ratio: 16:10}",
    "prompts: [a]\ndefaults: {seed: [1, 2]}",
    "prompts: [a]\nsweep: [seed]",
    "prompts: [a]\nsweep: {seeds: [1, x]}",
    "prompts: [a]\nsweep: {seed: -1}",
    "prompts: [a]\nsweep: {seed: []}",
    "prompts: [a]\nsweep: {seed: {random: 0}}",
    "prompts: [a]\nsweep: {image: a.png, strength: 1.5}",
    "prompts: [a]\nsweep: {styles: [anme], model: sd-core}",
    "prompts: [a]\nsweep: {exclude: {seed: 1}}",
    "prompts: [{prompt: a, zip: {seed: [1]}}]",
    "prompts: [{prompt: a, id: 7}]",
    "prompts: [a]\noutput: {path: '{seed}.png'}",
    "prompts: [a]\nschedule: {timezone: UTC}",
    "tasks: [{seed: 7}]",
    "tasks: [{prompt: a, sweep: {seed: [1]}}]",
    "tasks: [a]",
    "tasks: []\nprompts: [a]",
    "prompts: ~",
    "prompts: ['']",
    "prompts: [' ']",
    "prompts: [{prompt: [a]}]",
    "prompts: [{file: ~, seed: 7}]",
    "prompts: [{prompt: a, id: ''}]",
    "prompts: [{prompt: a, negative_prompt: ''}]",
    "prompts: [{prompt: a, image: 5, strength: 1}]",
    f"prompts: [{'a' * 10_001}]",
    "prompts: [{prompt: a, zip: [{prompt: [b, c]}]}]",
    "prompts: [{prompt: a, sweep: {prompt: [b]}}]",
    "prompts: [a]\nversion: '1'",
    "prompts: [a]\nname: ''",
    f"prompts: [a]\nname: {'a' * 101}",
    "prompts: [a]\ndefaults: {prompt: b}",
    "prompts: [a]\ndefaults: {seed: 4294967295}",
    "prompts: [a]\npresets: {p: {prompt: b}}",
    "prompts: [a]\npresets: {p: ~}",
    "prompts: [a]\nvars: {seed: 4}",
    "prompts: [a]\nvars: {ratios: [1:1]}",
    "prompts: [a]\nvars: {x: {random: 3}}",
    "prompts: [a]\nvars: {x: {y: z}}",
    "prompts: [a]\nvars: {x: [[1]]}",
    "prompts: [a]\nvars: {x: []}",
    "prompts: [a]\nvars: {x: {file: names.txt, colum: c}}",
    "prompts: [a]\nlimits: {max_images: 0}",
    "prompts: [a]\nlimits: {max_cost: '5'}",
    "prompts: [a]\nretry: {attempts: 1001}",
    "prompts: [a]\nretry: {paid: 101}",
    "prompts: [a]\nretry: {within: 15}",
    "prompts: [a]\nretry: {within: 0s}",
    "prompts: [a]\nprovider: {timeout: 0.0m}",
    "prompts: [a]\nprovider: {rate_limit: 0/10s}",
    "prompts: [a]\nprovider: {rate_limit: 5/0s}",
    "prompts: [a]\nprovider: {rate_limit: []}",
    "prompts: [a]\nprovider: {rate_limit: [none]}",
    "prompts: [a]\nprovider: {concurrency: 10001}",
    "prompts: [a]\nprovider: {concurrency: '0'}",
    "prompts: [a]\nprovider: {kind: nope}",
    "prompts: [a]\nprovider: {api_key_env: a b}",
    "prompts: [a]\nprovider: {models: {x: ~}}",
    "prompts: [a]\nprovider: {models: {x: {like: ~}}}",
    "prompts: [a]\nprovider: {prices: {date: foo}}",
    "prompts: [a]\nprovider: {prices: {date: ~}}",
    "prompts: [a]\nprovider: {prices: {date: 2025-08, sd-core: {}}}",
    "prompts: [a]\nprovider: {prices: {date: 2025-08, sd-core: {credits: 1, usd: 2}}}",
    "prompts: [a]\nsweep: {seed: {random: 4294967295}}",
    "prompts: [a]\nsweep: {seed: {range: {from: 1}}}",
    "prompts: [a]\nsweep: {seed: {range: {from: 1, to: '2'}}}",
    "prompts: [a]\nsweep: {seed: {linspace: {from: 1, to: 5, count: 1}}}",
    "prompts: [a]\nsweep: {seed: {linspace: {from: 1, to: 5, count: 1000001}}}",
    "prompts: [a]\nsweep: {image: a.png, strength: {random: 3}}",
    "prompts: [a]\nsweep: {seed: '1..4:'}",
    "prompts: [a]\nsweep: {seed: '5'}",
    "prompts: [a]\nsweep: {include: [{}]}",
    "prompts: [a]\nsweep: {exclude: [{seed: [1, 2]}]}",
    "prompts: [a]\nsweep: {exclude: [{seed: 1..2}]}",
    "prompts: [a]\nsweep: {prompt: [b]}",
    "prompts: [a]\nschedule: {cron: ~}",
    "prompts: [a]\nschedule: {cron: nonsense}",
    "prompts: [a]\nschedule: {cron: '@daily'}",
    "prompts: [a]\nschedule: {cron: '* * * *'}",
]


@pytest.mark.parametrize("text", WRONG)
def test_what_the_schema_refuses_the_parser_refuses(text: str) -> None:
    assert not parser_accepts(text, DATA)
    assert schema_errors(text)


# What only the parser knows: it depends on several values, on more than the job's text, or on what a value comes to.

MORE = [
    "prompts: [a]\ndefaults: {style_preset: anime}",
    "prompts: [a]\ndefaults: {strength: 0.5}",
    "prompts: [a]\ndefaults: {x: 1}",
    "prompts: [a]\ndefaults: {model: sd}",
    "prompts: [{prompt: a, preset: p}]",
    "prompts: [{file: none.txt}]",
    "prompts: [{prompt: a, seed: 1, seeds: 2}]",
    "prompts: [{prompt: a, seed: 1.0}]",
    "prompts: [a]\nsweep: {seed: 4..1}",
    "prompts: [a]\nsweep: {seed: '.5..1'}",
    "prompts: [a]\nschedule: {cron: '60 * * * *'}",
    "prompts: [a]\nschedule: {cron: '* * * * *', timezone: Mars/Base}",
    "prompts: [a]\nprovider: {concurrency: '99999'}",
    "prompts: [a]\nprovider: {url: nowhere}",
    "prompts: [a]\noutput: {path: '/{seed}.{ext}'}",
]


@pytest.mark.parametrize("text", MORE)
def test_what_the_schema_leaves_to_the_parser(text: str) -> None:
    assert not parser_accepts(text, DATA)
    assert schema_errors(text) == []


def test_it_refers_to_nothing_but_its_own_definitions() -> None:
    referred = [path.split("/") for path in re.findall(r'"\$ref": "#/([^"]*)"', json.dumps(SCHEMA))]
    assert {path[1] for path in referred} == set(SCHEMA["definitions"])
    for path in referred:
        assert reduce(getitem, path, SCHEMA)


# The same names


def properties(*path: str) -> set[str]:
    """The keys that the schema lists at a place, in any of its forms."""
    forms = [SCHEMA]
    for part in path:
        forms = [form[part] if part in form else form["properties"][part] for form in forms if _has(form, part)]
        forms = [form for each in forms for form in (each, *each.get("anyOf", ()))]
    return {key for form in forms for key in form.get("properties", ())}


def _has(form: Any, part: str) -> bool:
    return part in form or part in form.get("properties", ())


SPACED = ("definitions", "spaced")
PLACES: dict[type[BaseModel], tuple[str, ...]] = {
    schema.JobShape: (),
    schema.ProviderShape: ("provider",),
    schema.ModelShape: ("provider", "models", "additionalProperties"),
    schema.PricesShape: ("provider", "prices"),
    schema.PriceShape: ("provider", "prices", "additionalProperties"),
    schema.LimitsShape: ("limits",),
    schema.RetryShape: ("retry",),
    schema.OutputShape: ("output",),
    schema.ScheduleShape: ("schedule",),
    schema.RandomSeeds: ("definitions", "random"),
    schema.Bounds: (*SPACED, "range"),
    schema.EvenBounds: (*SPACED, "linspace"),
}
OPEN: dict[type[BaseModel], tuple[str, ...]] = {
    schema.PromptShape: ("definitions", "prompt"),
    schema.TaskShape: ("definitions", "task"),
}
PARAMETERS = set(PROVIDERS["gateway"].capabilities.parameters)
NAMES = (PARAMETERS - {"prompt"}) | set(PLURALS)


def keys(shape: type[BaseModel]) -> set[str]:
    """The keys of a shape as a job writes them."""
    return {each.alias or name for name, each in shape.model_fields.items()}


@pytest.mark.parametrize("shape", PLACES, ids=lambda shape: shape.__name__)
def test_every_key_of_a_shape_stands_in_the_schema_and_no_other(shape: type[BaseModel]) -> None:
    assert properties(*PLACES[shape]) == keys(shape)


@pytest.mark.parametrize("shape", OPEN, ids=lambda shape: shape.__name__)
def test_an_entry_has_its_own_keys_and_those_of_the_parameters(shape: type[BaseModel]) -> None:
    assert properties(*OPEN[shape]) == keys(shape) | NAMES


def test_even_spacing_is_a_range_or_a_count() -> None:
    assert properties(*SPACED) == keys(schema.Range) | keys(schema.Linspace)


def test_no_shape_is_left_out() -> None:
    shapes = {
        each
        for _, each in inspect.getmembers(schema, inspect.isclass)
        if issubclass(each, BaseModel) and each.__module__ == schema.__name__ and each.model_fields
    }
    assert shapes == {*PLACES, *OPEN, schema.Range, schema.Linspace}


def test_a_sweep_has_every_parameter_in_both_spellings_and_the_matrix() -> None:
    assert properties("definitions", "sweep") == NAMES | set(MATRIX_KEYS)
    assert properties("definitions", "fields") >= PARAMETERS - {"prompt"}
    assert set(PLURALS.values()) <= PARAMETERS


@pytest.mark.parametrize("name", sorted(PARAMETERS - {"prompt"}))
def test_what_a_parameter_takes_is_what_the_schema_takes(name: str) -> None:
    parameter = PROVIDERS["gateway"].capabilities.parameters[name]
    field = Draft7Validator(
        {**SCHEMA["definitions"]["fields"]["properties"][name], "definitions": SCHEMA["definitions"]}
    )
    for value in [*getattr(parameter, "options", ()), 0, 1, 0.5, -1, 2**32, "x", "", True, "1:1", "7", [1], {"a": 1}]:
        try:
            parameter.text(Decimal(str(value)) if isinstance(value, float) else value)
        except ValueError:
            continue
        assert field.is_valid(value), value

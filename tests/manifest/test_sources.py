"""Where a field's value comes from: defaults, sweeps, presets, pins, zips, variables, and which one wins."""

from __future__ import annotations

from itertools import combinations

import pytest
from job_texts import column, data_errors, fields, ids, job, only_error, rows

# Precedence, every pair: what each source writes, least specific first, for a field that all of them can give.

SOURCES = ["built-in", "defaults", "job sweep", "preset", "later preset", "pin", "row", "own sweep"]


def written(sources: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """A job whose seed is given in these places, and its data file: each place gives its own number."""
    given = {name: f"seed: {number}" for number, name in enumerate(SOURCES) if name in sources}
    own = {name: given.get(name, "mode: text-to-image") for name in SOURCES}
    text = f"""\
defaults: {{{own["defaults"]}}}
presets: {{one: {{{own["preset"]}}}, two: {{{own["later preset"]}}}}}
sweep: {{{own["job sweep"]}}}
prompts:
  - file: rows.csv
    preset: [one, two]
    {given.get("pin", "output_format: png")}
    sweep: {{{own["own sweep"]}}}
"""
    cell = given["row"].removeprefix("seed: ") if "row" in given else ""
    return text, {"rows.csv": f"prompt,seed\na,{cell}\n"}


@pytest.mark.parametrize("sources", list(combinations(SOURCES, 2)), ids=" < ".join)
def test_of_two_sources_the_more_specific_one_wins(sources: tuple[str, str]) -> None:
    text, files = written(sources)
    assert column(job(text, files=files), "seed") == [str(SOURCES.index(sources[1]))]


ZIPPED = """\
defaults: {{{defaults}}}
presets: {{film: {{{preset}}}}}
sweep: {{{sweep}}}
prompts:
  - prompt: a
    preset: film
    {pin}
    zip: [{{seed: [7, 8], output_format: [png, jpeg]}}]
"""


@pytest.mark.parametrize("source", ["defaults", "sweep", "preset", "pin"])
def test_a_zip_takes_the_place_of_all_but_the_prompt_s_own_sweep(source: str) -> None:
    own = dict.fromkeys(("defaults", "sweep", "preset"), "") | {"pin": "repeat: 1"}
    text = ZIPPED.format(**own | {source: "seed: [1, 2, 3]" if source == "sweep" else "seed: 1"})
    assert rows(job(text), "seed", "output_format") == ["7 png", "8 jpeg"]


@pytest.mark.parametrize("source", ["defaults", "sweep", "preset", "pin", "row", "own sweep"])
def test_every_source_takes_the_place_of_a_variable(source: str) -> None:
    given = {name: "x: 2" if name == source else "" for name in ("defaults", "sweep", "preset", "own sweep")}
    text = f"""\
vars: {{x: [0, 1]}}
defaults: {{{given["defaults"]}}}
presets: {{film: {{{given["preset"]}}}}}
sweep: {{{given["sweep"]}}}
prompts:
  - file: rows.csv
    preset: film
    {"x: 2" if source == "pin" else "repeat: 1"}
    sweep: {{{given["own sweep"]}}}
"""
    cell = "2" if source == "row" else ""
    found = column(job(text, files={"rows.csv": f"prompt,x\na {{{{x}}}},{cell}\n"}), "prompt")
    assert found == (["a 0", "a 1"] if source == "defaults" else ["a 2"])


# Presets


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("film", "sd-core analog-film -"),
        ("[film]", "sd-core analog-film -"),
        ("[film, wide]", "sd-core analog-film 16:9"),
        ("[film, comic]", "sd-core comic-book -"),
        ("[comic, film]", "sd-core analog-film -"),
        ("[]", "sd3-large - -"),
        ("~", "sd3-large - -"),
    ],
)
def test_presets_stand_over_one_another_in_their_order(preset: str, expected: str) -> None:
    text = f"""\
presets:
  film: {{model: sd-core, style_preset: analog-film}}
  comic: {{model: sd-core, styles: comic-book}}
  wide: {{aspect_ratio: 16:9}}
prompts: [{{prompt: a, preset: {preset}}}]
"""
    assert rows(job(text), "model", "style_preset", "aspect_ratio") == [expected]


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        ("filn", "2:31: prompts[0].preset: unknown preset 'filn'; did you mean 'film'? accepted: film, wide"),
        ("[film, x]", "2:31: prompts[0].preset: unknown preset 'x'; accepted: film, wide"),
        ("7", "2:31: prompts[0].preset: not a list"),
        ("[7]", "2:32: prompts[0].preset[0]: not text; accepted: text; quote it"),
    ],
)
def test_a_preset_that_is_not_there(preset: str, said: str) -> None:
    text = f"presets: {{film: {{seed: 1}}, wide: {{seed: 2}}}}\nprompts: [{{prompt: a, preset: {preset}}}]"
    assert only_error(text).startswith(said)


@pytest.mark.parametrize(
    ("fields_", "said"),
    [
        ("{sed: 1}", "2:18: presets.film.sed: unknown key 'sed'; did you mean 'seed'?"),
        ("{seed: [1, 2]}", "2:24: presets.film.seed: seed is pinned here, to one value; put several under sweep"),
        ("{prompt: b}", "2:18: presets.film.prompt: a prompt can't stand here; list prompts under prompts"),
        ("7", "2:17: presets.film: not a mapping"),
    ],
)
def test_a_preset_is_checked_whether_it_is_named_or_not(fields_: str, said: str) -> None:
    assert only_error(f"prompts: [a]\npresets: {{film: {fields_}}}").startswith(said)


def test_a_preset_pins_for_its_prompt_alone_and_for_tasks_too() -> None:
    text = """\
        presets: {film: {seed: 5, animal: fox}}
        sweep: {seed: [1, 2]}
        vars: {animal: owl}
        prompts: ["{{animal}}", {prompt: "a {{animal}}", preset: film}]
        tasks: [{prompt: "the {{animal}}", preset: film}]
    """
    assert rows(job(text), "prompt", "seed") == ["owl 1", "owl 2", "a fox 5", "the fox 5"]


# Zip groups

ZIP = "prompts: [{{prompt: 'a {{{{x}}}}', zip: {}{}}}]\nvars: {{x: 0, y: 0}}"


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ("[{seed: [1, 2], x: [p, q]}]", ["a p 1", "a q 2"]),
        ("[{seed: 1..2, x: [p, q]}]", ["a p 1", "a q 2"]),
        ("[{seed: [1, 1], x: [p, q]}]", ["a p 1", "a q 1"]),
        ("[{seed: [1, 2]}, {x: [p, q]}]", ["a p 1", "a q 1", "a p 2", "a q 2"]),
        ("[{seed: [1], x: [p]}]", ["a p 1"]),
        ("[{seed: 1, x: p}]", ["a p 1"]),
        ("[{seed: {random: 2}, x: [p, q]}]", ["a p 3574942083", "a q 182633087"]),
        ("[]", ["a 0 3574942083"]),
    ],
)
def test_each_group_is_one_axis(groups: str, expected: list[str]) -> None:
    assert rows(job(ZIP.format(groups, "")), "prompt", "seed") == expected


@pytest.mark.parametrize(
    ("groups", "more", "said"),
    [
        ("[{seed: [1, 2], x: [p]}]", "", "prompts[0].zip[0]: lists of unequal length: seed 2, x 1; make them equally"),
        ("[{seed: [1, 2]}, {seed: [3]}]", "", "prompts[0].zip[1]: seed is in two zip groups; keep one of them"),
        ("[{seed: [1], seeds: [2]}]", "", "prompts[0].zip[0].seeds: seeds and seed are one axis; keep one of them"),
        ("[{seed: [1]}]", ", sweep: {seeds: 2}", "prompts[0].sweep: seed is in this prompt's zip too; keep one of"),
        ("[{sed: [1]}]", "", "prompts[0].zip[0].sed: unknown key 'sed'; did you mean 'seed'?"),
        ("[{seed: [x]}]", "", "prompts[0].zip[0].seed[0]: 'x' is not a value of seed"),
        ("[{seed: []}]", "", "prompts[0].zip[0].seed: an axis without values"),
        ("{seed: [1]}", "", "prompts[0].zip: not a list"),
        ("[seed]", "", "prompts[0].zip[0]: not a mapping"),
    ],
)
def test_a_zip_that_can_t_be(groups: str, more: str, said: str) -> None:
    assert only_error(ZIP.format(groups, more)).partition(": ")[2].startswith(said)


# Variables


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ("fox", "fox"),
        ("[fox, owl]", "fox owl"),
        ("[fox, fox]", "fox"),
        ("7", "7"),
        ("0.50", "0.5"),
        ("true", "true"),
        ("no", "no"),
        ("010", "010"),
        ("16:9", "16:9"),
        ("1..3", "1 2 3"),
        ("0.2..0.6:0.2", "0.2 0.4 0.6"),
        ("a..b", "a..b"),
        ("[1..2, fox]", "1 2 fox"),
        ("{range: {from: 1, to: 5, step: 2}}", "1 3 5"),
        ("{linspace: {from: 0, to: 1, count: 3}}", "0 0.5 1"),
        ("{file: names.txt}", "fox owl"),
        ("{file: names.csv, column: animal}", "cat dog"),
        ("{file: names.csv}", "unused"),
    ],
)
def test_each_form_of_a_variable(spec: str, values: str) -> None:
    files = {"names.txt": "fox\n\n owl \r\n", "names.csv": "animal,prompt\ncat,unused\ndog,\n"}
    found = column(job(f"prompts: ['{{{{x}}}}']\nvars: {{x: {spec}}}", files=files), "prompt")
    assert found == values.split()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("[]", "vars.x: an axis without values"),
        ("[[1]]", "vars.x[0]: [1] is not a value of x; accepted: text or a number"),
        (
            "{random: 3}",
            "vars.x: {random: 3} names no values of x; accepted: {range: {from, to, step}} of numbers, {linspace",
        ),
        ("{file: names.csv}", "vars.x: no column prompt in names.csv; columns: animal"),
        ("{file: names.csv, column: animl}", "vars.x: no column animl in names.csv; columns: animal"),
        ("{file: none.txt}", "vars.x: none.txt does not exist"),
        ("{file: names.csv, colum: animal}", "vars.x: not a list in a file; accepted: {file: names.txt} or {file: a"),
        ("{file: 7}", "vars.x: not a list in a file"),
    ],
)
def test_a_variable_that_can_t_be(spec: str, said: str) -> None:
    (found,) = data_errors(f"prompts: ['{{{{x}}}}']\nvars:\n  x: {spec}", {"names.csv": "animal\ncat\n"})
    assert found.split(": ", 1)[1].startswith(said)


@pytest.mark.parametrize("name", ["seed", "seeds", "prompt", "model"])
def test_a_variable_can_t_have_the_name_of_a_parameter(name: str) -> None:
    said = only_error(f"prompts: [a]\nvars: {{{name}: [x, y]}}")
    assert said == (
        f"2:8: vars.{name}: {name} is a parameter of the API; put it under defaults or sweep, or choose another name"
    )


def test_a_variable_is_an_axis_of_the_prompts_that_name_it_only() -> None:
    text = """\
        vars: {x: [1, 2], y: [3, 4], unused: [5, 6]}
        prompts: [a, "b {{x}}", "c {{ y }}", {prompt: d, negative_prompt: "no {{y}}"}]
    """
    assert rows(job(text), "prompt", "negative_prompt") == [
        "a -", "b 1 -", "b 2 -", "c 3 -", "c 4 -", "d no 3", "d no 4",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "prompts: [a]\nvars: {x: [1, 2]}\ndefaults: {negative_prompt: 'no {{x}}'}",
        "prompts: [a]\nvars: {x: [1, 2]}\nsweep: {negative_prompt: 'no {{x}}'}",
        "prompts: [{prompt: a, preset: p}]\nvars: {x: [1, 2]}\npresets: {p: {negative_prompt: 'no {{x}}'}}",
        "prompts: [{prompt: a, zip: [{negative_prompt: ['no {{x}}']}]}]\nvars: {x: [1, 2]}",
        "prompts: [{prompt: a, sweep: {negative_prompt: 'no {{x}}'}}]\nvars: {x: [1, 2]}",
        "prompts: [a]\nsweep: {negative_prompt: 'no {{x}}', x: [1, 2]}\nvars: {x: 0}",
    ],
    ids=["defaults", "sweep", "preset", "zip", "own sweep", "swept variable"],
)
def test_a_negative_prompt_names_variables_wherever_it_stands(text: str) -> None:
    assert column(job(text), "negative_prompt") == ["no 1", "no 2"]


def test_a_task_knows_its_variables() -> None:
    task = job("prompts: ['{{x}} {{y}}']\nvars: {x: [1, 2], y: z, unused: 3}").task(1)
    assert dict(task.variables) == {"x": "2", "y": "z"}


# The order of axes


def test_axes_vary_in_the_order_prompt_vars_zip_sweep_repeat_and_tasks_come_last() -> None:
    text = """\
        tasks: [{prompt: last, seed: 0, repeat: 2}]
        sweep: {seed: [1, 2]}
        repeat: 2
        prompts:
          - prompt: "b {{y}}"
            sweep: {output_format: [png, jpeg]}
            zip: [{aspect_ratio: [1:1, 2:3]}]
          - a
        vars: {x: [p, q], y: [r, s]}
    """
    manifest = job(text)
    names = ("prompt", "aspect_ratio", "seed", "output_format")
    found = [(*(fields(task).get(name) for name in names), task.repeat) for task in manifest]
    expected: list[tuple[object, ...]] = [
        (f"b {y}", ratio, seed, form, repeat)
        for y in "rs" for ratio in ("1:1", "2:3") for seed in "12" for form in ("png", "jpeg") for repeat in (0, 1)
    ]  # fmt: skip
    expected += [("a", None, seed, None, repeat) for seed in "12" for repeat in (0, 1)]
    expected += [("last", None, "0", None, repeat) for repeat in (0, 1)]
    assert found == expected


def test_variables_vary_in_the_order_in_which_the_job_defines_them() -> None:
    text = "vars: {x: [1, 2], y: [3, 4]}\nprompts: ['{{y}} {{x}}']"
    assert column(job(text), "prompt") == ["3 1", "4 1", "3 2", "4 2"]


# Tasks


def test_a_task_takes_defaults_and_presets_and_no_sweep() -> None:
    text = """\
        defaults: {output_format: jpeg, seed: 3}
        presets: {wide: {aspect_ratio: 16:9}}
        sweep: {seed: [1, 2], model: [sd3-large, sd-core], exclude: [{seed: 3}], include: [{seed: 9}]}
        tasks: [{prompt: a}, {prompt: b, preset: wide, seed: 4}]
    """
    assert rows(job(text), "prompt", "model", "seed", "aspect_ratio", "output_format") == [
        "a sd3-large 3 - jpeg",
        "b sd3-large 4 16:9 jpeg",
    ]


@pytest.mark.parametrize("key", ["sweep: {seed: 1}", "zip: []", "file: a.csv"])
def test_a_task_has_no_axes(key: str) -> None:
    name = key.partition(":")[0]
    said = only_error(f"tasks: [{{prompt: a, {key}}}]")
    assert said.startswith(f"1:21: tasks[0].{name}: unknown key '{name}';")


def test_a_task_is_the_prompt_that_pins_the_same() -> None:
    as_task = job("tasks: [{prompt: a lighthouse, model: sd-core, seed: 5}]")
    as_prompt = job("prompts: [{prompt: a lighthouse, model: sd-core, seed: 5}]")
    assert ids(as_task) == ids(as_prompt)
    assert as_task.task(0).prompt_id == as_prompt.task(0).prompt_id

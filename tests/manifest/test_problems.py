"""All that is wrong is said at once, each thing once and nothing that only follows from it; warnings beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from job_texts import STAMPS, errors, inspect_image, job, only_error, problems

from batchgen.errors import MOST_COMPARED, ManifestError, nearest
from batchgen.manifest.build import Surroundings, build

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batchgen.model import InputImage


def refused(text: str, files: Mapping[str, str] | None = None) -> ManifestError:
    """What is said of a job that is wrong."""
    with pytest.raises(ManifestError) as caught:
        job(text, files=files, file="job.yaml")
    return caught.value


# Together


def test_what_is_wrong_with_values_is_said_together_with_all_else_in_the_order_of_lines() -> None:
    text = """\
        name: ${NOT_SET}
        name: x
        seeed: 1
        provider: {timeout: 5}
        prompts:
          - "a\\0b"
          - *nobody
          - {prompt: c, repeat: 0, sed: 1}
        defaults: {seed: -1, model: !large sd3-large}
    """
    found = [(problem.line, problem.path) for problem in problems(text)]
    assert found == [
        (1, "name"),
        (2, "name"),
        (3, "seeed"),
        (4, "provider.timeout"),
        (6, "prompts[0]"),
        (7, "prompts[1]"),
        (8, "prompts[2].repeat"),
        (8, "prompts[2].sed"),
        (9, "defaults.seed"),
        (9, "defaults.model"),
    ]


def test_what_can_t_be_read_to_its_end_is_said_with_what_was_wrong_before() -> None:
    assert [line.split(": ")[0] for line in errors("name: ${NOT_SET}\nname: x\nseeed: 1\nprompts: [a\n")] == [
        "1:7",
        "2:1",
        "5:1",
    ]


def test_a_setting_for_a_job_that_can_t_be_read_does_not_hide_what_is_wrong_with_it() -> None:
    with pytest.raises(ManifestError, match=r"job\.yaml:1:11: provider: the environment variable NOT_SET is not set"):
        job("provider: ${NOT_SET}\nprompts: [a]\n", file="job.yaml", overrides=["provider.timeout=5s"])


# Once

STYLED = "prompts: [a]\nsweep: {styles: [anime]}\n"
UNSET = {
    "the provider": "prompts: [a]\nprovider: ${N}",
    "its kind": "prompts: [a]\nprovider: {kind: '${N}'}",
    "its url": "prompts: [a]\nprovider: {url: '${N}'}",
    "its timeout": "prompts: [a]\nprovider: {timeout: '${N}'}",
    "its limit": "prompts: [a]\nprovider: {rate_limit: ['${N}']}",
    "its concurrency": "prompts: [a]\nprovider: {concurrency: '${N}'}",
    "a model's pattern": "prompts: [a]\ndefaults: {model: new}\nprovider: {models: {new: {like: '${N}'}}}",
    "a price": "prompts: [a]\nprovider: {prices: {date: 2025-08, sd-core: {usd: '${N}'}}}",
    "a cap": "prompts: [a]\nlimits: {max_images: '${N}'}",
    "a default model": STYLED + "defaults: {model: '${N}'}",
    "a prompt's model": "prompts: [{prompt: a, model: '${N}', style_preset: anime}]",
    "a prompt's preset": "prompts: [{prompt: a, preset: '${N}', styles: anime}]\npresets: {core: {model: sd-core}}",
    "one of its presets": "prompts: [{prompt: a, preset: ['${N}'], styles: anime}]\npresets: {core: {model: sd-core}}",
    "a preset's model": "prompts: [{prompt: a, preset: p, styles: anime}]\npresets: {p: {model: '${N}'}}",
    "an image": "prompts: [a]\ndefaults: {image: 'missing/${N}', strength: 0.5}",
    "a strength": "prompts: [a]\ndefaults: {image: a.png, strength: '${N}'}",
    "a mode": "prompts: [a]\ndefaults: {mode: '${N}', strength: 0.5}",
    "a seed": "prompts: [a]\nsweep: {seeds: [1, '${N}']}",
    "the end of a range": "prompts: [a]\nsweep: {seed: {range: {from: 1, to: '${N}'}}}",
    "the count of a linspace": "prompts: [a]\nsweep: {seed: {linspace: {from: 1, to: 3, count: '${N}'}}}",
    "a range in a zip": "prompts: [{prompt: a, zip: [{seed: '1..${N}', ratios: [1:1, 2:3]}]}]",
    "an exclude": "prompts: [a]\nsweep: {seed: [1, 2], exclude: ['${N}']}",
    "a value of an exclude": "prompts: [a]\nsweep: {seed: [1, 2], exclude: [{seed: '${N}'}]}",
    "a value of an include": "prompts: [a]\nsweep: {ratios: 1:1, include: [{ratios: '${N}', style_preset: anime}]}",
    "a variable's file": "prompts: ['{{x}}']\nvars: {x: {file: '${N}'}}",
    "a variable": "prompts: ['{{x}}']\nvars: {x: '${N}'}",
    "a variable's value": "prompts: ['{{x}}']\nvars: {x: [a, '${N}']}",
    "a data file": "prompts: [{file: '${N}'}]",
    "two equal ids": "prompts: [{prompt: a, id: '${M:-x}'}, {prompt: b, id: 'x${N}'}]",
    "a path": "prompts: [a]\noutput: {path: '{${N}}'}",
    "a cron line": "prompts: [a]\nschedule: {cron: '${N}'}",
    "a time zone": "prompts: [a]\nschedule: {cron: '* * * * *', timezone: '${N}'}",
    "a name": "prompts: [a]\nname: ${N}",
    "a number": "prompts: [a]\nrepeat: ${N}",
    "what is skipped": STYLED + "skip_invalid: ${N}",
    "a task's model": "tasks: [{prompt: a, model: '${N}', style_preset: anime}]",
    "what is named again": "prompts: [a]\nname: &x '${N}'\nrepeat: *x\nlimits: {max_images: *x}",
}  # fmt: skip


@pytest.mark.parametrize("text", UNSET.values(), ids=UNSET)
def test_a_variable_that_is_not_set_is_one_error_wherever_it_stands(text: str) -> None:
    assert "the environment variable N is not set" in only_error(text)


@pytest.mark.parametrize(
    "text",
    [
        "prompts: *x",
        "prompts: [*x]",
        "prompts: [{prompt: *x}]",
        "prompts: !x [a]",
        "prompts: [a]\nname: !x [a]",
        "prompts: [a]\nsweep: *x",
        STYLED + "defaults: *x",
        STYLED + "defaults: !x {model: sd-core}",
        "prompts: [a]\nsweep: {seed: *x}",
        'prompts: [a]\nsweep: {image: "a\\0.png", strength: 1}',
        'prompts: ["a\\0b"]',
        "prompts: [{prompt: a, sweep: *x}]\nsweep: {styles: anime}",
        "*x",
    ],
)  # fmt: skip
def test_so_is_any_value_that_can_t_be_read(text: str) -> None:
    only_error(text)


@pytest.mark.parametrize(
    "text",
    [
        "prompts: [a]\nname: x\nname: y",
        "prompts: [a]\nprompts: [b]",
        STYLED + "defaults: {model: sd-core}\ndefaults: {seed: 1}",
        "prompts: ['{{x}} {{y}}']\nvars: {x: 1}\nvars: {y: 2}",
        "prompts: [{prompt: a, style_preset: anime, preset: p}]\npresets: {p: {model: sd-core}, p: {seed: 1}}",
    ],
)
def test_a_key_that_stands_twice_is_one_error_and_what_it_holds_is_all_known(text: str) -> None:
    assert "the key stands twice" in only_error(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prompts: [{prompt: a, model: sd-core, repeat: 0}]\nsweep: {styles: anime}", "prompts[0].repeat: too small"),
        ("prompts: [{prompt: a, model: sd-core, id: 7}]\nsweep: {styles: anime}", "prompts[0].id: not text"),
        ("prompts: [{prompt: {a: b}, model: sd-core}]\nsweep: {styles: anime}", "prompts[0].prompt: not text"),
        ("prompts: [{file: 7, model: sd-core}]\nsweep: {styles: anime}", "prompts[0].file: not text"),
        ("prompts: [{prompt: a, sweep: 7}]\nsweep: {styles: anime}", "prompts[0].sweep: not a mapping"),
        ("prompts: [a]\ndefaults: 7\nsweep: {styles: anime}", "defaults: not a mapping"),
        (
            "prompts: [a]\ndefaults: {model: new}\nprovider: {timeout: 5, models: {new: {like: sd-core}}}",
            "provider.timeout: 5 is not a duration",
        ),
    ],
)
def test_what_a_wrong_shape_leaves_out_makes_nothing_else_seem_wrong(text: str, said: str) -> None:
    assert said in only_error(text)


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (STYLED + "defaults: {seed: '${N}'}", ["sweep.styles[0]", "defaults.seed"]),
        (STYLED + "naem: ${N}", ["sweep.styles[0]", "naem", "naem"]),
        (STYLED + "provider: {url: '${N}', timeot: 5}", ["sweep.styles[0]", "provider.url", "provider.timeot"]),
        ("prompts: [{prompt: a, seed: '${N}', ratio: 1}]", ["prompts[0].seed", "prompts[0].ratio"]),
        ("prompts: [{prompt: a, repeat: 0, sed: 1}]", ["prompts[0].repeat", "prompts[0].sed"]),
        ("prompts: [{seed: '${N}'}]", ["prompts[0]", "prompts[0].seed"]),
        ("prompts: [a]\nsweep: ['${N}']", ["sweep", "sweep[0]"]),
        ("prompts: [a]\nsweep: {seeds: ['${N}', x]}", ["sweep.seeds[0]", "sweep.seeds[1]"]),
        ("prompts: [a]\nsweep: {exclude: [{sed: 1, seed: '${N}'}]}", ["sweep.exclude[0].sed", "sweep.exclude[0].seed"]),
    ],
)
def test_what_does_not_follow_is_said_beside_it(text: str, paths: list[str]) -> None:
    assert [problem.path for problem in problems(text)] == paths


# No more than is read


def read_with_no_image(text: str) -> tuple[ManifestError, list[str]]:
    """What is said of a job whose images are not there, and which of them were looked for."""
    asked: list[str] = []

    def missing(path: str) -> InputImage:
        asked.append(path)
        raise ValueError("not there; give another")

    with pytest.raises(ManifestError) as caught:
        build(text.encode(), "job.yaml", Surroundings(environment={}, inspect_image=missing, stamps=STAMPS))
    return caught.value, asked


def test_a_job_is_read_no_further_than_a_hundred_problems() -> None:
    images = ", ".join(f"{number}.png" for number in range(1_000))
    error, asked = read_with_no_image(f"prompts: [a]\nsweep: {{image: [{images}], strength: 1}}\n")
    assert len(error.problems) == len(asked) == 100


def test_of_what_only_follows_it_is_read_no_further_than_a_thousand() -> None:
    again = "".join(f"  - {{prompt: p{number}, seed: *x}}\n" for number in range(1_000))
    last = "  - {prompt: q, image: a.png, strength: 1}\n"
    error, asked = read_with_no_image(f"prompts:\n  - {{prompt: a, seed: &x '${{N}}'}}\n{again}{last}")
    assert [problem.path for problem in error.problems] == ["prompts[0].seed"]
    assert asked == []


def test_a_misspelt_word_is_compared_with_a_thousand_others_at_most() -> None:
    compared: list[str] = []

    def words() -> Iterator[str]:
        for number in range(10 * MOST_COMPARED):
            compared.append(f"w{number}")
            yield compared[-1]

    assert nearest("w7x", words()) == "did you mean 'w7'?"
    assert len(compared) == MOST_COMPARED


def test_of_too_many_variables_none_is_listed_and_the_nearest_named() -> None:
    variables = "".join(f"  season{number}: x\n" for number in range(101))
    said = only_error(f"prompts: ['{{{{saeson7}}}}']\nvars:\n{variables}")
    assert said == "1:11: prompts[0]: {{saeson7}} has no value here; did you mean 'season7'? define it under vars"


# Warnings


def test_warnings_are_told_with_what_is_wrong_and_are_no_part_of_it() -> None:
    error = refused("""\
        prompts:
          - &more things
          - a fox # red
        naem: x
        sweep: {seed: [1], exclude: [{seed: 2}]}
    """)
    assert [problem.path for problem in error.problems] == ["naem"]
    assert "warning" not in str(error) + error.render()
    assert error.warning_lines() == [
        f"job.yaml:{line}"
        for line in (
            "2:5: warning: prompts[0]: &more is an anchor that nothing refers to; quote the text if & belongs to it",
            "3:5: warning: prompts[1]: what follows ' #' is a comment and no part of the text; quote it to keep it",
            "5:30: warning: sweep.exclude[0]: this exclude matches no combination; remove or mend it",
        )
    ]


def test_what_is_no_yaml_has_its_warnings_too() -> None:
    (warning,) = refused("prompts:\n  - a fox # red\n  - b: c: d\n").warning_lines()
    assert warning.startswith("job.yaml:2:5: warning: prompts[0]: what follows ' #' is a comment")


@pytest.mark.parametrize(
    "text",
    [
        "prompts: [a]\nsweep: {seeds: [1, x], exclude: [{seed: 2}]}",
        "prompts: [a]\nsweep: {seeds: [1, '${N}'], exclude: [{seed: 2}]}",
        "prompts: [{prompt: a, sweep: {seeds: [1, x], exclude: [{seed: 2}]}}]",
    ],
)
def test_an_exclude_may_match_what_is_wrong_in_its_sweep(text: str) -> None:
    assert refused(text).warning_lines() == []


def test_a_warning_about_a_setting_is_told_at_the_setting() -> None:
    (line,) = job(
        "prompts: [a]\nsweep: {seed: 1}\n", file="job.yaml", overrides=["sweep.exclude=[{seed: 2}]"]
    ).warning_lines()
    assert line.startswith("job.yaml: warning: --set sweep.exclude[0]: this exclude matches no combination")


# Lines of data files


EXCERPTS = {
    "csv": ('id,prompt,seed\n1,"a, b",x\n', ['    1,"a, b",x', "             ^"]),
    "an empty cell first": ("id,prompt,seed\n,,x\n", ["    ,,x", "      ^"]),
    "a mark, and other ends": ("\ufeffseed,prompt\r\nx,a\r\n", ["    x,a", "    ^"]),
    "a row of several lines": ('seed,prompt\nx,"a\nb"\n', ['    b"', "    ^"]),
    "a long line": (f"prompt,seed\n{'y' * 300},x\n", [f"    {'y' * 49},x", f"    {' ' * 50}^"]),
    "the wrong number of cells": ("prompt,seed\na,1\nb\n", ["    b", "    ^"]),
    "control characters": ("prompt,seed\n\x1b[31m,x\n", ["    ·[31m,x", "          ^"]),
}  # fmt: skip


@pytest.mark.parametrize(("data", "shown"), EXCERPTS.values(), ids=EXCERPTS)
def test_what_is_wrong_in_a_row_is_shown_with_its_line_and_a_caret(data: str, shown: list[str]) -> None:
    error = refused("prompts: [{file: d.csv}]", {"d.csv": data})
    assert [line for line in error.render().splitlines() if not line.startswith("d.csv:")] == shown
    assert "\n   " not in str(error)


@pytest.mark.parametrize(
    ("file", "data", "shown"),
    [
        ("d.tsv", "prompt\tseed\na\tx\n", "    a·x\n      ^"),
        ("d.jsonl", '{"prompt": "a"}\n{"prompt": "b", "seed": "x"}\n',
         '    {"prompt": "b", "seed": "x"}\n                    ^'),
        ("d.jsonl", '{"prompt": "a"\n', '    {"prompt": "a"\n    ^'),
        ("d.json", '[\n  {"prompt": "b", "seed": "x"}]\n', '      {"prompt": "b", "seed": "x"}]\n    ^'),
        ("d.txt", "a\nb\x1fc\n", "    b·c\n    ^"),
        ("d.csv", "", ""),
    ],
)  # fmt: skip
def test_every_kind_of_data_file_has_its_lines_shown(file: str, data: str, shown: str) -> None:
    assert refused(f"prompts: [{{file: {file}}}]", {file: data}).render().partition("\n")[2] == shown


def test_a_file_that_is_gone_when_its_line_is_to_be_shown_is_named_all_the_same() -> None:
    opened: list[str] = []

    def lines(path: str) -> Iterator[str]:
        opened.append(path)
        if len(opened) > 1:
            raise ValueError(f"{path} does not exist")
        return iter(["prompt,seed\n", "a,x\n"])

    text = b"prompts: [{file: d.csv}]"
    around = Surroundings(environment={}, inspect_image=inspect_image, stamps=STAMPS, lines=lines)
    with pytest.raises(ManifestError) as caught:
        build(text, "job.yaml", around)
    assert opened == ["d.csv", "d.csv"]
    assert caught.value.render().startswith("d.csv:2:1: seed: 'x' is not a value of seed")
    assert "\n" not in caught.value.render()

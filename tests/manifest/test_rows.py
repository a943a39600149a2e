"""A data file's rows as prompts: equal to the same job written out by hand, and wrong cells named at their place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_texts import column, data_errors, ids, job, rows

from batchgen.manifest.identity import short_digest
from batchgen.manifest.survey import survey

REST = """\
sweep: {ratios: [1:1, 16:9], seed: [1, 2], model: [sd3-large, sd-core]}
defaults: {output_format: jpeg}
vars: {place: [Rome, Oslo], animal: bee}
"""
DATA = """\
id,prompt,model,place,seed,negative_prompt
r1,"a cat, in {{place}}",,Rome,,
r2,a dog,sd-core,,7,
,a {{animal}} in {{place}},sd3-large,,,no {{place}}
r4,{{place}},,Paris,0,blurry
"""
BY_HAND = """\
prompts:
  - {id: r1, prompt: "a cat, in {{place}}", place: Rome, animal: fox}
  - {id: r2, prompt: a dog, model: sd-core, seed: 7, animal: fox}
  - {prompt: "a {{animal}} in {{place}}", model: sd3-large, negative_prompt: "no {{place}}", animal: fox}
  - {id: r4, prompt: "{{place}}", place: Paris, seed: 0, negative_prompt: blurry, animal: fox}
"""


@pytest.mark.parametrize("mode", ["shared", "per_prompt", "per_task"])
@pytest.mark.parametrize("more", ["", "repeat: 2\n", "output: {path: '{prompt_id}/{vars.place}/{id}.{ext}'}\n"])
def test_rows_are_the_prompts_that_they_say(mode: str, more: str) -> None:
    rest = f"{REST}{more}seed_mode: {mode}\n"
    from_file = job(rest + "prompts: [{file: d.csv, animal: fox}]", files={"d.csv": DATA})
    by_hand = job(rest + BY_HAND)
    assert [(task.id, task.prompt_id, task.stem, task.repeat) for task in from_file] == [
        (task.id, task.prompt_id, task.stem, task.repeat) for task in by_hand
    ]
    assert [from_file.task(index) for index in range(len(from_file))] == list(from_file)
    assert survey(from_file) == survey(by_hand)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("csv", "seed,prompt\n1,a\n,b\n"),
        ("tsv", "seed\tprompt\n1\ta\n\tb\n"),
        ("json", '[{"seed": 1, "prompt": "a"}, "b"]'),
        ("jsonl", '{"seed": 1, "prompt": "a"}\n"b"\n'),
    ],
)
def test_an_empty_cell_falls_back(kind: str, text: str) -> None:
    manifest = job(f"prompts: [{{file: d.{kind}}}]\ndefaults: {{seed: 5}}", files={f"d.{kind}": text})
    assert rows(manifest, "prompt", "seed") == ["a 1", "b 5"]


def test_every_line_of_a_txt_file_is_a_prompt() -> None:
    from_file = job("prompts: [{file: d.txt}]\nsweep: {seed: 1..3}", files={"d.txt": "a fox\nan owl, {x}\n"})
    assert ids(from_file) == ids(job("prompts: ['a fox', 'an owl, {x}']\nsweep: {seed: 1..3}"))
    assert from_file.task(0).prompt_id == job("prompts: [a fox]").task(0).prompt_id


def test_a_template_beside_the_file_takes_its_columns() -> None:
    data = {"d.csv": "animal,place,prompt\nfox,snow,\nowl,,\n,,a cat\n"}
    text = "prompts: [{file: d.csv, prompt: 'a {{animal}} in {{place}}', place: rain, animal: bee}]"
    assert column(job(text, files=data), "prompt") == ["a fox in snow", "a owl in rain", "a cat"]


def test_a_file_stands_among_other_prompts_with_keys_of_its_own() -> None:
    text = """\
        prompts:
          - first
          - {file: d.txt, model: sd-core, repeat: 2, sweep: {style_preset: [anime, enhance]}}
          - last
    """
    manifest = job(text, files={"d.txt": "a\nb\n"})
    names = ("prompt", "model", "style_preset")
    assert rows(manifest, *names) == [
        "first sd3-large -",
        *(f"{prompt} sd-core {style}" for prompt in "ab" for style in ("anime", "enhance") for _ in (0, 1)),
        "last sd3-large -",
    ]


def test_includes_and_excludes_look_at_each_row() -> None:
    text = """\
        prompts: [{file: d.csv}]
        sweep: {seed: [1, 2], exclude: [{ratios: 2:3, seed: 1}], include: [{ratios: 1:1, formats: jpeg}, {seed: 9}]}
    """
    data = {"d.csv": "prompt,aspect_ratio,seed\na,1:1,\nb,2:3,\nc,2:3,1\nd,,9\n"}
    assert rows(job(text, files=data), "prompt", "seed", "aspect_ratio", "output_format") == [
        "a 1 1:1 jpeg", "a 2 1:1 jpeg", "a 9 1:1 -",
        "b 2 2:3 -", "b 9 2:3 -",
        "d 9 1:1 jpeg",
    ]  # fmt: skip


def test_images_of_rows_are_read_and_missing_ones_named() -> None:
    data = {"d.csv": "prompt,image,strength\na,in/a.png,0.5\nb,,\nc,in/b.png,1\n"}
    manifest = job("prompts: [{file: d.csv}]", files=data)
    assert rows(manifest, "mode", "strength") == ["image-to-image 0.5", "- -", "image-to-image 1"]
    assert [task.request.image and task.request.image.path for task in manifest] == ["in/a.png", None, "in/b.png"]


WRONG: list[tuple[str, list[str]]] = [
    ("prompt,seed\na,x\n", ["d.csv:2:1: seed: 'x' is not a value of seed; accepted: a whole number from 0 to"]),
    ("prompt,seed\na,1\nb,-1\n", ["d.csv:3:1: seed: '-1' is not a value of seed"]),
    ("prompt,seed\na,1.0\n", ["d.csv:2:1: seed: '1.0' is not a value of seed"]),
    ("prompt,seed\na,1..3\n", ["d.csv:2:1: seed: '1..3' is not a value of seed"]),
    ("prompt,model\na,sd\n", ["d.csv:2:1: model: 'sd' is not a value of model; accepted: sd3-large, "]),
    (
        "prompt,model\na,sd-cor\n",
        ["d.csv:2:1: model: 'sd-cor' is not a value of model; did you mean 'sd-core'? accepted: sd3-large, "],
    ),
    (
        "id,prompt\nr1,a\n,b\n,c\nr2,d\nr1,e\nr1,f\n",
        [f"d.csv:{line}:1: id: the id 'r1' stands in line 2 too; ids are unique" for line in (6, 7)],
    ),
    (
        'prompt,seed,aspect_ratio\n"a\nb",x,9:10\nc,1,1:1\nd,y,\n',
        ["d.csv:3:1: seed: 'x'", "d.csv:3:1: aspect_ratio: '9:10'", "d.csv:5:1: seed: 'y'"],
    ),
    ("prompt,seed\n,1\nb,2\n  ,3\n", ["d.csv:2:1: prompt: a row without its prompt", "d.csv:4:1: prompt: a row"]),
    ("prompt\n" + "y" * 10_001, ["d.csv:2:1: prompt: 'yyyyyyyy"]),
    ("prompt,style_preset\na,\nb,anime\n", ["d.csv:3:1: style_preset: sd3-large does not take style_preset"]),
    ("prompt,strength\na,0.5\n", ["d.csv:2:1: strength: text-to-image takes no strength"]),
    ("prompt,image\na,in/a.png\n", ["d.csv:2:1: image: image-to-image needs strength; add strength"]),
    ("prompt,image,strength\na,missing.png,1\n", ["d.csv:2:1: image: missing.png does not exist"]),
    (
        "prompt,seed,image,strength\na,x,a.png,1\nb,2,missing.png,1\n",
        ["d.csv:2:1: seed: 'x'", "d.csv:3:1: image: missing.png does not exist"],
    ),
    ("prompt,x\na {{x}},1\nb {{x}},\n", ["d.csv:3:1: prompt: {{x}} has no value here; define it under vars"]),
    ("prompt,animal\na,\nb {{animl}},1\n", ["d.csv:3:1: prompt: {{animl}} has no value here; did you mean 'animal'?"]),
    ("text,seed\na,1\n", ["job.yaml:1:18: prompts[0].file: no column prompt in d.csv (text, seed); add one, or"]),
    ("prompt,seeds\na,1\n", ["d.csv:1:1: a column seeds; rename it seed"]),
    ("prompt,seed\na\n", ["d.csv:2:1: 1 cells where the header has 2"]),
    ("", ["d.csv:1:1: no header; the first line names the columns"]),
]


@pytest.mark.parametrize(("data", "said"), WRONG, ids=lambda value: ascii(value)[:40])
def test_what_is_wrong_with_rows_is_named_by_file_line_and_column(data: str, said: list[str]) -> None:
    found = data_errors("prompts: [{file: d.csv}]", {"d.csv": data})
    assert len(found) == len(said)
    assert all(line.startswith(start) for line, start in zip(found, said, strict=True))


def test_a_thousand_wrong_cells_are_told_a_hundred_times() -> None:
    data = "prompt,seed\n" + "".join(f"a,x{number}\n" for number in range(1_000))
    assert len(data_errors("prompts: [{file: d.csv}]", {"d.csv": data})) == 100


def test_a_hostile_name_or_value_of_a_cell_is_shown_in_one_line() -> None:
    text = 'prompt,"\x1b[31m\nx",seed\na,1,"\x1b[2J\n9"\n'
    (said,) = data_errors("prompts: [{file: d.csv}]", {"d.csv": text})
    assert said.isprintable()


def test_each_row_names_the_place_of_its_prompt() -> None:
    data = {"d.csv": "id,prompt,animal\nr1,a cat,\nr2,a dog,\nr3,,owl\n"}
    manifest = job("prompts:\n  - {file: d.csv, prompt: 'a {{animal}}', animal: fox}\n", files=data)
    origins = [manifest.origins(index)["prompt"][0] for index in range(3)]
    assert [manifest.where(column.place()) for column in origins[:2]] == ["d.csv:2", "d.csv:3"]
    assert [column.origin for column in origins] == ["d.csv:2", "d.csv:3", "prompt"]
    assert "id" not in manifest.origins(0)


def test_a_label_ends_in_the_beginning_of_the_text_s_digest() -> None:
    manifest = job("prompts: [{file: d.txt}]", files={"d.txt": "a fox\n狐\n"})
    assert [task.prompt_id for task in manifest] == [
        f"a-fox-{short_digest('a fox')[:6]}",
        f"prompt-{short_digest('狐')[:6]}",
    ]


# Laws

CELLS: dict[str, st.SearchStrategy[str]] = {
    "prompt": st.from_regex(r"[a-z]{1,6}( \{\{animal\}\})?", fullmatch=True),
    "seed": st.sampled_from(["", "0", "7", "4294967294"]),
    "aspect_ratio": st.sampled_from(["", "1:1", "16:9"]),
    "animal": st.sampled_from(["", "fox", "no"]),
    "model": st.sampled_from(["", "sd-core", "sd3-large"]),
}
ROWS = st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=5)


@given(ROWS, st.booleans())
def test_any_rows_are_the_prompts_that_they_say(table: list[dict[str, str]], swept: bool) -> None:  # noqa: FBT001
    rest = "vars: {animal: [owl, cat]}\n"
    rest += "sweep: {seed: [1, 2], model: [sd-core, sd3-large-turbo], exclude: [{seed: 2, model: sd-core}]}\n"
    rest = rest if swept else "vars: {animal: owl}\n"
    data = "\n".join([",".join(CELLS), *(",".join(row[name] for name in CELLS) for row in table)])
    entries: list[dict[str, Any]] = [
        {name: int(cell) if name == "seed" else cell for name, cell in row.items() if cell} for row in table
    ]
    from_file = job(rest + "prompts: [{file: d.csv}]", files={"d.csv": data})
    by_hand = job(rest + f"prompts: {entries}")
    assert ids(from_file) == ids(by_hand)
    assert [from_file.task(index) for index in range(len(from_file))] == list(from_file)
    assert survey(from_file) == survey(by_hand)

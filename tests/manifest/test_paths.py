"""Where pictures go: templates, tokens, and names that are safe on every common file system, whatever the prompt."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from job_texts import job, only_error

from batchgen.errors import UsageError
from batchgen.manifest.paths import TOKENS, PathTemplate, folded, safe_name, slug
from batchgen.manifest.survey import survey

RESERVED = {"con", "prn", "aux", "nul"} | {f"{port}{number}" for port in ("com", "lpt") for number in range(10)}


def assert_safe(name: str) -> None:
    """One component of a path on any common file system."""
    assert 0 < len(name.encode()) <= 255
    assert name not in {".", ".."}
    assert not set(name) & set('<>:"/\\|?*')
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs"} for char in name)
    assert name[0] not in " ."
    assert name[-1] not in " ."
    assert name.split(".", maxsplit=1)[0].rstrip(" ").casefold() not in RESERVED
    assert unicodedata.is_normalized("NFC", name)


NAMES = [
    ("fox", "fox"),
    ("Fox 7", "Fox 7"),
    ("../x", "-x"),
    ("../../etc/passwd", "-..-etc-passwd"),
    ("/abs", "-abs"),
    ("C:\\x", "C-x"),
    ("\\\\host\\share", "-host-share"),
    ("a/b", "a-b"),
    ('<>:"/\\|?*', "-"),
    (".", "_"),
    ("..", "_"),
    ("", "_"),
    (" . ", "_"),
    (".hidden", "hidden"),
    ("a.", "a"),
    ("a. . ", "a"),
    ("CON", "_CON"),
    ("con.txt", "_con.txt"),
    ("nul.tar.gz", "_nul.tar.gz"),
    ("aux.", "_aux"),
    ("LPT9", "_LPT9"),
    ("COM0", "_COM0"),
    ("console", "console"),
    ("com10", "com10"),
    ("a\0b", "a-b"),
    ("a\r\nb", "a-b"),
    ("\x1b[31mred", "-[31mred"),
    ("a\u202eb", "ab"),
    ("a\ufeffb", "ab"),
    ("\ud800", "_"),
    ("e\u0301", "é"),
    ("é", "é"),
    ("🦊", "🦊"),
    ("狐", "狐"),
]


@pytest.mark.parametrize(("text", "name"), NAMES, ids=ascii)
def test_an_unsafe_name_becomes_a_safe_one(text: str, name: str) -> None:
    assert safe_name(text) == name
    assert_safe(name)


@given(st.text(max_size=400))
@example("e\u200d\u0301")
@example("x" * 119 + "\u0301" * 3)
@example("con .txt")
def test_any_text_becomes_one_safe_component(text: str) -> None:
    assert_safe(safe_name(text))


@given(st.text(st.sampled_from("cCoOnNaAuUxXlLpPtTmM19. \0/:\u0301\u200d狐🦊é-_"), max_size=200))
def test_so_does_any_heap_of_the_worst_characters(text: str) -> None:
    assert_safe(safe_name(text))


@pytest.mark.parametrize("char", ["x", "é", "狐", "🦊"])
def test_a_long_name_is_cut_between_characters_and_stays_itself(char: str) -> None:
    one, other = safe_name(char * 300), safe_name(char * 299 + "!")
    assert one != other
    assert one == safe_name(char * 300)
    for name in (one, other):
        assert_safe(name)
        assert name.startswith(char * 20)


@given(st.text(max_size=400))
@example("Ünïcödé — Straße 狐")
@example("x" * 300)
@example("con")
def test_a_slug_is_a_few_words_of_plain_letters(text: str) -> None:
    found = slug(text)
    assert 1 <= len(found) <= 40
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert found.strip("-") == found
    assert "--" not in found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a red fox, snow, golden light", "a-red-fox-snow-golden-light"),
        ("Ünïcödé", "unicode"),
        ("狐", "prompt"),
        ("", "prompt"),
        ("../../x", "x"),
        ("one two three four five six seven eight nine ten", "one-two-three-four-five-six-seven-eight"),
        ("x" * 41, "x" * 40),
        ("a " + "x" * 40, "a"),
    ],
)
def test_each_slug(text: str, found: str) -> None:
    assert slug(text) == found


@pytest.mark.parametrize(
    ("one", "other"),
    [("Fox/1", "fox/1"), ("e\u0301", "é"), ("STRASSE", "straße"), ("\u212b", "å")],
)
def test_twins_by_case_and_by_normal_form_fold_to_one(one: str, other: str) -> None:
    assert folded(one) == folded(other)


# Templates

VALUES = {token: token for token in TOKENS} | {
    "aspect_ratio": "16:9",
    "id": "akkvu6uxfmafedzme3edeqpex4",
    "prompt_id": "../x",
    "name": "狐",
}


@pytest.mark.parametrize(
    ("template", "stem"),
    [
        ("{seed}.{ext}", "seed"),
        ("a/b/{seed}-{id:12}.{ext}", "a/b/seed-akkvu6uxfmaf"),
        ("{id:2}/{id}.{ext}", "ak/akkvu6uxfmafedzme3edeqpex4"),
        ("{aspect_ratio}.{ext}", "16x9"),
        ("{prompt_id}/{name}.{ext}", "-x/狐"),
        ("{model}_{strength}_{style_preset}_{repeat}_{index}_{date}_{run}_{prompt_slug}.{ext}",
         "model_strength_style_preset_repeat_index_date_run_prompt_slug"),
        ("con/nul.{ext}", "_con/_nul"),
        ("a:b/c?.{ext}", "a-b/c-"),
        (" /x.{ext}", "_/x"),
        ("..x/y.{ext}", "x/y"),
        ("{seed}.{seed}.{ext}", "seed.seed"),
        ("at 10:30.{ext}", "at 10-30"),
    ],
)  # fmt: skip
def test_a_template_gives_a_path_below_the_folder(template: str, stem: str) -> None:
    assert PathTemplate.read(template).filled(VALUES) == stem


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{seed}", "a path ends with .{ext}"),
        ("{seed}.png", "a path ends with .{ext}"),
        ("{seed}.{ext}/x", "a path ends with .{ext}"),
        ("", "a path ends with .{ext}"),
        ("/abs/{seed}.{ext}", "a path stays below the output folder"),
        ("../{seed}.{ext}", "a path stays below the output folder"),
        ("a/../../{seed}.{ext}", "a path stays below the output folder"),
        ("a//{seed}.{ext}", "a path stays below the output folder"),
        ("./{seed}.{ext}", "a path stays below the output folder"),
        ("a/.{ext}", "a path stays below the output folder"),
        (".{ext}", "a path stays below the output folder"),
        ("...{ext}", "a path stays below the output folder"),
        ("{sed}.{ext}", "unknown token {sed}"),
        ("{}.{ext}", "unknown token {}"),
        ("{Seed}.{ext}", "unknown token {Seed}"),
        ("{prompt}.{ext}", "unknown token {prompt}"),
        ("{ext}.{ext}", "unknown token {ext}"),
        ("{seed!r}.{ext}", "unknown token {seed!r}"),
        ("{seed.__class__}.{ext}", "unknown token {seed.__class__}"),
        ("{id:0}.{ext}", "{id:0}: no such width; the number after : is how many"),
        ("{id:-1}.{ext}", "{id:-1}: no such width; the number after : is how many"),
        ("{id:x}.{ext}", "{id:x}: no such width; the number after : is how many"),
        ("{id:>12}.{ext}", "{id:>12}: no such width; the number after : is how many"),
        ("{id:999}.{ext}", "{id:999}: no such width; the number after : is how many"),
        ("{seed.{ext}", "a stray brace"),
        ("seed}.{ext}", "a stray brace"),
        ("{{seed}}.{ext}", "a stray brace"),
        ("a\\{seed}.{ext}", "a stray brace, backslash or control"),
        ("a\n{seed}.{ext}", "a stray brace, backslash or control"),
    ],
)
def test_a_template_that_can_t_be_is_answered_with_what_can(template: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"[;:] ") as caught:
        PathTemplate.read(template)
    assert str(caught.value).startswith(said)


@given(st.dictionaries(st.sampled_from(sorted(TOKENS)), st.text(max_size=200)))
@example(dict.fromkeys(TOKENS, "../../.."))
@example(dict.fromkeys(TOKENS, ""))
@example(dict.fromkeys(TOKENS, "\0/\\:"))
def test_no_value_leads_out_of_the_folder(values: dict[str, str]) -> None:
    template = PathTemplate.read("{prompt_id}/{name}{prompt_slug}/{model:7}-{id:12}.{ext}")
    parts = template.filled(VALUES | values).split("/")
    assert len(parts) == 3
    for part in parts:
        assert_safe(part)


# In a job


@pytest.mark.parametrize(
    ("text", "stem"),
    [
        ("prompts: ['A red Fox, snow!']\ndefaults: {seed: 7}", "a-red-fox-snow/7-"),
        ("prompts: [狐]\ndefaults: {seed: 7}", "prompt/7-"),
        ("prompts: [../../etc]\ndefaults: {seed: 7}", "etc/7-"),
        ("prompts: [a]\nsweep: {seeds: 1..2000}", "a/1-"),
    ],
)
def test_the_default_path(text: str, stem: str) -> None:
    task = job(text).task(0)
    assert task.stem == stem + task.id[:12]


def test_a_prompt_of_more_than_2000_tasks_gets_folders_by_the_id() -> None:
    manifest = job("prompts: [a, {prompt: b, sweep: {seeds: 1..3}}]\nsweep: {seeds: 1..2001}")
    first, last = manifest.task(0), manifest.task(2001)
    assert first.stem == f"a/{first.id[:2]}/1-{first.id[:12]}"
    assert last.stem == f"b/1-{last.id[:12]}"


def test_every_token_has_its_value() -> None:
    manifest = job("""\
        name: night
        prompts: [{id: fox, prompt: a red fox}]
        repeat: 2
        sweep: {seed: 7}
        output: {path: "{name}/{prompt_id}/{prompt_slug}/{model}/{aspect_ratio}/{seed}/{strength}/{style_preset}/\
{repeat}/{index}/{date}/{run}/{id:12}.{ext}"}
    """)
    last = manifest.task(1)
    assert last.stem == (
        "night/fox/a-red-fox/sd3-large/1x1/7/none/none/1/1/2026-11-22/20261122T023011Z-3f9c/" + last.id[:12]
    )


def test_a_bad_template_is_an_error_at_its_place() -> None:
    said = only_error('prompts: [a, b]\noutput:\n  path: "{sed}.{ext}"\n')
    assert said.startswith("3:9: output.path: unknown token {sed}; accepted: aspect_ratio, date, ")


@pytest.mark.parametrize(
    "text",
    [
        "prompts: [a]\nsweep: {ratios: [1:1, 16:9]}\noutput: {path: '{seed}.{ext}'}",
        "prompts: [a, b]\noutput: {path: 'x.{ext}'}",
        "prompts: [{prompt: a, id: Fox}, {prompt: b, id: fox}]\noutput: {path: '{prompt_id}.{ext}'}",
        'prompts: [{prompt: a, id: "\\u00e9"}, {prompt: b, id: "e\\u0301"}]\noutput: {path: "{prompt_id}.{ext}"}',
        "prompts: [{prompt: a, id: 'x/y'}, {prompt: b, id: 'x:y'}]\noutput: {path: '{prompt_id}.{ext}'}",
        "prompts: [a]\nrepeat: 2\noutput: {path: '{seed}.{ext}'}",
    ],
    ids=["axis", "prompts", "case", "normal form", "unsafe characters", "repeat"],
)  # fmt: skip
def test_two_tasks_on_one_path_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match=r"output.path: tasks 0 and 1 both go to"):
        survey(job(text))


def test_equal_tasks_share_their_path() -> None:
    assert survey(job("prompts: [a, a]\noutput: {path: '{prompt_slug}.{ext}'}")).tasks == 1

"""`{{name}}` and nothing else in a prompt is a variable; an unknown one is an error that suggests the nearest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_texts import column, errors, job, only_error

from batchgen.manifest.template import fill, names

TEMPLATES: list[tuple[str, list[str], str]] = [
    ("a fox", [], "a fox"),
    ("a {{x}}", ["x"], "a 1"),
    ("{{x}}{{y}}{{x}}", ["x", "y"], "121"),
    ("{{ x }} {{\ty}}", ["x", "y"], "1 2"),
    ("{{a_b-2}}", ["a_b-2"], "3"),
    ("{x} {x}} {{x} { {x} }", [], "{x} {x}} {{x} { {x} }"),
    ("(word:1.2) [x|y] <lora:z:0.5> {a|b}", [], "(word:1.2) [x|y] <lora:z:0.5> {a|b}"),
    ("{{{x}}}", ["x"], "{1}"),
    ("{{}} {{ }} {{2x}} {{x y}} {{x.y}} {{x|y}} {{é}}", [], "{{}} {{ }} {{2x}} {{x y}} {{x.y}} {{x|y}} {{é}}"),
    ("$x ${x} %(x)s \\{{x}}", ["x"], "$x ${x} %(x)s \\1"),
    ("{{x\n}}", ["x"], "1"),
]
VARIABLES = {"x": "1", "y": "2", "a_b-2": "3"}


@pytest.mark.parametrize(("template", "named", "filled"), TEMPLATES)
def test_each_form(template: str, named: list[str], filled: str) -> None:
    assert names(template) == named
    assert fill(template, VARIABLES) == filled


def test_a_value_is_not_looked_through_again() -> None:
    assert fill("{{x}} {{y}}", {"x": "{{y}}", "y": "\\1 {{x}}"}) == "{{y}} \\1 {{x}}"


@given(st.text())
def test_a_text_without_two_braces_is_sent_as_it_is(text: str) -> None:
    plain = text.replace("{{", "{ {")
    assert (names(plain), fill(plain, {})) == ([], plain)


@given(st.text("{} x", max_size=20))
def test_any_heap_of_braces_has_every_name_filled(text: str) -> None:
    assert all(set(name) == {"x"} for name in names(text))
    filled = fill(text, dict.fromkeys(names(text), "y"))
    assert ("y" in filled) == bool(names(text))


# In a job


def test_other_braces_and_weights_are_sent_as_they_are() -> None:
    prompt = "a {red} fox (snow:1.2), {{animal}}, ${HOME} $$ {a|b}"
    manifest = job(f"prompts: ['{prompt}']\nvars: {{animal: owl}}")
    assert column(manifest, "prompt") == ["a {red} fox (snow:1.2), owl, ${HOME} $$ {a|b}"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prompts: ['{{animl}}']\nvars: {animal: x}",
         "1:11: prompts[0]: {{animl}} has no value here; did you mean 'animal'? variables: animal"),
        ("prompts: ['a {{animal}}']", "1:11: prompts[0]: {{animal}} has no value here; define it under vars"),
        ("prompts:\n  - prompt: a\n    negative_prompt: no {{x}}\nvars: {y: 1}", "3:22: prompts[0].negative_prompt:"),
        ("prompts: [a]\ndefaults: {negative_prompt: '{{x}}'}", "2:29: defaults.negative_prompt: {{x}} has no value"),
        ("prompts: [a]\nsweep: {negative_prompt: [b, '{{x}}']}", "2:30: sweep.negative_prompt[1]: {{x}} has no value"),
        ("tasks: [{prompt: 'a {{x}}'}]", "1:18: tasks[0].prompt: {{x}} has no value here; define it under vars"),
        ("prompts: ['{{x}}']\nvars: {x: ~}", "1:11: prompts[0]: {{x}} has no value here; define it under vars"),
        ("prompts: ['{{x}}']\nvars: {x: [a, ~]}", "1:11: prompts[0]: {{x}} has no value here; define it under vars"),
        ("prompts: ['{{seed}}']", "1:11: prompts[0]: {{seed}} has no value here; define it under vars"),
        ("prompts: ['{{seed}} {{x}}']\nvars: {x: 1}", "1:11: prompts[0]: {{seed}} has no value here; variables: x"),
        ("prompts: ['{{x}}', {prompt: '{{x}}', x: 1}]", "1:11: prompts[0]: {{x}} has no value here; define it under"),
    ],
)  # fmt: skip
def test_a_name_without_a_value_is_an_error_at_the_template(text: str, said: str) -> None:
    assert only_error(text).startswith(said)


def test_each_unknown_name_is_told() -> None:
    found = errors("prompts: ['{{one}} {{two}}', '{{three}}']\nvars: {x: 1}")
    assert [line.split(" ")[2] for line in found] == ["{{one}}", "{{two}}", "{{three}}"]


def test_a_prompt_that_begins_with_a_name_needs_quotes_and_is_told_so() -> None:
    assert only_error("prompts:\n  - {{x}} fox\nvars: {x: 1}").endswith("quote a prompt that begins with {{")

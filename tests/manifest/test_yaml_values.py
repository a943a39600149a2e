"""A job's text as values: YAML 1.2's core schema, each value and key with its place, prompts from their source text."""

from __future__ import annotations

from decimal import Decimal
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_texts import document, errors, job, only_error, values

from batchgen.errors import ManifestError
from batchgen.manifest.reading.scalars import resolve

PLAIN: list[tuple[str, Any]] = [
    # text, where YAML 1.1 would see something else
    ("16:9", "16:9"),
    ("1:1", "1:1"),
    ("21:9", "21:9"),
    ("190:20:30", "190:20:30"),
    ("no", "no"),
    ("No", "No"),
    ("yes", "yes"),
    ("on", "on"),
    ("off", "off"),
    ("y", "y"),
    ("010", "010"),
    ("-010", "-010"),
    ("00", "00"),
    ("1_000", "1_000"),
    ("0b11", "0b11"),
    ("2026-11-22", "2026-11-22"),
    ("2026-11-22T02:30:11Z", "2026-11-22T02:30:11Z"),
    ("=", "="),
    ("tRUE", "tRUE"),
    ("nULL", "nULL"),
    ("1..4", "1..4"),
    ("0.2..0.8:0.2", "0.2..0.8:0.2"),
    ("1.2.3", "1.2.3"),
    ("1e", "1e"),
    ("0x", "0x"),
    ("0xg", "0xg"),
    ("-0x1F", "-0x1F"),
    ("0o8", "0o8"),
    (".", "."),
    (".inf", ".inf"),
    ("-.inf", "-.inf"),
    (".nan", ".nan"),
    ("NaN", "NaN"),
    ("Infinity", "Infinity"),
    ("1e999999999", "1e999999999"),
    ("9" * 50, "9" * 50),
    ("\u0661\u0662", "\u0661\u0662"),
    # whole numbers
    ("0", 0),
    ("-0", 0),
    ("7", 7),
    ("+7", 7),
    ("-7", -7),
    ("4294967294", 4294967294),
    ("0x1F", 31),
    ("0xff", 255),
    ("0o17", 15),
    # decimals, kept as they are written
    ("1e-3", Decimal("0.001")),
    ("1e3", Decimal(1000)),
    ("1E+3", Decimal(1000)),
    ("0.1", Decimal("0.1")),
    (".5", Decimal("0.5")),
    ("5.", Decimal(5)),
    ("-0.20", Decimal("-0.2")),
    ("0.30000000000000000004", Decimal("0.30000000000000000004")),
    # the rest
    ("true", True),
    ("True", True),
    ("TRUE", True),
    ("false", False),
    ("False", False),
    ("FALSE", False),
    ("~", None),
    ("null", None),
    ("Null", None),
    ("NULL", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "value"), PLAIN)
def test_a_plain_value_is_that_of_the_core_schema(text: str, value: Any) -> None:
    read = values(f"a: {text}\nb: [{text}]\n".replace("[]", "[~]"))
    assert read == {"a": value, "b": [value]}
    assert type(read["a"]) is type(value)


@pytest.mark.parametrize("text", [text for text, _ in PLAIN])
def test_a_quoted_value_is_text(text: str) -> None:
    assert values(f"a: '{text}'\nb: \"{text}\"\nc: !!str {text}\n") == {"a": text, "b": text, "c": text}


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-1000, max_value=1000))
def test_a_decimal_keeps_its_digits(number: Decimal) -> None:
    assert str(resolve(str(number))) == str(number)


@given(st.integers(min_value=-(10**38), max_value=10**38))
def test_a_whole_number_is_itself(number: int) -> None:
    assert resolve(str(number)) == number


def test_keys_are_their_source_text() -> None:
    assert values("1: a\nno: b\n16:9: c\n~: d\n'': e\n1e3: f\n") == {
        "1": "a",
        "no": "b",
        "16:9": "c",
        "~": "d",
        "": "e",
        "1e3": "f",
    }


def test_an_alias_is_the_value_of_its_anchor() -> None:
    assert values("a: &x [1, {b: 16:9}]\nc: *x\nd: &y 7\ne: *y\n") == {
        "a": [1, {"b": "16:9"}],
        "c": [1, {"b": "16:9"}],
        "d": 7,
        "e": 7,
    }


def test_an_anchor_that_is_given_again_means_the_later_value() -> None:
    assert values("a: &x 1\nb: *x\nc: &x 2\nd: *x\n") == {"a": 1, "b": 1, "c": 2, "d": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "3:1: a: the key stands twice (first in line 1); keep one of them"),
        ("a:\n  b: 1\n  'b': 2\n", "3:3: a.b: the key stands twice (first in line 2); keep one of them"),
        ("a: [{b: 1, b: 1}]\n", "1:12: a[0].b: the key stands twice (first in line 1); keep one of them"),
    ],
)
def test_a_key_that_stands_twice_is_an_error_at_the_second(text: str, said: str) -> None:
    with pytest.raises(ManifestError) as caught:
        document(text)
    assert str(caught.value) == f"job.yaml:{said}"


# Places


def test_every_value_and_key_has_its_place() -> None:
    read = document("""\
        name: x
        prompts:
          - a fox
          - prompt: |
              two
              lines
            seed: 7
          - "«rötlich» 狐": {"🦊": 16:9,   after: [1, "two"]}
            last: >-
              folded

              text
            end: 1
    """)
    places = {path: (place.line, place.column) for path, place in read.places.items()}
    keys = {path: (place.line, place.column) for path, place in read.keys.items()}
    fox = ("prompts", 2, "«rötlich» 狐")
    assert places == {
        (): (1, 1),
        ("name",): (1, 7),
        ("prompts",): (3, 3),
        ("prompts", 0): (3, 5),
        ("prompts", 1): (4, 5),
        ("prompts", 1, "prompt"): (4, 13),
        ("prompts", 1, "seed"): (7, 11),
        ("prompts", 2): (8, 5),
        fox: (8, 20),
        (*fox, "🦊"): (8, 26),
        (*fox, "after"): (8, 41),
        (*fox, "after", 0): (8, 42),
        (*fox, "after", 1): (8, 45),
        ("prompts", 2, "last"): (9, 11),
        ("prompts", 2, "end"): (13, 10),
    }
    assert keys[*fox, "after"] == (8, 34)
    assert keys["prompts", 2, "end"] == (13, 5)
    assert set(keys) == {path for path in places if path and isinstance(path[-1], str)}


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["without a mark", "with a byte order mark"])
def test_newlines_and_the_byte_order_mark_move_no_place(newline: str, mark: str) -> None:
    text = mark + newline.join(["prompts:", "  - a", "", "naem: 1", ""])
    assert only_error(text.encode()).startswith("4:1: naem: unknown key")


def test_a_problem_deeper_than_what_has_a_place_stands_at_what_is_around_it() -> None:
    problem = document("a: &x {b: 1}\nc: *x\n").problem(("c", "b"), "wrong")
    assert (problem.line, problem.column, problem.path) == (2, 4, "c.b")


def test_an_error_shows_its_line_with_a_caret_under_the_place() -> None:
    error = document("prompts:\n  - 狐 fox\nname: x\n").error([])
    problem = document("a: 狐\nb: x\n").problem(("b",), "wrong", "right")
    assert str(error) == ""
    shown = document("a: 狐\nb: x\n").error([problem])
    assert str(shown) == "job.yaml:2:4: b: wrong; right"
    assert shown.render() == "job.yaml:2:4: b: wrong; right\n    b: x\n       ^"


# Prompts


@pytest.mark.parametrize(
    "text",
    ["2024", "true", "~", "null", "1e3", "010", "no", "0x1F", "2026-11-22", "16:9", "$$ ${HOME}", "a {b} (c:1.2)"],
)
@pytest.mark.parametrize(
    "form",
    [
        "prompts:\n  - {}\n",
        "prompts:\n  - prompt: {}\n",
        "prompts:\n  - {}   \n",
        "prompts:\n  - '{}'\n",
        "prompts:\n  - |-\n    {}\n",
    ],
    ids=["item", "mapping", "blanks", "quoted", "block"],
)
def test_a_prompt_is_its_source_text(form: str, text: str) -> None:
    assert job(form.replace("{}", text)).prompts[0].rows.text(0) == text


@pytest.mark.parametrize("text", ["2024", "true", "no", "010", "$$ ${HOME}"])
def test_so_is_a_negative_prompt(text: str) -> None:
    for form in ("defaults: {{}}", "sweep: {{}}", "sweep:\n  negative_prompt: [x, '{}']"):
        given_value = form.replace("{{}}", f"{{negative_prompt: '{text}'}}").replace("{}", text)
        fields = dict(job(f"prompts: [a]\n{given_value}\n").task(-1 % 1).request.fields)
        assert fields["negative_prompt"] in {text, "x"}
    plain = job(f"prompts:\n  - prompt: a\n    negative_prompt: {text}\n").task(0)
    assert dict(plain.request.fields)["negative_prompt"] == text


def test_a_prompt_over_several_lines_is_folded_as_yaml_folds_it() -> None:
    read = values("prompts:\n  - a red\n    fox\n  - |\n    two\n    lines\n  - >-\n    folded\n    text\n")
    assert read == {"prompts": ["a red fox", "two\nlines\n", "folded text"]}


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("prompts:\n  - a fox # red\n", "2:5: prompts[0]: what follows ' #' is a comment"),
        ("prompts:\n  - prompt: a fox   # red\n", "2:13: prompts[0].prompt: what follows ' #' is a comment"),
        ("prompts:\n  - a red\n    fox # red\n", "2:5: prompts[0]: what follows ' #' is a comment"),
        ("prompts:\n  - «rötlich» 狐 #1\n", "2:5: prompts[0]: what follows ' #' is a comment"),
        ("prompts:\n  - prompt: a\n    negative_prompt: b #c\n", "3:22: prompts[0].negative_prompt: what follows"),
        ("prompts: [a fox, snow]\n", "1:10: prompts: read as 2 prompts, cut at each comma"),
        ("prompts: [a fox, 'an owl', snow]\n", "1:10: prompts: read as 3 prompts, cut at each comma"),
        ("prompts:\n  - &more things\n", "2:5: prompts[0]: &more is an anchor that nothing refers to"),
        ("prompts:\n  - prompt: &more things\n", "2:13: prompts[0].prompt: &more is an anchor that nothing refers to"),
        ("prompts:\n  - a\nname: &x 'y'\n", "3:7: name: &x is an anchor that nothing refers to; quote the text if &"),
        ("prompts: [&x a, &x 'b', *x]\n", "1:11: prompts[0]: &x is an anchor that nothing refers to"),
    ],
)
def test_a_prompt_that_yaml_cuts_short_is_warned_of(text: str, warning: str) -> None:
    (found,) = job(text).warning_lines()
    place, said = warning.split(": ", 1)
    assert found.startswith(f"jobs/animals.yaml:{place}: warning: {said}")
    assert "quote" in found


@pytest.mark.parametrize(
    "text",
    [
        "prompts:\n  - a fox#red\n",
        "prompts:\n  - 'a fox # red'\n",
        "prompts:\n  - 'a fox' # a note on a quoted prompt\n",
        "prompts:\n  # a note of its own\n  - a fox\n",
        "prompts:\n  - |\n    a fox # red\n",
        "prompts: ['a fox', \"snow\"]\n",
        "prompts: [a fox]\n",
        "prompts: [a]\nsweep: {seeds: [1, 2]} # two\n",
        "prompts: [a]\nname: x # a note\n",
        "prompts: [&a a, *a]\n",
        "prompts:\n  - a & b\n  - '&c d'\n",
    ],
)
def test_other_comments_and_lists_are_not_warned_of(text: str) -> None:
    assert job(text).warning_lines() == []


def test_a_comment_after_signs_of_every_length_is_found_where_it_stands() -> None:
    lines = ["# é狐🦊", "prompts:", "  - 🦊 é狐 # c", "  - 'b\u2028c' # d", "  - e", "  # f", "  - 🦊g #h", ""]
    warnings = job("\r\n".join(lines).encode()).warnings
    assert [(found.line, found.path) for found in warnings] == [(3, "prompts[0]"), (8, "prompts[3]")]


def test_an_anchor_on_more_than_a_text_is_no_matter_of_quotes() -> None:
    (found,) = job("prompts: [a]\nsweep: &x\n  seeds: [1]\n").warning_lines()
    assert found.endswith(":2:8: warning: sweep: &x is an anchor that nothing refers to; remove it")


def test_warnings_stand_in_the_order_of_lines_and_are_no_more_than_are_read() -> None:
    lines = [f"  - &x{number} a{number} # c\n" for number in range(200)]
    found = job(f"prompts:\n{''.join(lines[:30])}").warnings
    assert [warning.line for warning in found] == [line for line in range(2, 32) for _ in range(2)]
    assert len(job(f"prompts:\n{''.join(lines)}").warnings) == 100


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "prompts:\n  - portrait: close-up\n",
            "2:5: prompts[0]: 'portrait': a mapping where a prompt was meant; quote a prompt that holds ': '",
        ),
        (
            "prompts:\n  - a\n  - {{b}} c\n",
            "prompts[1]: {{ begins a mapping in YAML; quote a prompt that begins with {{",
        ),
        ("prompts:\n  - a\n  - {{b}}\n", "quote a prompt that begins with {{"),
        ("prompts: [a]\nname: {{b}}\n", "quote a value that begins with {{"),
        ("prompts: [*bold*]", "quote a text that begins with *"),
        ("prompts:\n  - **bold** fox\n", "quote a text that begins with *"),
        ("prompts:\n  - *bold\n", "define &bold first, or quote a text that begins with *"),
        ("prompts:\n  - prompt: *b*\n    seed: 4\n", "quote a text that begins with *"),
        ("prompts:\n  - & more\n", "quote a text that begins with &"),
        ("prompts:\n  - !important fox\n", "remove it, or quote a text that begins with !"),
        ("prompts: [a, @home]\n", "quote a text that begins with @"),
        ("prompts:\n  - `x`\n", "quote a text that begins with `"),
        ("prompts:\n  - %x\n", "quote a text that begins with %"),
        ("prompts:\n  - > x\n", "quote a text that begins with >"),
        ("prompts:\n  - 'a' b\n", "quote the whole of a text, not its first words"),
        (
            "prompts: [a]\nprovider: {url: ${V}}\n",
            "2:18: not YAML: did not find expected ',' or '}'; put quotes around",
        ),
        ("prompts: [a]\noutput: {path: {seed}.{ext}}\n", "not YAML"),
        ("prompts: [a]\nname: x\n\tseed_root: 1\n", "indent with spaces"),
        ("prompts:\n  - a fox: an owl: snow\n", "2:18: not YAML: mapping values are not allowed in this context"),
    ],
)
def test_what_needs_quotes_is_told_so(text: str, said: str) -> None:
    assert said in only_error(text)


# The environment


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${V}", "fox"),
        ("a-${V}-${V}", "a-fox-fox"),
        ("${V:-owl}", "fox"),
        ("${V:?say it}", "fox"),
        ("${NOT_SET:-owl}", "owl"),
        ("${NOT_SET:-}", None),
        ("${EMPTY}", None),
        ("${EMPTY:-owl}", "owl"),
        ("${NUMBER}", 8),
        ("1${NUMBER}", 18),
        ("${FLAG}", True),
        ("${NOT_SET:-16:9}", "16:9"),
        ("$$", "$"),
        ("$${V}", "${V}"),
        ("$$$V", "$$V"),
        ("$V", "$V"),
        ("${}", "${}"),
        ("${1A}", "${1A}"),
        ("${V", "${V"),
        ("${NESTED}", "${V}"),
    ],
)
def test_each_form_of_a_reference_to_the_environment(text: str, value: Any) -> None:
    environment = {"V": "fox", "EMPTY": "", "NUMBER": "8", "FLAG": "true", "NESTED": "${V}"}
    assert values(f"a: {text}\n", **environment) == {"a": value}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"${N}"', 8),
        ("'${N}'", 8),
        ('"${N:-9}"', 8),
        ('"${NOT_SET:-9}"', 9),
        ('["${N}"]', [8]),
        ('"${N} "', "8 "),
        ('"${N}${N}"', "88"),
        ('"0${N}"', "08"),
        ('"$$"', "$"),
        ('"$${N}"', "${N}"),
    ],
)
def test_a_quoted_reference_may_be_a_number_and_is_text_beside_other_text(text: str, value: Any) -> None:
    assert values(f"a: {text}\n", N="8") == {"a": value}


def test_a_variable_s_text_is_never_read_as_yaml() -> None:
    evil = "x\nprompts: [b] # {"
    assert values("a: ${V}\n", V=evil) == {"a": evil}


def test_keys_and_prompts_are_no_place_for_references() -> None:
    text = "prompts:\n  - ${V}\n  - prompt: $$ ${NOT_SET}\nk${V}: 1\n"
    assert values(text, V="fox") == {"prompts": ["${V}", {"prompt": "$$ ${NOT_SET}"}], "k${V}": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${NOT_SET}", "2:7: name: the environment variable NOT_SET is not set; set it, or give ${V:-default}"),
        ("a ${NOT_SET:?say it} b", "2:7: name: the environment variable NOT_SET is not set (say it); set it, or"),
        ("${EMPTY:?}", "2:7: name: the environment variable EMPTY is not set"),
    ],
)
def test_a_variable_that_is_not_set_is_an_error_at_its_place(text: str, said: str) -> None:
    assert only_error(f"prompts: [a]\nname: {text}\n", EMPTY="").startswith(said)


# All at once


def test_everything_wrong_with_a_text_is_told_at_once_in_the_order_of_lines() -> None:
    text = """\
        name: ${NOT_SET}
        name: !x y
        prompts:
          - "a\\0b"
          - *nobody
    """
    assert [each.split(":")[0] for each in errors(dedent(text))] == ["1", "2", "2", "4", "5"]

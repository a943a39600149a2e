"""The form reader: what goes in as a form comes out as fields, and nothing else does."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_client import encode

from batchgen.sandbox.form import Field, NotAForm, boundary_of, read_form

TYPE = "multipart/form-data; boundary=----batchgen"
NAMES = st.text(st.characters(codec="ascii", categories=["Ll", "Nd"]), min_size=1)


@given(st.lists(st.tuples(NAMES, st.binary() | st.text())))
def test_every_form_is_read_back(pairs: list[tuple[str, str | bytes]]) -> None:
    expected = [Field(name=name, value=v if isinstance(v, bytes) else v.encode()) for name, v in pairs]
    assert read_form(TYPE, encode(pairs)) == expected


@given(st.lists(st.tuples(NAMES, st.text()), min_size=1), st.data())
def test_no_form_that_is_cut_short_is_read(pairs: list[tuple[str, str]], data: st.DataObject) -> None:
    whole = encode(pairs)
    # The line break after the closing boundary is the one thing a form can do without.
    kept = data.draw(st.integers(0, len(whole) - 4))
    with pytest.raises(NotAForm):
        read_form(TYPE, whole[:kept])


@given(st.binary())
def test_bytes_are_a_form_or_not_and_nothing_else_happens(body: bytes) -> None:
    with suppress(NotAForm):
        read_form(TYPE, body)


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data; boundary="a b:c"', b"a b:c"),
        ("Multipart/Form-Data; charset=utf-8; Boundary=abc", b"abc"),
        ("multipart/form-data;boundary=abc; charset=utf-8", b"abc"),
    ],
)
def test_a_boundary_is_found(content_type: str, boundary: bytes) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    "head",
    [
        'Content-Disposition: form-data; name="model"; filename="m"',
        "content-disposition: form-data; name=model",
        'Content-Type: text/plain\r\nContent-Disposition: form-data; filename="name=x"; name="model"',
    ],
)
def test_a_name_is_found_however_it_is_written(head: str) -> None:
    body = f"------batchgen\r\n{head}\r\n\r\nsd-core\r\n------batchgen--\r\n"
    assert read_form(TYPE, body.encode()) == [Field(name="model", value=b"sd-core")]


@pytest.mark.parametrize("head", ["", "Content-Type: text/plain", "Content-Disposition: attachment; name=x"])
def test_a_part_without_a_name_is_no_field(head: str) -> None:
    body = f"------batchgen\r\n{head}\r\n\r\nx\r\n------batchgen--\r\n"
    with pytest.raises(NotAForm, match="has no name"):
        read_form(TYPE, body.encode())

"""A multipart/form-data body, read strictly: bytes in, fields out."""

import re
from dataclasses import dataclass

_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))\s*(?:;|$)', re.IGNORECASE)
_NAME = re.compile(rb';\s*name=(?:"([^"]*)"|([^\s;"]+))', re.IGNORECASE)


class NotAForm(ValueError):  # noqa: N818 - it says what the body is
    """The body is not the multipart/form-data that its Content-Type promises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One part of the form, as received."""

    name: str
    value: bytes


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type names. Raises NotAForm for any other type than multipart/form-data."""
    kind, _, parameters = content_type.partition(";")
    if kind.strip().lower() != "multipart/form-data":
        raise NotAForm("content-type: must be multipart/form-data")
    found = _BOUNDARY.search(parameters)
    if found is None:
        raise NotAForm("content-type: multipart/form-data must name its boundary")
    return (found[1] or found[2]).encode("latin-1", "replace")


def read_form(content_type: str, body: bytes) -> list[Field]:
    """All fields in order, duplicates included. Raises NotAForm."""
    delimiter = b"\r\n--" + boundary_of(content_type)
    # A line break is put in front, since the first delimiter may open the body.
    _preamble, *parts = (b"\r\n" + body).split(delimiter)
    if not parts or not parts[-1].startswith(b"--"):
        raise NotAForm("body: is not multipart/form-data, or ends before its closing boundary")
    return [_field(part) for part in parts[:-1]]


def _field(part: bytes) -> Field:
    padding, line_break, rest = part.partition(b"\r\n")
    headers, blank_line, value = (b"\r\n" + rest).partition(b"\r\n\r\n")
    if padding.strip(b" \t") or not line_break or not blank_line:
        raise NotAForm("body: a part of the form has no headers of its own")
    for header in headers.split(b"\r\n"):
        title, _, content = header.partition(b":")
        if title.strip().lower() == b"content-disposition":
            name = _NAME.search(content)
            if name is not None and content.strip().lower().startswith(b"form-data"):
                return Field(name=(name[1] or name[2] or b"").decode("utf-8", "replace"), value=value)
    raise NotAForm("body: a part of the form has no name")

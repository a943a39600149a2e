"""A second implementation of the image API, written from the API page alone.

It shares no code with batchgen and imports nothing but the standard library, so a request that it accepts is
right by the page and not merely by batchgen's own reading of it. It refuses whatever the page does not allow,
names every violation, and keeps each request as it arrived.

    with PageServer() as page:
        ...  # POST to page.url with the key page.key
    assert [seen.problems for seen in page.seen] == [()]

Starting and stopping it blocks for an instant, so an async test takes it from a fixture that is not async.
"""

import base64
import json
import re
import socket
import struct
import sys
import threading
import zlib
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from types import MappingProxyType
from typing import Any, NamedTuple, Self

PATH = "/v1/images/generations"
LARGEST_BODY = 10 * 1024 * 1024
LARGEST_READ = 64 * 1024 * 1024  # a longer body is refused unread
LARGEST_SEED = 4294967294
LONGEST_PROMPT = 10_000
SHORTEST_SIDE = 64

ONE_OF: Mapping[str, frozenset[str]] = {
    "model": frozenset({"sd3-large", "sd3-large-turbo", "sd-core"}),
    "mode": frozenset({"text-to-image", "image-to-image"}),
    "aspect_ratio": frozenset({"16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21"}),
    "output_format": frozenset({"jpeg", "png"}),
    "style_preset": frozenset(
        {
            "3d-model",
            "analog-film",
            "anime",
            "cinematic",
            "comic-book",
            "digital-art",
            "enhance",
            "fantasy-art",
            "isometric",
            "line-art",
            "low-poly",
            "modeling-compound",
            "neon-punk",
            "origami",
            "photographic",
            "pixel-art",
            "tile-texture",
        },
    ),
}
FIELDS = frozenset(ONE_OF) | {"prompt", "image", "strength", "negative_prompt", "seed"}

# Where several things are wrong, the first of these that applies is the answer's status.
NAMES: Mapping[int, str] = {
    404: "not_found",
    405: "method_not_allowed",
    401: "unauthorized",
    413: "payload_too_large",
    400: "bad_request",
}

# An 8x8 grey baseline JPEG of 159 bytes.
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAFA3PEY8MlBGQUZaVVBfeMiCeG5uePWvuZHI//////////////////////////////////////"
    "//////////////wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AP//Z",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as it arrived."""

    number: int
    path: str
    headers: Mapping[str, str]
    """Names in lower case; the values of a repeated header are joined with a comma."""
    fields: Mapping[str, str]
    """The text fields; the last of a repeated one."""
    image: bytes | None
    image_name: str | None
    image_type: str | None
    problems: tuple[str, ...]
    """Everything that violates the page; empty when the request is right."""

    @property
    def chunked(self) -> bool:
        """Whether the body came in chunks in place of a Content-Length."""
        return "transfer-encoding" in self.headers


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; a Content-Length that is given is sent as it is, and when it is wrong the connection closes."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def refusal(status: int, name: str, *errors: str, number: int = 0) -> Answer:
    """Makes the API's error answer."""
    document = {"id": f"page-{number:06d}", "name": name, "errors": list(errors)}
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(document).encode())


class PageServer:
    """The API on a free port of this machine, from ``__enter__`` to ``__exit__``."""

    def __init__(self, *, key: str = "page-key") -> None:
        self.key: str = key
        self.url: str = ""
        self.seen: list[Seen] = []
        self._scripted: deque[Answer] = deque()
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{PATH}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is None or self._thread is None:
            raise RuntimeError("the server was not started")
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()

    def script(self, *answers: Answer) -> None:
        """Queues answers that are given, in this order, before any normal one, whatever is asked."""
        with self._lock:
            self._scripted.extend(answers)

    def answer(self, request: "Request") -> Answer:
        """Checks a request, keeps it, and returns what it is answered with."""
        form, violations = judge(request, self.key)
        with self._lock:
            number = len(self.seen) + 1
            self.seen.append(_seen(number, request, form, violations))
            if self._scripted:
                return self._scripted.popleft()
        return _refused(number, violations) if violations else _picture(number, form.texts)


# ---------------------------------------------------------------------------------------------------------------
# What is read


class Violation(NamedTuple):
    """One thing that the page does not allow, and the status that it leads to."""

    status: int
    text: str


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body, with what is wrong with the way it was sent."""

    data: bytes
    violations: tuple[Violation, ...] = ()
    whole: bool = True
    """Whether the connection stands at the start of the next request."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request before it is checked."""

    method: str
    path: str
    headers: Message
    body: Body


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart form."""

    name: str
    filename: str | None
    type: str | None
    data: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """The parts of a form by their use."""

    parts: Sequence[Part] = ()

    @property
    def texts(self) -> dict[str, str]:
        """Every field but the image."""
        return {part.name: part.data.decode(errors="replace") for part in self.parts if part.name != "image"}

    @property
    def image(self) -> Part | None:
        """The image, if one was sent."""
        return next((part for part in reversed(self.parts) if part.name == "image"), None)


def _seen(number: int, request: Request, form: Form, violations: Sequence[Violation]) -> Seen:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    image = form.image
    return Seen(
        number=number,
        path=request.path,
        headers=MappingProxyType(headers),
        fields=MappingProxyType(form.texts),
        image=image.data if image else None,
        image_name=image.filename if image else None,
        image_type=image.type if image else None,
        problems=tuple(violation.text for violation in violations),
    )


# ---------------------------------------------------------------------------------------------------------------
# What is answered


def _refused(number: int, violations: Sequence[Violation]) -> Answer:
    found = {violation.status for violation in violations}
    status = next(status for status in NAMES if status in found)
    answer = refusal(status, NAMES[status], *(violation.text for violation in violations), number=number)
    return Answer(status, {**answer.headers, "Allow": "POST"}, answer.body) if status == 405 else answer


def _picture(number: int, texts: Mapping[str, str]) -> Answer:
    seed = int(texts.get("seed", "0")) or 1 + number * 2654435761 % LARGEST_SEED
    kind = texts.get("output_format", "png")
    headers = {
        "Content-Type": f"image/{kind}",
        "seed": str(seed),
        "finish-reason": "SUCCESS",
        "x-request-id": f"page-{number:06d}",
    }
    return Answer(200, headers, jpeg(seed) if kind == "jpeg" else png(seed))


def png(seed: int, side: int = 8) -> bytes:
    """Makes a square PNG whose upper and lower half are coloured by the seed, differently for each seed."""
    upper, lower = seed & 0xFFFFFF, seed >> 8
    rows = [b"\0" + (upper if row < side // 2 else lower).to_bytes(3, "big") * side for row in range(side)]
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0),
        b"IDAT": zlib.compress(b"".join(rows)),
        b"IEND": b"",
    }
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def jpeg(seed: int) -> bytes:
    """Makes an 8x8 JPEG that carries the seed as a comment, so that no two seeds give the same bytes."""
    comment = f"seed {seed}".encode()
    header = 20  # the start marker and the JFIF segment, which has to come first
    return JPEG[:header] + b"\xff\xfe" + struct.pack(">H", 2 + len(comment)) + comment + JPEG[header:]


# ---------------------------------------------------------------------------------------------------------------
# How a request is checked


def judge(request: Request, key: str) -> tuple[Form, list[Violation]]:
    """Reads a request's form and lists everything that is wrong with the request."""
    if request.path != PATH:
        return Form(), [Violation(404, f"path: {request.path} is not {PATH}")]
    if request.method != "POST":
        return Form(), [Violation(405, f"method: {request.method} is not POST")]
    violations = [*_header_violations(request.headers, key), *request.body.violations]
    if any(violation.status == 413 for violation in violations):
        return Form(), violations
    form, problems = read_form(request.body.data, request.headers.get("Content-Type", ""))
    problems += field_problems(form)
    return form, violations + [Violation(400, problem) for problem in problems]


def _header_violations(headers: Message, key: str) -> Iterator[Violation]:
    for name in ("Accept", "Authorization", "Content-Type", "Content-Length", "Transfer-Encoding", "Host"):
        if len(headers.get_all(name, [])) > 1:
            yield Violation(400, f"{name}: sent more than once")
    if headers.get("Authorization") != f"Bearer {key}":
        yield Violation(401, "Authorization: not Bearer and the right key")
    if headers.get("Accept") != "image/*":
        yield Violation(400, f"Accept: {headers.get('Accept')!r} is not 'image/*'")
    if "Content-Encoding" in headers:
        yield Violation(400, "Content-Encoding: the body is not sent as it is")
    if "Host" not in headers:
        yield Violation(400, "Host: missing")


def field_problems(form: Form) -> list[str]:
    """Lists what is wrong with the fields of a form, taken one by one and together."""
    texts = form.texts
    return [
        *_part_problems(form.parts),
        *_listed_problems(texts),
        *_prompt_problems(texts),
        *_number_problems(texts),
        *_model_problems(texts),
        *_mode_problems(texts, form.image),
        *(_image_problems(form.image) if form.image else ()),
    ]


def _part_problems(parts: Sequence[Part]) -> Iterator[str]:
    for name, count in Counter(part.name for part in parts).items():
        if name not in FIELDS:
            yield f"{name}: no such field"
        if count > 1:
            yield f"{name}: sent {count} times"
    for part in parts:
        if part.name != "image":
            yield from _text_problems(part)


def _text_problems(part: Part) -> Iterator[str]:
    if part.filename is not None:
        yield f"{part.name}: a text field with a filename"
    plain = r'text/plain(\s*;\s*charset="?(utf-8|us-ascii)"?)?'
    if part.type is not None and not re.fullmatch(plain, part.type, re.IGNORECASE):
        yield f"{part.name}: a text field of type {part.type}"
    try:
        part.data.decode()
    except UnicodeDecodeError:
        yield f"{part.name}: not UTF-8"


def _listed_problems(texts: Mapping[str, str]) -> Iterator[str]:
    if "model" not in texts:
        yield "model: missing"
    for name, allowed in ONE_OF.items():
        if name in texts and texts[name] not in allowed:
            yield f"{name}: {texts[name]!r} is not one of {', '.join(sorted(allowed))}"


def _prompt_problems(texts: Mapping[str, str]) -> Iterator[str]:
    if "prompt" not in texts:
        yield "prompt: missing"
    elif not 1 <= len(texts["prompt"]) <= LONGEST_PROMPT:
        yield f"prompt: {len(texts['prompt'])} characters are not 1 to {LONGEST_PROMPT}"


def _number_problems(texts: Mapping[str, str]) -> Iterator[str]:
    strength = texts.get("strength")
    number = r"(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
    if strength is not None and not (re.fullmatch(number, strength) and 0 <= float(strength) <= 1):
        yield f"strength: {strength!r} is not a number from 0 to 1"
    seed = texts.get("seed")
    if seed is not None and not (re.fullmatch(r"0|[1-9][0-9]{0,9}", seed) and int(seed) <= LARGEST_SEED):
        yield f"seed: {seed!r} is not a whole number from 0 to {LARGEST_SEED}"


def _model_problems(texts: Mapping[str, str]) -> Iterator[str]:
    model = texts.get("model")
    if "negative_prompt" in texts and model == "sd3-large-turbo":
        yield "negative_prompt: sd3-large-turbo does not support it"
    if "style_preset" in texts and model != "sd-core":
        yield "style_preset: only sd-core supports it"
    if texts.get("mode") == "image-to-image" and model == "sd-core":
        yield "mode: sd-core does not support image-to-image"


def _mode_problems(texts: Mapping[str, str], image: Part | None) -> Iterator[str]:
    if texts.get("mode") != "image-to-image":
        return
    if image is None:
        yield "image: missing, and image-to-image requires it"
    if "strength" not in texts:
        yield "strength: missing, and image-to-image requires it"


def _image_problems(part: Part) -> Iterator[str]:
    if not part.filename:
        yield "image: sent as a text field, without a filename"
    kind = image_kind(part.data)
    if kind is None:
        yield "image: not a jpeg, png or webp"
        return
    if part.type not in {None, "application/octet-stream", f"image/{kind}"}:
        yield f"image: a {kind} that is sent as {part.type}"
    size = image_size(part.data, kind)
    if size is None:
        yield f"image: a {kind} whose size cannot be read"
    elif min(size) < SHORTEST_SIDE:
        yield f"image: {size[0]}x{size[1]}, and each side must be at least {SHORTEST_SIDE} pixels"


# ---------------------------------------------------------------------------------------------------------------
# How a picture is measured


def image_kind(data: bytes) -> str | None:
    """Tells a picture's format by its first bytes."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    return "webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def image_size(data: bytes, kind: str) -> tuple[int, int] | None:
    """Reads a picture's width and height from its header, or None when there is none to read."""
    measure = {"png": _png_size, "jpeg": _jpeg_size, "webp": _webp_size}[kind]
    try:
        return measure(data)
    except (struct.error, IndexError):
        return None


def _png_size(data: bytes) -> tuple[int, int] | None:
    width, height = struct.unpack_from(">II", data, 16)
    return (width, height) if data[12:16] == b"IHDR" else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            at += 2 + length
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    if data[12:16] == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if data[12:16] == b"VP8L" and data[20] == 0x2F:
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if data[12:16] == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return None


# ---------------------------------------------------------------------------------------------------------------
# How a form is read: by hand and strictly, and once more by the standard library


def read_form(body: bytes, content_type: str) -> tuple[Form, list[str]]:
    """Reads a multipart form twice over, and lists what is wrong with the way it is written."""
    boundary = read_boundary(content_type)
    if boundary is None:
        return Form(), [f"Content-Type: {content_type!r} is not multipart/form-data with a boundary"]
    strict, problems = _read_strictly(body, boundary)
    lenient, defects = _read_leniently(body, content_type)
    problems += [f"form: {defect}" for defect in defects]
    if problems:
        return Form(lenient), problems
    if [(part.name, part.data) for part in strict] != [(part.name, part.data) for part in lenient]:
        problems.append("form: two readers of it disagree")
    return Form(strict), problems


def read_boundary(content_type: str) -> bytes | None:
    """Finds the boundary in a Content-Type that is multipart/form-data and says nothing else."""
    token, quoted = r"[0-9A-Za-z'+_.-]{1,70}", r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]"
    pattern = rf'multipart/form-data *; *boundary=(?:({token})|"({quoted})")'
    found = re.fullmatch(pattern, content_type, re.IGNORECASE)
    return (found[1] or found[2]).encode() if found else None


def _read_strictly(body: bytes, boundary: bytes) -> tuple[list[Part], list[str]]:
    first, *pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    problems = []
    if first:
        problems.append("form: does not begin with its boundary")
    if not pieces or pieces.pop() not in {b"--", b"--\r\n"}:
        problems.append("form: does not end with its closing boundary")
    if not pieces:
        problems.append("form: has no part")
    parts = []
    for number, piece in enumerate(pieces, 1):
        try:
            parts.append(_read_part(piece))
        except ValueError as error:
            problems.append(f"form: part {number} {error}")
    return parts, problems


def _read_part(piece: bytes) -> Part:
    head, blank, data = piece.partition(b"\r\n\r\n")
    if not head.startswith(b"\r\n"):
        raise ValueError("has a boundary that is not a line of its own")
    if not blank:
        raise ValueError("has no blank line after its headers")
    headers = _read_part_headers(head.removeprefix(b"\r\n"))
    if headers.get("content-transfer-encoding", "binary").lower() not in {"7bit", "8bit", "binary"}:
        raise ValueError("has a Content-Transfer-Encoding")
    if headers.get("content-length", str(len(data))) != str(len(data)):
        raise ValueError("has a wrong Content-Length")
    name, filename = _read_disposition(headers.get("content-disposition", ""))
    return Part(name, filename, headers.get("content-type"), data)


def _read_part_headers(head: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        found = re.fullmatch(r"([0-9A-Za-z!#$%&'*+.^_`|~-]+): *([^\r\n\0]*)", line.decode(errors="replace"))
        if not found:
            raise ValueError(f"has a line among its headers that is none: {line!r}")
        if found[1].lower() in headers:
            raise ValueError(f"has {found[1]} more than once")
        headers[found[1].lower()] = found[2]
    return headers


def _read_disposition(value: str) -> tuple[str, str | None]:
    one = r'; *([a-z*]+)="((?:[^"\\]|\\.)*)"'
    if not re.fullmatch(rf"form-data(?:{one})+", value):
        raise ValueError('has no Content-Disposition: form-data; name="..." header')
    pairs = re.findall(one, value)
    named = {key: re.sub(r"\\(.)", r"\1", text) for key, text in pairs}
    if len(named) != len(pairs) or not named.keys() <= {"name", "filename"}:
        raise ValueError("has more in its Content-Disposition than one name and one filename")
    if not named.get("name"):
        raise ValueError("has no name")
    return named["name"], named.get("filename")


def _read_leniently(body: bytes, content_type: str) -> tuple[list[Part], list[str]]:
    raw = b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body
    message = BytesParser(policy=HTTP).parsebytes(raw)
    if not message.is_multipart():
        return [], ["not multipart"]
    parts = [part for part in message.iter_parts() if isinstance(part, EmailMessage)]
    defects = [type(defect).__name__ for one in (message, *parts) for defect in one.defects]
    try:
        return [_lenient_part(part) for part in parts], defects
    except Exception as error:  # noqa: BLE001 - a wrong header can make its parser raise anything
        return [], [*defects, f"unreadable, {type(error).__name__}"]


def _lenient_part(part: EmailMessage) -> Part:
    data = part.get_payload(decode=True)
    return Part(
        name=str(part.get_param("name", "", header="content-disposition")),
        filename=part.get_filename(),
        type=part.get("Content-Type"),
        data=data if isinstance(data, bytes) else b"",
    )


# ---------------------------------------------------------------------------------------------------------------
# How a body arrives


def read_body(headers: Message, stream: BufferedIOBase) -> Body:
    """Reads as much of a body as its headers promise."""
    coding, length = headers.get("Transfer-Encoding"), headers.get("Content-Length")
    if coding is not None and length is not None:
        return _broken("Transfer-Encoding: sent beside a Content-Length")
    if coding is not None:
        return _read_chunked(stream) if coding == "chunked" else _broken(f"Transfer-Encoding: {coding!r}")
    if length is None:
        return Body(b"", (Violation(400, "Content-Length: missing"),))
    if not re.fullmatch(r"[0-9]{1,18}", length):
        return _broken(f"Content-Length: {length!r} is not a length")
    return _read_length(stream, int(length))


def _broken(text: str, status: int = 400, data: bytes = b"") -> Body:
    return Body(data, (Violation(status, text),), whole=False)


def _read_length(stream: BufferedIOBase, length: int) -> Body:
    if length > LARGEST_READ:
        return _broken(f"body: {length} bytes are more than {LARGEST_BODY}", 413)
    data = stream.read(length)
    if len(data) < length:
        return _broken(f"Content-Length: {length}, and {len(data)} bytes arrived", data=data)
    return _measured(data)


def _measured(data: bytes) -> Body:
    if len(data) <= LARGEST_BODY:
        return Body(data)
    return Body(data, (Violation(413, f"body: {len(data)} bytes are more than {LARGEST_BODY}"),))


def _read_chunked(stream: BufferedIOBase) -> Body:
    data = bytearray()
    while size := _chunk_size(stream.readline(1024)):
        if len(data) + size > LARGEST_READ:
            return _broken(f"body: chunks of more than {LARGEST_BODY} bytes", 413)
        data += stream.read(size)
        if stream.read(2) != b"\r\n":
            return _broken("Transfer-Encoding: a chunk is not as long as it says", data=bytes(data))
    if size is None or stream.readline(1024) != b"\r\n":
        return _broken("Transfer-Encoding: the chunks do not end as they should", data=bytes(data))
    return _measured(bytes(data))


def _chunk_size(line: bytes) -> int | None:
    found = re.fullmatch(rb"([0-9A-Fa-f]{1,8})(?:;[^\r\n]*)?\r\n", line)
    return int(found[1], 16) if found else None


# ---------------------------------------------------------------------------------------------------------------
# HTTP


class _Handler(BaseHTTPRequestHandler):
    """Carries requests to the page, one after another on each connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30
    server: "_Server"

    def do_POST(self) -> None:
        announced = "Content-Length" in self.headers or "Transfer-Encoding" in self.headers
        body = read_body(self.headers, self.rfile) if announced or self.command == "POST" else Body(b"")
        answer = self.server.page.answer(Request(self.command, self.path, self.headers, body))
        self.close_connection = self.close_connection or not body.whole
        self._send(answer)

    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST  # noqa: N815

    def _send(self, answer: Answer) -> None:
        given = {name.lower(): value for name, value in answer.headers.items()}
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        length = str(len(answer.body))
        if not given.keys() & {"content-length", "transfer-encoding"}:
            self.send_header("Content-Length", length)
        elif given.get("content-length") != length:
            self.close_connection = True
        if self.close_connection and "connection" not in given:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Says nothing: what happened is in ``seen``."""


class _Server(ThreadingHTTPServer):
    """A server that knows its open connections, so that stopping it leaves no thread and no socket."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, page: PageServer) -> None:
        self.page = page
        self._open: set[Any] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints what went wrong here, and nothing about a client that has gone."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """Ends every connection that is still open."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

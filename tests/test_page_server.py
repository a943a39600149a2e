"""The page server accepts what the API page allows, names what it does not, and answers as it is told."""

import http.client
import json
import shutil
import socket
import struct
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from page_server import LARGEST_BODY, ONE_OF, PATH, Answer, PageServer, image_size, jpeg, png, refusal

BOUNDARY = "------------------------y0QNRDhXQUE3yHQi7DEbLz"
HEADERS: Mapping[str, str] = {
    "Accept": "image/*",
    "Authorization": "Bearer page-key",
    "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
}
TEXT: Mapping[str, str] = {"model": "sd3-large", "prompt": "A cute baby sea otter wearing a beret"}
CORE: Mapping[str, str] = {**TEXT, "model": "sd-core"}
TURBO: Mapping[str, str] = {**TEXT, "model": "sd3-large-turbo"}
IMAGE: Mapping[str, str] = {**TEXT, "mode": "image-to-image", "strength": "0.9"}
PNG = png(7, side=64)


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@pytest.fixture
def page() -> Iterator[PageServer]:
    with PageServer() as server:
        yield server


def part(name: str, data: bytes | str, more: str = "") -> bytes:
    body = data.encode() if isinstance(data, str) else data
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + body + b"\r\n"


def picture(data: bytes = PNG, kind: str = "image/png") -> bytes:
    return part("image", data, f'; filename="input.png"\r\nContent-Type: {kind}')


def form(fields: Mapping[str, str], *more: bytes) -> bytes:
    parts = [part(name, value) for name, value in fields.items()]
    return b"".join([*parts, *more, f"--{BOUNDARY}--\r\n".encode()])


def connect(page: PageServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", urlsplit(page.url).port, timeout=20)


def ask(
    connection: http.client.HTTPConnection,
    body: bytes | Iterator[bytes],
    headers: Mapping[str, str] = HEADERS,
    method: str = "POST",
    path: str = PATH,
) -> Reply:
    chunked = not isinstance(body, bytes)
    connection.request(method, path, body, dict(headers), encode_chunked=chunked)
    response = connection.getresponse()
    return Reply(response.status, dict(response.getheaders()), response.read())


def post(page: PageServer, body: bytes, headers: Mapping[str, str] = HEADERS) -> Reply:
    with closing(connect(page)) as connection:
        return ask(connection, body, headers)


def raw(page: PageServer, sent: bytes) -> bytes:
    """Sends bytes as they are, says that no more will come, and reads to the end."""
    with socket.create_connection(("127.0.0.1", urlsplit(page.url).port or 0), timeout=20) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def head(*lines: str) -> bytes:
    given = [f"{name}: {value}" for name, value in HEADERS.items()]
    return "\r\n".join([f"POST {PATH} HTTP/1.1", "Host: x", *given, *lines, "", ""]).encode()


def assert_refused(page: PageServer, reply: Reply, status: int, name: str, problem: str) -> None:
    document = json.loads(reply.body)
    assert (reply.status, document["name"]) == (status, name)
    assert reply.headers["Content-Type"] == "application/json"
    assert set(document) == {"id", "name", "errors"}
    assert tuple(document["errors"]) == page.seen[-1].problems
    assert problem in "\n".join(document["errors"])


# ---------------------------------------------------------------------------------------------------------------
# What is right


def by_hand(page: PageServer, fields: Mapping[str, str], image: Path | None) -> bytes:
    reply = post(page, form(fields, *([picture(image.read_bytes())] if image else [])))
    assert reply.status == 200
    return reply.body


def by_curl(page: PageServer, fields: Mapping[str, str], image: Path | None) -> bytes:
    command = [shutil.which("curl") or "curl", "--silent", "--fail", "--noproxy", "*", page.url]
    command += ["-H", "Accept: image/*", "-H", f"Authorization: Bearer {page.key}"]
    for name, value in fields.items():
        command += ["-F", f"{name}={value}"]
    command += ["-F", f"image=@{image}"] if image else []
    return subprocess.run(command, check=True, capture_output=True, timeout=20).stdout  # noqa: S603


CLIENTS = [by_hand, *([by_curl] if shutil.which("curl") else [])]
Client = Callable[[PageServer, Mapping[str, str], Path | None], bytes]


@pytest.mark.parametrize("client", CLIENTS)
def test_the_pages_text_to_image_example_is_accepted(page: PageServer, client: Client) -> None:
    body = client(page, TEXT, None)
    (seen,) = page.seen
    assert body.startswith(b"\x89PNG")
    assert (seen.number, seen.path, seen.problems, seen.chunked) == (1, PATH, (), False)
    assert dict(seen.fields) == dict(TEXT)
    assert (seen.image, seen.image_name, seen.image_type) == (None, None, None)
    assert seen.headers["authorization"] == "Bearer page-key"


@pytest.mark.parametrize("client", CLIENTS)
def test_the_pages_image_to_image_example_is_accepted(page: PageServer, client: Client, tmp_path: Path) -> None:
    image = tmp_path / "input.png"
    image.write_bytes(PNG)
    client(page, IMAGE, image)
    (seen,) = page.seen
    assert seen.problems == ()
    assert dict(seen.fields) == dict(IMAGE)
    assert (seen.image, seen.image_name, seen.image_type) == (PNG, "input.png", "image/png")


@pytest.mark.parametrize(
    ("name", "value", "base"),
    [
        *[("model", value, TEXT) for value in sorted(ONE_OF["model"])],
        *[("aspect_ratio", value, TEXT) for value in sorted(ONE_OF["aspect_ratio"])],
        *[("style_preset", value, CORE) for value in sorted(ONE_OF["style_preset"])],
        *[("strength", value, IMAGE) for value in ("0", "1", "0.0", "1.0", "0.25", "1e-05")],
        *[("seed", value, TEXT) for value in ("0", "1", "4294967294")],
        ("mode", "text-to-image", TEXT),
        ("prompt", "x", TEXT),
        ("prompt", "\U0001f9a6é" * 5000, TEXT),
        ("negative_prompt", "a cat", TEXT),
        ("negative_prompt", "a cat", CORE),
    ],
)
def test_every_value_of_the_page_is_accepted(page: PageServer, name: str, value: str, base: Mapping[str, str]) -> None:
    more = [picture()] if base is IMAGE else []
    assert post(page, form({**base, name: value}, *more)).status == 200
    assert page.seen[0].problems == ()
    assert page.seen[0].fields[name] == value


def test_bytes_of_every_kind_arrive_as_they_were_sent(page: PageServer) -> None:
    image = PNG + bytes(range(256)) * 3 + b"\r\n\r\n--\r\n--" + BOUNDARY[:-1].encode() + b"\n\r\r\n\n\r"
    assert post(page, form(IMAGE, picture(image))).status == 200
    assert page.seen[0].image == image


def test_text_may_say_that_it_is_utf8_and_how_long_it_is(page: PageServer) -> None:
    more = "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5"
    fields = {name: value for name, value in TEXT.items() if name != "prompt"}
    assert post(page, form(fields, part("prompt", "été", more))).status == 200
    assert page.seen[0].fields["prompt"] == "été"


def test_a_boundary_may_be_quoted(page: PageServer) -> None:
    headers = {**HEADERS, "Content-Type": f'multipart/form-data; boundary="{BOUNDARY}"'}
    assert post(page, form(TEXT), headers).status == 200


def test_a_filename_may_be_utf8_and_hold_escapes(page: PageServer) -> None:
    image = part("image", PNG, '; filename="lou\\"tre é.png"\r\nContent-Type: application/octet-stream')
    assert post(page, form(IMAGE, image)).status == 200
    assert page.seen[0].image_name == 'lou"tre é.png'


def test_a_chunked_body_is_accepted_and_known_as_one(page: PageServer) -> None:
    body = form(IMAGE, picture())
    with closing(connect(page)) as connection:
        pieces = (body[at : at + 100] for at in range(0, len(body), 100))
        reply = ask(connection, pieces, {**HEADERS, "Transfer-Encoding": "chunked"})
        assert reply.status == 200
        assert ask(connection, form(TEXT)).status == 200
    assert [seen.chunked for seen in page.seen] == [True, False]
    assert page.seen[0].image == PNG


def test_one_connection_carries_many_requests_right_and_wrong(page: PageServer) -> None:
    with closing(connect(page)) as connection:
        statuses = [ask(connection, form({**TEXT, "seed": seed})).status for seed in ("1", "x", "2")]
        local = connection.sock.getsockname()
        assert ask(connection, form(TEXT)).status == 200
        assert connection.sock.getsockname() == local
    assert statuses == [200, 400, 200]
    assert [seen.number for seen in page.seen] == [1, 2, 3, 4]


def test_requests_at_once_are_all_kept(page: PageServer) -> None:
    seeds = [str(seed) for seed in range(1, 25)]
    threads = [threading.Thread(target=post, args=(page, form({**TEXT, "seed": seed}), HEADERS)) for seed in seeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [seen.number for seen in page.seen] == list(range(1, 25))
    assert sorted(seen.fields["seed"] for seen in page.seen) == sorted(seeds)


def test_stopping_leaves_no_thread_and_no_open_connection() -> None:
    before = threading.active_count()
    with PageServer() as page:
        connection = connect(page)
        assert ask(connection, form(TEXT)).status == 200
    with closing(connection):
        assert connection.sock.recv(1) == b""
    assert threading.active_count() == before


# ---------------------------------------------------------------------------------------------------------------
# What the answer is


def chunks(data: bytes) -> dict[bytes, bytes]:
    """Takes a PNG apart, and checks each checksum."""
    found, at = {}, 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        found[kind] = data[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        assert checksum == zlib.crc32(kind + found[kind])
        at += 12 + length
    return found


def test_a_png_is_whole_and_of_the_seeds_colour(page: PageServer) -> None:
    reply = post(page, form({**TEXT, "seed": "4278190335"}))
    found = chunks(reply.body)
    rows = zlib.decompress(found[b"IDAT"])
    assert reply.headers["Content-Type"] == "image/png"
    assert list(found) == [b"IHDR", b"IDAT", b"IEND"]
    assert image_size(reply.body, "png") == (8, 8)
    assert rows == (b"\0" + b"\x00\x00\xff" * 8) * 4 + (b"\0" + b"\xff\x00\x00" * 8) * 4


def test_a_jpeg_is_whole_and_carries_the_seed(page: PageServer) -> None:
    reply = post(page, form({**TEXT, "seed": "12", "output_format": "jpeg"}))
    assert reply.headers["Content-Type"] == "image/jpeg"
    assert reply.body.startswith(b"\xff\xd8\xff\xe0")
    assert reply.body.endswith(b"\xff\xd9")
    assert image_size(reply.body, "jpeg") == (8, 8)
    assert b"seed 12" in reply.body


def test_the_headers_tell_the_seed_and_the_request(page: PageServer) -> None:
    replies = [post(page, form({**TEXT, **more})) for more in ({"seed": "5"}, {"seed": "0"}, {})]
    seeds = [int(reply.headers["seed"]) for reply in replies]
    assert seeds[0] == 5
    assert all(1 <= seed <= 4294967294 for seed in seeds)
    assert len({reply.body for reply in replies}) == len(set(seeds)) == 3
    assert {reply.headers["finish-reason"] for reply in replies} == {"SUCCESS"}
    assert len({reply.headers["x-request-id"] for reply in replies}) == 3


# ---------------------------------------------------------------------------------------------------------------
# What is wrong with the request itself


@pytest.mark.parametrize("path", ["/", "/v1/images", PATH + "/", PATH + "?x=1"])
def test_another_path_is_not_found(page: PageServer, path: str) -> None:
    with closing(connect(page)) as connection:
        reply = ask(connection, form(TEXT), path=path)
    assert_refused(page, reply, 404, "not_found", f"path: {path}")
    assert page.seen[0].path == path


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_another_method_is_not_allowed(page: PageServer, method: str) -> None:
    with closing(connect(page)) as connection:
        reply = ask(connection, b"", method=method)
        assert reply.headers["Allow"] == "POST"
        assert_refused(page, reply, 405, "method_not_allowed", f"method: {method}")
        assert ask(connection, form(TEXT)).status == 200


def test_head_is_answered_without_a_body(page: PageServer) -> None:
    with closing(connect(page)) as connection:
        reply = ask(connection, b"", method="HEAD")
        assert (reply.status, reply.body) == (405, b"")
        assert ask(connection, form(TEXT)).status == 200


@pytest.mark.parametrize("value", [None, "", "page-key", "Bearer wrong", "bearer page-key", "Bearer page-key2"])
def test_another_key_is_unauthorized(page: PageServer, value: str | None) -> None:
    headers = {name: text for name, text in HEADERS.items() if name != "Authorization"}
    reply = post(page, form(TEXT), headers if value is None else {**headers, "Authorization": value})
    assert_refused(page, reply, 401, "unauthorized", "Authorization: ")
    assert b"page-key" not in reply.body


def test_the_key_can_be_chosen() -> None:
    with PageServer(key="other") as page:
        assert post(page, form(TEXT), {**HEADERS, "Authorization": "Bearer other"}).status == 200
        assert post(page, form(TEXT)).status == 401


@pytest.mark.parametrize("value", [None, "*/*", "image/png", "image/*, */*", "image/*;q=1"])
def test_another_accept_is_refused(page: PageServer, value: str | None) -> None:
    headers = {name: text for name, text in HEADERS.items() if name != "Accept"}
    reply = post(page, form(TEXT), headers if value is None else {**headers, "Accept": value})
    assert_refused(page, reply, 400, "bad_request", "Accept: ")


@pytest.mark.parametrize(
    "value",
    [
        "application/x-www-form-urlencoded",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/mixed; boundary={BOUNDARY}",
        f"multipart/form-data; charset=utf-8; boundary={BOUNDARY}",
        f"multipart/form-data; boundary={'x' * 71}",
    ],
)
def test_another_content_type_is_refused(page: PageServer, value: str) -> None:
    reply = post(page, form(TEXT), {**HEADERS, "Content-Type": value})
    assert_refused(page, reply, 400, "bad_request", "Content-Type: ")


def test_a_body_that_is_coded_is_refused(page: PageServer) -> None:
    reply = post(page, form(TEXT), {**HEADERS, "Content-Encoding": "gzip"})
    assert_refused(page, reply, 400, "bad_request", "Content-Encoding: ")


def test_a_body_of_the_greatest_length_is_accepted_and_one_byte_more_is_not(page: PageServer) -> None:
    spare = LARGEST_BODY - len(form(IMAGE, picture()))
    assert post(page, form(IMAGE, picture(PNG + bytes(spare)))).status == 200
    reply = post(page, form(IMAGE, picture(PNG + bytes(spare + 1))))
    assert_refused(page, reply, 413, "payload_too_large", f"body: {LARGEST_BODY + 1} bytes")


@pytest.mark.parametrize(
    ("lines", "body", "problem"),
    [
        ([], b"", "Content-Length: missing"),
        (["Content-Length: many"], b"", "Content-Length: 'many' is not a length"),
        (["Content-Length: 999"], form(TEXT), "bytes arrived"),
        (["Content-Length: 5", "Content-Length: 5"], b"12345", "Content-Length: sent more than once"),
        (["Content-Length: 5", "Transfer-Encoding: chunked"], b"0\r\n\r\n", "sent beside a Content-Length"),
        (["Transfer-Encoding: gzip"], b"", "Transfer-Encoding: 'gzip'"),
        (["Transfer-Encoding: chunked"], b"3\r\nabcd\r\n0\r\n\r\n", "a chunk is not as long as it says"),
        (["Transfer-Encoding: chunked"], b"3\r\nabc\r\n", "the chunks do not end"),
        (["Transfer-Encoding: chunked"], b"3\r\nabc\r\n0\r\nx", "the chunks do not end"),
        (["Content-Length: 0", "Accept: image/*"], b"", "Accept: sent more than once"),
    ],
)
def test_a_body_that_does_not_arrive_as_announced_is_refused(
    page: PageServer, lines: Sequence[str], body: bytes, problem: str
) -> None:
    answer = raw(page, head(*lines) + body)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert problem in "\n".join(page.seen[0].problems)


@pytest.mark.parametrize("line", ["Content-Length: 99999999999", "Transfer-Encoding: chunked"])
def test_an_endless_body_is_refused_unread(page: PageServer, line: str) -> None:
    answer = raw(page, head(line) + b"fffffff\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_the_gravest_problem_decides_the_status_and_all_are_named(page: PageServer) -> None:
    headers = {**HEADERS, "Authorization": "Bearer wrong", "Accept": "*/*"}
    reply = post(page, form({"model": "sd4", "seed": "-1"}), headers)
    assert_refused(page, reply, 401, "unauthorized", "prompt: missing")
    names = [problem.partition(":")[0] for problem in page.seen[0].problems]
    assert names == ["Authorization", "Accept", "model", "prompt", "seed"]


# ---------------------------------------------------------------------------------------------------------------
# What is wrong with the form


END = f"--{BOUNDARY}--".encode()
LINE = f"--{BOUNDARY}\r\n".encode()
SEED = b'Content-Disposition: form-data; name="seed"'


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "does not begin with its boundary"),
        (b"model=sd3-large&prompt=x", "does not begin with its boundary"),
        (b"preamble\r\n" + form(TEXT), "does not begin with its boundary"),
        (b"\r\n" + form(TEXT), "does not begin with its boundary"),
        (form(TEXT) + b"epilogue", "does not end with its closing boundary"),
        (form(TEXT).removesuffix(END + b"\r\n"), "does not end with its closing boundary"),
        (form(TEXT).removesuffix(b"--\r\n"), "does not end with its closing boundary"),
        (form(TEXT).replace(b"\r\n", b"\n"), "form: "),
        (END + b"\r\n", "has no part"),
        (LINE + SEED + b"\r\n" + END, "part 1 has no blank line"),
        (LINE.replace(b"\r\n", b" \r\n") + SEED + b"\r\n\r\n1\r\n" + END, "not a line of its own"),
        (LINE + SEED + b"\n\r\n\r\n1\r\n" + END, "a line among its headers that is none"),
        (LINE + SEED + b"\r\nnonsense\r\n\r\n1\r\n" + END, "a line among its headers that is none"),
        (LINE + SEED + b"\r\n" + SEED + b"\r\n\r\n1\r\n" + END, "Content-Disposition more than once"),
        (LINE + b"Content-Type: text/plain\r\n\r\n1\r\n" + END, "has no Content-Disposition"),
        (LINE + b"Content-Disposition: form-data\r\n\r\n1\r\n" + END, "has no Content-Disposition"),
        (LINE + b'Content-Disposition: file; name="seed"\r\n\r\n1\r\n' + END, "has no Content-Disposition"),
        (LINE + b"Content-Disposition: form-data; name=seed\r\n\r\n1\r\n" + END, "has no Content-Disposition"),
        (form(TEXT, part("", "1")), "part 3 has no name"),
        (form(TEXT, part("seed", "1", '; size="1"')), "more in its Content-Disposition"),
        (form(TEXT, part("seed", "1", '; filename="a"; filename*="b"')), "more in its Content-Disposition"),
        (form(TEXT, part("seed", "1", "; filename*")), "part 3 has no Content-Disposition"),
        (form(TEXT, part("seed", "1", "\r\nContent-Type: message/rfc822")), "two readers of it disagree"),
        (form(TEXT, part("seed", "1", "\r\nContent-Length: 2")), "a wrong Content-Length"),
        (form(TEXT, part("seed", "MQ==", "\r\nContent-Transfer-Encoding: base64")), "a Content-Transfer-Encoding"),
    ],
)
def test_a_form_that_is_not_well_formed_is_refused(page: PageServer, body: bytes, problem: str) -> None:
    assert_refused(page, post(page, body), 400, "bad_request", problem)


def test_what_can_be_read_of_a_wrong_form_is_kept(page: PageServer) -> None:
    post(page, b"preamble\r\n" + form(IMAGE, picture()))
    assert dict(page.seen[0].fields) == dict(IMAGE)
    assert page.seen[0].image == PNG


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (form({"prompt": "x"}), "model: missing"),
        (form({**TEXT, "model": "sd4"}), "model: 'sd4' is not one of"),
        (form({"model": "sd3-large"}), "prompt: missing"),
        (form({**TEXT, "prompt": ""}), "prompt: 0 characters"),
        (form({**TEXT, "prompt": "x" * 10_001}), "prompt: 10001 characters"),
        (form({**TEXT, "mode": "video"}), "mode: 'video' is not one of"),
        (form({**CORE, "mode": "image-to-image", "strength": "1"}, picture()), "mode: sd-core does not"),
        (form(IMAGE), "image: missing"),
        (form({**TEXT, "mode": "image-to-image"}, picture()), "strength: missing"),
        (form({**TURBO, "negative_prompt": "a cat"}), "negative_prompt: sd3-large-turbo does not"),
        (form({**TEXT, "style_preset": "anime"}), "style_preset: only sd-core"),
        (form({**TURBO, "style_preset": "anime"}), "style_preset: only sd-core"),
        (form({**CORE, "style_preset": "cubism"}), "style_preset: 'cubism' is not one of"),
        (form({**TEXT, "aspect_ratio": "4:3"}), "aspect_ratio: '4:3' is not one of"),
        (form({**TEXT, "output_format": "webp"}), "output_format: 'webp' is not one of"),
        (form({**TEXT, "output_format": "PNG"}), "output_format: 'PNG' is not one of"),
        (form({**TEXT, "steps": "3"}), "steps: no such field"),
        (form(TEXT, part("seed", "1"), part("seed", "1")), "seed: sent 2 times"),
        (form(IMAGE, picture(), picture()), "image: sent 2 times"),
        (form(TEXT, part("seed", "1", '; filename="seed"')), "seed: a text field with a filename"),
        (form(TEXT, part("seed", "1", "\r\nContent-Type: text/html")), "seed: a text field of type text/html"),
        (form(TEXT, part("seed", "1", "\r\nContent-Type: text/plain; charset=latin-1")), "seed: a text field"),
        (form({"model": "sd3-large"}, part("prompt", b"\xe9t\xe9")), "prompt: not UTF-8"),
    ],
)
def test_a_field_that_the_page_does_not_allow_is_refused(page: PageServer, body: bytes, problem: str) -> None:
    assert_refused(page, post(page, body), 400, "bad_request", problem)
    assert len(page.seen[0].problems) == 1


@pytest.mark.parametrize(
    "value", ["", "-0.1", "1.01", "0,5", ".5", "1.", "nan", "None", "half", " 0.5", "0.5\n", "\u0660"]
)
def test_a_strength_that_is_no_number_from_0_to_1_is_refused(page: PageServer, value: str) -> None:
    reply = post(page, form({**IMAGE, "strength": value}, picture()))
    assert_refused(page, reply, 400, "bad_request", f"strength: {value!r}")


@pytest.mark.parametrize(
    "value", ["", "-1", "4294967295", "99999999999", "1.0", "1e3", "007", "None", " 1", "1\n", "\u0661"]
)
def test_a_seed_that_is_no_whole_number_of_the_range_is_refused(page: PageServer, value: str) -> None:
    reply = post(page, form({**TEXT, "seed": value}))
    assert_refused(page, reply, 400, "bad_request", f"seed: {value!r}")


# ---------------------------------------------------------------------------------------------------------------
# What is wrong with the image


def jpeg_of(width: int, height: int) -> bytes:
    size = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    tables = b"\xff\xdb\x00\x04\x00\x00" + b"\xff\xc4\x00\x06\x00\x01\x00\x02"
    return b"\xff\xd8" + tables + b"\xff\xff\xc2\x00\x0b" + size + b"\xff\xd9"


def png_of(width: int, height: int) -> bytes:
    return PNG[:16] + struct.pack(">II", width, height) + PNG[24:]


def webp_of(chunk: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def lossy_webp_of(width: int, height: int) -> bytes:
    return webp_of(b"VP8 \x0a\0\0\0\x10\x02\x00\x9d\x01\x2a" + struct.pack("<HH", width | 0x4000, height))


def lossless_webp_of(width: int, height: int) -> bytes:
    return webp_of(b"VP8L\x05\0\0\0\x2f" + struct.pack("<I", width - 1 | height - 1 << 14 | 1 << 28))


def extended_webp_of(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp_of(b"VP8X\x0a\0\0\0\x10\0\0\0" + size)


MAKERS = {
    "jpeg": [jpeg_of],
    "png": [png_of],
    "webp": [lossy_webp_of, lossless_webp_of, extended_webp_of],
}
KINDS = [(kind, maker) for kind, makers in MAKERS.items() for maker in makers]
Maker = Callable[[int, int], bytes]


@pytest.mark.parametrize(("kind", "make"), KINDS)
def test_an_image_of_every_format_is_measured(page: PageServer, kind: str, make: Maker) -> None:
    assert image_size(make(300, 70), kind) == (300, 70)
    assert post(page, form(IMAGE, picture(make(64, 64), f"image/{kind}"))).status == 200
    for width, height in ((63, 64), (64, 63)):
        reply = post(page, form(IMAGE, picture(make(width, height), f"image/{kind}")))
        assert_refused(page, reply, 400, "bad_request", f"image: {width}x{height}")


@pytest.mark.parametrize(("kind", "make"), KINDS)
def test_an_image_that_breaks_off_in_its_header_is_refused(page: PageServer, kind: str, make: Maker) -> None:
    reply = post(page, form(IMAGE, picture(make(64, 64)[:17], f"image/{kind}")))
    assert_refused(page, reply, 400, "bad_request", f"image: a {kind} whose size cannot be read")


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(20), b"BM" + bytes(30), b"not an image"])
def test_an_image_of_another_format_is_refused(page: PageServer, data: bytes) -> None:
    reply = post(page, form(IMAGE, picture(data)))
    assert_refused(page, reply, 400, "bad_request", "image: not a jpeg, png or webp")


@pytest.mark.parametrize("kind", ["image/jpeg", "image/jpg", "text/plain"])
def test_an_image_that_is_called_what_it_is_not_is_refused(page: PageServer, kind: str) -> None:
    reply = post(page, form(IMAGE, picture(PNG, kind)))
    assert_refused(page, reply, 400, "bad_request", f"image: a png that is sent as {kind}")


def test_an_image_without_a_filename_is_refused(page: PageServer) -> None:
    reply = post(page, form(IMAGE, part("image", PNG)))
    assert_refused(page, reply, 400, "bad_request", "image: sent as a text field")
    assert (page.seen[0].image, page.seen[0].image_name) == (PNG, None)


# ---------------------------------------------------------------------------------------------------------------
# What it is told to answer


def test_scripted_answers_are_given_in_order_and_before_normal_ones(page: PageServer) -> None:
    page.script(Answer(429, {"Retry-After": "7"}, b"slow"), Answer(500))
    page.script(refusal(403, "content_moderation", "refused"))
    with closing(connect(page)) as connection:
        replies = [ask(connection, form(TEXT)) for _ in range(4)]
    assert [reply.status for reply in replies] == [429, 500, 403, 200]
    assert (replies[0].headers["Retry-After"], replies[0].body) == ("7", b"slow")
    assert json.loads(replies[2].body) == {
        "id": "page-000000",
        "name": "content_moderation",
        "errors": ["refused"],
    }
    assert [seen.problems for seen in page.seen] == [()] * 4


def test_a_scripted_answer_does_not_hide_what_was_wrong(page: PageServer) -> None:
    page.script(Answer(200, {"Content-Type": "image/png"}, png(1)))
    assert post(page, form({**TEXT, "seed": "x"})).status == 200
    assert len(page.seen[0].problems) == 1


def test_a_scripted_answer_may_be_cut_off(page: PageServer) -> None:
    page.script(Answer(200, {"Content-Length": "1000"}, jpeg(1)))
    with pytest.raises(http.client.IncompleteRead) as caught:
        post(page, form(TEXT))
    assert caught.value.partial == jpeg(1)


def test_a_scripted_answer_may_close_the_connection(page: PageServer) -> None:
    page.script(Answer(200, {"Connection": "close", "Content-Length": "2"}, b"ok"))
    answer = raw(page, head(f"Content-Length: {len(form(TEXT))}") + form(TEXT) * 2)
    assert answer.count(b"HTTP/1.1") == 1
    assert answer.endswith(b"\r\n\r\nok")

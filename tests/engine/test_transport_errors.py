"""Every exception of the client means one fault and one billing class, and its words hold no key."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp.client_exceptions import UnixClientConnectorError
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from engine_samples import KEY, call
from multidict import CIMultiDict, CIMultiDictProxy
from wire_shim import mocked_wire
from wire_talk import exchange
from yarl import URL

from batchgen.engine.bounds import TooSlow
from batchgen.engine.transport import read_error
from batchgen.model import Billing, Failure, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

URL_CALLED = "http://127.0.0.1:9/v1"
WHERE = URL(f"http://127.0.0.1:1/{KEY}")
HEADERS = CIMultiDictProxy(CIMultiDict({"Authorization": f"Bearer {KEY}"}))
ASKED = RequestInfo(WHERE, "POST", HEADERS, WHERE)
PEER = ConnectionKey(
    host="images.example", port=443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None
)
OS_ERROR = OSError(111, f"refused {KEY}"[:7])


def _tree(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _tree(each)


KINDS = list(dict.fromkeys(_tree(aiohttp.ClientError)))
# What the client lets through as it is, from the socket, from TLS and from a name: TimeoutError is an OSError too.
BARE = [kind for kind in dict.fromkeys(_tree(OSError)) if kind.__module__ in {"builtins", "ssl", "socket"}]

# How each family is made; the first that fits a class is its way.
WAYS: list[tuple[type[Exception], Callable[[Any], Exception]]] = [
    (aiohttp.ClientResponseError, lambda kind: kind(ASKED, (), status=400, message=KEY, headers=HEADERS)),
    (aiohttp.ClientConnectorCertificateError, lambda kind: kind(PEER, ssl.CertificateError(KEY))),
    (UnixClientConnectorError, lambda kind: kind(f"/{KEY}", PEER, OS_ERROR)),
    (aiohttp.ClientConnectorError, lambda kind: kind(PEER, OS_ERROR)),
    (aiohttp.ClientOSError, lambda kind: kind(104, "reset")),
    (aiohttp.ServerFingerprintMismatch, lambda kind: kind(b"a", b"b", "images.example", 443)),
    (aiohttp.InvalidURL, lambda kind: kind(WHERE, KEY)),
    (Exception, lambda kind: kind(KEY)),
]


def _made(kind: type[Exception]) -> Exception:
    way = next(way for family, way in WAYS if issubclass(kind, family))
    return way(kind)


@pytest.mark.parametrize("status", [None, 200, 302, 400, 500])
@pytest.mark.parametrize("sent", [False, True])
@pytest.mark.parametrize("kind", [*KINDS, *BARE])
def test_every_exception_of_the_client_is_a_fault(kind: type[Exception], status: int | None, *, sent: bool) -> None:
    failure = read_error(_made(kind), sent=sent or status is not None, status=status)
    assert isinstance(failure, Failure)
    assert failure.fault in {Fault.UNREACHABLE, Fault.TIMEOUT, Fault.CUT_OFF, Fault.MISDIRECTED}
    assert failure.words == " ".join(failure.words.split()) != ""
    assert KEY not in failure.words
    assert failure.status == status


@pytest.mark.parametrize("kind", [*KINDS, *BARE, UnicodeError])
async def test_none_passes_the_door(kind: type[Exception]) -> None:
    with mocked_wire() as wire:
        wire.post(URL_CALLED, exception=_made(kind))
        done = await exchange(call(URL_CALLED))
    assert (done.failure.billing, done.failure.status, done.sent) == (Billing.NO, None, 0)
    assert (done.failure.fault is Fault.TIMEOUT) is issubclass(kind, TimeoutError)


def test_the_trees_are_the_whole_ones() -> None:
    assert len(KINDS) > 20
    assert {aiohttp.ServerDisconnectedError, aiohttp.SocketTimeoutError, aiohttp.ClientPayloadError} < set(KINDS)
    assert {TimeoutError, ConnectionResetError, BrokenPipeError, ssl.SSLError, ssl.SSLCertVerificationError} < set(BARE)
    assert {socket.gaierror, BlockingIOError, InterruptedError, ssl.SSLZeroReturnError, OSError} < set(BARE)


@pytest.mark.parametrize(
    ("sent", "status", "billing"),
    [
        (False, None, Billing.NO),
        (True, None, Billing.MAYBE),
        (True, 200, Billing.YES),
        (True, 204, Billing.MAYBE),
        (True, 302, Billing.MAYBE),
        (True, 400, Billing.NO),
        (True, 429, Billing.NO),
        (True, 500, Billing.MAYBE),
    ],
)
def test_billing_goes_by_how_far_it_got(status: int | None, billing: Billing, *, sent: bool) -> None:
    for kind in [*KINDS, *BARE]:
        assert read_error(_made(kind), sent=sent, status=status).billing is billing


@pytest.mark.parametrize("kind", [kind for kind in [*KINDS, *BARE] if issubclass(kind, TimeoutError)])
def test_time_outs_are_time_outs_though_they_are_connection_errors_too(kind: type[Exception]) -> None:
    assert read_error(_made(kind), sent=True, status=None).fault is Fault.TIMEOUT
    assert read_error(_made(kind), sent=True, status=200).fault is Fault.TIMEOUT


WORDS: list[tuple[Exception, Fault, str]] = [
    (aiohttp.ClientConnectorDNSError(PEER, OS_ERROR), Fault.UNREACHABLE, "the name images.example can't be resolved"),
    (_made(aiohttp.ClientConnectorCertificateError), Fault.UNREACHABLE, "certificate is not valid for images.example"),
    (_made(aiohttp.ClientConnectorSSLError), Fault.UNREACHABLE, "no TLS connection to images.example:443"),
    (_made(aiohttp.ClientConnectorError), Fault.UNREACHABLE, "no connection to images.example:443 (refused)"),
    (aiohttp.ServerDisconnectedError(), Fault.UNREACHABLE, "closed the connection without an answer"),
    (ConnectionResetError(104, "Connection reset by peer"), Fault.UNREACHABLE, "lost (Connection reset by peer)"),
    (TimeoutError(), Fault.TIMEOUT, "no answer in time"),
    (TooSlow(), Fault.TIMEOUT, "the answer came too slowly"),
    (_made(aiohttp.ClientResponseError), Fault.UNREACHABLE, "the server's answer is not HTTP"),
    (UnicodeError("label too long"), Fault.MISDIRECTED, "the url can't be called"),
    (aiohttp.InvalidURL("http://"), Fault.MISDIRECTED, "the url can't be called"),
    (aiohttp.NonHttpUrlClientError("ftp://x"), Fault.MISDIRECTED, "the url can't be called"),
    (ssl.SSLError("bad"), Fault.UNREACHABLE, "the exchange failed (SSLError)"),
]


@pytest.mark.parametrize(("error", "fault", "words"), WORDS, ids=lambda each: type(each).__name__)
def test_the_words_say_what_happened(error: Exception, fault: Fault, words: str) -> None:
    failure = read_error(error, sent=False, status=None)
    assert failure.fault is fault
    assert words in failure.words


def test_an_answer_that_ends_early_is_cut_off() -> None:
    failure = read_error(aiohttp.ClientPayloadError("cut"), sent=True, status=200)
    assert (failure.fault, failure.billing) == (Fault.CUT_OFF, Billing.YES)

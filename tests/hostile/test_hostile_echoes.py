"""The key is hidden however it is spelled, from answers, from reports of bugs and from logs."""

from __future__ import annotations

import html
import io
import json
import logging
import string
from urllib.parse import quote, quote_plus

import pytest
from canary import KEY, spelled
from hypothesis import given
from hypothesis import strategies as st

from batchgen.keys import HidesKeys, hide, hide_all, read_key
from batchgen.model import Secret

HEADER_SIGNS = string.ascii_letters + string.digits + string.punctuation

SPELLINGS = {
    "as it is": str,
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "JSON in JSON in JSON": lambda text: json.dumps(json.dumps(json.dumps(text))),
    "JSON of PHP": lambda text: json.dumps(text).replace("/", r"\/"),
    "JSON of Go": lambda text: json.dumps(text).replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003E"),
    "JSON all escaped": lambda text: "".join(f"\\u{ord(char):04X}" for char in text),
    "Python": repr,
    "Python's bytes": lambda text: repr(text.encode()),
    "Python in Python": lambda text: repr(repr(text)),
    "Python all escaped": lambda text: "".join(f"\\x{ord(char):02x}" for char in text),
    "url": lambda text: quote(text, safe=""),
    "url's path": quote,
    "form": quote_plus,
    "url in url": lambda text: quote(quote(text, safe=""), safe=""),
    "url all escaped": lambda text: "".join(f"%{ord(char):02x}" for char in text),
    "HTML": html.escape,
    "HTML of others": lambda text: html.escape(text, quote=False).replace("'", "&apos;").replace("/", "&sol;"),
    "HTML by number": lambda text: "".join(f"&#{ord(char):05};" for char in text),
    "HTML by hex": lambda text: "".join(f"&#x{ord(char):X};" for char in text),
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=list(SPELLINGS))
@given(st.text(HEADER_SIGNS, min_size=8, max_size=80))
def test_any_key_is_hidden_in_any_spelling(spell: object, key: str) -> None:
    assert callable(spell)
    said = f"the key «{spell(key)}» is none"
    hidden = hide(Secret(key), said)
    assert "***" in hidden
    assert key not in hidden
    assert hidden.startswith("the key «")
    assert hidden.endswith("» is none")
    assert len(hidden) <= len("the key « » is none") + 40


def test_what_is_no_key_stays() -> None:
    said = 'the prompt "100% & <b>" isn\'t\\u0020known; see /v1/docs?a=%20'
    assert hide(Secret(KEY), said) == said
    assert hide(Secret(KEY), KEY[:-1]) == KEY[:-1]


@pytest.mark.parametrize("most", ["\\", "%", "%25", "&#0", "s", "s\\", KEY[:-1], KEY[:-1] + "\\"])
def test_a_text_that_almost_holds_it_everywhere_takes_no_time(most: str) -> None:
    said = most * (65_536 // len(most))
    assert hide(Secret(KEY), said) == said  # the suite's time-out is the judge


def test_every_key_that_was_read_is_hidden_from_a_report() -> None:
    keys = [read_key("K", {"K": f"{KEY}-{number}"}) for number in range(3)]
    said = " and ".join([repr({"Authorization": f"Bearer {key.reveal()}"}) for key in keys] + ["a key that is not"])
    hidden = hide_all(said)
    assert spelled(hidden.encode()) == []
    assert hidden.endswith(" and a key that is not")


def _logged(record: logging.LogRecord) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handler.addFilter(HidesKeys())
    handler.handle(record)
    return stream.getvalue()


def _record(message: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    read_key("K", {"K": KEY})
    trace = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("aiohttp.client", logging.DEBUG, __file__, 1, message, args, trace)


def test_a_log_s_handler_writes_no_key() -> None:
    assert _logged(_record("sent %s to %s", {"Authorization": KEY}, "there")) == (
        "DEBUG sent {'Authorization': '***'} to there\n"
    )
    assert _logged(_record(f"no arguments, 100% {KEY}")) == "DEBUG no arguments, 100% ***\n"


def _fail() -> None:
    raise ValueError(f"Bearer {KEY}")


def _fail_again() -> None:
    try:
        _fail()
    except ValueError as inner:
        inner.add_note(f"note {KEY}")
        raise RuntimeError({"headers": KEY}) from inner


def test_a_log_s_handler_writes_no_key_of_a_traceback() -> None:
    with pytest.raises(RuntimeError) as failed:
        _fail_again()
    record = _record("it failed", error=failed.value)
    record.stack_info = f"Stack: {KEY}"
    said = _logged(record)
    assert "RuntimeError: {'headers': '***'}" in said
    assert "ValueError: Bearer ***" in said
    assert "note ***" in said
    assert spelled(said.encode()) == []

"""Prompts that mean ill, jobs of them, and a server that says them in all that it says."""

from __future__ import annotations

import re

from hostile_runs import job, quoted
from page_server import Answer, png, refusal

BOUNDARY = f"batchgen-{'0123456789abcdef' * 2}"
ARRIVES = {
    "CRLF": "a fox\r\nin snow\r\n\r\nat dusk",
    "line ends": "a\nb\rc\u2028d\u2029e\u0085f",
    "quotes": """a "fox" 'in' `snow` \\ "}\"""",
    "form": f'\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name="seed"\r\n\r\n99\r\n--{BOUNDARY}--\r\n',
    "header": "x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "escapes": "\x1b[2J\x1b]0;owned\x07\x1b[5i\x1bc a fox \x9b31m\x9d0;owned\x9c",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f" + "".join(map(chr, range(128, 160))),
    "bidi": "\u202ea fox\u202c \u2066in\u2069 \u200fsnow\u200e \u061c",
    "Hebrew": "שועל בשלג",
    "emoji": "🦊👨‍👩‍👧‍👦🏳️‍🌈 in ❄️",
    "invisible": "a\u200bf\u200do\ufeffx\u00ad \U000e0041",
    "private and unassigned": "\ue000 \U000f0000 \u0378",
    "markup": "[red]a fox[/red] [link=file:///etc/passwd]x[/link] {{ '{{' }} %s %(x)s {0}",
    "shell": "$(touch owned) `touch owned` ; rm -rf ~ | cat && $HOME",
    "page": "<script>alert(1)</script>&amp;<img src=x onerror=alert(1)>",
    "cells": "=cmd|' /C calc'!A0",
    "path": "../../../etc/passwd",
    "blanks": "  a fox \t ",
    "10,000 characters": "狐" * 10_000,
    "10,000 emoji": "🦊" * 10_000,
}
STEERS = ["escapes", "controls", "bidi", "line ends", "form", "invisible", "markup"]
"""Those that would do something where they are shown as they are."""


def job_with(url: str, prompts: str, more: str = "") -> str:
    """The job of `job`, with `prompts` (and `vars`) in lines of their own."""
    return job(url, more=more).replace("prompts: [a fox]\n", prompts)


def eight_of(text: str) -> str:
    """Eight prompts of a text, which is their ids and a variable's value too."""
    told = text[:90].replace("{{", "")
    return f"vars: {{it: [{quoted(text)}]}}\nprompts:\n" + "".join(
        f"  - {{prompt: '{{{{it}}}} {number}', id: {quoted(f'{number}{told}')}}}\n" for number in range(8)
    )


def echoes(text: str) -> list[Answer]:
    """A server that says the prompt in all that it says."""
    header = re.sub(r"[\r\n\0]", " ", text)[:500].encode("utf-8").decode("latin-1")
    return [
        refusal(400, "bad_request", f"prompt: {text}"),
        refusal(403, "content_moderation", text),
        Answer(200, {"Content-Type": "text/html"}, f"<html>{text}</html>".encode()),
        Answer(500, {"Content-Type": "text/plain"}, text.encode()),
        Answer(200, {"Content-Type": f"image/png; x={header}", "x-request-id": header, "seed": header}, png(7)),
        Answer(302, {"Location": f"/{header}"}),
    ]

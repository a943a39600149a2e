"""The HTTP side: authorization, then the limit, then the form, then the picture.

Every request is entered in the log on arrival; what it is answered and billed is settled there before a byte leaves.
"""

import asyncio
import hmac
import os
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar, cast

from aiohttp import web
from aiohttp.typedefs import Handler

from batchgen.sandbox.answers import Refusal, error_response, picture_response, throttled
from batchgen.sandbox.catalogue import ENDPOINT, FORMATS, MAX_BODY_BYTES, MAX_SEED
from batchgen.sandbox.delivery import deliver
from batchgen.sandbox.faults import Fault, draw
from batchgen.sandbox.form import Field, NotAForm, boundary_of, read_form
from batchgen.sandbox.limits import limiter
from batchgen.sandbox.log import Entry, Log
from batchgen.sandbox.order import Order, digest_of
from batchgen.sandbox.painting import paint
from batchgen.sandbox.rules import Verdict, check
from batchgen.sandbox.settings import Settings, Size

LOG_PATH = "/log"
HEALTH_PATH = "/health"
_UNLOGGED = (LOG_PATH, HEALTH_PATH)
P = ParamSpec("P")
T = TypeVar("T")
_ENTRY = web.RequestKey("entry", Entry)


def create_app(settings: Settings) -> web.Application:
    """The sandbox as an application to serve in this process. Opens `settings.log_file` to append to it: OSError."""
    sandbox = _Sandbox(settings)
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[sandbox.witness])
    app.router.add_post(ENDPOINT, sandbox.generate)
    app.router.add_get(LOG_PATH, sandbox.show_log)
    app.router.add_get(HEALTH_PATH, sandbox.show_health)
    app.cleanup_ctx.append(sandbox.lifetime)
    return app


class _Sandbox:
    """One running sandbox: its log, its limit, and the threads that paint."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lines = settings.log_file.open("a", encoding="utf-8") if settings.log_file else None
        self._log = Log(self._lines)
        self._limiter = limiter(settings.window, settings.penalty_s)
        self._salt = secrets.token_hex(8) if settings.seed is None else str(settings.seed)
        self._painters = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="painter")

    async def lifetime(self, _app: web.Application) -> AsyncIterator[None]:
        """Ends with the application."""
        yield
        self._painters.shutdown(wait=False, cancel_futures=True)
        if self._lines is not None:
            self._lines.close()

    async def show_log(self, _request: web.Request) -> web.Response:
        """GET /log."""
        return web.json_response(self._log.as_json())

    async def show_health(self, _request: web.Request) -> web.Response:
        """GET /health."""
        return web.json_response({"status": "ok"})

    @web.middleware
    async def witness(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Log the request, answer errors in the API's own words, and deliver."""
        if request.path in _UNLOGGED:
            return await _in_own_words(request, handler)
        entry = self._log.open_entry(request.method, request.path, time.monotonic())
        request[_ENTRY] = entry
        try:
            response = await _in_own_words(request, handler, entry)
        except ConnectionError:
            # The client left while it was still sending; nobody will see this answer.
            response, entry.errors = web.Response(), ("the connection ended before the request did",)
        else:
            entry.status = None if entry.fault in (Fault.DROP, Fault.HANG) else response.status
        self._log.settle(entry, time.monotonic())
        return await deliver(request, response, entry.fault)

    async def generate(self, request: web.Request) -> web.Response:
        """POST /v1/images/generations."""
        entry = request[_ENTRY]
        self._authorize(request)
        self._keep_limit(entry)
        verdict = await self._judge(request)
        entry.fields, entry.image = verdict.fields, verdict.image and verdict.image.facts()
        if verdict.order is None:
            raise Refusal(400, *verdict.errors)
        entry.fault = draw(self._settings.fail, self._salt, entry.number)
        return await self._answer(verdict.order, entry)

    def _authorize(self, request: web.Request) -> None:
        # What is offered is never repeated, here or in the log.
        offered = request.headers.get("Authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(offered, f"Bearer {self._settings.key}".encode()):
            raise Refusal(401, "authorization: is missing or invalid; it must be Bearer and an API key")

    def _keep_limit(self, entry: Entry) -> None:
        # The limit is an account's. A wrong key belongs to no account, so a 401 fills nobody's window; a request
        # that turns out to be wrong in itself (400, 413) does count.
        wait_s = self._limiter.refusal_s(entry.monotonic)
        if wait_s is not None:
            raise throttled(wait_s if self._settings.retry_after else None)

    async def _judge(self, request: web.Request) -> Verdict:
        accept = request.headers.get("Accept", "")
        wrong = [] if accept.strip().lower() == "image/*" else ["accept: must be image/*"]
        form, form_errors = await _form_of(request)
        wrong += form_errors
        if any(field.name == "image" for field in form):
            verdict = await self._in_thread(check, form)
        else:
            verdict = check(form, self._settings.models)
        if wrong:
            errors = (*wrong, *(() if form_errors else verdict.errors))
            verdict = Verdict(order=None, errors=errors, fields=verdict.fields, image=verdict.image)
        return verdict

    async def _answer(self, order: Order, entry: Entry) -> web.Response:
        """Carry the order out, or fail it as its fault says; only what was painted is billed."""
        if entry.fault is Fault.HANG:
            return web.Response()
        if entry.fault is Fault.THROTTLED:
            raise throttled(None)
        chance = random.Random(f"{self._salt} answer {entry.number}")  # noqa: S311 - a rehearsal, no secret
        await asyncio.sleep(self._settings.latency_s + self._settings.jitter_s * chance.random())
        if entry.fault is Fault.INTERNAL:
            raise Refusal(500, "Something went wrong here; try again.")
        entry.seed = order.seed or chance.randint(1, MAX_SEED)
        picture = await self._picture(order, entry.seed)
        entry.billed_credits = self._settings.models[order.model].credits
        if entry.fault is None:
            entry.picture_sha256 = digest_of(picture)
        return picture_response(picture, FORMATS[order.output_format], entry.seed)

    async def _picture(self, order: Order, seed: int) -> bytes:
        if self._settings.size is Size.SMALL and order.image is None:
            # A millisecond or few: handing it to a thread takes as long again.
            return paint(order, seed, Size.SMALL)
        return await self._in_thread(paint, order, seed, self._settings.size)

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        call = partial(work, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._painters, call)


async def _in_own_words(request: web.Request, handler: Handler, entry: Entry | None = None) -> web.Response:
    """Run the handler; whatever it raises on purpose becomes an error body, entered in the log."""
    try:
        response = await handler(request)
    except Refusal as refusal:
        errors, response = refusal.errors, refusal.response()
    except web.HTTPException as error:
        errors = (_WORDS.get(error.status, error.reason).format(path=request.path, method=request.method),)
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        response = error_response(error.status, errors, allow)
    else:
        errors = ()
    if entry is not None:
        entry.errors = errors
    return cast("web.Response", response)


async def _form_of(request: web.Request) -> tuple[list[Field], list[str]]:
    """The form's fields, or what keeps it from being one. A body beyond the limit raises 413 here."""
    content_type = request.headers.get("Content-Type", "")
    try:
        boundary_of(content_type)
        return read_form(content_type, await request.read()), []
    except NotAForm as error:
        return [], [str(error)]


# What this server says in the place of aiohttp's own error pages.
_WORDS = {
    404: "{path} is not a path of this API",
    405: "{method} is not allowed for {path}",
    413: f"the request body is larger than {MAX_BODY_BYTES} bytes",
}

"""The HTTP side: what is served where, and one witness around it all.

Every request is entered in the log on arrival; what it is answered and billed is settled there before a byte leaves.
"""

import time
from collections.abc import AsyncIterator
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Handler

from batchgen.sandbox import control
from batchgen.sandbox.answers import Refusal, error_response
from batchgen.sandbox.catalogue import ENDPOINT, MAX_BODY_BYTES
from batchgen.sandbox.delivery import deliver
from batchgen.sandbox.faults import UNANSWERED
from batchgen.sandbox.generation import Generation
from batchgen.sandbox.headers import rate_headers
from batchgen.sandbox.log import Entry
from batchgen.sandbox.settings import Settings
from batchgen.sandbox.state import State
from batchgen.sandbox.studio import Studio

CONTROL_PATH = "/control"
LOG_PATH = "/log"
HEALTH_PATH = "/health"
_UNLOGGED = (LOG_PATH, HEALTH_PATH, CONTROL_PATH)
_ENTRY = web.RequestKey("entry", Entry)


def create_app(settings: Settings) -> web.Application:
    """The sandbox as an application to serve in this process. Opens `settings.log_file` to append to it: OSError."""
    sandbox = _Sandbox(settings)
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[sandbox.witness])
    app.router.add_post(ENDPOINT, sandbox.generate)
    app.router.add_get(LOG_PATH, sandbox.show_log)
    app.router.add_get(HEALTH_PATH, sandbox.show_health)
    app.router.add_post(CONTROL_PATH, sandbox.follow)
    app.cleanup_ctx.append(sandbox.lifetime)
    return app


class _Sandbox:
    """One running sandbox, as seen over HTTP."""

    def __init__(self, settings: Settings) -> None:
        self._lines = settings.log_file.open("a", encoding="utf-8") if settings.log_file else None
        self._state = State(settings, time.monotonic(), self._lines)
        self._studio = Studio(settings.size)
        self._generation = Generation(self._state, self._studio)

    async def lifetime(self, _app: web.Application) -> AsyncIterator[None]:
        """Ends with the application."""
        yield
        self._studio.close()
        self._state.log.close()
        if self._lines is not None:
            self._lines.close()

    async def show_log(self, request: web.Request) -> web.Response:
        """GET /log, with `since` a number after which to begin, with `summary=1` the sums alone."""
        since = request.query.get("since", "0")
        if not (since.isascii() and since.isdecimal()):
            raise Refusal(400, f"since: must be the number of an entry, not {since!r}")
        log = self._state.log
        text = log.summary_text() if request.query.get("summary", "0") != "0" else log.text(int(since))
        return web.Response(body=text, content_type="application/json")

    async def show_health(self, _request: web.Request) -> web.Response:
        """GET /health."""
        return web.json_response({"status": "ok"})

    async def follow(self, request: web.Request) -> web.Response:
        """POST /control: other settings, for this machine's own clients."""
        peer = request.transport and request.transport.get_extra_info("peername")
        if not control.is_loopback(peer):
            raise Refusal(403, "control: is for clients on the sandbox's own machine")
        try:
            control.apply(control.read_change(await request.read(), self._state.settings), self._state)
        except control.NotAChange as error:
            raise Refusal(400, str(error)) from None
        return web.json_response(control.as_json(self._state, time.monotonic()))

    async def generate(self, request: web.Request) -> web.Response:
        """POST /v1/images/generations."""
        return await self._generation.answer(request, request[_ENTRY])

    @web.middleware
    async def witness(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Log the request, answer errors in the API's own words, and deliver."""
        if request.path in _UNLOGGED:
            return await _in_own_words(request, handler)
        log = self._state.log
        entry = log.open_entry(request.method, request.path, time.monotonic())
        request[_ENTRY] = entry
        try:
            response = await self._answer(request, handler, entry)
            log.settle(entry, time.monotonic())
            return await deliver(request, response, entry.fault)
        finally:
            log.left()
            if entry.admitted:
                self._state.account.leave()

    async def _answer(self, request: web.Request, handler: Handler, entry: Entry) -> web.Response:
        try:
            response = await _in_own_words(request, handler, entry)
        except ConnectionError:
            # The client left while it was still sending; nobody will see this answer.
            entry.errors = ("the connection ended before the request did",)
            return web.Response()
        entry.status = None if entry.fault in UNANSWERED else response.status
        form = self._state.settings.rate_headers
        response.headers.extend(rate_headers(form, self._state.quotas(time.monotonic())))
        return response


async def _in_own_words(request: web.Request, handler: Handler, entry: Entry | None = None) -> web.Response:
    """Run the handler; whatever it raises on purpose becomes an error body, entered in the log."""
    try:
        response = await handler(request)
    except Refusal as refusal:
        errors, response = refusal.errors, refusal.response()
    except web.HTTPException as error:
        errors = (_WORDS.get(error.status, error.reason).format(path=request.path, method=request.method),)
        allow = [("Allow", error.headers["Allow"])] if "Allow" in error.headers else []
        response = error_response(error.status, errors, allow)
    else:
        errors = ()
    if entry is not None:
        entry.errors = errors
    return cast("web.Response", response)


# What this server says in the place of aiohttp's own error pages.
_WORDS = {
    404: "{path} is not a path of this API",
    405: "{method} is not allowed for {path}",
    413: f"the request body is larger than {MAX_BODY_BYTES} bytes",
}

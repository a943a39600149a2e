"""A request for a picture, from its arrival to its answer: authorization, then the limit, the form, the picture."""

import asyncio
import hmac
import time
from dataclasses import replace
from datetime import UTC, datetime

from aiohttp import web

from batchgen.sandbox.answers import (
    Refusal,
    page_response,
    picture_response,
    redirect_response,
    refusal_of,
    spoiled,
)
from batchgen.sandbox.catalogue import MAX_SEED
from batchgen.sandbox.faults import PAGES, REFUSALS, WHOLE, Fault
from batchgen.sandbox.form import Field, NotAForm, boundary_of, read_form
from batchgen.sandbox.headers import Header, retry_after
from batchgen.sandbox.log import Entry
from batchgen.sandbox.order import Order, digest_of
from batchgen.sandbox.rules import Verdict, check
from batchgen.sandbox.state import State
from batchgen.sandbox.studio import Studio

_OTHER_FORMAT = {"png": "jpeg", "jpeg": "png"}


class Generation:
    """Answers the requests for pictures of one sandbox, and notes in their entries what it did."""

    def __init__(self, state: State, studio: Studio) -> None:
        self._state = state
        self._studio = studio

    async def answer(self, request: web.Request, entry: Entry) -> web.Response:
        """POST /v1/images/generations. Raises Refusal."""
        # What is wrong in itself gets its verdict before its fate, which then befalls nobody.
        fate = self._state.fate(entry.number)
        if fate is Fault.RESET_FIRST:
            entry.fault = fate
            return web.Response()
        if self._state.is_down(entry.monotonic):
            entry.fault = Fault.UNAVAILABLE
            raise refusal_of(entry.fault)
        self._authorize(request)
        await self._keep_limits(entry)
        verdict = await self._judge(request)
        entry.fields, entry.image = verdict.fields, verdict.image and verdict.image.facts()
        if verdict.order is None:
            raise Refusal(400, *verdict.errors)
        price = self._state.settings.models[verdict.order.model].credits
        if not self._state.can_pay(price):
            raise Refusal(402)
        entry.fault = fate or self._fault_of_words(verdict.order.prompt)
        if entry.fault is None or entry.fault.billed:
            self._state.pay(price)
            return await self._made(verdict.order, price, entry)
        return await self._not_made(entry.fault, entry)

    def _authorize(self, request: web.Request) -> None:
        # What is offered is never repeated, here or in the log.
        offered = request.headers.get("Authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(offered, f"Bearer {self._state.settings.key}".encode()):
            raise Refusal(401)

    async def _keep_limits(self, entry: Entry) -> None:
        # The limit is an account's. A wrong key belongs to no account, so a 401 fills nobody's window; a request
        # that turns out to be wrong in itself (400, 413) does count.
        entry.counted = entry.monotonic
        if self._state.settings.arrival_jitter_s:
            chance = self._state.chance("arrival", entry.number).random()
            await asyncio.sleep(self._state.settings.arrival_jitter_s * chance)
            entry.counted = time.monotonic()
        wait_s = self._state.refusal_s(entry.counted)
        entry.admitted = wait_s is None
        if wait_s is not None:
            raise Refusal(429, headers=self._retry_after(wait_s))

    def _retry_after(self, wait_s: float) -> list[Header]:
        return retry_after(self._state.settings.retry_after, wait_s, datetime.now(UTC))

    async def _judge(self, request: web.Request) -> Verdict:
        accept = request.headers.get("Accept", "")
        wrong = [] if accept.strip().lower() == "image/*" else ["accept: must be image/*"]
        form, form_errors = await _form_of(request)
        wrong += form_errors
        if any(field.name == "image" for field in form):
            verdict = await self._studio.aside(check, form, self._state.settings.models)
        else:
            verdict = check(form, self._state.settings.models)
        if wrong:
            errors = (*wrong, *(() if form_errors else verdict.errors))
            verdict = Verdict(order=None, errors=errors, fields=verdict.fields, image=verdict.image)
        return verdict

    def _fault_of_words(self, prompt: str) -> Fault | None:
        """What moderation finds in the prompt."""
        settings, prompt = self._state.settings, prompt.casefold()
        if any(word.casefold() in prompt for word in settings.refuse):
            return Fault.MODERATED
        return Fault.FILTERED if any(word.casefold() in prompt for word in settings.filter) else None

    async def _not_made(self, fault: Fault, entry: Entry) -> web.Response:
        """Fail without a picture; a 4xx or a redirect comes at once, all else after the latency."""
        if fault is Fault.HANG:
            return web.Response()
        if fault in (Fault.REDIRECT, Fault.REDIRECT_SAME):
            return redirect_response(
                self._state.settings.redirect_to if fault is Fault.REDIRECT else "/v1/images/elsewhere"
            )
        if REFUSALS.get(fault, 500) >= 500:
            await self._take_time(entry)
        if fault in REFUSALS:
            again = self._retry_after(self._state.settings.penalty_s) if fault is Fault.THROTTLED else []
            raise refusal_of(fault, again)
        return page_response(fault) if fault in PAGES else web.Response()

    async def _made(self, order: Order, price: float, entry: Entry) -> web.Response:
        """Paint and bill; how the picture then travels is for its delivery."""
        await self._take_time(entry)
        fault = entry.fault
        entry.seed = order.seed or self._state.chance("seed", entry.number).randint(1, MAX_SEED)
        order = _as_faulty(order, fault)
        picture = await self._studio.picture(order, entry.seed)
        entry.billed_credits = price
        if fault is None or fault in WHOLE:
            entry.picture_sha256 = digest_of(picture)
        media_type = f"image/{order.output_format}"
        return spoiled(picture_response(picture, media_type, entry.seed, filtered=order.blurred), fault)

    async def _take_time(self, entry: Entry) -> None:
        chance = self._state.chance("latency", entry.number).random()
        await asyncio.sleep(self._state.settings.latency_s + self._state.settings.jitter_s * chance)


def _as_faulty(order: Order, fault: Fault | None) -> Order:
    """What is painted in its place."""
    match fault:
        case Fault.OTHER_FORMAT:
            return replace(order, output_format=_OTHER_FORMAT[order.output_format])
        case Fault.WEBP:
            return replace(order, output_format="webp")
        case Fault.FILTERED:
            return replace(order, blurred=True)
        case _:
            return order


async def _form_of(request: web.Request) -> tuple[list[Field], list[str]]:
    """The form's fields, or what keeps it from being one. A body beyond the limit raises 413 here."""
    content_type = request.headers.get("Content-Type", "")
    try:
        boundary_of(content_type)
        return read_form(content_type, await request.read()), []
    except NotAForm as error:
        return [], [str(error)]

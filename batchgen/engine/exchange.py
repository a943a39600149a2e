"""One call and its answer, as far as they have come. A key that the server echoes is hidden here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from batchgen.keys import hide
from batchgen.model import CutOff
from batchgen.providers.conversation import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from batchgen.model import Picture, Secret

# The content codings of IANA's registry that pack (RFC 9110, 8.4.1). What else stands in the header (`binary`, `utf-8`,
# a slip of some gateway) packs nothing, and the bytes show by themselves whether they are a picture.
PACKINGS: Final = frozenset({
    "aes128gcm", "br", "compress", "dcb", "dcz", "deflate", "exi", "gzip", "pack200-gzip", "x-compress", "x-gzip",
    "zstd",
})  # fmt: skip


class HeldBack(Exception):  # noqa: N818 - no error: what was allowed may no longer leave
    """Permission ended before the request's headers left: a cool-down, or the run's end, came while it connected."""


@dataclass(slots=True)
class Exchange:
    """How far a call got: what an error means depends on it."""

    key: Secret
    on_sent: Callable[[], None]
    leaving: bytes = field(default=b"", repr=False)
    """The request but for its first line and its host, to leave in one write; nothing where its body streams."""
    sent: bool = False
    taken_back: bool = False
    """It was to leave, and its connection turned out to be of no use: nothing was sent."""
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    text: bytearray = field(default_factory=bytearray, repr=False)
    """The beginning of what is no picture."""
    unstored: bool = False
    """The sink could not take what came."""

    def note_sent(self) -> None:
        """The request's headers leave: from here on it may be billed. HeldBack: they must not."""
        if not self.sent:
            self.on_sent()
            self.sent = True

    def take_back(self) -> None:
        """No byte of the request left after all."""
        self.sent, self.taken_back = False, True

    def note_answer(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """The answer's head is here; a header that came more than once becomes one list (RFC 9110, 5.3)."""
        self.status = status
        came = [(name.lower(), value) for name, value in headers]
        self.headers = dict(came)
        if len(self.headers) < len(came):
            self.headers = {name: ", ".join([value for each, value in came if each == name]) for name in self.headers}
        said = "\n".join(self.headers.values())
        if self._without_key(said) != said:
            self.headers = {name: self._without_key(value) for name, value in self.headers.items()}

    @property
    def packing(self) -> str:
        """What the body is packed with, or nothing; it is never unpacked: a few bytes could become any number."""
        if "content-encoding" not in self.headers:
            return ""
        codings = self.headers["content-encoding"].lower().split(",")
        return ", ".join(coding for each in codings if (coding := each.strip()) in PACKINGS)

    def reply(self, picture: Picture | None = None, flaw: str = "") -> Reply:
        """The answer as it came; where the server echoed the key, a flaw that quotes the bytes may hold part of it."""
        if picture is not None:
            return Reply(status=self.status or 0, headers=self.headers, picture=picture)
        said = self.text.decode(errors="replace")
        text = self._without_key(said)
        if text != said and not isinstance(flaw, CutOff):
            flaw = flaw and "not a picture"
        return Reply(status=self.status or 0, headers=self.headers, picture=picture, text=text, flaw=flaw)

    def _without_key(self, text: str) -> str:
        """Hidden before anything is cut short, so that no part is left."""
        return hide(self.key, text)

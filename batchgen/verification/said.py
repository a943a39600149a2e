"""All that a sidecar says, as `verify` compares it with its picture and the ledger takes it in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchgen.manifest.identity import task_id
from batchgen.model import Picture
from batchgen.store.rows import AttemptRow, PictureRow
from batchgen.store.sidecar import read_sidecar

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A whole sidecar's words."""

    row: PictureRow
    """As the ledger would know the pair."""
    picture: Picture
    attempts: Sequence[AttemptRow]
    is_of_its_request: bool
    """Is the task's id the digest of the request?"""


def said_by(content: bytes, folder: str) -> Said | None:
    """What a sidecar in this folder says, or None when it is no whole sidecar of ours."""
    record = read_sidecar(content)
    if record is None:
        return None
    identity, index, path = record.task_id, record.index, f"{folder}/{record.picture_file}"
    try:
        document = json.loads(content)
        facts = document["picture"]
        return Said(
            row=PictureRow(identity, index, path, record.size_bytes, record.sha256, record.sidecar_sha256),
            picture=Picture(
                format=facts["format"],
                width=facts["width"],
                height=facts["height"],
                size_bytes=record.size_bytes,
                sha256=record.sha256,
            ),
            attempts=[AttemptRow(identity, index, attempt, record.usd) for attempt in record.attempts],
            is_of_its_request=_id(document) == identity,
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _id(document: Any) -> str:
    request = document["request"]
    image = request.get("image")
    return task_id(
        provider=request["provider"],
        fields=request["fields"],
        image_sha256=image and image["sha256"],
        repeat=document["task"]["repeat"],
    )

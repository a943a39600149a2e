"""A sidecar -> the job that makes its request again: the same form, and so the same id."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from batchgen.errors import UsageError
from batchgen.job import read_job
from batchgen.providers import PROVIDERS
from batchgen.providers.capabilities import Number, Whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batchgen.manifest.manifest import Manifest


def replay_job(sidecar: Path, inputs: Path, *, run_id: str, overrides: Sequence[str] = ()) -> Manifest:
    """A job of one task that asks what the sidecar's request asked; input images are found below `inputs`.

    Raises:
        UsageError: The file is no sidecar, or its request can't be made again as it was.
    """
    document = _read(sidecar)
    job = json.dumps(_job(document), ensure_ascii=False).encode()
    manifest = read_job(job, str(sidecar), inputs, run_id=run_id, overrides=overrides)
    image = manifest.task(0).request.image
    if image is not None and image.sha256 != document["request"]["image"]["sha256"]:
        raise UsageError(f"{image.path}: is not the image that {sidecar} was made from; name its folder with --inputs")
    return manifest


def picture_sha256(sidecar: Path) -> str:
    """The digest of the picture that the sidecar stands for."""
    return str(_read(sidecar)["picture"]["sha256"])


def _read(sidecar: Path) -> dict[str, Any]:
    try:
        document = json.loads(sidecar.read_bytes())
        known = document["request"]["provider"] in PROVIDERS and "sha256" in document["picture"]
        whole = known and isinstance(document["request"]["fields"], dict) and "job" in document["task"]
    except OSError as error:
        raise UsageError(f"{sidecar}: can't be read: {error.strerror}; give the path of a sidecar") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise UsageError(f"{sidecar}: is no sidecar of batchgen; give the .json beside a picture")
    found: dict[str, Any] = document
    return found


def _job(document: dict[str, Any]) -> dict[str, Any]:
    request = document["request"]
    known = PROVIDERS[request["provider"]]
    fields = {name: _value(known.capabilities.parameters.get(name), text) for name, text in request["fields"].items()}
    model = request["fields"].get("model", "")
    provider: dict[str, Any] = {"kind": known.kind}
    if known.url is not None:
        provider["url"] = request["url"]
    if model not in known.capabilities.models:
        provider["models"] = {model: {"like": next(iter(known.capabilities.models))}}
    if request.get("image"):
        fields["image"] = request["image"]["path"]
    # Through a variable, since text that holds {{ would be taken for a template.
    texts = {name: fields.pop(name) for name in ("prompt", "negative_prompt") if name in fields}
    task = {
        **fields,
        **{name: f"{{{{{name}_text}}}}" for name in texts},
        "id": str(document["task"]["prompt_id"])[:100],
    }
    return {
        "name": str(document["task"]["job"])[:90] or "replay",
        "provider": provider,
        "vars": {f"{name}_text": text for name, text in texts.items()},
        "tasks": [task],
    }


def _value(parameter: object, text: str) -> Any:
    """A field's text as a job writes it."""
    if isinstance(parameter, Whole):
        return int(text)
    if isinstance(parameter, Number):
        return float(Decimal(text))
    return text

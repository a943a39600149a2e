"""A sidecar -> the job that makes its request again: the same form, and so the same id."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from batchgen.errors import UsageError, one_line
from batchgen.job import read_job
from batchgen.providers import PROVIDERS
from batchgen.providers.capabilities import Number, Text, Whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from batchgen.manifest.manifest import Manifest

TEXTS = ("prompt", "negative_prompt")
_UNPRINTED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
"""Characters that YAML holds only as escapes, beside those that JSON escapes too."""


def replay_job(sidecar: Path, inputs: Path, *, run_id: str, overrides: Sequence[str] = ()) -> Manifest:
    """A job of one task that asks what the sidecar's request asked; input images are found below `inputs`.

    Raises:
        UsageError: The file is no sidecar, or its request can't be made again as it was.
    """
    document = _read(sidecar)
    _check_url(sidecar, document["request"], overrides)
    if image := document["request"].get("image"):
        _check_image(inputs / image["path"])
    job = _yaml(_job(document))
    manifest = read_job(job.encode(), str(sidecar), inputs, run_id=run_id, overrides=overrides)
    found = manifest.task(0).request.image
    if found is not None and found.sha256 != document["request"]["image"]["sha256"]:
        raise UsageError(f"{found.path}: is not the image that {sidecar} was made from; name its folder with --inputs")
    return manifest


def _check_url(sidecar: Path, request: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """A sidecar travels with its pictures, so the address in it is anybody's: a key goes there only when told to."""
    own = PROVIDERS[request["provider"]].url
    told = any(each.partition("=")[0].strip() in {"provider", "provider.url"} for each in overrides)
    if own is not None and request["url"] != own and not told:
        raise UsageError(
            f"{sidecar}: was asked at {one_line(request['url'], 200)}, not at {own}; "
            "say where to send your key with --set provider.url=..."
        )


def _check_image(file: Path) -> None:
    if not file.is_file():
        raise UsageError(
            f"{file}: the input image is not there; name the folder that its path counts from with --inputs"
        )


def picture_sha256(sidecar: Path) -> str:
    """The digest of the picture that the sidecar stands for."""
    return str(_read(sidecar)["picture"]["sha256"])


def _read(sidecar: Path) -> dict[str, Any]:
    if sidecar.exists() and not (sidecar.is_file() or sidecar.is_dir()):
        raise UsageError(f"{sidecar}: is not a file; give the path of a sidecar")
    try:
        document = json.loads(sidecar.read_bytes())
        request, picture = document["request"], document["picture"]
        image = request.get("image") or {"path": "", "sha256": ""}
        texts = [request["url"], *request["fields"].values(), image["path"], image["sha256"], picture["sha256"]]
        whole = request["provider"] in PROVIDERS and all(isinstance(text, str) for text in texts) and _job(document)
    except OSError as error:
        raise UsageError(f"{sidecar}: can't be read: {error.strerror}; give the path of a sidecar") from None
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        whole = None
    if not whole:
        raise UsageError(f"{sidecar}: is no sidecar of batchgen; give the .json beside a picture")
    found: dict[str, Any] = document
    return found


def _job(document: dict[str, Any]) -> dict[str, Any]:
    request, identity = document["request"], document["task"]
    texts = request["fields"]
    known = PROVIDERS[request["provider"]]
    fields = {name: _value(known.capabilities.parameters.get(name), text) for name, text in texts.items()}
    model = texts.get("model", "")
    provider: dict[str, Any] = {"kind": known.kind}
    if model not in known.capabilities.models:
        takers = [each.name for each in known.capabilities.models.values() if not each.without & texts.keys()]
        provider["models"] = {model: {"like": takers[0]}}
    if request.get("image"):
        fields["image"] = _literal(request["image"]["path"])
    # What holds {{ goes through a variable, whose value is not looked through for templates.
    braced = {name: texts[name] for name in TEXTS if "{{" in texts.get(name, "")}
    return {
        "name": _literal(str(identity["job"])[:90]) or "replay",
        "provider": provider,
        "vars": {f"{name}_text": _literal(text) for name, text in braced.items()},
        "tasks": [
            {
                **fields,
                **{name: f"{{{{{name}_text}}}}" for name in braced},
                "id": _literal(str(identity["prompt_id"])[:100]),
            }
        ],
    }


def _value(parameter: object, text: str) -> str | int | Decimal:
    """A field's text as a job writes it."""
    if isinstance(parameter, Whole):
        return int(text)
    if isinstance(parameter, Number):
        return Decimal(text)
    return text if isinstance(parameter, Text) else _literal(text)


def _literal(text: str) -> str:
    """Text in which a job sees no environment variable."""
    return text.replace("$", "$$")


def _yaml(value: object) -> str:
    """A job's values as flow YAML: numbers keep their decimals, text keeps every character."""
    match value:
        case dict():
            return f"{{{', '.join(f'{_yaml(key)}: {_yaml(inner)}' for key, inner in value.items())}}}"
        case list():
            return f"[{', '.join(map(_yaml, value))}]"
        case str():
            return _UNPRINTED.sub(lambda char: f"\\u{ord(char[0]):04x}", json.dumps(value, ensure_ascii=False))
    return str(value)

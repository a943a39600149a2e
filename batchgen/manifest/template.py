"""`{{name}}` in a prompt: the value of a variable. Any other brace, and `(word:1.2)`, is sent as it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_-]*)\s*\}\}")


def names(template: str) -> list[str]:
    """The variables that a template names, each once, in order."""
    return list(dict.fromkeys(_NAME.findall(template))) if "{{" in template else []


def fill(template: str, variables: Mapping[str, str]) -> str:
    """The template with its variables' values, which are not looked through again; KeyError names an unknown one."""
    return _NAME.sub(lambda match: variables[match[1]], template) if "{{" in template else template

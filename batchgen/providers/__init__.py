"""The APIs that batchgen speaks, by kind. ARCHITECTURE.md says how to add one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchgen.providers.gateway import GATEWAY

if TYPE_CHECKING:
    from batchgen.providers.conversation import Provider

# The sandbox is the gateway's API on this machine: only its address and its key differ.
SANDBOX = replace(GATEWAY, kind="sandbox", url=None, api_key_env=None)

PROVIDERS: dict[str, Provider] = {provider.kind: provider for provider in (GATEWAY, SANDBOX)}

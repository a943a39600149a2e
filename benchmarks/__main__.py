"""Runs the parts named on the command line, or all of them but the quick ones."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime

from benchmarks import flat, limits, plan, throughput

PARTS = {
    "plan": plan.report,
    "limits": limits.report,
    "limits-quick": limits.report_quick,
    "throughput": throughput.report,
    "throughput-quick": throughput.report_quick,
    "flat": flat.report,
    "flat-quick": flat.report_quick,
}
ALL = ("plan", "limits", "throughput", "flat")


def main(names: list[str]) -> int:
    """Print each part's table; 1 where a figure misses its bound."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"no part {unknown[0]!r}; there are: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}")
    met = [PARTS[name]() for name in names or ALL]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

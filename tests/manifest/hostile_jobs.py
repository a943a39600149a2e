"""Jobs that mean harm, by name; run as a script, it reads one of them within bounds and says what it found.

A hostile job must end as a ManifestError with a line, whatever it does to the parser: so each is read in a process of
its own, which may die of it, and which may hold 300 MB more than the interpreter and its modules.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from batchgen.errors import ManifestError
from batchgen.manifest.build import Surroundings, build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from batchgen.model import InputImage

MOST_BYTES = 300 * 1024 * 1024
MOST_CPU_S = 10  # far more than any of them may need, so that one that never ends is no endless test
JOB = "prompts: [a]\n"


def _bomb(width: int, depth: int, open_with: str, close_with: str, alias: str) -> str:
    """`width` ** `depth` values in a few lines."""
    lines = [f"a0: &a0 {open_with}{alias.format(name='x', number=0)}{close_with}"]
    for level in range(1, depth):
        inner = ", ".join(alias.format(name=f"*a{level - 1}", number=number) for number in range(width))
        lines.append(f"a{level}: &a{level} {open_with}{inner}{close_with}")
    return "\n".join(lines)


def _lines(template: str, count: int) -> str:
    return "".join(template.format(number) for number in range(count))


def hostile() -> dict[str, Callable[[], str]]:
    """Every hostile job by its name; some are large, so that each is made when it is asked for."""
    return {
        "50,000 brackets": lambda: "[" * 50_000,
        "50,000 brackets, closed": lambda: JOB + "name: " + "[" * 50_000 + "]" * 50_000,
        "50,000 braces": lambda: "{" * 50_000,
        "50,000 flow mappings": lambda: "{a: " * 50_000 + "b" + "}" * 50_000,
        "50,000 block lists in a line": lambda: "- " * 50_000 + "a",
        "5,000 block lists": lambda: "".join(" " * depth + "-\n" for depth in range(5_000)),
        "5,000 block mappings": lambda: "".join(" " * depth + "a:\n" for depth in range(5_000)),
        "50,000 complex keys": lambda: "? " * 50_000 + "a",
        "an alias bomb of lists": lambda: _bomb(10, 12, "[", "]", "{name}"),
        "an alias bomb of mappings": lambda: _bomb(10, 12, "{", "}", "k{number}: {name}"),
        "a merge key bomb": lambda: JOB + "x: &x {a: 1}\n" + _lines("y{0}: {{<<: [*x, *x]}}\n", 1_000),
        "510,000 values": lambda: "prompts: [\n" + "a,\n" * 510_000 + "]",
        "510,000 keys": lambda: "x: {" + _lines("k{0}: v,", 510_000) + "}",
        "100,000 anchors": lambda: "x: [" + _lines("&a{0} 1,", 100_000) + "]",
        "a text without an end": lambda: JOB + 'name: "' + "y" * 10_000_000,
        "prompts in one long line": lambda: "prompts: [" + ("y" * 250 + ",") * 80_000 + "]\nname: *nobody",
        "a long text, aliased often": lambda: (
            "prompts: [a]\ndefaults: {negative_prompt: &x '"
            + "y" * 1_000_000
            + "'}\nsweep: {ratios: ["
            + "*x," * 1_000
            + "]}"
        ),
        "a long prompt, aliased often": lambda: "prompts: [&x '" + "y" * 1_000_000 + "'," + "*x," * 200 + "]",
        "a range of a million digits": lambda: JOB + "sweep: {seeds: 1..1" + "0" * 1_000_001 + "}",
        "a range beyond counting": lambda: JOB + "sweep: {image: a.png, strength: '0..1:0.0000000000000000001'}",
        "steps of 1e-999": lambda: JOB + "sweep: {image: a.png, strength: {range: {from: 0, to: 1, step: 1e-999}}}",
        "1e999999999": lambda: "version: 1e999999999\nseed_root: 1e999999999\nrepeat: 1e999999999\n" + JOB,
        "a range to 1e999999999": lambda: JOB + "sweep: {seed: {range: {from: 0, to: 1e999999999}}}",
        "numbers of a million digits": lambda: JOB + f"seed_root: {'9' * 1_000_000}\nrepeat: -0x{'f' * 1_000_000}\n",
        "10,000 misspelt keys": lambda: JOB + _lines("naem{0}: 1\n", 10_000),
        "150,000 misspelt keys": lambda: JOB + _lines("naem{0}: 1\n", 150_000),
        "150,000 misspelt limits": lambda: JOB + "limits: {" + _lines("k{0}: 1,", 150_000) + "}",
        "excludes that overlap beyond counting": lambda: (
            _switches(40)
            + _excludes(
                {f"v{number}": "x", f"v{(number * 7 + 3) % 40}": "y", f"v{(number * 11 + 5) % 40}": "x"}
                for number in range(120)
            )
        ),
        "includes that overlap beyond counting": lambda: (
            _switches(22)
            + "sweep:\n  include:\n"
            + "".join(f"  - {{v{number}: x, aspect_ratio: '1:1'}}\n" for number in range(22))
        ),
    }


def heavy() -> dict[str, tuple[Callable[[], str], int]]:
    """Jobs that are right and would take long, done without arithmetic; and how many tasks each makes."""
    seeds = [900_000 + 7 * number for number in range(1_000)]
    by_seed = ", ".join(f"{{seed: {seed}}}" for seed in seeds)
    added = ", ".join(f"{{seed: {seed}, aspect_ratio: '1:1'}}" for seed in seeds)
    return {
        "22 excludes on 22 axes": (lambda: _switches(22) + _excludes({f"v{each}": "x"} for each in range(22)), 1),
        "40 excludes on 40 axes": (lambda: _switches(40) + _excludes({f"v{each}": "x"} for each in range(40)), 1),
        "20 excludes on 40 axes": (
            lambda: _switches(40) + _excludes({f"v{each}": "x", f"v{each + 20}": "x"} for each in range(20)), 3**20
        ),
        "1,000 excludes from a range": (lambda: JOB + f"sweep: {{seed: 1..1000000, exclude: [{by_seed}]}}", 999_000),
        "1,000 excludes from two ranges": (
            lambda: JOB + f"sweep: {{seed: [1..1000000, 5000000], exclude: [{by_seed}]}}", 999_001
        ),
        "1,000 excludes from a list": (lambda: JOB + f"sweep: {{seed: [1..950000, 1], exclude: [{by_seed}]}}", 949_000),
        "1,000 includes": (lambda: JOB + f"sweep: {{seed: 1..1000000, include: [{added}]}}", 1_000_000),
    }  # fmt: skip


def _switches(count: int) -> str:
    """A prompt with so many variables of two values each."""
    named = " ".join(f"{{{{v{number}}}}}" for number in range(count))
    return f"prompts: ['{named}']\nvars:\n" + _lines("  v{0}: [x, y]\n", count)


def _excludes(entries: Iterable[dict[str, str]]) -> str:
    return "sweep:\n  exclude:\n" + "".join(
        "  - {" + ", ".join(f"{name}: {value}" for name, value in entry.items()) + "}\n" for entry in entries
    )


NAMES = list(hostile())
HEAVY = list(heavy())


def _no_image(path: str) -> InputImage:
    raise ValueError(f"{path} does not exist; give the path of an image")


def _main() -> None:
    name = sys.argv[1]
    data = (hostile() | {heavy_name: text for heavy_name, (text, _) in heavy().items()})[name]().encode()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MOST_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S))
    try:
        manifest = build(data, "job.yaml", Surroundings(environment={}, inspect_image=_no_image, stamps={}))
        manifest.task(len(manifest) - 1)
        sys.stdout.write(f"{len(manifest)} tasks")
    except ManifestError as error:
        first = error.problems[0]
        error.render()
        sys.stdout.write(f"ManifestError in line {first.line}: {first.cause}"[:200])


if __name__ == "__main__":
    _main()

"""Time how long a command takes to answer, against the Python and the torch that it stands on.

    python benchmarks/startup.py --what help       # reidzoo train --help, against a Python that does nothing
    python benchmarks/startup.py --what load       # import what trains, against `import torch`

The ratio is the reference's CPU time to ours, the median over the rounds, each in a process of its own: below 1 by what
ours adds. Memory is not measured.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from common import parser, record
from people import in_turns, median, ratio

COMMANDS = {
    "help": (["-m", "reidzoo", "train", "--help"], ["-c", "import argparse"]),
    "load": (["-c", "import reidzoo.runs.pipeline, reidzoo.trainers"], ["-c", "import torch"]),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison and print it."""
    options = parser(__doc__)
    options.add_argument("--what", choices=COMMANDS, default="help")
    options.add_argument("--rounds", type=int, default=3)
    options = options.parse_args(argv)
    words, beneath = COMMANDS[options.what]
    answers: dict[str, str] = {}

    def run(name: str, command: list[str]) -> None:
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True)
        answers[name] = done.stdout

    ways = {"ours": lambda: run("ours", words)}
    if not options.skip_reference:
        ways["reference"] = lambda: run("reference", beneath)
    ways["ours"]()  # writes bytecode, and fills the system's cache of files
    costs = in_turns(ways, options.rounds)
    ours = median(costs["ours"])
    title = f"start-up, python {' '.join(words)}"
    print(title)
    print(ours.line("ours"))
    if options.skip_reference:
        record(options.json, title, ours)
        return 0
    theirs, (_, of_cpu) = median(costs["reference"]), ratio(costs["reference"], costs["ours"])
    print(theirs.line("reference", f"python {' '.join(beneath)}"))
    print(f"ratio {of_cpu:.2f} x")
    equal = options.what != "help" or "--config-file" in answers["ours"]
    difference = f"against python {' '.join(beneath)}; the help {'is' if equal else 'IS NOT'} complete"
    print(difference)
    notes = [f"adds {ours.cpu - theirs.cpu:.2f} s of CPU time"]
    figures = {"reference": theirs, "ratio": of_cpu, "agree": equal, "difference": difference, "notes": notes}
    record(options.json, title, ours, memory_ratio=0.0, **figures)
    return int(not equal)


if __name__ == "__main__":
    raise SystemExit(main())

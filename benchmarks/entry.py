"""Processor seconds of entering the package; prints a table.

Run from a checkout: python benchmarks/entry.py [--beside ANOTHER_CHECKOUT] [--repeats 5]

Every line is a process of its own with one BLAS thread, and its time is that of the processor,
without what an empty Python takes. With ``--beside`` the lines of both checkouts are run in turn,
so that a busy machine is busy for both.
"""

from __future__ import annotations

import argparse
import configparser
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
COMMANDS = {
    "`nqp-spatial --version`": ["--version"],
    "`nqp-spatial --help`": ["--help"],
    "`nqp-spatial demo`": ["demo", "--output", "{folder}"],
}
CODE = {
    "`import nqp_spatial`": "",
    "`nqp.FixedEffects`": "nqp.FixedEffects",
    "`nqp.SpatialDurbin`": "nqp.SpatialDurbin",
    "`nqp.weights.contiguity`": "nqp.weights.contiguity",
    "`nqp.load_cities()`": "nqp.load_cities()",
}


def seconds(checkout: Path, *words: str) -> float:
    """Processor time of one Python with these words, and of what it starts."""
    one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    environment = {**os.environ, **one, "PYTHONPATH": str(checkout)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, *(word.format(folder=f"{folder}/demo") for word in words)],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main_of(checkout: Path) -> str:
    """A program that does what the command of a checkout does."""
    setup = configparser.ConfigParser()
    setup.read(checkout / "setup.cfg")
    module = setup["options.entry_points"]["console_scripts"].split("=")[1].split(":")[0].strip()
    return f"import sys\nfrom {module} import main\nsys.exit(main(sys.argv[1:]))"


def programs(checkout: Path) -> dict[str, tuple[str, ...]]:
    """What is timed, as words for Python."""
    found = {label: ("-c", f"import nqp_spatial as nqp\n{code}") for label, code in CODE.items()}
    return found | {label: ("-c", main_of(checkout), *rest) for label, rest in COMMANDS.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--beside", type=Path, help="another checkout, for ratios")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    checkouts = [HERE] if given.beside is None else [given.beside.resolve(), HERE]
    python = platform.python_version()
    print(f"Processor seconds, median of {given.repeats}; Python {python}, {os.cpu_count()} cores,")
    print(f"load {os.getloadavg()[0]:.1f} at the start.\n")
    titles = ["here"] if given.beside is None else ["beside", "here", "ratio"]
    print(f"| | {' | '.join(titles)} |\n|---|{'---|' * len(titles)}")
    empty = statistics.median(seconds(HERE, "-c", "") for _ in range(given.repeats))
    for label in programs(HERE):
        times: list[list[float]] = [[] for _ in checkouts]
        for _ in range(given.repeats):
            for own, checkout in zip(times, checkouts, strict=True):
                own.append(seconds(checkout, *programs(checkout)[label]) - empty)
        medians = [max(statistics.median(own), 0.001) for own in times]
        cells = [f"{median:.2f}" for median in medians]
        cells += [f"{medians[0] / medians[1]:.1f}"] if len(medians) == 2 else []
        print(f"| {label} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

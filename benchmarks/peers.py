"""Time spatial Durbin panel models: ours and every peer that is installed, on the same data.

    python benchmarks/peers.py [--cases contiguity,dense] [--repeats 5] [--skip-large] [--write]
        [--python OTHER_ENVIRONMENT/bin/python] [--limit 300] [--longest 10] [--memory 12]
        [--clock cpu]

Every program runs every case in a process of its own with single-threaded BLAS, on the same files.
Peers in Python are looked for in this interpreter and then in those of ``--python``, peers in R in
the library of ``Rscript`` (``R_LIBS``). ``--write`` replaces the tables of the cases that ran,
between their markers in README.md, and leaves the others. ``--clock cpu`` times processors, which
a busy machine distorts less; limits are in wall time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from _cases import CASES, GROWTH, Case, MissingDataError

HERE = Path(__file__).resolve().parent
LARGE = ("10000x10", "dense5000x5", "growth")
THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")
NO_MEMORY = ("MemoryError", "cannot allocate", "allocate", "out of memory")


@dataclass(frozen=True)
class Peer:
    """A program, and which of our estimates it should equal (``references`` of `_peers.py`)."""

    name: str
    reference: str
    model: str
    effects_in_fit: bool = False


PEERS = (
    Peer("spreg", "demeaned", "two-way on data free of period means, W times demeaned y"),
    Peer("splm", "demeaned", "two-way, W times demeaned y"),
    Peer("SDPDmod", "bias-corrected", "two-way, W times demeaned y less its bias"),
    Peer("panelbox", "entity", "entity effects only"),
    Peer("spmixw", "dummies", "two-way dummies, posterior means", effects_in_fit=True),
)
IN_R = ("splm", "SDPDmod")


@dataclass(frozen=True)
class Found:
    """Where a peer was found: the start of its command and its version; none if missing."""

    command: tuple[str, ...]
    version: str


def find_in_python(name: str, interpreters: Sequence[str]) -> Found | None:
    """The first interpreter that has a package."""
    code = f"from importlib.metadata import version; print(version({name!r}))"
    for interpreter in interpreters:
        run = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=False)
        if run.returncode == 0:
            return Found((interpreter, str(HERE / "_peers.py"), name), run.stdout.strip())
    return None


def find_in_r(name: str) -> Found | None:
    """A package in the library of Rscript."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return None
    code = f"cat(as.character(packageVersion('{name}')))"
    run = subprocess.run([rscript, "-e", code], capture_output=True, text=True, check=False)
    command = (rscript, str(HERE / "peers.R"), name)
    return Found(command, run.stdout.strip()) if run.returncode == 0 else None


def find(interpreters: Sequence[str]) -> dict[str, Found | None]:
    """Every peer, installed or not."""
    return {
        peer.name: find_in_r(peer.name)
        if peer.name in IN_R
        else find_in_python(peer.name, interpreters)
        for peer in PEERS
    }


@dataclass(frozen=True)
class Limits:
    """Runs and bounds: repeats, seconds after which a call is run once, seconds and GB in all."""

    repeats: int
    longest: float
    seconds: float
    gigabytes: float
    clock: str = "wall"


def measure(command: Sequence[str], folder: Path, limits: Limits) -> dict[str, Any]:
    """What a program says of a panel, by phase; "stopped" if a limit ended it."""
    threads = {f"{name}_NUM_THREADS": "1" for name in THREADS}
    how = [str(folder), str(limits.repeats), str(limits.longest), limits.clock]
    whole = [*command[:3], *how, *command[3:]]
    bound = int(limits.gigabytes * 2**20)
    try:
        run = subprocess.run(
            ["sh", "-c", f'ulimit -v {bound}; exec "$0" "$@"', *whole],
            capture_output=True,
            timeout=limits.seconds,
            env={**os.environ, **threads},
            check=False,
        )
        out, stopped = run.stdout, "" if run.returncode == 0 else _reason(run.stderr, limits)
    except subprocess.TimeoutExpired as expired:
        out, stopped = expired.stdout or b"", f"> {limits.seconds:.0f} s"
    lines = [line for line in out.decode().splitlines() if line.startswith("{")]
    phases = {line["phase"]: line for line in map(json.loads, lines)}
    error = phases.get("error", {}).get("error", "")
    if any(sign in error for sign in NO_MEMORY):
        stopped = f"> {limits.gigabytes:.0f} GB"
    elif error:
        stopped = error if len(error) < 90 else error[:87] + "..."
    return {**phases, "stopped": stopped}


def _reason(stderr: bytes, limits: Limits) -> str:
    text = stderr.decode(errors="replace").strip()
    if any(sign in text for sign in NO_MEMORY):
        return f"> {limits.gigabytes:.0f} GB"
    return text.splitlines()[-1][:90] if text else "ended without a word"


def gap(theirs: Any, ours: Any, scale: Any) -> tuple[float, float]:
    """Largest difference: relative to ours, and in our standard errors."""
    difference = np.abs(np.asarray(theirs, dtype=float) - np.asarray(ours, dtype=float))
    relative = difference / np.abs(np.asarray(ours, dtype=float))
    return float(relative.max()), float((difference / np.asarray(scale, dtype=float)).max())


def agreement(phases: dict[str, Any], reference: dict[str, Any]) -> tuple[str, str]:
    """Gaps of (beta, theta, rho) and of the direct and total effects, as text."""
    texts = ["", ""]
    if "fit" in phases:
        pair = [
            np.array([*part["beta"], *part["theta"], part["rho"]])
            for part in (phases["fit"], reference)
        ]
        texts[0] = _gap_text(*gap(*pair, reference["se"]))
    if "effects" in phases:
        theirs, own, scale = (
            np.concatenate([np.asarray(part[f"{kind}{suffix}"]) for kind in ("direct", "total")])
            for part, suffix in ((phases["effects"], ""), (reference, ""), (reference, "_se"))
        )
        texts[1] = _gap_text(*gap(theirs, own, scale))
    return texts[0], texts[1]


def _gap_text(relative: float, errors: float) -> str:
    return f"{relative:.0e} ({errors:.0e} s.e.)"


def seconds(phases: dict[str, Any], phase: str) -> str:
    """Median of a phase: milliseconds below a second; with one run, that is said."""
    if phase not in phases:
        return ""
    times = phases[phase]["times"]
    middle = statistics.median(times)
    text = f"{1e3 * middle:.1f} ms" if middle < 1 else f"{middle:.2f} s"
    return text + (" (1 run)" if len(times) == 1 and phase != "first" else "")


def megabytes(phases: dict[str, Any]) -> str:
    """Peak, and what of it came after the data were read."""
    if "peak" not in phases:
        return ""
    peak = phases["peak"]["megabytes"]
    return f"{peak:,.0f} MB (+{max(peak - phases['start']['megabytes'], 0):,.0f})"


def row(cells: Sequence[str]) -> str:
    """A row of a table."""
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def table(case: Case, found: dict[str, Found | None], limits: Limits) -> list[str]:
    """Ours and the peers on one case."""
    heads = ["program", "model", "fit", "effects", "in all", "peak memory"]
    heads += ["estimates: gap", "effects: gap"]
    lines = [row(heads), "|" + "---|" * len(heads)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        case.make().write(folder)
        extra = ["--references"] if case.peers else []
        command = [sys.executable, str(HERE / "_peers.py"), "ours", *extra]
        phases = measure(command, folder, limits)
        references = phases.get("references")
        method = phases.get("method", {}).get("method", "")
        name = f"**nqp_spatial {metadata_version()}**"
        lines.append(row([name, f"two-way Lee-Yu, {method}", *_cells(phases), "", ""]))
        say(lines[-1])
        for peer in PEERS if case.peers else ():
            lines.append(_peer_row(peer, found[peer.name], folder, references, limits))
            say(lines[-1])
    return lines


def _cells(phases: dict[str, Any], *, effects_in_fit: bool = False) -> list[str]:
    """Fit, effects, all and memory; the first that is missing says why."""
    times = [seconds(phases, phase) for phase in ("fit", "effects", "all")]
    if effects_in_fit and times[1]:
        times[1] = "in the fit"
    if "effects" in phases and np.isnan(phases["effects"]["direct"]).any():
        times[1] = "undefined"
    if phases["stopped"] and "" in times:
        times[times.index("")] = phases["stopped"]
    return [*times, megabytes(phases)]


def _peer_row(
    peer: Peer,
    found: Found | None,
    folder: Path,
    references: dict[str, Any] | None,
    limits: Limits,
) -> str:
    if found is None:
        return row([peer.name, "not installed", *[""] * 6])
    phases = measure(found.command, folder, limits)
    gaps = ("", "") if references is None else agreement(phases, references[peer.reference])
    cells = _cells(phases, effects_in_fit=peer.effects_in_fit)
    return row([f"{peer.name} {found.version}", peer.model, *cells, *gaps])


def growth(cases: Sequence[Case], limits: Limits) -> list[str]:
    """Ours alone as the number of entities grows, with the slopes of log time and log memory."""
    heads = ["W", "N", "T", "method", "first fit", "fit", "effects", "in all", "peak memory"]
    lines = [row([*heads, "ρ (truth 0.5)"]), "|" + "---|" * (len(heads) + 1)]
    points: dict[str, list[tuple[float, ...]]] = {}
    for case in cases:
        with tempfile.TemporaryDirectory() as scratch:
            case.make().write(Path(scratch))
            command = [sys.executable, str(HERE / "_peers.py"), "ours"]
            phases = measure(command, Path(scratch), limits)
        cells = [phases.get("method", {}).get("method", ""), seconds(phases, "first")]
        rho = f"{phases['fit']['rho']:.5f}" if "fit" in phases else ""
        lines.append(f"| {case.title} " + row([*cells, *_cells(phases), rho]))
        say(lines[-1])
        kind, n, n_periods = case.title.split(" | ")
        if not phases["stopped"] and n_periods == "10":
            each = [statistics.median(phases[phase]["times"]) for phase in ("fit", "all")]
            added = phases["peak"]["megabytes"] - phases["start"]["megabytes"]
            points.setdefault(kind, []).append((float(n.replace(",", "")), *each, added))
    return [*lines, "", *map(slopes, points, points.values())]


def slopes(kind: str, points: Sequence[tuple[float, ...]]) -> str:
    """Powers of N by least squares in logs."""
    if len(points) < 2:
        return ""
    n, *columns = np.log(np.array(points)).T
    powers = [np.polyfit(n, column, 1)[0] for column in columns]
    return (
        f"{kind}, T = 10: the fit grows as N^{powers[0]:.2f}, all as N^{powers[1]:.2f}, memory "
        f"added as N^{powers[2]:.2f}.  "
    )


def metadata_version() -> str:
    """Our version, also where the checkout is on the path and not installed."""
    try:
        return metadata.version("nqp_spatial")
    except metadata.PackageNotFoundError:
        setup = (HERE.parent / "setup.cfg").read_text(encoding="utf-8")
        return re.search(r"^version = (\S+)", setup, re.M)[1]  # type: ignore[index]


def machine(clock: str) -> str:
    """When and where, by which clock, and how busy the machine was."""
    busy = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("numpy", "scipy"))
    return (
        f"{date.today()}, {'wall' if clock == 'wall' else 'processor'} time: {os.cpu_count()} cores"
        f"{busy}; Python {platform.python_version()}, {versions}."
    )


def say(line: str) -> None:
    print(line, flush=True)


def write(name: str, lines: Sequence[str], path: Path) -> None:
    """Replace what is between the markers of a case."""
    text = path.read_text(encoding="utf-8")
    start, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if start not in text or end not in text:
        raise SystemExit(f"{path.name} has no markers {start} and {end}")
    before, rest = text.split(start)
    after = rest.split(end)[1]
    body = "\n".join(lines).rstrip()
    path.write_text(f"{before}{start}\n\n{body}\n\n{end}{after}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    names = [case.name for case in CASES] + ["growth"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default=",".join(names[1:]), help=", ".join(names))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--skip-large", action="store_true", help="leave out " + ", ".join(LARGE))
    parser.add_argument("--python", action="append", default=[], help="another interpreter")
    parser.add_argument("--limit", type=float, default=300, help="seconds for a program and case")
    parser.add_argument("--longest", type=float, default=10, help="past this, calls run once")
    parser.add_argument("--memory", type=float, default=12, help="GB of address space a program")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--write", nargs="?", type=Path, const=HERE / "README.md")
    options = parser.parse_args(arguments)
    wanted = options.cases.split(",")
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        parser.error(f"unknown case {unknown[0]!r}; known are {', '.join(names)}")
    limits = Limits(options.repeats, options.longest, options.limit, options.memory, options.clock)
    found = find([sys.executable, *options.python]) if wanted != ["growth"] else {}
    for name, place in found.items():
        say(f"{name}: {place.version if place else 'not installed'}")
    for name in wanted:
        if options.skip_large and name in LARGE:
            continue
        case = next((case for case in CASES if case.name == name), None)
        say(f"\n{case.title if case else 'Growth with the number of entities'}")
        when = machine(options.clock)
        try:
            lines = growth(GROWTH, limits) if case is None else table(case, found, limits)
        except MissingDataError as missing:
            say(f"SKIPPED: the case {name!r} {missing}")
            continue
        goal = [f"Goal for ours: {case.goal}.", ""] if case and case.goal else []
        if options.write:
            write(name, [when, "", *goal, *lines], options.write)


if __name__ == "__main__":
    main()

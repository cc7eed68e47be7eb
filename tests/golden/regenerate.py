"""Rewrite golden files, and print what moved and by how much.

python -m tests.golden.regenerate                    # all calls and studies
python -m tests.golden.regenerate weights spatial    # these groups
python -m tests.golden.regenerate --check weights    # print, write nothing
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

from . import calls, store, studies
from .flatten import Flat

SHOWN = 40


def values(name: str) -> Flat:
    """What the group returns now."""
    return studies.run(name) if name in studies.NAMES else calls.group(name).run()


def told(name: str, found: Sequence[store.Difference], n: int, shown: int = SHOWN) -> str:
    """A line for each difference, the largest first."""
    missing = sum(d.now == "MISSING" for d in found)
    new = sum(d.golden == "NEW" for d in found)
    sizes = [d.size for d in found if math.isfinite(d.size)]
    largest = f", the largest by {max(sizes):.2g}" if sizes else ""
    head = (
        f"{name}: {len(found)} of {n} values differ: {missing} missing, {new} new, "
        f"{len(found) - missing - new} moved{largest}"
    )
    lines = [f"  {d}" for d in sorted(found, key=lambda d: -d.size)[:shown]]
    more = [f"  ... and {len(found) - shown} more"] if len(found) > shown else []
    return "\n".join([head, *lines, *more])


def main(arguments: Sequence[str] | None = None) -> None:
    """Of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", metavar="group")
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--all", action="store_true", help="print every difference")
    options = parser.parse_args(arguments)
    known = (*calls.NAMES, *studies.NAMES)
    if unknown := set(options.groups) - set(known):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(known)}")
    for name in options.groups or known:
        now = values(name)
        golden = store.read(name) if store.path_of(name).exists() else {}
        found = store.differences(golden, now, relative=1e-12)
        shown = len(found) if options.all else SHOWN * bool(golden)
        print(told(name, found, len(now), shown), flush=True)
        if found and not options.check:
            moved = {difference.key for difference in found}
            kept = {key: golden[key] for key in now if key in golden and key not in moved}
            store.write(name, now | kept)  # rounding stays out of the file


if __name__ == "__main__":
    main()

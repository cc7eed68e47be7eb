"""python -m tests.fuzz --minutes 30 --seed 1 [--pairs 900] [--only GROUP] [--output table.md]"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from .driver import Outcome, fuzz, table


def main() -> int:
    """Run, print what was found, write the table; 1 if there are findings."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=1.0)
    asked.add_argument("--pairs", type=int, help="stop after so many, whatever the time")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--only", default="", help="beginning of group: case")
    asked.add_argument("--disguise", default="", help="beginning of the disguise")
    asked.add_argument("--output", type=Path)
    given = asked.parse_args()
    found = fuzz(60 * given.minutes, given.seed, given.only, given.disguise, given.pairs)
    seen: Counter[tuple[str, str]] = Counter()
    for outcome in found:
        if outcome.finding:
            key = (outcome.kind, outcome.told.split(" ")[0])
            seen[key] += 1
            if seen[key] <= 3:
                print(f"{outcome.kind}: {outcome.case} | {outcome.disguise} | {outcome.told[:300]}")
    print(dict(Counter(outcome.kind for outcome in found)))
    if given.output:
        given.output.write_text(page(found), encoding="utf-8")
    return int(bool(seen))


def page(outcomes: list[Outcome]) -> str:
    """Counts of what came of each disguise, as a table of Markdown."""
    counts = table(outcomes)
    rows = [
        ["Disguise", *counts.columns],
        ["---"] * (counts.shape[1] + 1),
        *([name, *row] for name, row in zip(counts.index, counts.to_numpy(), strict=True)),
    ]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows) + "\n"


if __name__ == "__main__":
    sys.exit(main())

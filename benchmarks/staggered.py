"""Time Callaway and Sant'Anna's estimator: ours and every peer that is installed, on the same data.

    OMP_NUM_THREADS=1 python benchmarks/staggered.py [--python OTHER_ENVIRONMENT/bin/python]
        [--repeats 5]

3,000 entities, 20 periods, four cohorts and the never treated, without covariates: all effects by
cohort and period with analytical errors, and their mean by event time. Each program runs in a
process of its own on the same file; the first run warms up, and the least processor time of the
others counts.
Estimates of event times must agree to 1e-8.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

N, T, COHORTS = 3000, 20, (0, 5, 8, 11, 14)
OURS = """
import nqp_spatial as nqp
f = pd.read_csv(path).set_index(["unit", "time"])
def run():
    found = nqp.did.Staggered(f["y"], f["did"]).fit()
    event = found.averages["event"]
    return dict(zip(map(int, event.index), map(float, event.estimate)))
"""
PEERS = {
    "diff-diff": """
import diff_diff
f = pd.read_csv(path)
def run():
    model = diff_diff.CallawaySantAnna(control_group="never_treated", cband=False)
    found = model.fit(f, "y", "unit", "time", "cohort", aggregate="event_study")
    return {int(e): float(v["effect"]) for e, v in found.event_study_effects.items()}
""",
    "moderndid": """
import moderndid
f = pd.read_csv(path)
def run():
    found = moderndid.att_gt(f, "y", "time", "unit", "cohort", boot=False)
    event = moderndid.aggte(found, type="dynamic", boot=False, cband=False)
    return {int(e): float(v) for e, v in zip(event.event_times, event.att_by_event)}
""",
    "csdid": """
from csdid.att_gt import ATTgt
f = pd.read_csv(path)
def run():
    found = ATTgt(yname="y", gname="cohort", idname="unit", tname="time", data=f.copy(),
                  xformla="y~1", control_group="nevertreated").fit(est_method="reg", bstrap=False)
    found.aggte(typec="dynamic", bstrap=False, cband=False)
    event = found.atte
    return {int(e): float(v) for e, v in zip(event["egt"], np.ravel(event["att_egt"]))}
""",
    "StatsPAI": """
import statspai
f = pd.read_csv(path)
def run():
    found = statspai.callaway_santanna(f, y="y", g="cohort", t="time", i="unit",
                                      base_period="varying")
    event = statspai.aggte(found, type="dynamic")
    frame = event.detail
    names = ("relative_time", "att")
    return {int(e): float(v) for e, v in zip(frame[names[0]], frame[names[1]])}
""",
}
TIMER = """
import contextlib, io, json, time, warnings
import numpy as np
import pandas as pd
warnings.simplefilter("ignore")
path = {path!r}
{setup}
best = float("inf")
with contextlib.redirect_stdout(io.StringIO()):
    found = run()
    for _ in range({repeats}):
        begun = time.process_time()
        run()
        best = min(best, time.process_time() - begun)
print(json.dumps([best, found]))
"""


def simulated() -> pd.DataFrame:
    """The panel of every program."""
    rng = np.random.default_rng(0)
    cohort = np.repeat(rng.choice(COHORTS, N), T)
    frame = pd.DataFrame({"unit": np.repeat(np.arange(1, N + 1), T), "cohort": cohort})
    frame["time"] = np.tile(np.arange(1, T + 1), N)
    frame["did"] = ((cohort > 0) & (frame["time"] >= cohort)).astype(float)
    effect = frame["did"] * (1 + 0.1 * (frame["time"] - cohort))
    frame["y"] = np.repeat(rng.normal(size=N), T) + 0.1 * frame["time"] + effect
    frame["y"] += rng.normal(size=N * T)
    return frame


def timed(python: str, setup: str, path: Path, repeats: int) -> tuple[float, dict[str, float]]:
    """Seconds and estimates by event time; raises with what the program said."""
    code = TIMER.format(path=str(path), setup=setup, repeats=repeats)
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    seconds, found = json.loads(done.stdout.strip().splitlines()[-1])
    return seconds, found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "panel.csv"
        simulated().to_csv(path, index=False)
        ours, expected = timed(sys.executable, OURS, path, asked.repeats)
        print(f"load {os.getloadavg()[0]:.1f}")
        print("| program | seconds | ours is faster by | largest difference |")
        print("|---|---|---|---|")
        print(f"| nqp_spatial | {ours:.3f} | | |")
        for name, setup in PEERS.items():
            try:
                seconds, found = timed(asked.python, setup, path, asked.repeats)
            except RuntimeError as error:
                print(f"| {name} | – | {error} | |")
                continue
            gap = max(abs(found[e] - expected[e]) for e in expected if e in found)
            print(f"| {name} | {seconds:.3f} | {seconds / ours:.0f} | {gap:.1e} |", flush=True)


if __name__ == "__main__":
    main()

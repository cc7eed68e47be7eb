"""Effects of a policy adopted at different times, by other programs: Callaway and Sant'Anna.

Writes staggered_data.csv (simulated: 80 units in 10 provinces, 8 years, cohorts of 2003, 2004, 2006
and 2007, effects that grow and differ by cohort; ``kept`` is 0 in rows that an unbalanced panel has
not) and staggered.csv. Run with Python 3.11, numpy 2.4, pandas 3.1, moderndid 0.2.0, csdid 0.4.3:

    python tests/reference/staggered.py

Conventions: analytical standard errors, boot=False. Covariates are those of the earlier of the two
periods, as in R's did. moderndid clusters only in its bootstrap, so that clustered errors are not
here.
"""

from __future__ import annotations

from pathlib import Path

import moderndid
import numpy as np
import pandas as pd
from csdid.att_gt import ATTgt

HERE = Path(__file__).parent
COHORTS = {0: 25, 2003: 12, 2004: 10, 2006: 18, 2007: 15}


def simulated() -> pd.DataFrame:
    rng = np.random.default_rng(12)
    cohort = np.repeat(list(COHORTS), list(COHORTS.values()))
    n, years = len(cohort), np.arange(2001, 2009)
    z = rng.normal(size=n) + 0.3 * (cohort > 0)
    frame = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(1, n + 1), len(years)),
            "year": np.tile(years, n),
            "cohort": np.repeat(cohort, len(years)),
            "province": np.repeat(rng.integers(1, 11, n), len(years)),
            "z": np.repeat(z, len(years)),
        }
    )
    after = (frame["cohort"] > 0) & (frame["year"] >= frame["cohort"])
    since = (frame["year"] - frame["cohort"]).where(after, 0)
    frame["x"] = 0.5 * frame["z"] + rng.normal(size=len(frame))
    effect = after * (0.5 + 0.2 * since + 0.3 * (frame["cohort"] == 2004))
    trend = (frame["year"] - 2001) * (0.1 + 0.1 * frame["z"])
    level = np.repeat(rng.normal(size=n), len(years))
    frame["y"] = level + trend + 0.4 * frame["x"] + effect + 0.5 * rng.normal(size=len(frame))
    begins = (frame["year"] - frame["cohort"]).isin([-1, 0])  # so that the data show when
    frame["kept"] = (begins | (rng.random(len(frame)) > 0.05)).astype(int)
    return frame.round(6)


def cases() -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for control in ("nevertreated", "notyettreated"):
        found[f"{control} plain"] = {"control_group": control}
        for method in ("dr", "reg", "ipw"):
            more = {"control_group": control, "est_method": method}
            found[f"{control} z {method}"] = {**more, "xformla": "~ z"}
            found[f"{control} xz {method}"] = {**more, "xformla": "~ x + z"}
        found[f"{control} complete"] = {"control_group": control}
        found[f"{control} universal"] = {"control_group": control, "base_period": "universal"}
        found[f"{control} universal xz"] = {
            "control_group": control,
            "base_period": "universal",
            "xformla": "~ x + z",
            "est_method": "reg",
        }
        found[f"{control} anticipation"] = {"control_group": control, "anticipation": 1}
    return found


def by_csdid(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    """What moderndid does not do (panels as cross-sections) or does not as R's did.

    Where nobody is never treated, did has the last cohort as a control alone; moderndid has effects
    of it before the policy too.
    """
    rows: list[tuple[object, ...]] = []
    asked = [("notyettreated nobody never", frame[frame["cohort"] > 0], "y~1", "dr")]
    kept = frame[frame["kept"] == 1]
    for control in ("nevertreated", "notyettreated"):
        asked.append((f"{control} unbalanced plain", kept, "y~1", "dr"))
        asked += [(f"{control} unbalanced xz {m}", kept, "y~x+z", m) for m in ("dr", "reg", "ipw")]
    for name, data, formula, method in asked:
        found = ATTgt(
            yname="y",
            gname="cohort",
            idname="unit",
            tname="year",
            data=data.copy(),
            xformla=formula,
            control_group=name.split()[0],
            allow_unbalanced_panel="unbalanced" in name,
        ).fit(est_method=method, bstrap=False)
        own = found.results
        for g, t, att, se in zip(own["group"], own["year"], own["att"], own["se"], strict=True):
            rows.append((name, "cell", g, t, att, se))
        found.aggte(typec="simple", bstrap=False, cband=False)
        rows.append(
            (name, "simple", -999, -999, found.atte["overall_att"], found.atte["overall_se"])
        )
    return rows


def main() -> None:
    frame = simulated()
    frame.to_csv(HERE / "staggered_data.csv", index=False)
    frame = pd.read_csv(HERE / "staggered_data.csv")
    rows = []
    for name, options in cases().items():
        data = frame
        if "complete" in name:
            data = frame[frame.groupby("unit")["kept"].transform("min") == 1]
        given = {"yname": "y", "tname": "year", "idname": "unit", "gname": "cohort", "boot": False}
        found = moderndid.att_gt(data=data, **given, **options)
        for g, t, att, se in zip(found.groups, found.times, found.att_gt, found.se_gt, strict=True):
            rows.append((name, "cell", g, t, att, se))
        rows.append((name, "wald", 0, 0, found.wald_stat, found.wald_pvalue))
        kinds = {"simple": "simple", "dynamic": "event", "group": "cohort", "calendar": "period"}
        if name.endswith(("plain", "universal")):
            one = moderndid.aggte(found, type="dynamic", balance_e=2, boot=False, cband=False)
            rows.append((name, "balance", -999, -999, one.overall_att, one.overall_se))
            for where, att, se in zip(
                one.event_times, one.att_by_event, one.se_by_event, strict=True
            ):
                rows.append((name, "balance", where, 0, att, se))
        for kind, ours in kinds.items():
            one = moderndid.aggte(found, type=kind, boot=False, cband=False)
            rows.append((name, ours, -999, -999, one.overall_att, one.overall_se))
            if kind == "simple":
                continue
            for where, att, se in zip(
                one.event_times, one.att_by_event, one.se_by_event, strict=True
            ):
                rows.append((name, ours, where, 0, att, se))
    rows += by_csdid(frame)
    table = pd.DataFrame(rows, columns=["case", "kind", "g", "t", "estimate", "std_error"])
    table.to_csv(HERE / "staggered.csv", index=False)


if __name__ == "__main__":
    main()

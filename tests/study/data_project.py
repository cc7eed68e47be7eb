"""A made-up panel for the data of a study: 12 cities in three groups and one in none, six years."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nqp_spatial.study.data import StudyData, prepare
from nqp_spatial.study.file import load

YEARS = range(2010, 2016)
CITIES = [f"c{i:02d}" for i in range(13)]
GROUP = {name: "xyz"[i % 3] for i, name in enumerate(CITIES[:12])}

STUDY = """\
data:
  table: panel.csv
  entity: city
  time: year
{data}
outcome: y
controls: [x]
models: {{fe: {{cov_type: robust}}}}
diagnostics: {{autocorrelation: false}}
"""


def panel_frame() -> pd.DataFrame:
    """Index (city, year); the last city is in no group."""
    rng = np.random.default_rng(4)
    index = pd.MultiIndex.from_product([CITIES, YEARS], names=["city", "year"])
    n = len(index)
    names = ["x", "y", "a", "b", "c", "p", "q"]
    frame = pd.DataFrame(rng.uniform(1, 9, (n, len(names))).round(6), index, names)
    frame["z"] = rng.normal(size=n).round(6)
    counts = rng.integers(0, 6, (n, 3))
    counts[5] = counts[17] = 2
    frame[["k1", "k2", "k3"]] = counts
    cities = index.get_level_values("city")
    frame["group"] = cities.map(lambda name: GROUP.get(name, ""))
    frame["kind"] = cities.map(lambda name: int(name[1:]) % 2)
    return frame.replace({"group": {"": None}})


def grouped() -> pd.DataFrame:
    """The panel without the city that is in no group."""
    return panel_frame().drop(index=CITIES[12], level=0)


def groups() -> pd.Series:
    """By city."""
    return pd.Series(GROUP, name="group")


def write(folder: Path, data: str = "", frame: pd.DataFrame | None = None) -> Path:
    """The table, and a study file whose section ``data`` has these lines besides."""
    table = grouped() if frame is None else frame
    table.reset_index().to_csv(folder / "panel.csv", index=False)
    path = folder / "study.yaml"
    indented = "\n".join(f"  {line}" for line in data.strip("\n").splitlines())
    path.write_text(STUDY.format(data=indented), encoding="utf-8")
    return path


def data_of(path: Path) -> StudyData:
    """What the models would be fitted on."""
    return prepare(*load(path))


def steps(
    folder: Path, *transforms: str, data: str = "", frame: pd.DataFrame | None = None
) -> Path:
    """The study file with these steps, one on each line."""
    lines = "transforms:\n" + "\n".join(f"  - {step}" for step in transforms)
    return write(folder, f"{data}\n{lines}", frame)


def tables(folder: Path) -> str:
    """Prices, applications and reports, and the section that names them."""
    rng = np.random.default_rng(9)
    index = grouped().index
    goods = pd.DataFrame(rng.uniform(95, 110, (len(index), 3)), index, ["rice", "cloth", "coal"])
    goods.round(4).reset_index().to_csv(folder / "prices.csv", index=False)
    rows = [
        (number, CITIES[i], YEARS[number % 6])
        for number in range(120)
        for i in rng.choice(12, size=rng.integers(1, 4), replace=False)
    ]
    pd.DataFrame(rows, columns=["number", "applicant", "year"]).to_csv(
        folder / "applications.csv", index=False
    )
    texts = [("数字经济，" if i % 2 else "农业，") + "发展" * (i % 3) for i in range(len(index))]
    reports = pd.DataFrame({"text": texts}, index).reset_index()
    reports.set_axis(["place", "t", "text"], axis=1).to_csv(
        folder / "reports.csv", index=False, encoding="gb18030"
    )
    (folder / "words.yaml").write_text("数字: [数字经济]\n", encoding="utf-8")
    return (
        "tables:\n  prices: prices.csv\n  joint: applications.csv\n"
        "  reports: {table: reports.csv, encoding: gb18030}\n"
    )

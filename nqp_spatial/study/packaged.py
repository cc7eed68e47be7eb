"""Tables of the package that a study file names by ``bundled:``."""

from __future__ import annotations

from functools import lru_cache

import pandas as pd

from nqp_spatial.datasets.load import load_castle, load_simulated_clusters
from nqp_spatial.datasets.studies.study import SimulatedStudy, load_simulated_study

_STUDY = "bundled:simulated-"

PANELS = (
    "bundled:simulated-clusters",
    "bundled:castle",
    *(
        f"{_STUDY}{name}"
        for name in (
            "collaboration",
            "regional-gap",
            "coagglomeration",
            "digital",
            "coagglomeration/firms",
        )
    ),
)
FURTHER = tuple(
    f"{_STUDY}{name}"
    for name in (
        "collaboration/applications",
        "collaboration/membership",
        "regional-gap/cities",
        "regional-gap/prices",
        "digital/membership",
        "digital/cities",
        "digital/reports",
        "digital/lexicon",
    )
)

_ONCE = {
    f"bundled:simulated-study-{letter}": name
    for letter, name in zip("abcd", PANELS[2:6], strict=True)
}

_ZH_NOTE = (
    "模拟数据: 城市、年份与试点为真实信息, 结果变量、控制变量与指标均为模拟生成; "
    "仅供学习与测试, 不得据此对任何城市作出论断。"
)
_ZH_STUDY_NOTE = (
    "模拟数据: 城市、城市群与年份为真实信息, 所有数值均为随机生成, 其矩与效应接近原研究所报告者; "
    "仅供学习与测试, 不得据此对任何城市作出论断。"
)
_ZH_SIGNS_NOTE = (
    "模拟数据: 城市与地区为真实信息, 所有数值均为随机生成, 效应的符号与原研究摘要一致, 大小则否; "
    "仅供学习与测试, 不得据此对任何城市作出论断。"
)
_ZH_TRUE_W = "277 个城市的 queen 邻接矩阵 (舟山为岛, 与最近的宁波相连), 行标准化"


def renamed(name: str) -> str:
    """What to write for a table that had another name, as the end of a message; else nothing."""
    old, _, part = name.partition("/")
    return f" It is now called {_ONCE[old]}{part and '/'}{part}." if old in _ONCE else ""


def table(name: str, *, seed: int = 0, lang: str = "en") -> pd.DataFrame:
    """A table of the package; panels are on their (entity, time) index, others have columns only.

    Parameters
    ----------
    name : str
        One of `PANELS` and `FURTHER`.
    seed : int
        Of simulated data.
    lang : {"en", "zh"}
        Of the note that they are simulated.
    """
    if name == "bundled:castle":
        return load_castle().frame
    if name == "bundled:simulated-clusters":
        frame = load_simulated_clusters(seed)
        if lang == "zh":
            frame.attrs |= {
                "note": _ZH_NOTE,
                "truth": {**frame.attrs["truth"], "W": _ZH_TRUE_W},
            }
        return frame
    subject, _, part = name.removeprefix(_STUDY).partition("/")
    study = _study(subject.replace("-", "_"), seed)
    found = (study.tables[part] if part else study.panel).copy()
    frame = found.to_frame() if isinstance(found, pd.Series) else found
    frame.attrs = dict(found.attrs)
    if lang == "zh":
        frame.attrs["note"] = _ZH_SIGNS_NOTE if subject == "regional-gap" else _ZH_STUDY_NOTE
    if part and name not in PANELS and any(frame.index.names):
        attrs = frame.attrs
        frame = frame.reset_index()
        frame.attrs = attrs
    return frame


@lru_cache(maxsize=2)
def _study(name: str, seed: int) -> SimulatedStudy:
    return load_simulated_study(name, seed)

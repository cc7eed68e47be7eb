"""Simulated data: digital technology and innovation of cities in agglomerations.

196 cities of 19 agglomerations, 2008-2021, after Tang, Cai and Wang (2026). Cities, agglomerations,
their stage and the distances to ports are real; the slopes are those that the study prints.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

import nqp_spatial.datasets.studies.study as _studies
from nqp_spatial.core.linear.within import demean
from nqp_spatial.datasets.studies.study import Array

YEARS = range(2008, 2022)
WITHOUT_DATA = (131100, 130500, 130400, 140800)  # those the study names
STAGES = {"优化提升": 1, "发展壮大": 2, "培育发展": 3}
PORTS = {"Tianjin": (117.7, 39.0), "Shanghai": (121.8, 31.3), "Guangzhou": (113.6, 22.8)}
PORTS |= {"Qingdao": (120.2, 36.0), "Dalian": (121.9, 39.0), "Xiamen": (118.1, 24.5)}

SLOPE = 0.0999
# change of the slope of digit with an attribute of the agglomeration, as in table 7: its stage (1
# the most, 3 the least developed), size in 1e9 residents, infrastructure (0 to 1), several centres
MODERATORS = {"stage": -0.0296, "size": -0.2699, "infra": 0.1092, "polycentric": 0.0361}
# mean and sd of table 2, slope of column 2 of table 3 (of the log; gov: per thousand of its unit)
CONTROLS = {
    "gov": (1.7244, 0.8187, -0.0031662),
    "density": (35.1967, 46.2765, -0.0293),
    "hum": (0.0064, 0.0164, -0.0022),
    "fin": (9.6653, 21.0967, 0.0002),
    "trans": (12.9793, 14.1767, -0.0002),
    "protect": (85.203, 15.93, -0.0036),
    "unemploy": (3.0182, 3.6586, -0.0006),
}
MEAN, SD, SIGMA = 0.0571, 0.0531, 0.006
# slopes of digit: on the location quotient (0.033 over the printed mean 0.0247), the structure of
# industry and new firms per 100 residents; on the other index
MECHANISMS = {"cap": 0.033 / 0.0247, "ris": 0.2597, "ent": 0.0688}
OTHER_INDEX = 0.4697
INFRASTRUCTURE = ["education_staff", "hightech_firms", "transport_staff", "ict_staff", "loans"]

# the 21 indicators that are neither ratios to the leading city nor coupling degrees
INDICATORS = {
    "education_spending": (2.0, 38.0), "science_spending": (0.05, 16.0),
    "science_staff": (100.0, 700000.0), "foreign_firms": (0.0, 9000.0),
    "foreign_capital": (0.0, 300.0), "universities": (1.0, 92.0), "teachers": (50.0, 75000.0),
    "students": (500.0, 1.1e6), "papers": (5.0, 98000.0), "patents_filed": (10.0, 260000.0),
    "technology_market": (0.0, 6300.0), "trade_marks": (0.0, 260.0),
    "patents_granted": (5.0, 199000.0), "results_per_head": (0.0, 3300.0), "green": (5.0, 62.0),
    "output_per_head": (4000.0, 230000.0), "tertiary_share": (12.0, 84.0),
    "library_books": (20.0, 3600.0), "internet": (50.0, 9800.0), "post": (5.0, 1100.0),
    "urban": (12.0, 100.0),
}  # fmt: skip


def simulate(rng: np.random.Generator) -> _studies.SimulatedStudy:
    """Panel of 196 cities; tables ``membership``, ``cities`` (fixed), ``reports``, ``lexicon``."""
    membership = _membership()
    facts = membership.set_index("adcode").sort_index()
    shape = len(facts), len(YEARS)
    index = _studies.rows_of(facts.index, YEARS)
    cities = _fixed(rng, facts)
    panel = pd.DataFrame(index=index)
    panel["population"] = _population(rng, facts, shape).ravel()
    panel = panel.join(_infrastructure(rng, panel["population"], shape))
    digit = _digit(rng, cities, shape)
    panel["digit"] = digit.ravel()
    controls = {name: _lognormal(rng, shape, *row[:2]) for name, row in CONTROLS.items()}
    for name, values in controls.items():
        panel[name] = values.ravel()
    slope = _slopes(attributes(panel, membership), digit)
    panel["inn"] = _outcome(rng, slope, digit, controls, facts).ravel()
    factor = OTHER_INDEX / SLOPE
    panel["other_index"] = factor * (panel["inn"] + 0.004 * rng.standard_normal(len(panel)))
    panel = panel.join(_mechanisms(rng, panel, digit))
    panel = panel.join(_indicators(rng, panel, membership))
    texts = reports(rng, panel["digit"])
    tables = {"membership": membership, "cities": cities, "reports": texts, "lexicon": lexicon()}
    return _studies.told(panel, _truth(), **tables)


def attributes(panel: pd.DataFrame, membership: pd.DataFrame) -> pd.DataFrame:
    """Stage, size, infrastructure and structure of the agglomeration of each row."""
    from nqp_spatial.indices import aggregate, pca, rank_size

    group = membership.set_index("adcode")["agglomeration"]
    start = panel.index.get_level_values("year") == YEARS[0]
    structure = rank_size(panel.loc[start, "population"], group)["structure"].droplevel(1)
    sums = aggregate(panel, group, dict.fromkeys(["population", *INFRASTRUCTURE], "sum")).values
    score = pca(sums[INFRASTRUCTURE]).score
    found = pd.DataFrame({"size": sums["population"] / 1e9})
    found["infra"] = (score - score.min()) / np.ptp(score)
    city, year = (panel.index.get_level_values(level) for level in (0, 1))
    label = group.reindex(city).to_numpy()
    rows = found.reindex(pd.MultiIndex.from_arrays([label, year])).set_axis(panel.index)
    stage = membership.set_index("adcode")["stage"].map(STAGES)
    rows["stage"] = stage.reindex(city).to_numpy()
    rows["polycentric"] = (structure == "polycentric").astype(int).reindex(label).to_numpy()
    return rows[list(MODERATORS)]


def _truth() -> dict[str, object]:
    return {
        "digit": SLOPE,
        "moderators": dict(MODERATORS),
        "controls": {name: row[2] for name, row in CONTROLS.items()},
        "mechanisms": dict(MECHANISMS),
        "other_index": OTHER_INDEX,
        "words": (
            "inn: a slope of digit that changes with four attributes of the agglomeration and is "
            "0.0999 on average (over the variation of digit within cities), logs of the controls "
            "(gov as it is), city and year effects; digit is exogenous"
        ),
    }


def _membership() -> pd.DataFrame:
    """One agglomeration a city, 196 in all.

    The study names four of the cities that lack data. The others are taken here to be cities of
    which only some counties are members, and some of the agglomerations of twenty and more.
    """
    from nqp_spatial.cities.layers import load_agglomerations, load_cities

    rows = load_agglomerations()
    rows = rows[rows["primary"] & rows["adcode"].map(load_cities()["is_city"])]
    rows = rows[~(rows["partial"] & (rows["agglomeration"] != "QZ"))]
    rows = rows[~rows["adcode"].isin(WITHOUT_DATA)]
    n_members = rows["agglomeration"].map(rows["agglomeration"].value_counts())
    spare = rows[~rows["core"] & (n_members >= 20)].sort_values("adcode")
    excess = len(rows) - 196
    rows = rows.drop(spare.index[:: len(spare) // excess][:excess])
    columns = ["agglomeration", "agglomeration_en", "adcode", "name_zh", "core", "stage"]
    return rows[[*columns, "structure"]].reset_index(drop=True)


def _fixed(rng: np.random.Generator, facts: pd.DataFrame) -> pd.DataFrame:
    """Great-circle distance to the nearest of six ports (real), telephones in 1984 (simulated)."""
    from nqp_spatial.cities.layers import load_cities

    place = np.radians(load_cities().loc[facts.index, ["lon", "lat"]].to_numpy())
    ports = np.radians(np.array(list(PORTS.values())))
    lon, lat = place[:, :1], place[:, 1:]
    cosine = np.sin(lat) * np.sin(ports[:, 1]) + np.cos(lat) * np.cos(ports[:, 1]) * np.cos(
        lon - ports[:, 0]
    )
    distance = 6371.0 * np.arccos(np.clip(cosine, -1, 1)).min(axis=1)
    telephones = np.exp(8.0 + 0.6 * rng.standard_normal(len(facts)) + 0.5 * facts["core"])
    return pd.DataFrame(
        {"port_km": distance.round(1), "telephones_1984": telephones.round(0)}, index=facts.index
    )


def _population(rng: np.random.Generator, facts: pd.DataFrame, shape: tuple[int, int]) -> Array:
    """Sizes that fall with the rank, faster in agglomerations of one centre."""
    size = np.empty(shape[0])
    for name, part in facts.groupby("agglomeration"):
        steep = 1.6 if part["structure"].iloc[0] == "monocentric" else 0.55
        order = np.argsort(-part["core"].to_numpy(dtype=float) - rng.random(len(part)))
        ranked = (1.0 + np.arange(len(part))) ** -steep
        ranked = ranked / ranked.mean() * np.exp(0.05 * rng.standard_normal(len(part)))
        own = np.empty(len(part))
        own[order] = 4.4e6 * ranked * (1.3 if len(part) > 12 else 0.8)
        size[facts["agglomeration"] == name] = own
    growth = np.cumsum(0.006 + 0.004 * rng.standard_normal(shape), axis=1)
    return np.asarray(np.round(np.exp(np.log(size)[:, None] + growth)))


def _infrastructure(
    rng: np.random.Generator, population: pd.Series, shape: tuple[int, int]
) -> pd.DataFrame:
    level = _studies.latent(rng, *shape, shares=(0.55, 0.35)).ravel()
    people = population.to_numpy()
    scale = {"education_staff": 0.012, "hightech_firms": 8e-5, "transport_staff": 0.006}
    scale |= {"ict_staff": 0.003, "loans": 0.09}
    return pd.DataFrame(
        {
            name: people * s * np.exp(0.5 * level + 0.3 * rng.standard_normal(len(people)))
            for name, s in scale.items()
        },
        index=population.index,
    )


def _digit(rng: np.random.Generator, cities: pd.DataFrame, shape: tuple[int, int]) -> Array:
    """Rises faster near ports and where telephones were early."""
    trend = np.arange(shape[1]) / (shape[1] - 1)
    near = -_studies.standardised(cities["port_km"].to_numpy())[:, None]
    early = _studies.standardised(np.log(cities["telephones_1984"].to_numpy()))[:, None]
    drawn = _studies.latent(rng, *shape, shares=(0.35, 0.25))
    log = 0.62 * drawn + (0.40 * near + 0.40 * early) * trend
    level = np.exp(log)
    return np.asarray(0.06 * level / level.mean())


def _lognormal(rng: np.random.Generator, shape: tuple[int, int], mean: float, sd: float) -> Array:
    spread = np.sqrt(np.log1p((sd / mean) ** 2))
    drawn = _studies.latent(rng, *shape, shares=(0.7, 0.05))
    return np.asarray(np.exp(np.log(mean) - spread**2 / 2 + spread * drawn))


def _slopes(moderators: pd.DataFrame, digit: Array) -> Array:
    """By row, with the average of two-way fixed effects exactly `SLOPE`."""
    slope = np.full(digit.shape, SLOPE)
    d = demean(digit.T, "twoway").ravel()
    for name, change in MODERATORS.items():
        value = moderators[name].to_numpy(dtype=float).reshape(digit.shape)
        product = demean((value * digit).T, "twoway").ravel()
        slope = slope + change * (value - product @ d / (d @ d))
    return slope


def _outcome(
    rng: np.random.Generator,
    slope: Array,
    digit: Array,
    controls: dict[str, Array],
    facts: pd.DataFrame,
) -> Array:
    """Fixed differences between the cities' regressors are made good by the city effect."""
    mean = slope * digit
    for name, (*_, effect) in CONTROLS.items():
        mean = mean + effect * (controls[name] if name == "gov" else np.log(controls[name]))
    mean = mean - 0.95 * mean.mean(axis=1, keepdims=True)
    rest = mean + np.linspace(0, 0.01, digit.shape[1]) + SIGMA * rng.standard_normal(digit.shape)
    latent = 0.9 * rng.standard_normal(len(digit)) + 0.9 * facts["core"].to_numpy(dtype=float)
    found = _studies.with_moments(rest, np.exp(1.4 * latent)[:, None], MEAN, SD)
    return np.maximum(found, 0.004)


def _mechanisms(rng: np.random.Generator, panel: pd.DataFrame, digit: Array) -> pd.DataFrame:
    """Raw tables behind three mediators: R&D money, sectors, new firms."""
    shape, drawn = digit.shape, {}
    for name, level, spread in (("cap", 1.0, 0.15), ("ris", 2.25, 0.05), ("ent", 0.08, 0.012)):
        noise = _studies.latent(rng, *shape, shares=(0.4, 0.1))
        drawn[name] = level + MECHANISMS[name] * (digit - digit.mean()) + spread * noise
    spending = panel["population"].to_numpy().reshape(shape) * np.exp(
        0.3 * rng.standard_normal(shape)
    )
    cap = drawn["cap"] + 1 - (drawn["cap"] * spending).sum(axis=0) / spending.sum(axis=0)
    primary = rng.uniform(0.03, 0.12, size=shape)
    tertiary = drawn["ris"] - 2 + primary
    return pd.DataFrame(
        {
            "fiscal_spending": spending.ravel(),
            "rd_spending": (0.02 * np.maximum(cap, 0.02) * spending).ravel(),
            "primary": primary.ravel(),
            "secondary": (1 - primary - tertiary).ravel(),
            "tertiary": tertiary.ravel(),
            "new_firms": (drawn["ent"] / 100).ravel() * panel["population"].to_numpy(),
        },
        index=panel.index,
    )


def _indicators(
    rng: np.random.Generator, panel: pd.DataFrame, membership: pd.DataFrame
) -> pd.DataFrame:
    """Raw columns of ratios and coupling, then the others, so that the index is ``inn``."""
    shape = panel.index.levshape
    raw = pd.DataFrame(
        {
            name: (mean * np.exp(0.35 * _studies.latent(rng, *shape))).ravel()
            for name, mean in (("gdp_pc", 6e4), ("edu_sci_pc", 1800.0), ("human_capital", 2.6))
        },
        index=panel.index,
    )
    grants, growth = (_studies.latent(rng, *shape).ravel() for _ in range(2))
    raw["grants"] = 1500 * np.exp(0.4 * grants)
    raw["gdp_growth"] = 7.5 + 0.9 * growth
    fixed = relative(pd.concat([raw, panel[["population"]]], axis=1), membership).to_numpy()
    fixed = (fixed - fixed.min(axis=0)) / np.ptp(fixed, axis=0)
    inn = panel["inn"].to_numpy().reshape(shape)
    z = _studies.unit_indicators(rng, inn, len(INDICATORS), fixed)
    return raw.join(pd.DataFrame(_studies.in_units(z, INDICATORS), index=panel.index))


def relative(panel: pd.DataFrame, membership: pd.DataFrame) -> pd.DataFrame:
    """Ratios to the largest city of the agglomeration, and coupling of patents with growth."""
    from nqp_spatial.indices import coupling, relative_to_leader

    group = membership.set_index("adcode")["agglomeration"]
    names = ["gdp_pc", "edu_sci_pc", "human_capital"]
    ratios = relative_to_leader(panel[names], group, size=panel["population"]).droplevel("group")
    found = ratios[names].add_suffix("_ratio").reindex(panel.index)
    systems = panel[["grants", "gdp_growth"]]
    unit = (systems - systems.min()) / (systems.max() - systems.min())
    found["coupling"] = coupling(unit)["D"]
    return found


_WORDS = {
    "人工智能": "人工智能 机器学习 深度学习 智能机器人 语音识别 图像识别 人脸识别 自然语言处理 "
    "智能数据分析 商业智能 机器翻译 智能控制",
    "大数据": "大数据 数据挖掘 数据中心 数据资源 数据共享 数据开放 数据要素 数据交易 文本挖掘 "
    "数据可视化 异构数据 数据治理",
    "云计算": "云计算 云平台 云服务 云存储 分布式计算 图计算 内存计算 流计算 绿色计算 融合架构 "
    "边缘计算 亿级并发",
    "区块链": "区块链 数字货币 智能合约 差分隐私 共识机制 联盟链 去中心化 比特币 加密算法 可信计算 "
    "电子存证 链上交易",
    "物联网": "物联网 传感器 车联网 工业互联网 射频识别 智能感知 万物互联 智能终端 窄带物联网 "
    "智能穿戴 远程监测 信息物理系统",
    "网络": "互联网 移动互联网 宽带网络 光纤宽带 卫星互联网 千兆光网 移动通信 网络安全 三网融合 "
    "信息高速公路 提速降费 基站建设",
    "电商": "电子商务 跨境电商 移动支付 第三方支付 网络零售 直播带货 农村电商 线上消费 网上支付 "
    "电商平台 网红经济 无人零售",
    "金融": "数字金融 互联网金融 金融科技 量化金融 开放银行 征信平台 普惠金融平台 智能投顾 "
    "股权众筹 供应链金融平台 网络借贷 数字支付",
    "制造": "智能制造 工业机器人 数字孪生 智能工厂 数控机床 无人工厂 柔性生产 工业软件 "
    "智能装备 机器换人 数字化车间 增材制造",
    "治理": "数字政府 智慧城市 电子政务 一网通办 数字乡村 智慧交通 智慧医疗 智慧社区 数字经济 "
    "数字化转型 智慧教育 智能电网 城市大脑",
}
LEXICON = {group: words.split() for group, words in _WORDS.items()}

_PLAIN = (
    "推进 改革 开放 稳定 增长 民生 保障 农业 工业 服务业 投资 项目 建设 道路 水利 教育 卫生 文化 "
    "就业 收入 环境 治理 森林 生态 企业 市场 消费 出口 财政 税收 群众 干部 作风 安全 生产 粮食 "
    "产量 扶贫 乡村 旅游 住房 体育 法治 基层 监督 审计 应急 城镇 规划 落实"
)
PLAIN = _PLAIN.split()
N_WORDS = 120


def lexicon() -> pd.DataFrame:
    """Columns ``group`` and ``word``."""
    rows = [(group, word) for group, words in LEXICON.items() for word in words]
    return pd.DataFrame(rows, columns=["group", "word"])


def reports(rng: np.random.Generator, digit: pd.Series) -> pd.Series:
    """Texts of 120 words by (city, year); words of the lexicon rise with ``digit``."""
    words = [word for group in LEXICON.values() for word in group]
    hits = rng.poisson(0.4 + 40.0 * digit.to_numpy())
    texts = []
    for n in np.minimum(hits, N_WORDS):
        chosen = [*rng.choice(words, size=n), *rng.choice(PLAIN, size=N_WORDS - n)]
        texts.append("，".join(chosen[i] for i in rng.permutation(N_WORDS)) + "。")
    return pd.Series(texts, index=digit.index, name="report")

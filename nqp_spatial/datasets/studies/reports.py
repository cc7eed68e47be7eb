"""Simulated government work reports, and a lexicon of 121 words in ten groups."""

from __future__ import annotations

import numpy as np
import pandas as pd

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

"""How names of Chinese places are spelled: scripts, invisible characters, type words, codes."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

_TRADITIONAL = str.maketrans(  # only the characters that occur in names of cities and provinces
    "萬東臨麗義烏樂鄉雲亞倫餘蘭關興內岡農涼則別區華衛廈縣雙臺呂吳鹹圖壩壯頭婁寧寶賓爾崗島巖嶺嶽峽峯廣莊慶開張彥懷揚撫無晉來楊"
    "棗樹畢漢滄瀘澤濟渾漣溫灣濱濰潛煙瑪瓊鹽盤紅納紹綏維綿羣群肅節蕪蘆蘇荊萊營薩許貝貢貴賀資贛邊遼達遷邁運遠連鄭鄖鄲裏裡欽鐵銅銀"
    "錫錦鎮長門陽陰隴陝隨頂順頗饒馬駐魯鮮雞鴨鶴鷹黃齊龍",
    "万东临丽义乌乐乡云亚伦余兰关兴内冈农凉则别区华卫厦县双台吕吴咸图坝壮头娄宁宝宾尔岗岛岩岭岳峡峰广庄庆开张彦怀扬抚无晋来杨"
    "枣树毕汉沧泸泽济浑涟温湾滨潍潜烟玛琼盐盘红纳绍绥维绵群群肃节芜芦苏荆莱营萨许贝贡贵贺资赣边辽达迁迈运远连郑郧郸里里钦铁铜银"
    "锡锦镇长门阳阴陇陕随顶顺颇饶马驻鲁鲜鸡鸭鹤鹰黄齐龙",
)
HAN = re.compile(r"[\u3400-\u9fff]")
TYPE = re.compile("(自治州|行政区|地区|市|盟)$")
# type words of Latin spellings; the value is what the unit's Chinese name must end in
TYPE_WORDS = {
    **{"city": "市", "shi": "市", "municipality": "市", "prefecture": "地区", "diqu": "地区"},
    **{"league": "盟", "meng": "盟", "zizhizhou": "自治州", "zhou": "自治州", "autonomous": ""},
}
_NATIONALITIES = frozenset(
    {"and", "bai", "buyei", "dai", "dong", "hani", "hui", "jingpo", "kazakh", "kirghiz", "kyrgyz"}
    | {"korean", "li", "lisu", "miao", "mongol", "mongolian", "qiang", "tibetan", "tujia", "yi"}
    | {"zang", "zhuang"}
)


def digits_of(value: Any) -> str | None:
    """The digits of a code given as a number or text; None if it is no code."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else None
    text = re.sub(r"\s", "", clean(str(value)))
    found = re.fullmatch(r"(\d+)(\.0+)?", text)
    return found[1] if found else None


def clean(text: str) -> str:
    """Text without full-width forms, invisible characters and spaces around it."""
    return re.sub("[\u200b-\u200f\u2060\ufeff]", "", unicodedata.normalize("NFKC", text)).strip()


def simplified(text: str) -> str:
    """Chinese text without spaces, in simplified characters."""
    return re.sub(r"[\s·]", "", clean(text)).removeprefix("中国").translate(_TRADITIONAL)


def latin_key(text: str) -> str:
    """Latin text reduced to its letters a to z."""
    return re.sub("[^a-z]", "", unicodedata.normalize("NFKD", text).lower())


def untyped(text: str) -> tuple[list[str], str]:
    """Words of a Latin name without type words and nationalities, and the type they say."""
    words = text.split()
    kind, autonomous = "", False
    while len(words) > 1 and words[-1].lower() in TYPE_WORDS:
        word = words.pop().lower()
        autonomous |= word == "autonomous"
        kind = kind or TYPE_WORDS[word]
    while autonomous and len(words) > 1 and words[-1].lower() in _NATIONALITIES:
        words.pop()
    return words, "自治州" if autonomous else kind

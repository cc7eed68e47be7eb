"""How one name or code of a place is read: spelling, former units, homonyms."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import pandas as pd
from rapidfuzz import fuzz, process

from nqp_spatial.cities.layers import FOLDER, city_attributes, province_names
from nqp_spatial.shared.bundled import bundled

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


_WHY_ABSENT = "not in the table; counties, districts and county-level cities are not matched"


@dataclass(frozen=True)
class Match:
    """The answer for one input."""

    adcode: int | None = None
    rule: str = ""
    status: str = "unmatched"
    candidates: tuple[int, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Change:
    """One row of unit_changes.csv: what became of a former unit, name or code."""

    year: int
    kind: str
    code: int
    name: str
    pinyin: str
    successors: tuple[int, ...]
    first_listed: int
    note: str

    @property
    def is_open(self) -> bool:
        """Whether no single unit continues this one, so that matching would be a guess."""
        return self.kind in ("split", "dissolved")


@dataclass(frozen=True)
class Entry:
    """What one spelling stands for."""

    codes: tuple[int, ...]
    rule: str
    change: Change | None = None
    note: str = ""
    doubt: bool = False  # needs a province, because a province has the same name


@dataclass(frozen=True)
class Reading:
    """Entries of a text, the province that the text itself names, and why there are none."""

    entries: tuple[Entry, ...] = ()
    province: int | None = None
    why: str = ""


@lru_cache(maxsize=1)
def gazetteer() -> Gazetteer:
    """The one gazetteer of the bundled tables."""
    return Gazetteer()


class Gazetteer:
    """Spellings and codes of all units, current and former."""

    def __init__(self) -> None:
        units = city_attributes()
        self._zh_name: dict[int, str] = units["name_zh"].to_dict()
        self._short: dict[int, str] = units["short_zh"].to_dict()
        self._type: dict[int, str] = units["unit_type"].to_dict()
        self._cities = set(units.index[units["is_city"]])
        self._provinces = province_names()
        self._province_keys = {latin_key(name): code for name, code in self._provinces.items()}
        self._province_keys.pop("", None)
        self._by_length = sorted(filter(HAN.search, self._provinces), key=len, reverse=True)
        self._changes = _read_changes()
        self._old_codes: dict[int, list[Change]] = {}
        for change in self._changes:
            self._old_codes.setdefault(change.code, []).append(change)
        self._zh: dict[str, list[Entry]] = {}
        self._latin: dict[str, list[Entry]] = {}
        self._add_units(units)
        self._add_aliases()
        self._add_changes()
        counties = pd.read_csv(bundled(FOLDER, "county_cities.csv"), encoding="utf-8")
        names = [*counties["county"], *counties["pinyin"].map(latin_key)]
        self._counties = dict(zip(names, [*counties["adcode"]] * 2, strict=True))

    # -- building ------------------------------------------------------------------------------

    def _add_units(self, units: pd.DataFrame) -> None:
        for row in units.itertuples():
            code, name, short = int(row.Index), str(row.name_zh), str(row.short_zh)
            self._put(self._zh, name, code, "name")
            self._put(self._zh, short, code, "short name")
            if name.endswith("自治州"):
                for ending in ("州", "自治州"):
                    self._put(self._zh, short + ending, code, "short name")
                self._put(self._zh, name.removesuffix("自治州"), code, "short name")
            pinyin = str(row.pinyin)
            self._put(self._latin, latin_key(pinyin), code, "pinyin")
            self._put(self._latin, latin_key(pinyin.replace("ü", "v")), code, "pinyin")
            english = re.sub(r" \(.*\)", "", str(row.name_en))
            self._put(self._latin, latin_key(english), code, "English name")
            self._put(self._latin, latin_key(" ".join(untyped(english)[0])), code, "English name")

    def _add_aliases(self) -> None:
        for row in pd.read_csv(bundled(FOLDER, "names.csv"), encoding="utf-8").itertuples():
            alias, code = str(row.alias), int(row.adcode)
            if HAN.search(alias):
                self._put(self._zh, alias, code, "other name")
            else:
                self._put(self._latin, latin_key(alias), code, "other name")

    def _put(self, index: dict[str, list[Entry]], key: str, code: int, rule: str) -> None:
        """Add one spelling; a spelling that is also a province's name says so."""
        entries = index.setdefault(key, [])
        if any(code in entry.codes for entry in entries):
            return
        named = self._provinces.get(key, self._province_keys.get(key))
        same = named is not None and code % 10000 != 0 and rule != "name"
        note = f"the name {key} is also that of a province" if same else ""
        entries.append(Entry((code,), rule, note=note, doubt=same and code // 10000 != named))

    def _add_changes(self) -> None:
        """Former names, where no current unit has them; bare ones only where nothing else does."""
        for change in self._changes:
            entry = Entry(change.successors, change.kind, change)
            if not any(e.change is None for e in self._zh.get(change.name, [])):
                self._zh.setdefault(change.name, []).append(entry)
        current = set(self._zh)
        for change in self._changes:
            bare = TYPE.sub("", change.name)
            renamed = change.kind == "renamed" and change.name[-1] in "市盟州"
            if bare in current or not (change.year >= 2000 or renamed):
                continue
            entry = Entry(change.successors, change.kind, change)
            self._zh.setdefault(bare, []).append(entry)
            if change.pinyin:
                self._latin.setdefault(latin_key(change.pinyin), []).append(entry)

    # -- reading -------------------------------------------------------------------------------

    def find(
        self, value: Any, *, province: int | None, year: int | None, level: str, counties: bool
    ) -> Match:
        """Match one input; ``province`` is a two-digit code."""
        value = clean(value) if isinstance(value, str) else value
        if value is None or value == "":
            return Match(note="empty")
        digits = digits_of(value)
        if digits is not None:
            reading = self._read_code(digits, year, counties)
        elif not isinstance(value, str):
            return Match(note=f"{value!r} is neither a name nor a code")
        elif HAN.search(value):
            reading = self._read_chinese(simplified(value))
        else:
            reading = self._read_latin(value)
        inside = self.county(value) if reading.why == _WHY_ABSENT else None
        if inside is not None:
            where = self.label(inside)
            reading = replace(reading, why=f"a county-level city of {where}, and not matched")
        return self._decide(reading, {province, reading.province} - {None}, year, level)

    def _read_code(self, digits: str, year: int | None, counties: bool) -> Reading:
        if len(digits) not in (2, 4, 6, 9, 12):
            return Reading(why=f"a code has 2, 4, 6, 9 or 12 digits, not {len(digits)}")
        code, detail = int(digits.ljust(6, "0")[:6]), digits[6:].strip("0")
        entries = [] if detail else self._entries_of_code(code, year)
        if entries:
            return Reading(tuple(entries))
        whole, parent = code // 10000 * 10000, code // 100 * 100
        if whole in self._zh_name:
            if code % 100 == 0 and not detail:
                return Reading((Entry((whole,), "municipality code"),))
            parent = whole
        elif code == whole and not detail:
            known = whole // 10000 in self._provinces.values()
            return Reading(why="the code of a province" if known else "no such code")
        elif detail and code in self._zh_name:
            parent = code
        return self._read_county(parent, year, counties)

    def _read_county(self, parent: int, year: int | None, counties: bool) -> Reading:
        """Read the code of a county or town through the unit it lies in."""
        entries = self._entries_of_code(parent, year)
        if not entries:
            return Reading(why="no such code of a prefecture-level unit")
        if not counties:
            inside = ", ".join(self.label(code) for code in entries[0].codes)
            return Reading(
                why=f"the code of a county in {inside}; counties=True takes it for that unit"
            )
        return Reading(
            tuple(
                Entry(e.codes, "county code" if e.change is None else e.rule, e.change)
                for e in entries
            )
        )

    def _entries_of_code(self, code: int, year: int | None) -> list[Entry]:
        """What a six-digit code stands for, now or in ``year``."""
        former = self._old_codes.get(code, [])
        then = [c for c in former if year is not None and c.first_listed <= year < c.year]
        if code in self._zh_name:
            other = [c for c in former if c.successors != (code,)]
            used = [c for c in other if c in then]
            if used:
                return [Entry(c.successors, c.kind, c) for c in used]
            note = "; ".join(f"before {c.year} the code of {c.name}, pass year=" for c in other)
            return [Entry((code,), "code", note=note if year is None else "")]
        return [Entry(c.successors, c.kind, c) for c in then or former]

    def _read_chinese(self, text: str) -> Reading:
        province = None
        bracket = re.fullmatch(r"(.+)\((.+)\)", text)
        if bracket and bracket[2] in self._provinces:
            text, province = bracket[1], self._provinces[bracket[2]]
        if text in self._zh:
            return Reading(tuple(self._zh[text]), province)
        if text in self._provinces:
            return Reading(why="the name of a province")
        for name in self._by_length:
            rest = text.removeprefix(name).lstrip("-/,、·_.:;|")
            if not rest or not text.startswith(name):
                continue
            code = self._provinces[name]
            if rest in ("市辖区", "县") and code * 10000 in self._zh_name:
                return Reading((Entry((code * 10000,), "municipality code"),))
            if rest in self._zh:
                if province not in (None, code):
                    return Reading(why="the text names two provinces")
                return Reading(tuple(self._zh[rest]), code)
        return Reading(why=_WHY_ABSENT)

    def _read_latin(self, text: str) -> Reading:
        parts = [
            p for p in re.split("[(),;]+", text) if latin_key(p) not in ("", "china", "prchina")
        ]
        if len(parts) == 2:
            readings = [
                self._with_province(parts[0], parts[1]),
                self._with_province(parts[1], parts[0]),
            ]
            return next((r for r in readings if r.entries), Reading(why=_WHY_ABSENT))
        text = " ".join(parts) if len(parts) == 1 else text
        entries = self._latin_entries(text)
        if entries:
            return Reading(entries)
        if latin_key(text) in self._province_keys:
            return Reading(why="the name of a province")
        words = text.split()
        for i in range(1, len(words)):
            head, tail = " ".join(words[:i]), " ".join(words[i:])
            for name, place in ((head, tail), (tail, head)):
                reading = self._with_province(name, place)
                if reading.entries:
                    return reading
        return Reading(why=_WHY_ABSENT)

    def _with_province(self, name: str, place: str) -> Reading:
        """Read ``name`` in the province ``place``, if that is one."""
        code = self._province_keys.get(latin_key(place))
        return Reading() if code is None else Reading(self._latin_entries(name), code)

    def _latin_entries(self, text: str) -> tuple[Entry, ...]:
        """Entries of a Latin spelling; type words must fit the unit (Dali City is a county)."""
        key = latin_key(text)
        if key in self._latin:
            return tuple(self._latin[key])
        words, kind = untyped(text)
        stem = latin_key(" ".join(words))
        if not kind:
            kind = next((k for w, k in TYPE_WORDS.items() if k and key.endswith(w)), "")
            word = next((w for w, k in TYPE_WORDS.items() if k and key.endswith(w)), "")
            stem = key.removesuffix(word)
        return tuple(e for entry in self._latin.get(stem, []) for e in self._of_type(entry, kind))

    def _of_type(self, entry: Entry, kind: str) -> Iterable[Entry]:
        """The entry if its Chinese name ends in ``kind``, or else the former unit that did."""
        if entry.change is not None:
            return [entry] if entry.change.name.endswith(kind) else []
        code = entry.codes[0]
        if self._zh_name[code].endswith((kind, "自治州") if kind == "地区" else kind):
            return [replace(entry, doubt=False, note="") if kind else entry]
        return [e for e in self._zh.get(self._short[code] + kind, []) if e.change is not None]

    # -- deciding ------------------------------------------------------------------------------

    def _decide(self, reading: Reading, provinces: set[Any], year: int | None, level: str) -> Match:
        """Turn a reading into a match, restricted by province and level."""
        entries = reading.entries
        codes = tuple(dict.fromkeys(c for e in entries for c in e.codes))
        if not codes:
            return Match(note=reading.why or "; ".join(_said(e) for e in entries))
        inside = tuple(c for c in codes if all(c // 10000 == p for p in provinces))
        if not inside:
            return Match(note=f"{', '.join(map(self.label, codes))} is not in that province")
        kept = tuple(c for c in inside if level == "unit" or c in self._cities)
        if not kept:
            what = self._type[inside[0]]
            return Match(note=f"{self.label(inside[0])} is no city ({what}); level='unit' takes it")
        entry = next(e for e in entries if set(e.codes) & set(kept))
        doubtful = entry.doubt and not provinces
        if len(kept) > 1 or doubtful or (entry.change is not None and entry.change.is_open):
            note = _said(entry) or "several units have this name; pass province="
            return Match(rule=entry.rule, status="ambiguous", candidates=kept, note=note)
        rule = entry.rule + (" and province" if provinces and len(codes) > 1 else "")
        note = "; ".join(filter(None, [_said(entry), self._history(kept[0], entry, year)]))
        return Match(kept[0], rule, "matched", kept, note)

    def _history(self, code: int, entry: Entry, year: int | None) -> str:
        """What was true in ``year``, if it differs from the unit of the polygons."""
        change = entry.change
        if change is not None and change.kind == "merged":
            state = (
                ""
                if year is None
                else (
                    f"in {year} a unit of its own; "
                    if year < change.year
                    else f"ended before {year}; "
                )
            )
            return f"{state}do not add its values to those of {self._zh_name[code]} unnoticed"
        if year is None:
            return ""
        if change is not None:
            return "" if year < change.year else f"not the name or code of {year}"
        later = [
            c for c in self._changes if code in c.successors and c.first_listed <= year < c.year
        ]
        if not later:
            return ""
        then = min(later, key=lambda c: c.year)
        if then.kind in ("merged", "split"):
            return f"in {year} without {then.name}, which the polygon includes in part or whole"
        return f"in {year}: {then.name} ({then.code})"

    # -- words ---------------------------------------------------------------------------------

    def name_zh(self, code: int | None) -> str | None:
        """Chinese name of a unit."""
        return None if code is None else self._zh_name[code]

    def label(self, code: int) -> str:
        """Code and Chinese name of a unit, as shown in messages."""
        return f"{code} {self._zh_name[code]}"

    def county(self, value: Any) -> int | None:
        """The unit in which a well-known county-level city lies; None for other texts."""
        if not isinstance(value, str):
            return None
        if not HAN.search(value):
            return self._counties.get(latin_key(" ".join(untyped(value)[0])))
        text = simplified(clean(value))
        for name in self._by_length:
            text = text.removeprefix(name) or text
        return self._counties.get(text.removesuffix("市"))

    def suggest(self, value: Any, n: int = 3) -> tuple[str, ...]:
        """The ``n`` nearest units by spelling: for the reader, never used to match.

        For a county-level city it is the unit that it lies in.
        """
        if (inside := self.county(value)) is not None:
            return (self.label(inside),)
        text = digits_of(value) or value
        if not isinstance(text, str) or not text.strip() or (text.isdigit() and len(text) != 6):
            return ()
        if text.isdigit():
            choices = {str(code): code for code in self._zh_name}
        else:
            index = self._zh if HAN.search(text) else self._latin
            choices = {key: e[0].codes[0] for key, e in index.items() if e[0].codes}
            text = simplified(text) if HAN.search(text) else latin_key(text)
        near = process.extract(text, list(choices), scorer=fuzz.ratio, limit=4 * n, score_cutoff=50)
        return tuple(dict.fromkeys(self.label(choices[key]) for key, _, _ in near))[:n]


def _read_changes() -> list[Change]:
    table = pd.read_csv(bundled(FOLDER, "unit_changes.csv"), encoding="utf-8", dtype=str)
    return [
        Change(
            year=int(row.year),
            kind=row.kind,
            code=int(row.old_code),
            name=row.old_name,
            pinyin=row.old_pinyin,
            successors=tuple(map(int, row.new_adcode.split())),
            first_listed=int(row.first_listed),
            note=row.note,
        )
        for row in table.fillna("").itertuples()
    ]


def _said(entry: Entry) -> str:
    """What the tables say about an entry."""
    if entry.change is None:
        return entry.note
    return f"{entry.change.name} ({entry.change.code}): {entry.change.note}"

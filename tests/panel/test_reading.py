"""Tables from files: encodings, labels, codes, and files that are not what they say."""

import numpy as np
import openpyxl
import pandas as pd
import pytest

from nqp_spatial import PanelData, load_cities, read_table
from nqp_spatial.exceptions import (
    DataError,
    DataWarning,
    FileFormatError,
    IdMismatchError,
    NotNumericError,
    OptionError,
)

TEXT = "城市,年份,产值\n北京市,2010,1.5\n上海市,2011,2.5\n"


@pytest.fixture
def write(tmp_path):
    def to(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to


# csv -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("given", [None, "utf-8"])
def test_utf8_with_and_without_byte_order_mark(write, encoding, given):
    frame = read_table(write("a.csv", TEXT.encode(encoding)), encoding=given)
    assert frame.columns.tolist() == ["城市", "年份", "产值"]
    assert frame["城市"].tolist() == ["北京市", "上海市"]
    assert frame["产值"].tolist() == [1.5, 2.5]


def test_gbk_is_read_and_said(write):
    path = write("旧表.csv", TEXT.encode("gbk"))
    with pytest.warns(
        DataWarning, match="旧表.csv is not UTF-8; it was read as GB 18030"
    ) as caught:
        frame = read_table(path)
    assert caught[0].filename == __file__
    assert frame["城市"].tolist() == ["北京市", "上海市"]
    with pytest.warns(DataWarning):
        panel = PanelData.read(path, entity="城市", time="年份")
    assert panel.notes == ("旧表.csv is not UTF-8; it was read as GB 18030 (GBK).",)
    assert read_table(path, encoding="gbk")["城市"].tolist() == ["北京市", "上海市"]  # no warning


def test_big5_when_said(write):
    path = write("a.csv", "縣市,year\n臺北市,2010\n".encode("big5"))
    assert read_table(path, encoding="big5")["縣市"].tolist() == ["臺北市"]
    with pytest.raises(FileFormatError, match="a.csv cannot be decoded as utf-8.*encoding='big5'"):
        read_table(path, encoding="utf-8")
    with pytest.raises(FileFormatError, match="cannot be decoded as bigfive"):
        read_table(path, encoding="bigfive")


def test_bytes_of_no_encoding(write):
    with pytest.raises(FileFormatError, match="cannot be decoded as utf-8-sig or gb18030"):
        read_table(write("a.csv", TEXT.encode("utf-16")))
    assert read_table(write("b.csv", TEXT.encode("utf-16")), encoding="utf-16").shape == (2, 3)


def test_codes_keep_their_leading_zeros(write):
    frame = read_table(write("a.csv", "code,year,share,zero\n010,2000,0.5,0\n110,2001,00.5,0\n"))
    assert frame["code"].tolist() == ["010", "110"]
    assert frame["share"].tolist() == [0.5, 0.5]
    assert frame["zero"].tolist() == [0, 0]


def test_thousands_separators_stay_text_until_a_model_needs_numbers(write):
    path = write("a.csv", 'city,year,gdp\nA,1,"1,234"\nB,1,"2,345"\n')
    panel = PanelData.read(path, entity="city", time="year")
    assert panel["gdp"].tolist() == ["1,234", "2,345"]
    with pytest.raises(
        NotNumericError, match=r"'gdp' holds text, not numbers: '1,234' at \('A', 1"
    ):
        panel.check(["gdp"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a.csv is not a table of comma-separated values"),
        ("\n\n", "a.csv is not a table"),
        ("a,b\n1,2\n1,2,3\n", "a.csv is not a table.*line 3"),
        ('a,b\n"1,2\n3,4\n', "a.csv is not a table.*inside string"),
        ("a,b\n1,2,3\n4,5,6\n", "rows of a.csv have more cells than its header"),
        ("a;b;c\n1;2;3\n", "one column, 'a;b;c': its separator seems to be ';'"),
        ("a;b;c\n1,5;2;3\n1,5;2,5;3\n", "its separator seems to be ';'"),
        ("a\tb\n1\t2\n", r"its separator seems to be '\\t'"),
        ("城市，年份\n北京，2010\n", "its separator seems to be '，'"),
        ("a,b,a\n1,2,3\n", "headings that occur twice: 'a'"),
    ],
)
def test_text_that_is_no_table(write, content, message):
    with pytest.raises(FileFormatError, match=message):
        read_table(write("a.csv", content))


def test_a_comma_at_the_end_of_rows_moves_no_cell(write):
    frame = read_table(write("a.csv", "a,b\n1,2,\n4,5,\n"))
    assert frame.to_dict("list") == {"a": [1, 4], "b": [2, 5]}


def test_a_short_row_leaves_an_empty_cell_that_can_be_named(write):
    path = write("a.csv", "city,year,v\nA,1,5\nA,2\n")
    panel = PanelData.read(path, entity="city", time="year")
    assert panel.missing_cells().to_numpy().tolist() == [["A", 2, "v"]]


def test_one_column_is_a_table(write):
    assert read_table(write("a.csv", "v\n1\n2\n"))["v"].tolist() == [1, 2]


def test_a_table_without_rows_is_no_panel(write):
    path = write("a.csv", "city,year\n")
    assert read_table(path).empty
    with pytest.raises(ValueError, match="no rows"):
        PanelData.read(path, entity="city", time="year")


# other formats -------------------------------------------------------------------------------


@pytest.fixture
def table():
    return pd.DataFrame(
        {"code": ["010", "110"], "city": [1, 2], "gdp": [1.5, np.nan], "name": ["北京", "上海"]}
    )


def test_stata_labels_are_kept_and_codes_stay_numbers(table, tmp_path):
    path = tmp_path / "a.dta"
    table.to_stata(
        path,
        write_index=False,
        version=118,
        variable_labels={"gdp": "地区生产总值"},
        value_labels={"city": {1: "北京", 2: "上海"}},
    )
    frame = read_table(path)
    assert frame["city"].tolist() == [1, 2]
    assert frame["code"].tolist() == ["010", "110"]
    assert frame["gdp"].isna().tolist() == [False, True]
    assert frame.attrs["labels"] == {"gdp": "地区生产总值"}
    assert frame.attrs["value_labels"] == {"city": {1: "北京", 2: "上海"}}
    assert PanelData.read(path, entity="name", time="city").labels == {"gdp": "地区生产总值"}


def test_excel_keeps_text_codes_and_number_types(table, tmp_path):
    path = tmp_path / "a.xlsx"
    table.assign(when=pd.to_datetime(["2010", "2011"])).to_excel(path, index=False)
    frame = read_table(path)
    assert frame["code"].tolist() == ["010", "110"]
    assert frame["city"].dtype == np.int64
    assert frame["gdp"].dtype == np.float64
    assert frame["name"].tolist() == ["北京", "上海"]
    assert pd.api.types.is_datetime64_any_dtype(frame["when"])
    pd.DataFrame([[1, 2]], columns=["v", "v"]).to_excel(path, index=False)
    with pytest.raises(FileFormatError, match="headings that occur twice: 'v'"):
        read_table(path)


def test_parquet_and_suffixes_in_capitals(table, tmp_path, write):
    table.to_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "a.parquet"), table)
    assert read_table(str(write("A.CSV", "v\n1\n")))["v"].tolist() == [1]


# files that are not what they say ------------------------------------------------------------


def test_a_workbook_named_csv(table, tmp_path, write):
    table.to_excel(tmp_path / "a.xlsx", index=False)
    with pytest.raises(FileFormatError, match="b.csv is an Excel workbook.*Rename it to .xlsx"):
        read_table(write("b.csv", (tmp_path / "a.xlsx").read_bytes()))
    with pytest.raises(FileFormatError, match="c.xlsx cannot be read as a .xlsx file"):
        read_table(write("c.xlsx", (tmp_path / "a.xlsx").read_bytes()[:300]))


@pytest.mark.parametrize("suffix", ["xlsx", "dta", "parquet"])
@pytest.mark.parametrize("content", ["", "a,b\n1,2\n"])
def test_damaged_files(write, suffix, content):
    with pytest.raises(FileFormatError, match=f"a.{suffix} cannot be read as a .{suffix} file"):
        read_table(write(f"a.{suffix}", content))


def test_an_absent_file_names_those_beside_it(write):
    path = write("panel_2020.csv", "v\n1\n")
    write("other.dta", "")
    with pytest.raises(FileFormatError, match=r"no file .*Beside it are 'panel_2020.*mean"):
        read_table(path.with_name("panel_2021.csv"))
    with pytest.raises(FileFormatError, match=r"no file .*a\.csv\. There is no folder"):
        read_table(path.parent / "none" / "a.csv")
    with pytest.raises(FileFormatError, match="There is no file"):
        read_table(path.parent)


def test_unknown_suffixes(write):
    with pytest.raises(FileFormatError, match="a.xls is not one of .csv, .dta, .xlsx, .parquet"):
        read_table(write("a.xls", "a"))


# what users have ------------------------------------------------------------------------------


def sheet(path, rows, *, merge=(), title="data", before=()):
    book = openpyxl.Workbook()
    page = book.active
    for name in before:
        page.title = name
        page.append(["readme"])
        page = book.create_sheet()
    page.title = title
    for row in rows:
        page.append(row)
    for cells in merge:
        page.merge_cells(cells)
    book.save(path)
    return path


YEARBOOK = [
    ["表2-1  各市主要指标", None, None],
    [None, None, None],
    ["城市", "年份", "地区生产总值"],
    ["北京", 2010, "14,113.6"],
    ["上海", 2010, "—"],
]


def test_titles_above_the_headings_are_said(tmp_path):
    path = sheet(tmp_path / "y.xlsx", YEARBOOK, merge=["A1:C1"])
    with pytest.warns(DataWarning, match="titles stand above the headings.*row 3.*Say heading="):
        frame = read_table(path, numbers=["地区生产总值"])
    assert frame.columns.tolist() == ["城市", "年份", "地区生产总值"]
    assert frame["地区生产总值"].tolist()[0] == 14113.6 and frame.iloc[1, 2:].isna().all()
    assert len(frame.attrs["notes"]) == 2 and "thousands separators (1)" in frame.attrs["notes"][1]
    said = read_table(path, heading=3)  # no word where it was said
    assert "notes" not in said.attrs


def test_merged_headings_are_refused_with_their_place(tmp_path):
    rows = [["城市", "产值", None], [None, "2010", "2011"], ["北京", 1, 2], ["上海", 3, 4]]
    path = sheet(tmp_path / "y.xlsx", rows, merge=["B1:C1"])
    with pytest.raises(FileFormatError, match="in row 1, have nothing above .* column C: merged"):
        read_table(path)


def test_another_sheet(tmp_path):
    rows = [["city", "year", "y"], ["A", 2010, 1.5], ["A", 2011, 3.0]]
    path = sheet(tmp_path / "s.xlsx", rows, before=["about"])
    with pytest.raises(DataError, match="other sheets: 'data'. Say sheet='data'"):
        PanelData.read(path, entity="city", time="year")
    for name in ("data", 2):
        assert PanelData.read(path, entity="city", time="year", sheet=name)["y"].sum() == 4.5
    with pytest.raises(OptionError, match="has the sheets 'about', 'data'. Did you mean 'data'"):
        read_table(path, sheet="dat")


def test_formulas_that_nobody_calculated(tmp_path):
    path = sheet(tmp_path / "f.xlsx", [["a", "b"], [1, "=A2+1"], [2, "=A3+1"]])
    with pytest.raises(FileFormatError, match="2 formulas without a value, first 'B2', 'B3'"):
        read_table(path)


def test_semicolons_and_decimal_commas(write):
    path = write("a.csv", "city;year;x\nA;2010;1,5\nB;2010;2,25\n")
    with pytest.raises(FileFormatError) as error:
        read_table(path)
    advice = str(error.value).rpartition("Say ")[2]
    assert advice.startswith("separator=';' and decimal=',' if")
    assert read_table(path, separator=";", decimal=",")["x"].tolist() == [1.5, 2.25]
    assert read_table(write("b.csv", "t\na\tb\n1\t2\n"), separator="\t", heading=2).shape == (1, 2)


def test_stata_years_and_dates(tmp_path):
    when = pd.to_datetime(["2010", "2011"])
    frame = pd.DataFrame({"y": when, "m": when, "v": [1.0, 2.0]})
    frame.to_stata(
        tmp_path / "a.dta", write_index=False, convert_dates={"y": "ty", "m": "tm"}, version=118
    )
    found = read_table(tmp_path / "a.dta")
    assert found["y"].tolist() == [2010, 2011] and found["y"].dtype == np.int64
    assert found["m"].tolist() == list(when)


@pytest.mark.parametrize("version", [114, 117])
def test_old_stata_in_gbk(tmp_path, version):
    def latin(text):
        return text.encode("gbk").decode("latin-1")

    frame = pd.DataFrame({"name": [latin("北京"), latin("上海")], "id": [1, 2]})
    frame.to_stata(
        tmp_path / "a.dta", write_index=False, version=version,
        variable_labels={"id": latin("城市")},
        value_labels={"id": {1: latin("北京"), 2: latin("上海")}},
    )  # fmt: skip
    with pytest.warns(DataWarning, match="read as GB 18030"):
        found = read_table(tmp_path / "a.dta")
    said = read_table(tmp_path / "a.dta", encoding="gb18030", names=["id"])
    for frame in (found, said):
        assert frame["name"].tolist() == ["北京", "上海"]
        assert frame.attrs["labels"] == {"id": "城市"}
    assert said["id"].tolist() == ["北京", "上海"]
    with pytest.raises(FileFormatError, match="cannot be decoded as utf-8"):
        read_table(tmp_path / "a.dta", encoding="utf-8")


def test_names_for_codes(tmp_path):
    frame = pd.DataFrame({"id": [1, 2, 3], "year": 2010, "v": [1.0, 2, 3]})
    labels = {"id": {1: "北京市", 2: "上海市"}, "v": {1: "a", 2: "a", 3: "b"}}
    frame.to_stata(tmp_path / "a.dta", write_index=False, version=118, value_labels=labels)
    with pytest.raises(OptionError, match="'id' has codes without a label in a.dta: 3"):
        read_table(tmp_path / "a.dta", names="id")
    with pytest.raises(OptionError, match="Several codes of 'v' have the label 'a'"):
        read_table(tmp_path / "a.dta", names=["v"])
    with pytest.raises(OptionError, match="'year' has no value labels in a.dta; these have: 'id'"):
        read_table(tmp_path / "a.dta", names=["year"])
    with pytest.raises(OptionError, match="names= is about .dta files, and this is a .csv"):
        (tmp_path / "a.csv").write_text("a,b\n1,2\n")
        read_table(tmp_path / "a.csv", names=["a"])


WIDE = "city,area,2010,2011,2012\nA,5,1,2,3\nB,6,4,5,\n"


def test_a_column_for_each_year_is_recognised_and_turned(write):
    path = write("w.csv", WIDE)
    with pytest.raises(DataError, match="for each year, from '2010' to '2012'.*wide='gdp'"):
        PanelData.read(path, entity="city", time="year")
    panel = PanelData.read(path, entity="city", time="year", wide="gdp")
    assert panel["gdp"].dropna().tolist() == [1, 2, 3, 4, 5]
    assert panel["area"].tolist() == [5, 5, 5, 6, 6, 6]
    assert panel.periods.tolist() == [2010, 2011, 2012]


def test_names_before_the_year(write):
    path = write("w.csv", "city,gdp2010,gdp2011,pop_2010,pop_2011\nA,1,2,3,4\nB,5,6,7,8\n")
    panel = PanelData.read(path, entity="city", time="year", wide=["gdp", "pop"])
    assert panel["gdp"].tolist() == [1, 2, 5, 6] and panel["pop"].tolist() == [3, 4, 7, 8]
    with pytest.raises(OptionError, match="wide='gpd': w.csv has no columns for years"):
        read_table(path, wide=["gpd", "pop"])


def test_years_with_their_word(write):
    frame = read_table(write("w.csv", "城市,2010年,2011年\n北京,1,2\n"), wide="gdp")
    assert frame.to_dict("list") == {"城市": ["北京"] * 2, "year": [2010, 2011], "gdp": [1, 2]}


def test_codes_of_entities_with_names(tmp_path):
    """The names are in the file: the message says how to have them, and that works."""
    cities = load_cities().query("is_city").iloc[:3].set_index("name_zh")
    frame = pd.DataFrame({"id": [1, 2, 3] * 2, "year": [2010] * 3 + [2011] * 3, "v": range(6)})
    labels = {"id": dict(zip([1, 2, 3], cities.index, strict=True))}
    frame.to_stata(tmp_path / "a.dta", write_index=False, version=118, value_labels=labels)
    how = {"entity": "id", "time": "year", "polygons": cities}
    with pytest.raises(IdMismatchError, match=r"such as 1 for .*names=\['id'\]"):
        PanelData.read(tmp_path / "a.dta", **how)
    assert PanelData.read(tmp_path / "a.dta", **how, names=["id"]).n_entities == 3

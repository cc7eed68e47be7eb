"""Tables from files: encodings, labels, codes, and files that are not what they say."""

import numpy as np
import pandas as pd
import pytest

from nqp_spatial import PanelData, read_table
from nqp_spatial.exceptions import DataWarning, FileFormatError, NotNumericError

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
    with pytest.raises(FileFormatError, match=r"no file .*Beside it are: 'panel_2020.csv'\.$"):
        read_table(path.with_name("panel_2021.csv"))
    with pytest.raises(FileFormatError, match=r"no file .*none.a\.csv\.$"):
        read_table(path.parent / "none" / "a.csv")
    with pytest.raises(FileFormatError, match="There is no file"):
        read_table(path.parent)


def test_unknown_suffixes(write):
    with pytest.raises(FileFormatError, match="a.xls is not one of .csv, .dta, .xlsx, .parquet"):
        read_table(write("a.xls", "a"))

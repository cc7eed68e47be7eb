"""Files are whole or as they were; text in a sheet stays text."""

import openpyxl
import pandas as pd
import pytest

from nqp_spatial.exceptions import OutputError
from nqp_spatial.shared.files import printable, replacing, write_sheet

LIVE = ["=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0"]


def test_a_file_is_replaced_only_when_all_is_written(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    path.chmod(0o640)
    with pytest.raises(KeyboardInterrupt), replacing(path) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "before"
    with replacing(path) as part:
        part.write_text("whole")
    assert path.read_text() == "whole" and path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_new_file_has_the_rights_that_others_get(tmp_path):
    (tmp_path / "other").touch()
    with replacing(tmp_path / "new") as part:
        part.touch()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_folder_that_is_not_there(tmp_path):
    with (
        pytest.raises(OutputError, match="folder '.*none' does not exist. Create it"),
        replacing(tmp_path / "none" / "a.csv"),
    ):
        pass


def test_cells_of_a_sheet_are_no_formulas(tmp_path):
    frame = pd.DataFrame({"=2+2": LIVE, "x": range(5)}, index=pd.Index(LIVE, name="@id"))
    write_sheet(frame, tmp_path / "a.xlsx", name="W", index=True)
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    for row in sheet.iter_rows():
        for cell in row:
            assert cell.data_type in ("s", "n"), cell.coordinate
            assert cell.quotePrefix == (cell.data_type == "s" and cell.value != "x")
    back = pd.read_excel(tmp_path / "a.xlsx", index_col=0)
    assert back.index.tolist() == LIVE and back["=2+2"].tolist() == LIVE


@pytest.mark.parametrize("code", [0, 7, 11, 12, 31, 127, 0x85, 0xD800, 0xFFFF])
def test_control_characters_become_blanks(code):
    assert printable(f"GDP{chr(code)}per head") == "GDP per head"


def test_what_can_be_printed_stays():
    text = "城市 GDP\tper head\n=1+1 – “ρ̂” 𝛽"
    assert printable(text) == text

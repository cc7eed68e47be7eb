"""The catalogue of words: both languages have the same keys, and the code uses all of them."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from string import Formatter

import pytest
import yaml

import nqp_spatial
from nqp_spatial.exceptions import OptionError
from nqp_spatial.language.catalogue import LANGUAGES, _sections, both, note, word, words
from nqp_spatial.language.labels import (
    covariance,
    hypothesis,
    label,
    parameter,
    statistic,
    title,
)
from nqp_spatial.language.labels import (
    test_name as name_of_test,
)
from nqp_spatial.shared.notes import Note
from nqp_spatial.study import DEMO

PACKAGE = Path(nqp_spatial.__file__).parent
CHINESE = re.compile("[\u3400-\u9ffe]+")  # 9fff ends ranges of expressions
WHOLE = ("words", "known")  # what asks for a section
ASKING = ("note", "both", "word", *WHOLE)
KEYS = {f"{section}.{name}" for section, own in _sections("en").items() for name in own}
# Chinese that is no text of the catalogue: names of places and of regions in data, by folder ...
DATA = ("cities", "datasets/clusters.py", "datasets/studies")
# ... and by module
ALLOWED = {
    "shared/notes.py": {"等", "个"},  # how a list is written, below the catalogue
    "language/messages.py": {"等", "另有", "个", "处的", "有", "行", "和", "或"},  # the same
    "tables/plain.py": {"宋体", "表"},  # a font; with what the number of a table begins
    "tables/office.py": {"宋体"},
    "shared/numerals.py": {
        "否",
        "无",
        "无数据",
        "是",
        "有",
        "缺失",
    },  # yes, no, empty
    # how years, quarters, halves, months and days are written
    "shared/periods.py": {"年", "月", "第", "季度", "日", "上下", "上", "下", "半年"}
    | {"一", "二", "三", "四", "一二三四", "年月"},
    "panel/reading.py": {"年"},  # what follows a year in the head of a column
    "weights/points.py": {"经度", "纬度"},  # columns in the example of a message
}


@cache
def sources():
    """Texts without docstrings, and first arguments of calls of the catalogue, by module."""
    files = sorted(PACKAGE.rglob("*.py"))
    return {p.relative_to(PACKAGE).as_posix(): scan(ast.parse(p.read_text("utf-8"))) for p in files}


def scan(tree):
    """Texts of a tree, and pairs (function, first argument)."""
    nodes = list(ast.walk(tree))
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    constants = [n for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    calls = [n for n in nodes if isinstance(n, ast.Call) and n.args]
    asked = [(getattr(n.func, "id", getattr(n.func, "attr", None)), n) for n in calls]
    return (
        {n.value for n in constants if id(n) not in docstrings},
        [(name, n.args[0]) for name, n in asked if name in ASKING and is_ours(n.func)],
    )


def is_ours(function):
    """A function of the catalogue, not a method such as ``log.note``."""
    return isinstance(function, ast.Name) or getattr(function.value, "id", "") == "catalogue"


def beginning(joined):
    """What stands before the first value of an f-string."""
    first = joined.values[0]
    return first.value if isinstance(first, ast.Constant) else ""


def sections_of(joined):
    """Sections that an f-string may name: all that begin so, or the one before its first dot."""
    start = beginning(joined)
    section = start.partition(".")[0]
    return {own for own in _sections("en") if own == section or own.startswith(start)}


def placeholders(text):
    """Names of what is filled in, with their formats; numbers where they have no names."""
    fields = [field for field in Formatter().parse(text) if field[1] is not None]
    return {(name or str(i), form) for i, (_, name, form, _) in enumerate(fields)}


def test_both_languages_have_the_same_sections_keys_and_placeholders():
    assert [list(_sections(lang)) for lang in LANGUAGES] == [list(_sections("en"))] * 2
    for section in _sections("en"):
        assert list(words(section, "en")) == list(words(section, "zh")), section
    for key in KEYS:
        assert word(key, "en") and word(key, "zh"), key
        assert placeholders(word(key, "en")) == placeholders(word(key, "zh")), key


def test_comments_are_the_same_sections_in_both_files():
    """A translator who reads one file finds the place in the other."""
    lines = [(PACKAGE / "language" / f"{lang}.toml").read_text("utf-8") for lang in LANGUAGES]
    en, zh = ([re.sub(" = .*", "", line) for line in text.splitlines()[3:]] for text in lines)
    assert en == zh


def test_every_key_that_the_code_asks_for_exists():
    found = 0
    for path, (_, asked) in sources().items():
        for name, argument in asked:
            if isinstance(argument, ast.JoinedStr):
                assert sections_of(argument), path
                continue
            for part in ast.walk(argument):
                if isinstance(part, ast.Constant):
                    assert part.value in (_sections("en") if name in WHOLE else KEYS), path
                    found += 1
    assert found > 80  # the scan sees them


def test_every_key_is_asked_for():
    """By its text, by an f-string that begins with its section, or with its whole section."""
    whole, known = set(), set()
    for path, (texts, asked) in sources().items():
        known |= texts
        if path.startswith("tables/"):  # which hand the name of a section on
            whole |= texts & set(_sections("en"))
        for name, argument in asked:
            if isinstance(argument, ast.JoinedStr):
                whole |= sections_of(argument)
            elif name in WHOLE and isinstance(argument, ast.Constant):
                whole.add(argument.value)
    assert not {key for key in KEYS if key not in known and key.partition(".")[0] not in whole}


def test_every_name_of_a_section_that_is_read_whole_is_somewhere_in_the_code():
    """Such as the name of a column; a name that nothing has is left over."""
    known = set().union(*(texts for texts, _ in sources().values()))
    known |= {part for text in known for part in text.split(".")}
    known |= {text.replace("_", "-").rstrip("-: ") for text in known}  # of files, of parts
    for section in _sections("en"):
        if section not in (
            "statistics",
            "beginnings",
            "coupling",
            "model_endings",
            "model_names",
            "headings-weights-comparison",
        ):  # put together from parts; numbers
            names = set(words(section, "en")) - known
            assert {name.rstrip("0123456789") for name in names} <= known, section  # ar1, ar2


def test_no_chinese_is_written_in_modules():
    for path, (texts, _) in sources().items():
        if not path.startswith(DATA):
            runs = {run for text in texts for run in CHINESE.findall(text)}
            assert runs <= ALLOWED.get(path, set()), path


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(KeyError, match=r"no key 'gmm.absend'. Did you mean 'gmm.absent'"):
        note("gmm.absend")
    with pytest.raises(KeyError, match=r"no key 'table.yes'. Did you mean 'tables.yes'"):
        word("table.yes", "en")
    with pytest.raises(KeyError, match=r"no section 'table'. Did you mean 'tables'"):
        words("table", "en")
    for ask in (words, word):
        with pytest.raises(OptionError, match=r"lang='fr' is not known. Use one of 'en', 'zh'"):
            ask("tables.yes", "fr")


def test_notes_take_their_values_in_each_language():
    inner = Note("Entity", "个体")
    said = note("robustness.replace", old="x", new=inner)
    assert (said, said.zh) == ("Entity for x", "以个体替换x")
    assert both("tables.yes").zh == "是" and both("robustness.add") == "add {names}"


def test_names_are_the_callers_then_ours_then_their_own():
    known = words("inference", "zh")
    assert label("pvalue", {}, known) == "p值" and label("pvalue", {"pvalue": "P"}, known) == "P"
    assert label(7, {}, known) == "7"
    assert parameter("W_const", "zh", {}, ["const"]) == "W×常数项"
    assert parameter("W_const", "zh", {}, []) == "W_const"


def test_every_kind_of_r_squared_keeps_its_kind():
    names = ("rsquared", "rsquared_within", "rsquared_squared_correlation", "rsquared_odd")
    said = {name: [statistic(name, lang, {}) for lang in LANGUAGES] for name in names}
    assert said["rsquared"] == ["R²", "R²"] and said["rsquared_within"] == ["R² (within)", "组内R²"]
    assert said["rsquared_squared_correlation"] == ["R² (squared correlation)", "相关系数法R²"]
    assert said["rsquared_odd"] == ["R² (odd)", "R²(odd)"]
    assert statistic("rsquared", "zh", {"rsquared": "拟合优度"}) == "拟合优度"


def test_standard_errors_are_named_with_their_clusters():
    by = "clustered by entity and province"
    assert covariance(by, "en", {}) == by
    assert covariance(by, "zh", {"province": "省份"}) == "按个体和省份聚类的稳健标准误"
    assert covariance("conley", "zh", {}) == "Conley标准误" and covariance("odd", "zh", {}) == "odd"


def test_titles_of_frames_stay_where_there_is_none():
    assert title("thresholds").zh == "门槛值" and title("mine").zh == "mine"


def test_the_demo_has_the_title_of_its_file():
    assert yaml.safe_load(DEMO.read_text("utf-8"))["title"] == word("cli.demo", "en")


def test_the_files_are_read_with_the_first_word():
    code = (
        "import nqp_spatial, sys; assert 'tomllib' not in sys.modules\n"
        "from nqp_spatial.language import catalogue\n"
        "assert not catalogue._sections.cache_info().currsize\n"
        "catalogue.word('tables.yes', 'zh'); assert catalogue._sections.cache_info().currsize == 1"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("null", "en", "zh"),
    [
        ("rho = 0", "no spatial lag of the outcome (ρ = 0)", "被解释变量无空间滞后（ρ = 0）"),
        ("W_x = 0", "no spatial lags of regressors: W×X zero", "解释变量无空间滞后：W×X的系数为零"),
        ("x = 0, z = 0", "coefficients zero: X, z", "系数为零：X、z"),
        ("tau = 0, eta = 0", "no dependence on the past", "与过去无关"),
        (
            "Spatial lag model in Spatial Durbin model",
            "Spatial lag model is enough where Spatial Durbin model is more general",
            "空间滞后模型已足够，不必用更一般的空间杜宾模型",
        ),
        ("rho = lambda = 0", "ρ = λ = 0", "ρ = λ = 0"),
        ("x = 0.5", "x = 0.5", "x = 0.5"),  # what is not zero stays
        (Note("two", "二"), "two", "二"),
    ],
)
def test_null_hypotheses_are_told_in_words(null, en, zh):
    assert hypothesis(null, "en", {"x": "X"}) == en
    assert hypothesis(null, "zh", {"x": "X"}) == zh


def test_tests_of_parts_are_named_part_by_part():
    assert name_of_test("slx", "en", {}) == "Wald, against SLX"
    assert name_of_test("single/m/sobel", "zh", {"m": "创新"}) == "单独、创新、Sobel检验"


HALF = re.compile("[\u3400-\u9fff\uff09] ?[,;:]|[,;:] ?[\u3400-\u9fff]|\\([\u3400-\u9fff]")


def test_chinese_text_has_full_width_punctuation():
    """Half-width marks stand in formulas, intervals and code only."""
    said = {key: word(key, "zh") for key in KEYS}
    assert not {key: text for key, text in said.items() if HALF.search(text)}

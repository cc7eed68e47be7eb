"""``"y ~ x1 + log(x2)"`` to frames, thin over formulaic."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from keyword import iskeyword
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import DataError, MissingValuesError, NotNumericError, OptionError
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.shared import checks
from nqp_spatial.shared.frames import refuse_unlabelled
from nqp_spatial.shared.messages import first, suggest

if TYPE_CHECKING:
    from formulaic import Formula

_MOVES_ROWS = re.compile(r"(?<!\w)lag\s*\(|\.(?:shift|diff|rolling|cumsum|pct_change)\s*\(")
_FUNCTION = re.compile(r"\w+\((?:[^()]|\([^()]*\))*\)|\{[^{}]*\}")  # Python inside, not terms
_POWER = re.compile(r"(?<![\w)\]`])(`[^`]+`|[^\W\d][\w.]*)\s*(?:\*\*|\^)\s*\d")
_NAME = r"`[^`]*`"
_BLOCK = re.compile(
    rf"(?P<name>{_NAME})|\+?\s*\[(?P<left>(?:{_NAME}|[^`\[\]~])*)"
    rf"~(?P<right>(?:{_NAME}|[^`\[\]~])*)\]"
)
_COLOURS = re.compile("[\u29da\u29db]|\x1b?\\[[0-9;]*m")  # formulaic marks where it stopped


def split_formula(formula: str, data: pd.DataFrame | PanelData) -> tuple[pd.Series, pd.DataFrame]:
    """Outcome and regressors named by a formula, without an intercept.

    Parameters
    ----------
    formula : str
        For example ``"nqp ~ did + log(gdp_pc)"``; fixed effects and lags are options of the model.
    data : DataFrame with an (entity, time) index, or PanelData

    Returns
    -------
    y : Series
    x : DataFrame
        On the index of ``data``; empty cells of numbers stay, so that the model can name them.

    Raises
    ------
    OptionError
        If the formula cannot be read, has no outcome, names a column that is absent, or takes
        lags, which would reach into the entity of the row above.
    NotNumericError
        If a column of text stands outside ``C()``, which makes dummies of it.
    MissingValuesError
        If a column of categories has empty cells.
    """
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    frame = data.frame if isinstance(data, PanelData) else data
    refuse_unlabelled(frame, "data")
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"The data are a {type(frame).__name__}. Give a DataFrame or PanelData.")
    formula, frame, back = _apart(formula, frame)
    if moved := _MOVES_ROWS.search(re.sub(_NAME, "", str(formula))):
        raise OptionError(
            f"{moved.group()!r} in {formula!r} would take rows of another entity. Make the column "
            "first, for example frame.groupby(level=0)['x'].shift()."
        )
    plain = _FUNCTION.sub("", str(formula))
    if power := _POWER.search(plain):
        name = power[1]
        raise OptionError(
            f"{power.group()!r} in {formula!r} is the interaction of {name} with itself, which is "
            f"{name} alone. For the square write I({name} ** 2)."
        )
    try:
        parsed = Formula(formula)
        if not hasattr(parsed, "lhs") or not hasattr(parsed.rhs, "required_variables"):
            raise OptionError(
                f"{formula!r} is not of the form 'outcome ~ x1 + x2'. Fixed effects are options "
                "of the model: effects='twoway', other_effects=."
            )
        unknown = sorted(set(parsed.required_variables) - set(frame.columns))
        if unknown:
            raise OptionError(
                f"The formula names {first(unknown)}, which is not a column. The columns are "
                f"{first(frame.columns, 12)}." + suggest(unknown[0], frame.columns)
            )
        _check_factors(parsed, frame)
        with np.errstate(all="ignore"):  # the model names the cells of log(0)
            matrices = parsed.get_model_matrix(_wide(parsed, frame), na_action="ignore")
        left, right = pd.DataFrame(matrices.lhs), pd.DataFrame(matrices.rhs)
    except (FormulaicError, AttributeError, SyntaxError) as error:
        reason = _COLOURS.sub("", str(error))
        raise OptionError(
            f"The formula {formula!r} cannot be read: {reason}. Write 'outcome ~ x1 + x2'."
        ) from error
    if left.shape[1] != 1:
        raise OptionError(f"{formula!r} needs one outcome before '~'. Write 'outcome ~ x1 + x2'.")
    right = right.drop(columns="Intercept", errors="ignore").rename(columns=back)
    y = left.rename(columns=back).iloc[:, 0]
    y.attrs, right.attrs = dict(frame.attrs), dict(frame.attrs)
    return y, right


def _apart(formula: str, frame: pd.DataFrame) -> tuple[str, pd.DataFrame, Callable[[str], str]]:
    """Columns called as a function of formulas is, such as scale or log, under another name.

    Returns
    -------
    The formula and the frame with these names, and what gives a term its own name back.
    """
    from formulaic.transforms import TRANSFORMS

    if not isinstance(formula, str):
        return formula, frame, str
    taken = [c for c in frame.columns if isinstance(c, str) and c in {*TRANSFORMS, "np"}]
    names = {name: f"{name}_column" for name in taken}
    while set(names.values()) & set(map(str, frame.columns)):
        names = {name: f"{other}_" for name, other in names.items()}
    for name, other in names.items():
        formula = re.sub(rf"`{name}`|(?<![\w.`]){name}(?![\w`]|\s*\(|\.\w)", other, formula)

    def back(term: str) -> str:
        for name, other in names.items():
            term = re.sub(rf"(?<!\w){other}(?!\w)", name, term)
        return term

    return formula, frame.rename(columns=names), back


def split_treatment(
    formula: str, data: pd.DataFrame | PanelData, treatment: str, others: Sequence[str]
) -> tuple[pd.Series, pd.Series, pd.DataFrame, pd.DataFrame]:
    """Outcome, treatment, controls, and columns that are not in the formula, as mediators are."""
    y, x = split_formula(formula, data)
    x = x.rename(columns=str)
    if treatment not in x:
        raise OptionError(
            f"treatment={treatment!r} is not a regressor of {formula!r}. Its regressors are "
            f"{first(x.columns, 8)}."
        )
    frame = data.frame if isinstance(data, PanelData) else data
    checks.columns_exist(frame, others)
    return y, x[treatment], x.drop(columns=treatment), frame[list(others)]


def quoted(column: str) -> str:
    """A column as a formula names it, so that no part of its name is read as one.

    Raises
    ------
    OptionError
        Its name has what quotes cannot hold.
    """
    if any(mark in column for mark in "`\\"):
        raise OptionError(
            f"{column!r} cannot stand in a formula, which would read the ` or \\ in its name. "
            "Rename the column."
        )
    return column if column.isidentifier() and not iskeyword(column) else f"`{column}`"


def brackets(formula: str, instead: str = "") -> tuple[str, list[tuple[str, str]]]:
    """A formula without its blocks ``[d1 + d2 ~ z]``, and both sides of each of these.

    Brackets in the quoted name of a column are part of the name.
    """
    blocks = [
        (match["left"], match["right"])
        for match in _BLOCK.finditer(formula)
        if match["name"] is None
    ]
    plain = _BLOCK.sub(lambda match: match["name"] or instead, formula)
    return plain, blocks


def split_iv_formula(
    formula: str, data: pd.DataFrame | PanelData, *, needed: bool = True
) -> tuple[pd.Series, pd.DataFrame | None, pd.DataFrame | None, pd.DataFrame | None]:
    """Outcome, exogenous and endogenous regressors and instruments of ``"y ~ x + [d ~ z]"``.

    Parameters
    ----------
    needed : bool
        Whether there must be endogenous regressors; if not, both are None where there are none.
    """
    plain, blocks = brackets(formula)
    if len(blocks) > 1 or (needed and not blocks) or "[" in re.sub(_NAME, "", plain):
        raise OptionError(
            f"The formula {formula!r} cannot be read: write endogenous regressors and their "
            "instruments once, as in 'y ~ x1 + x2 + [d ~ z1 + z2]'."
        )
    if not blocks:
        return *split_formula(formula, data), None, None
    outcome, exogenous = sides(plain)
    (y, endog), (_, instruments) = (
        split_formula(f"{outcome} ~ {part}", data) for part in blocks[0]
    )
    exog = split_formula(plain, data)[1] if exogenous.strip(" +") else None
    return y, exog, endog, instruments


def sides(formula: str) -> tuple[str, str]:
    """The outcome and the terms of a formula, either side of the first ~ outside of names."""
    found = re.match(rf"((?:{_NAME}|[^`~])*)~(.*)", formula, re.DOTALL)
    return (formula, "") if found is None else (found[1], found[2])


def _wide(parsed: Formula, frame: pd.DataFrame) -> pd.DataFrame:
    """The columns used; whole numbers as floats, whose products and powers do not overflow.

    Those in ``C()`` are labels and stay.
    """
    factors = (str(f) for side in (parsed.lhs, parsed.rhs) for t in side for f in t.factors)
    labels = " ".join(factor for factor in factors if factor.startswith("C("))
    used = frame[sorted(set(parsed.required_variables))]
    whole = [
        name
        for name in used
        if pd.api.types.is_integer_dtype(used[name].dtype)
        and not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", labels)
    ]
    return used.astype(dict.fromkeys(whole, float))


def _check_factors(parsed: Formula, frame: pd.DataFrame) -> None:
    """Refuse text that would become dummies unasked, and categories with empty cells."""
    used = {str(factor) for side in (parsed.lhs, parsed.rhs) for t in side for factor in t.factors}
    for name in sorted(set(parsed.required_variables)):
        values = frame[name]
        if pd.api.types.is_numeric_dtype(values):
            continue
        if name in used and not isinstance(values.dtype, pd.CategoricalDtype):
            try:
                checks.numeric(values, name)
            except NotNumericError as error:
                message = f"{error} For dummies of its categories write C({name})."
                raise NotNumericError(message) from None
        if values.isna().any():
            raise MissingValuesError(
                f"{name!r} is empty in {int(values.isna().sum())} of {len(values)} rows, first "
                f"{first(values.index[values.isna()], 3)}: dummies would put them in the first "
                "category. Fill them, or leave those rows out."
            )

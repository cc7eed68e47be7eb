"""``"y ~ x1 + log(x2)"`` to frames, thin over formulaic."""

from __future__ import annotations

import pandas as pd
from formulaic import Formula
from formulaic.errors import FormulaicError

from nqp_spatial._messages import first, suggest
from nqp_spatial.exceptions import OptionError
from nqp_spatial.panel import PanelData


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
        On the index of ``data``; empty cells stay, so that the model can name them.

    Raises
    ------
    OptionError
        If the formula cannot be read, has no outcome, or names a column that is absent.
    """
    frame = data.frame if isinstance(data, PanelData) else data
    try:
        parsed = Formula(formula)
        unknown = sorted(set(parsed.required_variables) - set(frame.columns))
        if unknown:
            raise OptionError(
                f"The formula names {first(unknown)}, which is not a column. The columns are "
                f"{first(frame.columns, 12)}." + suggest(unknown[0], frame.columns)
            )
        matrices = parsed.get_model_matrix(frame, na_action="ignore")
        left, right = pd.DataFrame(matrices.lhs), pd.DataFrame(matrices.rhs)
    except (FormulaicError, AttributeError, SyntaxError) as error:
        raise OptionError(
            f"The formula {formula!r} cannot be read: {error}. Write 'outcome ~ x1 + x2'."
        ) from error
    if left.shape[1] != 1:
        raise OptionError(f"{formula!r} needs one outcome before '~'. Write 'outcome ~ x1 + x2'.")
    right = right.drop(columns="Intercept", errors="ignore")
    y = left.iloc[:, 0]
    y.attrs, right.attrs = dict(frame.attrs), dict(frame.attrs)
    return y, right

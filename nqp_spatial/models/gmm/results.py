"""Results of difference and system GMM: estimates, specification tests, instruments, sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from nqp_spatial.core.linear import gmm
from nqp_spatial.exceptions import EstimationError, OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.results import Frame, Results, TestResult, wald
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import listed
from nqp_spatial.shared.options import check_option
from nqp_spatial.shared.text import format_frame

Array = npt.NDArray[np.float64]

LEVELS = "gmm levels"
_DIFFERENCE = "difference-in-hansen: "


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class DynamicGMMResults(Results):
    """Estimates of a dynamic panel model by GMM.

    ``params`` are the lags of y (``L1.y``), regressors with their lags, and in system GMM
    ``const``. There is neither likelihood nor R-squared. ``resids`` and ``fitted`` are of the
    transformed outcome for difference GMM, by the period that a row is counted as (of an orthogonal
    deviation the one after its own), and of the outcome in levels, entity effects included in the
    residual, for system GMM.

    Attributes
    ----------
    specification : mapping of str to TestResult
        What `tests` are.
    instruments : DataFrame
        One row each: group, variable, equation, lag, period, used; not used are those that earlier
        ones imply.
    time_effects : DataFrame
        Estimates of the dummies, relative to the first period used.
    sample : Series
        Counts of rows and entities: given, used, and lost to lags and gaps.
    steps : int
    small : bool
    """

    raw: gmm.Estimate
    specification: Mapping[str, TestResult]
    instruments: pd.DataFrame
    time_effects: pd.DataFrame
    sample: pd.Series
    steps: int
    small: bool

    citation: ClassVar[str] = (
        "Arellano, M. and Bond, S. (1991). Some tests of specification for panel data: Monte Carlo "
        "evidence and an application to employment equations. Review of Economic Studies 58, "
        "277-297.\n"
        "Blundell, R. and Bond, S. (1998). Initial conditions and moment restrictions in dynamic "
        "panel data models. Journal of Econometrics 87, 115-143.\n"
        "Windmeijer, F. (2005). A finite sample correction for the variance of linear efficient "
        "two-step GMM estimators. Journal of Econometrics 126, 25-51.\n"
        "Roodman, D. (2009). How to do xtabond2: An introduction to difference and system GMM in "
        "Stata. The Stata Journal 9, 86-136."
    )

    table_statistics: ClassVar[tuple[str, ...]] = (
        *("ar1_pvalue", "ar2_pvalue", "sargan_pvalue", "hansen_pvalue", "n_instruments"),
    )

    @property
    def setting(self) -> Mapping[str, Any]:
        """Differences and orthogonal deviations have no entity effects."""
        asked = self.provenance["options"].get("transformation")
        removed = {"difference": "differencing"}.get(asked, asked)
        return {**super().setting, **({"removed": removed} if removed else {})}

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """Specification tests by name.

        "ar1", "ar2", ...: Arellano and Bond's z for serial correlation in differenced residuals.
        The first is expected to reject; the second speaks against lag 2 as an instrument.
        "sargan": of the first step, right under equal variances. "hansen": J of the second step,
        robust. "wald": all regressors but constant and time effects; F with ``small``.
        "difference-in-hansen: " and a group: the group's instruments are exogenous, given that the
        others are. The groups are "gmm(name)", "gmm levels" (all differences for the level
        equation), "exogenous" regressors, "external" instruments and "time" dummies. Degrees
        of freedom are what a group adds to the rank of the others. A group that adds nothing, which
        a note says, and one without which the parameters are not identified have no test.
        """
        return self.specification

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Serial correlation and overidentification; every instrument."""
        known = [n for n in self.tests if n[2:].isdigit() or n in ("sargan", "hansen")]  # ar1, ...
        rows = {name: self.tests[name] for name in known}
        frame = pd.DataFrame(
            {
                "statistic": {name: float(test.statistic) for name, test in rows.items()},
                "df": {name: test.df if test.df else None for name, test in rows.items()},
                "pvalue": {name: test.pvalue for name, test in rows.items()},
            }
        ).astype({"df": "Int64"})
        frame = frame.rename_axis("test")
        frame.attrs["notes"] = [note("gmm.count", n=self.n_instruments)]
        return {
            "specification": Frame.of("specification", frame),
            "instruments": Frame.of("instruments", self.instruments),
        }

    @property
    def n_instruments(self) -> int:
        """Independent instruments used."""
        return int(self.instruments["used"].sum())

    def difference_in_hansen(self, *groups: str) -> TestResult:
        """Test that the instruments of one or several groups are exogenous, given the others.

        Parameters
        ----------
        *groups : str
            Tested together; see ``tests``.

        Raises
        ------
        OptionError
            For a group that is not in the model.
        EstimationError
            If the instruments that are left do not identify the parameters, or imply those tested.
        """
        known = _groups(self.instruments)
        if not groups:
            raise OptionError(f"Name at least one group of instruments: {first(known)}.")
        for group in groups:
            check_option("group", group, known)
        try:
            found = _difference(self.raw, self.instruments, groups)
        except np.linalg.LinAlgError as error:
            raise EstimationError(
                f"Without the instruments of {first(groups)} the parameters are not identified "
                f"({error})."
            ) from error
        if found is None:
            raise EstimationError(
                f"The other instruments imply those of {first(groups)}, so that there is nothing "
                "to test. Test them together with groups that imply them, as in "
                "difference_in_hansen('external', 'gmm(x)')."
            )
        return found

    def summary(self) -> str:
        """Estimates and tests as text."""
        rows = {name: (t.statistic, t.df, t.pvalue) for name, t in self.tests.items()}
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=["statistic", "df", "pvalue"])
        words = {"df": lambda df: " ".join(map(str, df)) if isinstance(df, tuple) else str(df)}
        return f"{super().summary()}\n\n{format_frame(frame, words)}"


def _groups(instruments: pd.DataFrame) -> list[str]:
    """Groups that can be tested."""
    groups = [group for group in dict.fromkeys(instruments["group"]) if group != "const"]
    return [*groups, LEVELS] if _in_group(instruments, LEVELS).any() else groups


def _in_group(instruments: pd.DataFrame, group: str) -> npt.NDArray[np.bool_]:
    if group == LEVELS:
        own = instruments["group"].str.startswith("gmm(") & (instruments["equation"] == "level")
    else:
        own = instruments["group"] == group
    return np.asarray(own.to_numpy(dtype=bool))


def _difference(
    found: gmm.Estimate, instruments: pd.DataFrame, groups: Sequence[str]
) -> TestResult | None:
    """The test; None if the other instruments imply those of the groups."""
    used = instruments["used"].to_numpy(dtype=bool)
    member = np.logical_or.reduce([_in_group(instruments, group) for group in groups])
    statistic, df = gmm.without(found, np.flatnonzero(member[used]), np.flatnonzero(~member[~used]))
    if df >= found.df:
        return None
    words = note("hypotheses.exogenous_group", group=", ".join(groups))
    return _chi2("Difference-in-Hansen", words, found.hansen - statistic, found.df - df)


def _chi2(name: str, null: str, statistic: float, df: int) -> TestResult:
    pvalue = float(stats.chi2.sf(statistic, df)) if df else float("nan")
    return TestResult(name, null, statistic, df, pvalue)


def tests_of(
    found: gmm.Estimate,
    instruments: pd.DataFrame,
    params: pd.Series,
    cov: pd.DataFrame,
    *,
    orders: int,
    df: float | None,
) -> tuple[dict[str, TestResult], list[str]]:
    """All tests by name, and the groups of instruments that the others imply."""
    tests = _specification(found, orders)
    names = list(params.index.drop("const", errors="ignore"))
    tests["wald"] = wald(
        params[names].to_numpy(),
        cov.loc[names, names].to_numpy(),
        null=note("hypotheses.zero", names=listed(names)),
        name="Wald" if df is None else "F",
        df_resid=df,
    )
    differences, implied = _differences(found, instruments)
    return tests | differences, implied


def _specification(found: gmm.Estimate, orders: int) -> dict[str, TestResult]:
    """Serial correlation, Sargan, Hansen."""
    tests = {}
    for order in range(1, orders + 1):
        z = gmm.serial_correlation(found, order)
        null = note("hypotheses.serial", order=order)
        pvalue = float(2 * stats.norm.sf(abs(z)))
        tests[f"ar{order}"] = TestResult(f"Arellano-Bond AR({order})", null, z, 0, pvalue)
    null = note("hypotheses.exogenous")
    tests["sargan"] = _chi2("Sargan", null, found.sargan, found.df)
    tests["hansen"] = _chi2("Hansen J", null, found.hansen, found.df)
    return tests


def _differences(
    found: gmm.Estimate, instruments: pd.DataFrame
) -> tuple[dict[str, TestResult], list[str]]:
    """The tests by name, and the groups that the others imply."""
    tests, implied = {}, []
    for group in _groups(instruments):
        try:
            test = _difference(found, instruments, [group])
        except np.linalg.LinAlgError:
            continue  # not identified without the group
        if test is None:
            implied.append(group)
        else:
            tests[_DIFFERENCE + group] = test
    return tests, implied


def statistics(found: gmm.Estimate, tests: Mapping[str, TestResult]) -> dict[str, float]:
    """What a table of models may print, by name."""
    values: dict[str, float] = {
        "n_entities": found.system.n_groups,
        "n_instruments": found.system.Z.shape[1],
    }
    for name in [key for key in tests if key.startswith("ar")] + ["sargan", "hansen"]:
        values[name], values[f"{name}_pvalue"] = tests[name].statistic, tests[name].pvalue
    return values

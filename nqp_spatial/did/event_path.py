"""Effects by event time with their joint covariance: bands, tests of leads, and their power."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.did import bands
from nqp_spatial.exceptions import DataError, OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Level, Seed, check_level, check_options, whole
from nqp_spatial.shared.tests import TestResult, wald

Array = npt.NDArray[np.float64]

POWERS = (0.5, 0.8)
COLUMNS = (
    *("estimate", "std_error", "pvalue", "lower", "upper"),
    *("lower_simultaneous", "upper_simultaneous"),
)


@dataclass(frozen=True, eq=False)
class EventPath:
    """Effects by event time, against the base period, and their covariance.

    Attributes
    ----------
    times : tuple of int
        Event times with an estimate, rising; zero is the first treated period.
    estimates : array, shape (k,)
    cov : array, shape (k, k)
    base : tuple of int
        Event times whose effect is zero by construction, the base period first.
    df : float or None
        Degrees of freedom of t; None means the normal distribution.
    lost : tuple of int
        Event times that were asked for and have no estimate.
    """

    times: tuple[int, ...]
    estimates: Array
    cov: Array
    base: tuple[int, ...] = (-1,)
    df: float | None = None
    lost: tuple[int, ...] = ()

    @classmethod
    def of(
        cls, estimates: Any, cov: Any, n_pre: int, n_post: int | None = None, *, df: Any = None
    ) -> Self:
        """A path of arrays, as HonestDiD takes it: leads, then effects from the policy on.

        Parameters
        ----------
        estimates : array, shape (n_pre + n_post,)
            Of event times -n_pre - 1 ... -2 and 0 ... n_post - 1; the base is -1.
        cov : array, shape (n_pre + n_post, n_pre + n_post)
        n_pre, n_post : int
            How many there are of each; ``n_post`` is the rest where it is not given.
        df : float, optional
            Degrees of freedom of t.

        Raises
        ------
        DataError
            Sizes that do not fit, numbers that are not finite, or a matrix that is no covariance.
        """
        values, matrix = np.asarray(estimates, dtype=float), np.asarray(cov, dtype=float)
        whole("n_pre", n_pre, 0)
        k = values.size
        n_post = k - n_pre if n_post is None else n_post
        whole("n_post", n_post, 1)
        if values.ndim != 1 or k != n_pre + n_post or matrix.shape != (k, k):
            raise DataError(
                f"estimates have shape {values.shape} and cov {matrix.shape}, with n_pre={n_pre} "
                f"and n_post={n_post}. Give n_pre + n_post estimates without the base period, and "
                "their square covariance."
            )
        if not (np.isfinite(values).all() and np.isfinite(matrix).all()):
            raise DataError("estimates or cov have cells that are not finite. Leave those out.")
        size = np.abs(matrix).max()
        off = np.abs(matrix - matrix.T).max() > 1e-8 * size
        if off or np.linalg.eigvalsh(matrix)[0] < -1e-8 * size:
            raise DataError(
                "cov is not a covariance matrix: it is not symmetric, or has a negative variance "
                "in some direction. Give the covariance of the estimates, not their errors."
            )
        times = (*range(-n_pre - 1, -1), *range(n_post))
        return cls(times, values, (matrix + matrix.T) / 2, df=df)

    @property
    def leads(self) -> npt.NDArray[np.intp]:
        """Positions of the estimates before the policy."""
        return np.flatnonzero(np.array(self.times) < 0)

    def frame(self, *, level: Level = 0.95, seed: Seed = 0) -> pd.DataFrame:
        """Effects by event time with intervals of each, and of all at once.

        Parameters
        ----------
        level : float
            Of both intervals.
        seed : int
            Of the points from which the critical value of the simultaneous band comes.

        Returns
        -------
        DataFrame, index event_time
            estimate, std_error, pvalue, lower, upper, lower_simultaneous, upper_simultaneous; zero
            in base periods, NaN where the effects absorb an event time.
        """
        check_level(level)
        check_options(EventPath.frame, seed=seed)
        error = np.sqrt(np.maximum(np.diag(self.cov), 0.0))
        critical = bands.critical(level, self.df)
        wide = bands.sup_t(self.cov, level, df=self.df, seed=seed)
        with np.errstate(invalid="ignore", divide="ignore"):
            tail = bands.pvalue(self.estimates / error, self.df)
        ends = [self.estimates + side * c * error for c in (critical, wide) for side in (-1, 1)]
        found = pd.DataFrame(
            np.column_stack([self.estimates, error, tail, *ends]),
            pd.Index(self.times, name="event_time", dtype=np.int64),
            list(COLUMNS),
        )
        found.loc[error == 0, "pvalue"] = np.nan
        for time in self.base:
            found.loc[time] = [0.0, 0.0, np.nan, 0.0, 0.0, 0.0, 0.0]
        for time in self.lost:
            found.loc[time] = np.nan
        found = found.loc[sorted(found.index)]
        found.attrs |= {"level": level, "critical": critical, "critical_simultaneous": wide}
        return found

    def pretrend(self, *, chi2: bool = False) -> TestResult:
        """Test that all effects before the policy are zero.

        Parameters
        ----------
        chi2 : bool
            Chi-squared although there are degrees of freedom; else F where there are.

        Returns
        -------
        TestResult
            NaN where the path is zero by construction, or the covariance is singular.

        Raises
        ------
        OptionError
            There is no estimate before the policy beside the base period.
        """
        at = self.leads
        if not len(at):
            raise OptionError(
                f"No event time before the policy is estimated beside the base "
                f"{first(self.base)}, so that there is no pre-trend to test. Widen the window."
            )
        if not np.diag(self.cov).any():  # zero by construction, such as indirect effects without W
            df = len(at) if chi2 or self.df is None else (len(at), self.df)
            return TestResult("Wald", note("hypotheses.pretrend"), np.nan, df, np.nan)
        return wald(
            self.estimates[at],
            self.cov[np.ix_(at, at)],
            null=note("hypotheses.pretrend"),
            df_resid=None if chi2 else self.df,
        )

    def power(
        self, powers: Sequence[float] = POWERS, *, level: Level = 0.95, seed: Seed = 0
    ) -> pd.DataFrame:
        """Linear violations of parallel trends that the tests of leads would find (Roth 2022).

        Parameters
        ----------
        powers : sequence of float
            Probabilities of finding it.
        level : float
            One less the size of the tests.
        seed : int
            Of the points that probabilities are computed from.

        Returns
        -------
        DataFrame, index power
            ``any``: slope, in units of the outcome per period, with which at least one effect
            before the policy is significant on its own, Roth's definition; ``joint``: with which
            their joint test rejects; ``bias``: of the average effect from the policy on under the
            smaller of the two. NaN where the test rejects more often without a violation.

        References
        ----------
        .. [1] Roth, J. (2022). Pretest with caution: event-study estimates after testing for
           parallel trends. American Economic Review: Insights 4, 305-322.
        """
        check_level(level)
        at = self.leads
        times = np.array(self.times, dtype=float) - self.base[0]
        cov = self.cov[np.ix_(at, at)]
        after = times[np.array(self.times) >= 0]
        rows = {}
        for power in powers:
            if not 0 < power < 1:
                raise OptionError(f"powers has {power!r}. Use probabilities such as 0.5 and 0.8.")
            slopes = {
                name: bands.slope_found(
                    times[at], cov, power, joint=joint, level=level, df=self.df, seed=seed
                )
                if len(at)
                else np.nan
                for name, joint in (("any", False), ("joint", True))
            }
            least = np.nanmin([*slopes.values(), np.inf])
            bias = least * float(after.mean()) if len(after) and np.isfinite(least) else np.nan
            rows[float(power)] = {**slopes, "bias": bias}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis(index="power")

    def against(self, base: int) -> EventPath:
        """The same path against another period as the base.

        Raises
        ------
        OptionError
            The period has no estimate.
        """
        if base in self.base:
            return self
        if base not in self.times:
            raise OptionError(
                f"The event time {base} has no estimate. Those that have one are "
                f"{first(self.times, 20)}."
            )
        # differences from the new base; what was zero has an estimate, minus that of the new base
        kept = [time for time in self.times if time != base]
        times = sorted([*kept, *self.base])
        place = {time: j for j, time in enumerate(self.times)}
        turn = np.zeros((len(times), len(self.times)))
        for row, time in enumerate(times):
            turn[row, place[base]] = -1.0
            if time in place:
                turn[row, place[time]] += 1.0
        cov = turn @ self.cov @ turn.T
        return EventPath(
            tuple(times), turn @ self.estimates, (cov + cov.T) / 2, (base,), self.df, self.lost
        )

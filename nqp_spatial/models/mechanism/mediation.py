"""Mediation in three steps: a treatment acts on the outcome through one or several mediators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

import nqp_spatial.models.bootstrap as _boot
from nqp_spatial.core.linear import bootstrap
from nqp_spatial.core.linear import mediation as core
from nqp_spatial.exceptions import OptionError
from nqp_spatial.models.covariance import Covariance, CovarianceOptions
from nqp_spatial.models.linear.fixed_effects import FixedEffects
from nqp_spatial.models.mechanism.mediation_results import MediationResults
from nqp_spatial.models.scores import Prepared, Rows, prepare
from nqp_spatial.panel.described import Described
from nqp_spatial.panel.formula import split_treatment
from nqp_spatial.panel.sample import Sample
from nqp_spatial.shared.options import Count, Effects, Seed, Unpack, shared_options

Array = npt.NDArray[np.float64]


class Mediation(Described):
    """The effect of a treatment that passes through mediators, by three regressions.

    1. y on the treatment and the controls: the total effect c.
    2. each mediator on the treatment and the controls: a.
    3. y on the treatment, the mediator and the controls: b and the direct effect c'. With several
       mediators this is done for each alone ("single") and for all together ("parallel").

    Parameters
    ----------
    y : Series, shape (nobs,)
        Outcome, indexed by (entity, time); the panel may be unbalanced.
    treatment : Series, shape (nobs,)
        The regressor of interest, binary or continuous.
    mediators : Series or DataFrame, shape (nobs, m)
    x : DataFrame, shape (nobs, k), optional
        Controls, the same in every regression.
    effects : {"twoway", "entity", "time", None}
    other_effects : Series or DataFrame, optional
        As in `FixedEffects`.

    Raises
    ------
    DataError
        By its own class and with labels: what `FixedEffects` refuses in any of the regressions,
        such as a treatment that is constant within every entity under entity effects.
    OptionError
        A variable in two roles, names that repeat, an unknown option.

    Notes
    -----
    a b is the effect through the mediator only if neither the treatment nor, given the treatment,
    the mediator is related to the errors of the outcome. The regressions do not test this.

    References
    ----------
    Baron, R. M. and Kenny, D. A. (1986). The moderator-mediator variable distinction in social
    psychological research. Journal of Personality and Social Psychology 51, 1173-1182.

    Wen, Z. and Ye, B. (2014). Analyses of mediating effects: the development of methods and models
    (in Chinese). Advances in Psychological Science 22, 731-745.
    """

    def __init__(
        self,
        y: pd.Series,
        treatment: pd.Series,
        mediators: pd.Series | pd.DataFrame,
        x: pd.DataFrame | None = None,
        *,
        effects: Effects | None = "twoway",
        other_effects: pd.Series | pd.DataFrame | None = None,
    ) -> None:
        self.sample = Sample.of(
            y=y,
            treatment=treatment,
            mediators=mediators,
            x=x,
            outcome_apart=True,
            advice="Each variable has one role: outcome, treatment, mediator or control.",
        )
        roles = self.sample.roles
        self.mediators, self.controls = roles.get("mediators", ()), roles.get("x", ())
        (self.treatment,) = roles["treatment"]
        if not self.mediators:
            raise OptionError("mediators has no columns. Give at least one mediator.")
        if "all" in self.mediators:
            raise OptionError("A mediator is named 'all', as their sum is. Rename it.")
        every = self.sample.frame("treatment", "mediators", "x")
        # Of all regressors at once: what holds here holds in every regression below.
        whole = FixedEffects(
            self.sample.series(), every, effects=effects, other_effects=other_effects
        )
        self.effects, self.other_effects = effects, other_effects
        self.y, self._frame = whole.y, whole.x
        self._kinds = list(whole.absorbed.kept.values())

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        *,
        treatment: str,
        mediators: str | Sequence[str],
        **options: Any,
    ) -> Self:
        """The model of ``"y ~ treatment + x1 + x2"``, mediators being columns of ``data``.

        Parameters
        ----------
        formula : str
            Outcome, treatment and controls.
        data : DataFrame with an (entity, time) index, or PanelData
        treatment : str
            A regressor by its name in the formula.
        mediators : str or sequence of str
            Columns of ``data``.
        """
        names = [mediators] if isinstance(mediators, str) else list(mediators)
        y, d, x, between = split_treatment(formula, data, treatment, names)
        return cls(y, d, between, x, **options)

    @shared_options(Covariance, cov_type="clustered")
    def fit(
        self,
        *,
        replications: Count = 1000,
        seed: Seed = 0,
        n_jobs: int = 1,
        **cov: Unpack[Covariance],
    ) -> MediationResults:
        """All steps, and the bootstrap of the indirect effects.

        The covariance is that of each step; the tests of Sobel and Goodman are made of them.

        Parameters
        ----------
        replications, seed : int
            Of the bootstrap, which draws entities with replacement and estimates every step again;
            more draws extend fewer. With 0 there is none.
        n_jobs : int
            Processes; the answer does not depend on it.

        Returns
        -------
        MediationResults

        Raises
        ------
        OptionError
            An unknown option.
        EstimationError
            Entities are too few to draw.
        """
        replications = _boot.check_whole("replications", replications, 0)
        if 0 < replications < _boot.LEAST:
            _boot.check_whole("replications", replications, _boot.LEAST)
        seed = _boot.check_whole("seed", seed, 0)
        how = prepare(CovarianceOptions(cov), Rows(self.y.index))
        base = [self.treatment]
        outcome, frame, several = self.y, self._frame, len(self.mediators) > 1
        statistic = self._statistic()
        assert statistic(np.ones(len(self.y))) is not None
        return MediationResults(
            total=self._step(outcome, base, how),
            on_mediator={m: self._step(frame[m], base, how) for m in self.mediators},
            direct={m: self._step(outcome, [*base, m], how) for m in self.mediators},
            parallel=self._step(outcome, [*base, *self.mediators], how) if several else None,
            treatment=self.treatment,
            draws=self._draws(statistic, replications, seed, n_jobs),
            seed=seed if replications else None,
        )

    def _step(self, outcome: pd.Series, regressors: list[str], how: Prepared) -> Any:
        x = self._frame[[*regressors, *self.controls]]
        model = FixedEffects(outcome, x, effects=self.effects, other_effects=self.other_effects)
        return model.fit_as(how)

    def _statistic(self) -> _Statistic:
        d = self._frame[self.treatment].to_numpy()
        M, X = (self._frame[list(n)].to_numpy() for n in (self.mediators, self.controls))
        return _Statistic(self.y.to_numpy(), d, M, X, self._kinds, self.sample.keys.entity)

    def _draws(
        self, statistic: _Statistic, replications: int, seed: int, n_jobs: int
    ) -> pd.DataFrame:
        """Indirect effects by draw; columns (model, mediator)."""
        single = [("single", m) for m in self.mediators]
        parallel = [("parallel", m) for m in (*self.mediators, "all")]
        names = [*single, *(parallel if len(self.mediators) > 1 else [])]
        columns = pd.MultiIndex.from_tuples(names, names=["model", "mediator"])
        if not replications:
            return pd.DataFrame(np.empty((0, len(names))), columns=columns)
        values = _boot.bootstrap(
            statistic,
            statistic.entity,
            replications=replications,
            seed=seed,
            n_jobs=n_jobs,
            label="bootstrap (indirect effects)",
        )
        frame = pd.DataFrame(values[:, : len(names)], columns=columns)
        return frame.rename_axis(index="replication")


@dataclass(frozen=True, eq=False)
class _Statistic:
    """Indirect effects of one draw of entities: each alone, each beside the others, their sum."""

    y: Array
    d: Array
    M: Array
    X: Array
    kinds: list[npt.NDArray[np.int64]]
    entity: npt.NDArray[np.int64]

    def __call__(self, weight: Array) -> Array | None:
        kept = weight > 0
        absorb = bootstrap.absorber([code[kept] for code in self.kinds], weight[kept])
        found = core.paths(self.y[kept], self.d[kept], self.M[kept], self.X[kept], absorb)
        if found is None:
            return None
        together = found.a * found.b_parallel
        return np.r_[found.a * found.b_single, together, together.sum()]

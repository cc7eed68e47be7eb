"""Synthetic difference-in-differences, with a term for exposure to treated neighbours.

Unit weights make a synthetic control that runs parallel to the treated before the policy, period
weights say which of the periods before are like those after; the effect is that of a regression
with both weights (Arkhangelsky et al. 2021). With W the synthetic control has clean units alone,
and exposed units come back with a regressor W D (Serenini and Masek 2024). For few treated units.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from nqp_spatial.core.did.imputation import CleanEffects, FirstStage
from nqp_spatial.core.did.synthetic import NEVER, Adopted, Synthetic
from nqp_spatial.core.linear.collinear import absorbed as absorbed_by
from nqp_spatial.core.linear.collinear import dependent
from nqp_spatial.did.sample import Adoption
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataWarning,
    EstimationError,
    TreatmentError,
)
from nqp_spatial.language.catalogue import note
from nqp_spatial.panel.described import Described
from nqp_spatial.panel.design import graph_on
from nqp_spatial.panel.sample import Sample
from nqp_spatial.results import Frame, Named, Results
from nqp_spatial.shared import parallel
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.options import Count, Jobs, Seed, check_options
from nqp_spatial.shared.provenance import versions
from nqp_spatial.shared.tests import TestResult, Tests
from nqp_spatial.weights.convert import sparse_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

LAG = "W_"
FEWEST = 20  # draws that must succeed


class SpatialSDID(Described):
    """Synthetic difference-in-differences, ordinary or with spillovers through W.

    Parameters
    ----------
    y : Series
        Outcome, indexed by (entity, time); the panel is balanced.
    treatment : Series
        0 before and 1 from the first treated period on, same index. Entities may adopt it at
        different times: each cohort has weights of its own, and effects are averaged over treated
        cells [3]_.
    x : DataFrame, optional
        Controls. Their slopes are found on cells that are neither treated nor exposed, with
        two-way effects, and y less what they explain is the outcome [4]_.
    graph : Graph, optional
        W. Entities that are never treated but have treated neighbours are exposed: they do not
        enter the synthetic control, and the regression has W D beside D [2]_. Without it spillovers
        are taken to be absent [1]_.

    Raises
    ------
    UnbalancedPanelError, IdMismatchError, WeightsError
        Absent pairs; ids of W that are not the entities.
    TreatmentError
        The treatment is not 0/1 or switches off; entities are treated from the first or second
        period on; nobody is neither treated nor exposed.

    References
    ----------
    .. [1] Arkhangelsky, D., Athey, S., Hirshberg, D. A., Imbens, G. W. and Wager, S. (2021).
       Synthetic difference-in-differences. American Economic Review 111, 4088-4118.
    .. [2] Serenini, R. and Masek, F. (2024). Spatial synthetic difference-in-differences. SSRN
       working paper 4736857.
    .. [3] Clarke, D., Pailanir, D., Athey, S. and Imbens, G. (2024). On synthetic
       difference-in-differences and related estimation methods in Stata. Stata Journal 24,
       557-598.
    .. [4] Kranz, S. (2022). Synthetic difference-in-differences with time-varying covariates.
    """

    def __init__(
        self,
        y: pd.Series,
        treatment: pd.Series,
        x: pd.DataFrame | None = None,
        graph: Any = None,
    ) -> None:
        self.sample = Sample.of(
            y=y,
            treatment=treatment,
            x=x,
            may_be_constant=["treatment"],
            balanced=True,
            advice="The treatment is in the model without being in x. Leave it out of x.",
        )
        self.adoption = Adoption.of(self.sample)
        keys = self.sample.keys
        self._W: sp.csr_array | None = None
        if graph is not None:
            graph = graph_on(graph, keys.entities)
            self._W = sparse_for(graph, keys.entities)
        self.graph = graph
        self._check_periods()
        shape = Adopted.through(np.zeros(keys.shape), self.adoption.cohort, self._W)
        self._check_controls(shape)
        self._panel = Adopted(self._outcome(shape), shape.cohort, shape.exposure)

    def _check_periods(self) -> None:
        early = (self.adoption.cohort >= 0) & (self.adoption.cohort < 2)
        if early.any():
            entities = self.sample.keys.entities[early]
            raise TreatmentError(
                f"{len(entities)} entities are treated from the first or second period on, first "
                f"{first(entities)}: there are not two periods before the policy to find weights "
                "from. Leave them out, or give earlier periods."
            )

    def _check_controls(self, panel: Adopted) -> None:
        if panel.control.any():
            return
        exposed = int(panel.exposed.sum())
        told = f" ({exposed} are exposed to treated neighbours)" if exposed else ""
        raise TreatmentError(
            f"Nobody is never treated and not exposed{told}, so that there is no synthetic "
            "control. "
            + (
                "Give a sparser W, such as contiguity or a short distance band."
                if exposed
                else "did.Staggered(..., control='not-yet') compares with those treated later."
            )
        )

    def _outcome(self, panel: Adopted) -> Array:
        """Y less what controls explain, shape (n_entities, n_periods)."""
        sample, keys = self.sample, self.sample.keys
        y = sample.array("y")[:, 0]
        self.slopes = pd.Series(dtype=float, name="slope")
        if "x" in sample:
            names, x = sample.roles["x"], sample.array("x")
            clean = ~self.adoption.on
            if panel.exposure is not None:
                clean &= panel.exposure[keys.entity, keys.period] == 0
            stage = FirstStage.of(CleanEffects([keys.entity, keys.period], clean), y, x)
            there = stage.controls[clean]
            if gone := absorbed_by(there, x):
                raise ConstantColumnError(
                    f"{first([names[j] for j in gone])} does not vary among cells that are neither "
                    "treated nor exposed once the effects are removed. Leave it out."
                )
            for j, others in dependent(there):
                raise CollinearityError(
                    f"{names[j]!r} is a linear combination of "
                    f"{first([names[i] for i in others])} among cells that are neither treated nor "
                    "exposed once the effects are removed. Leave one out."
                )
            self.slopes = pd.Series(stage.slopes, list(names), name="slope")
            y = y - x @ stage.slopes
        return y.reshape(keys.shape)

    def fit(
        self,
        *,
        errors: Literal["placebo", "jackknife", "bootstrap"] = "placebo",
        draws: Count = 200,
        seed: Seed = 0,
        n_jobs: Jobs = 1,
    ) -> SyntheticResults:
        """Find weights and effects.

        Parameters
        ----------
        errors : {"placebo", "jackknife", "bootstrap"}
            Standard errors from the policy given to units that are never treated, as many at the
            same times, with their outcomes less the estimated spillover: they need errors that
            vary alike among treated and others, and are the only ones with one treated unit. Or
            from leaving out each unit, with the weights kept; or from samples of units. The last
            two need several treated units in each cohort.
        draws : int
            Of placebos or of samples. One treated unit has as many placebos as there are units
            that are never treated, and if that is no more, each is taken once.
        seed : int
        n_jobs : int
            Processes; the answer does not depend on them.

        Returns
        -------
        SyntheticResults

        Raises
        ------
        EstimationError
            The standard errors asked for need more treated units, or controls; fewer than 20 draws
            succeed.
        """
        check_options(SpatialSDID.fit, errors=errors, draws=draws, seed=seed, n_jobs=n_jobs)
        found = Synthetic.of(self._panel)
        self._check_exposure(found)
        sampled = pd.DataFrame()
        names = self._names
        if errors == "jackknife":
            self._check_several(found, errors)
            cov = found.jackknife()
        else:
            sampled = self._draws(found, errors, draws, seed, n_jobs)
            cov = np.atleast_2d(np.cov(sampled.to_numpy().T, bias=True))
        return self._label(found, pd.DataFrame(cov, names, names), sampled, errors, seed)

    @property
    def _names(self) -> list[str]:
        (name,) = self.sample.roles["treatment"]
        return [name] if self._W is None else [name, f"{LAG}{name}"]

    def _check_exposure(self, found: Synthetic) -> None:
        if self._W is not None and np.isnan(found.by_cohort[:, 1]).all():
            raise EstimationError(
                "W D does not vary beside D: nobody who is never treated has a treated neighbour. "
                "Leave graph= out for the ordinary form, or give a W with more neighbours."
            )

    def _check_several(self, found: Synthetic, errors: str) -> None:
        single = found.panel.cohorts[found.counts < 2]
        if len(single):
            periods = self.sample.keys.periods[single]
            raise EstimationError(
                f"errors={errors!r} needs two treated entities in each cohort; those of "
                f"{first(periods)} have one. Type errors='placebo'."
            )
        if errors == "jackknife" and any(w.units.max() > 1 - 1e-9 for w in found.weights):
            raise EstimationError(
                "One control has all the weight, and cannot be left out. Type errors='placebo'."
            )
        if errors == "jackknife" and self._W is not None and found.panel.exposed.sum() < 2:
            raise EstimationError(
                "One entity is exposed, and cannot be left out. Type errors='placebo'."
            )

    def _draws(
        self, found: Synthetic, errors: str, draws: int, seed: int, n_jobs: int
    ) -> pd.DataFrame:
        """Effects in placebos or samples, a row each."""
        if errors == "bootstrap":
            self._check_several(found, errors)
            one: Callable[[np.random.SeedSequence], Array | None] = partial(_resampled, found)
        else:
            treated, pool = int(found.counts.sum()), len(found.pool)
            if pool <= treated:
                raise EstimationError(
                    f"Placebos need more entities that are never treated ({pool}) than treated "
                    f"ones ({treated}). Type errors='jackknife'."
                )
            one = partial(_placebo, found, self._W)
            if treated == 1 and pool <= draws:
                every = [found.placebo(np.array([i]), self._W) for i in range(pool)]
                return self._good(every, errors)
        rows = parallel.seeded(one, draws, seed=seed, n_jobs=n_jobs, label=errors)
        return self._good(rows, errors)

    def _good(self, rows: list[Array | None], errors: str) -> pd.DataFrame:
        good = [row for row in rows if row is not None]
        failed = len(rows) - len(good)
        if len(good) < min(FEWEST, len(rows)):
            raise EstimationError(
                f"{failed} of {len(rows)} draws leave no control, or no exposure that varies: W "
                "joins too many. Use a sparser W, or errors='jackknife'."
            )
        if failed:
            warnings.warn(
                f"{failed} of {len(rows)} draws ({errors}) leave no control, or no exposure that "
                "varies, and were left out.",
                DataWarning,
                stacklevel=outside(),
            )
        return pd.DataFrame(good, columns=self._names).rename_axis("draw")

    # ---------------------------------------------------------------- labels

    def _label(
        self,
        found: Synthetic,
        cov: pd.DataFrame,
        sampled: pd.DataFrame,
        errors: str,
        seed: int,
    ) -> SyntheticResults:
        panel, keys, names = found.panel, self.sample.keys, self._names
        fitted = self._fitted(found)
        y = self.sample.series().loc[fitted.index]
        told = [*self.sample.notes]
        if panel.exposure is not None:
            told.append(
                note(
                    "did.synthetic_exposed",
                    control=int(panel.control.sum()),
                    exposed=int(panel.exposed.sum()),
                    treated=int(found.counts.sum()),
                )
            )
        return SyntheticResults(
            params=pd.Series(found.effects, names, name="estimate"),
            cov=cov,
            nobs=self.sample.nobs,
            resids=(y - fitted).rename("resid"),
            fitted=fitted,
            loglik=None,
            rsquared={},
            dependent=self.sample.roles["y"][0],
            cov_type=errors,
            model_name=_NAMES[panel.exposure is not None],
            effects_included=("entity", "time"),
            extra_statistics={"n_entities": len(keys.entities)},
            provenance={
                "versions": versions(),
                "options": {"errors": errors, "draws": len(sampled), "seed": seed},
                "notes": tuple(told),
            },
            model=self,
            treatment=names[0],
            unit_weights=self._unit_weights(found),
            period_weights=self._period_weights(found),
            by_cohort=self._by_cohort(found),
            paths=self._paths(found),
            exposure_means=self._means(found),
            sampled=sampled,
        )

    def _cohort_labels(self, found: Synthetic) -> pd.Index:
        return pd.Index(self.sample.keys.periods[found.panel.cohorts], name="cohort")

    def _unit_weights(self, found: Synthetic) -> pd.DataFrame:
        columns = np.column_stack([w.units for w in found.weights])
        rows = found.panel.control
        return pd.DataFrame(
            columns[rows], self.sample.keys.entities[rows], self._cohort_labels(found)
        )

    def _period_weights(self, found: Synthetic) -> pd.DataFrame:
        columns = [
            np.where(np.arange(len(w.periods)) < start, w.periods, np.nan)
            for start, w in zip(found.panel.cohorts, found.weights, strict=True)
        ]
        labels = self._cohort_labels(found)
        last = int(found.panel.cohorts.max())
        frame = pd.DataFrame(np.column_stack(columns), self.sample.keys.periods, labels)
        return frame.iloc[:last]

    def _by_cohort(self, found: Synthetic) -> pd.DataFrame:
        columns = ["estimate", "spillover"][: found.by_cohort.shape[1]]
        frame = pd.DataFrame(found.by_cohort, self._cohort_labels(found), columns)
        frame["n_treated"] = found.counts
        frame["n_cells"] = found.panel.sizes
        return frame

    def _paths(self, found: Synthetic) -> pd.DataFrame:
        """Treated, their synthetic control and the difference, by cohort and period."""
        y, frames = self.sample.array("y")[:, 0].reshape(self.sample.keys.shape), {}
        for place, start in enumerate(found.panel.cohorts):
            treated = y[found.panel.cohort == start].mean(axis=0)
            gap = found.gap(place)
            position = self.sample.keys.clock.position
            frames[self.sample.keys.periods[start]] = pd.DataFrame(
                {
                    "event_time": position - position[start],
                    "treated": treated,
                    "synthetic": treated - gap,
                    "gap": gap,
                },
                self.sample.keys.periods,
            )
        return pd.concat(frames, names=["cohort", self.sample.index.names[1] or "period"])

    def _fitted(self, found: Synthetic) -> pd.Series:
        """Of treated entities: the synthetic control in each one's own level, plus the effect."""
        keys, panel = self.sample.keys, found.panel
        y = self.sample.array("y")[:, 0].reshape(keys.shape)
        fitted = np.full(keys.shape, np.nan)
        for place, (start, weights) in enumerate(zip(panel.cohorts, found.weights, strict=True)):
            effects = np.nan_to_num(found.by_cohort[place])
            for i in np.flatnonzero(panel.cohort == start):
                path = weights.units @ panel.y + effects[0] * (np.arange(keys.shape[1]) >= start)
                if panel.exposure is not None:
                    path = path + effects[1] * panel.exposure[i]
                before = weights.periods[:start]
                level = before @ (panel.y[i] - path)[:start]
                fitted[i] = path + level + y[i] - panel.y[i]  # what controls explain, put back
        rows = (panel.cohort != NEVER)[keys.entity]
        return pd.Series(fitted.ravel()[rows], self.sample.index[rows], name="fitted")

    def _means(self, found: Synthetic) -> Mapping[str, float]:
        """Mean exposure of exposed cells, and exposure of all by treated cell."""
        panel = found.panel
        if panel.exposure is None:
            return {}
        cells = panel.exposure[panel.exposed]
        size = float(panel.sizes.sum())
        return {
            "indirect": float(cells[cells != 0].mean()),
            "total": float(panel.exposure.sum()) / size,
        }


_NAMES = {
    False: "Synthetic difference-in-differences",
    True: "Spatial synthetic difference-in-differences",
}


def _resampled(found: Synthetic, seed: np.random.SeedSequence) -> Array | None:
    return found.resampled(np.random.default_rng(seed))


def _placebo(
    found: Synthetic, W: sp.csr_array | None, seed: np.random.SeedSequence
) -> Array | None:
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(len(found.pool))[: int(found.counts.sum())]
    return found.placebo(np.asarray(drawn, dtype=np.int64), W)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SyntheticResults(Results):
    """The effect of a policy on few units against a synthetic control.

    ``params`` has the effect on the treated and, with W, that of one unit of exposure W D.
    ``fitted`` and ``resids`` are of treated entities: their synthetic control in their own level,
    and the effect.

    Attributes
    ----------
    treatment : str
    unit_weights : DataFrame by entity, a column for each cohort
        Of clean controls; sum one.
    period_weights : DataFrame by period, a column for each cohort
        Of periods before the policy; sum one.
    by_cohort : DataFrame by first treated period
        ``estimate``, ``spillover`` (of one unit of exposure; NaN where a cohort does not tell),
        ``n_treated`` entities, ``n_cells``.
    paths : DataFrame by (cohort, period)
        ``event_time``, mean outcome of the treated, their synthetic control in the same level,
        and the ``gap``, whose mean after the policy is the effect.
    exposure_means : mapping of str to float
        What `policy_effects` multiplies the effect of exposure by.
    sampled : DataFrame by draw
        Effects in placebos or samples; empty with the jackknife.
    """

    treatment: str
    unit_weights: pd.DataFrame
    period_weights: pd.DataFrame
    by_cohort: pd.DataFrame
    paths: pd.DataFrame
    exposure_means: Mapping[str, float] = field(default_factory=dict)
    sampled: pd.DataFrame = field(default_factory=pd.DataFrame)

    citation: ClassVar[str] = (
        "Arkhangelsky, D., Athey, S., Hirshberg, D. A., Imbens, G. W. and Wager, S. (2021). "
        "Synthetic difference-in-differences. American Economic Review 111, 4088-4118."
    )

    @property
    def focus(self) -> str:
        """The policy."""
        return self.treatment

    @property
    def setting(self) -> Mapping[str, Any]:
        """That of every model, and which regressor is the policy."""
        model, policy = self.model, {"policy": self.treatment}
        if model is None:
            return {**super().setting, **policy}
        n, t = model.sample.keys.shape
        return {**super().setting, "n_entities": n, "n_periods": t, **policy}

    def policy_effects(self, level: float = 0.95) -> pd.DataFrame:
        """Direct, indirect and total effect of the policy.

        Direct: on a treated entity, its own exposure apart. Indirect: on an exposed entity that is
        never treated, at the mean exposure of such cells. Total: of all that D and W D do, by
        treated cell.

        Returns
        -------
        DataFrame, index effect
            Columns estimate, std_error, pvalue, lower, upper, in units of the outcome.
        """
        turns = {"direct": np.eye(len(self.params))[0]}
        if self.exposure_means:
            turns["indirect"] = np.array([0.0, self.exposure_means["indirect"]])
            turns["total"] = np.array([1.0, self.exposure_means["total"]])
        law, rows = self._distribution(), {}
        width = law.ppf(0.5 + level / 2)
        for name, turn in turns.items():
            estimate = float(turn @ self.params)
            error = float(np.sqrt(turn @ self.cov.to_numpy() @ turn))
            tail = float(2 * law.sf(abs(estimate / error))) if error > 0 else np.nan
            low, high = estimate - width * error, estimate + width * error
            rows[name] = [estimate, error, tail, low, high]
        columns = ["estimate", "std_error", "pvalue", "lower", "upper"]
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
        return frame.rename_axis("effect")

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """Share of placebos whose effects are as large: (1 + number) / (1 + placebos)."""
        if self.cov_type != "placebo":
            return Tests()
        found = {}
        for name, label in zip(self.params.index, ("placebo", "placebo_spillover"), strict=False):
            there = np.abs(self.sampled[name].to_numpy()) >= abs(self.params[name]) - 1e-12
            p = (1 + int(there.sum())) / (1 + len(there))
            found[label] = TestResult(label, f"{name} = 0", float(self.params[name]), 0, p)
        return Tests(found)

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Effects, those of cohorts, paths and weights."""
        frames = {
            "synthetic-effects": self.policy_effects(),
            "synthetic-cohorts": self.by_cohort,
            "synthetic-paths": self.paths,
            "synthetic-units": self.unit_weights,
            "synthetic-periods": self.period_weights,
        }
        return Named((name, Frame.of(name, frame)) for name, frame in frames.items())

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """The treated and their synthetic control."""
        return Named({"paths": self._paths})

    def _paths(self, *, cohort: Any = None, ax: Axes | None = None, lang: str = "en") -> Axes:
        """Of one cohort, by default the largest."""
        from nqp_spatial.language.catalogue import words
        from nqp_spatial.plots.curves import series

        start = self.by_cohort["n_cells"].idxmax() if cohort is None else cohort
        text = words("synthetic", lang)
        shown = self.paths.loc[start][["treated", "synthetic"]].rename(columns=text)
        axes = series(shown, y=self.dependent, marks=False, ax=ax, notes=self.notes, lang=lang)
        places = list(shown.index).index(start)
        at = start if pd.api.types.is_integer_dtype(shown.index) else places
        axes.axvline(at - 0.5, color="#888888", lw=0.9, ls=":", zorder=0)
        return axes

    def cite(self) -> str:
        """The works to cite for the method."""
        spatial = (
            "Serenini, R. and Masek, F. (2024). Spatial synthetic difference-in-differences. SSRN "
            "working paper 4736857."
        )
        return f"{self.citation}\n{spatial}" if len(self.params) > 1 else self.citation

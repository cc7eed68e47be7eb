"""Dynamic spatial panel models: quasi maximum likelihood and analytic bias corrections.

    y_t = rho W y_t + tau y_{t-1} + eta W y_{t-1} + Z_t delta + effects + e_t,   t = 2 ... T + 1

given the first period. With S = I - rho W, A = S^-1 (tau I + eta W) carries one period into the
next, and

    D = (I - A)^-1 S^-1 = [(1 - tau) I - (rho + eta) W]^-1

is the long-run multiplier. Removing entity means leaves regressors that are correlated with the
errors, because the mean of y_{t-1} contains those of all periods: the score of (tau, eta, rho,
sigma2) then has the mean -a with

    a = [tr D, tr WD, tr WD, m / (2 sigma2)]                                                  (1)

and zeros for delta, m = tr I being the number of entities (Yu, de Jong and Lee 2008, J.
Econometrics 146, 118-134; their term of rho, tr[G (tau I + eta W) D] + tr G with G = W S^-1, is
tr WD). The corrected estimate is the estimate plus the inverse information times a.         (2)

What is done about period effects decides on W and m:

none            exact dummies, nothing corrected: T ln|S|, n = NT.
lee-yu          the transformation approach of Lee and Yu (2010, Econometric Theory 26, 564-597):
                period means are removed by an orthonormal transformation, which leaves N - 1
                entities and W without its unit eigenvalue: T [ln|S| - ln(1 - rho)], n = (N - 1) T;
                then (1) and (2) with traces on what is left, tr D - 1 / (1 - tau - rho - eta) and
                so on, and m = N - 1.                                                           (3)
bias-corrected  their direct approach: exact dummies, then (1) and (2) with the traces of (3), and
                for the period effects the mean -b of the score of (rho, sigma2) as well,
                b = [T / (1 - rho), T / (2 sigma2)].                                            (4)

Without period effects lee-yu and bias-corrected are the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, eigs

from nqp_spatial.core.linear.within import demean
from nqp_spatial.core.spatial import information
from nqp_spatial.core.spatial.likelihood import Scale
from nqp_spatial.core.spatial.ml import Estimate, estimate, lag, scale_of
from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spatial.sandwich import scores_of
from nqp_spatial.core.spectrum.eigen import Spectrum, symmetriser

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Dynamics:
    """Where tau and eta stand among the coefficients: -1 for one that the model lacks."""

    tau: int
    eta: int

    def of(self, delta: Array) -> tuple[float, float]:
        """The values of tau and eta in coefficients."""
        values = (float(delta[at]) if at >= 0 else 0.0 for at in (self.tau, self.eta))
        return next(values), next(values)


def regressors(
    y: Array, Z: Array, W: sp.csr_array, *, time_lag: bool, space_time_lag: bool
) -> tuple[Array, Dynamics]:
    """Z with y_{t-1} and W y_{t-1} after its columns.

    Parameters
    ----------
    y : array, shape (n_periods + 1, n_entities)
    Z : array, shape (n_periods, n_entities, k)
        Of the second period and later.
    """
    before = y[:-1]
    columns = [before] * time_lag + [lag(W, before)] * space_time_lag
    k = Z.shape[-1]
    where = Dynamics(k if time_lag else -1, k + time_lag if space_time_lag else -1)
    return np.concatenate([Z, *(column[..., None] for column in columns)], axis=-1), where


@dataclass(frozen=True, eq=False)
class Panel:
    """Periods 2 and later, free of entity means; period means are removed by what follows.

    Attributes
    ----------
    y : array, shape (n_periods, n_entities)
    Z : array, shape (n_periods, n_entities, k)
        With y_{t-1} and W y_{t-1}.
    """

    y: Array
    Z: Array
    W: sp.csr_array
    spectrum: Spectrum
    effects: str | None
    correction: str
    dynamics: Dynamics

    @classmethod
    def prepare(
        cls,
        y: Array,
        Z: Array,
        W: sp.csr_array,
        spectrum: Spectrum,
        dynamics: Dynamics,
        *,
        effects: str | None,
        correction: str,
    ) -> Panel:
        """From data as given."""
        first = "entity" if effects in ("entity", "twoway") else None
        return cls(demean(y, first), demean(Z, first), W, spectrum, effects, correction, dynamics)

    @property
    def periods_removed(self) -> str | None:
        """Period effects, if the model has them."""
        return "time" if self.effects in ("time", "twoway") else None

    @property
    def transformed(self) -> Scale:
        """Observations and Jacobian after the transformation that removes period effects."""
        n_periods, n_entities = self.y.shape
        return scale_of(self.periods_removed, "lee-yu", n_entities, n_periods)


def quasi_maximum(panel: Panel) -> Estimate:
    """The estimate before any correction of what entity effects do."""
    own = "lee-yu" if panel.correction == "lee-yu" else "none"
    return estimate(
        panel.y,
        panel.Z,
        panel.W,
        panel.spectrum,
        effects=panel.periods_removed,
        correction=own,
    )


def score_bias(panel: Panel, found: Estimate) -> Array:
    """Minus the mean of the score: a of (1) or (3), and b of (4) under the direct approach.

    Returns
    -------
    array, shape (k + 2,)
        Of (delta, rho, sigma2); zero if no effects were removed, or none was to be corrected.
    """
    bias = np.zeros(len(found.cov))
    if panel.correction == "none":
        return bias
    n_periods, n_entities = panel.y.shape
    tau, eta = panel.dynamics.of(found.delta)
    unit = panel.transformed.unit_roots
    if panel.effects in ("entity", "twoway"):
        own, lagged = long_run_traces(panel.spectrum, tau, found.rho + eta, unit)
        if panel.dynamics.tau >= 0:
            bias[panel.dynamics.tau] = own
        if panel.dynamics.eta >= 0:
            bias[panel.dynamics.eta] = lagged
        bias[-2] = lagged
        bias[-1] = (n_entities - unit) / (2 * found.sigma2)
    if unit and panel.correction == "bias-corrected":
        bias[-2] += n_periods / (1 - found.rho)
        bias[-1] += n_periods / (2 * found.sigma2)
    return bias


def long_run_traces(
    spectrum: Spectrum, tau: float, along: float, unit_roots: int
) -> tuple[float, float]:
    """Traces of D and WD, D = [(1 - tau) I - along W]^-1, on the space that is left.

    With eigenvalues, ``tau + along`` may exceed one where the unit eigenvalue is gone.
    """
    omega = getattr(spectrum, "eigenvalues", None)
    if omega is not None:
        kept = np.delete(omega, np.argmin(np.abs(omega - 1))) if unit_roots else omega
        inverse = 1 / (1 - tau - along * kept)
        return float(inverse.sum().real), float((kept * inverse).sum().real)
    c = along / (1 - tau)
    g, gone = spectrum.trace_g(c), unit_roots / (1 - tau - along)
    return (spectrum.n + c * g) / (1 - tau) - gone, g / (1 - tau) - gone


def correct(panel: Panel, found: Estimate) -> Estimate:
    """The estimate less its bias, with everything evaluated there.

    The information matrix is that of the transformed data, n = (N - 1) T with period effects and NT
    without; ``scale`` has the observations that all effects leave, for small-sample factors.

    Raises
    ------
    ArithmeticError
        If the corrected rho or sigma2 is not admissible.
    """
    moved = np.array([*found.delta, found.rho, found.sigma2])
    moved = moved + found.cov @ score_bias(panel, found)
    delta, rho, sigma2 = moved[:-2], float(moved[-2]), float(moved[-1])
    low, high = panel.spectrum.interval
    if not (low < rho < high and sigma2 > 0):
        raise ArithmeticError(f"rho = {rho:.4f}, sigma2 = {sigma2:.4g}")
    removed, n_entities = panel.periods_removed, panel.y.shape[1]
    Z, wy = found.regressors, demean(lag(panel.W, panel.y), removed)
    resid = found.y - rho * wy - Z @ delta
    multiplier = Multiplier(panel.W, rho, panel.spectrum)
    g = wy - demean(information.apply_g(panel.W, multiplier, resid), removed)
    term, scale = information.term(multiplier, panel.transformed), panel.transformed
    flat = Z.reshape(-1, len(delta))
    traces = information.one_matrix([term], panel.spectrum, scale)
    info = information.information(flat, g.ravel(), sigma2, traces, scale)
    return replace(
        found,
        delta=delta,
        rho=rho,
        sigma2=sigma2,
        cov=information.invert(info),
        resid=resid,
        g=g,
        scale=scale_of(panel.effects, "lee-yu", n_entities, len(panel.y)),
        spatial=(rho,),
    )


def centred(found: Estimate, W: sp.csr_array) -> Estimate:
    """The same estimate with regressors whose score sums to zero, for sandwich covariances.

    At a corrected estimate the score is minus its bias, not zero. What a sandwich needs is its
    variance, so that the mean is taken out of the cells in proportion to their squared residuals,
    which is how it came in.
    """
    assert found.g is not None
    total = scores_of(found, W).by_cell().sum(axis=(0, 1))
    share = found.sigma2 * found.resid / float((found.resid**2).sum())
    k = len(found.delta)
    return replace(
        found,
        regressors=found.regressors - share[..., None] * total[:k],
        g=found.g - share * total[k],
    )


def spectral_radius(
    W: sp.csr_array,
    spectrum: Spectrum,
    tau: float,
    rho: float,
    eta: float,
    *,
    transformed: bool = False,
) -> float:
    """Largest absolute eigenvalue of A = (I - rho W)^-1 (tau I + eta W).

    It is that of (tau + eta w) / (1 - rho w) over the eigenvalues w of W, which is monotone between
    the smallest and largest real ones. Below one y is stationary, or, without the unit
    eigenvalue (``transformed``), its deviations from period means are.
    """
    omega = getattr(spectrum, "eigenvalues", None)
    if omega is not None:
        omega = np.delete(omega, np.argmin(np.abs(omega - 1))) if transformed else omega
        return float(np.abs((tau + eta * omega) / (1 - rho * omega)).max())
    if symmetriser(W) is not None and not transformed:
        omega = 1 / np.array(spectrum.interval)
        return float(np.abs((tau + eta * omega) / (1 - rho * omega)).max())
    multiplier = Multiplier(W, rho, spectrum)

    def step(vector: Array) -> Array:
        vector = np.ravel(vector)
        after = multiplier.solve(tau * vector + eta * (W @ vector))
        return after - after.mean() if transformed else after

    A = LinearOperator((spectrum.n, spectrum.n), matvec=step, dtype=float)
    start = np.random.default_rng(0).standard_normal(spectrum.n)
    return float(np.abs(eigs(A, k=1, v0=start, tol=1e-8, return_eigenvectors=False)).max())

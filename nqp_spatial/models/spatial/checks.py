"""What keeps a spatial model from being fitted, and what a user must know about a fit."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nqp_spatial.core.spatial.ml import Estimate, point, scale_of
from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spectrum.eigen import Spectrum
from nqp_spatial.exceptions import (
    BoundaryWarning,
    EstimationError,
    IdentificationWarning,
    OptionError,
)
from nqp_spatial.language.catalogue import note
from nqp_spatial.panel.design import Design, Second
from nqp_spatial.panel.stacked import StackedDesign
from nqp_spatial.shared.messages import missing_dependency, outside
from nqp_spatial.shared.notes import Note

Array = npt.NDArray[np.float64]

_BIASED, _USELESS = 1.0, 3.0  # standard errors of bias: said in a note, and warned of
_NEAR = 0.99  # share of the way to its bound beyond which rho is called close to it


def complex_note(spectrum: Spectrum) -> list[str]:
    """Between which bounds rho was sought if not all eigenvalues are real."""
    omega = np.asarray(getattr(spectrum, "eigenvalues", 0.0))
    real = omega[np.abs(omega.imag) < 1e-9].real  # as in core.spectrum.structure.bounds
    low, high = spectrum.interval
    if omega.size > 1 and not (real < -1e-9).any():
        return [note("spatial.unbounded", low=low, high=high)]
    if not np.iscomplexobj(omega):
        return []
    return [note("spatial.complex", low=low, high=high)]


def tell_of_peaks(found: Estimate) -> list[Note]:
    """Warn of where else the likelihood is nearly as high, and the note that results have."""
    if not found.others:
        return []
    peak = found.others[0]
    values = {"rho": (found.rho, peak.rho), "lambda": (found.lambda_, peak.lambda_)}
    values = {name: pair for name, pair in values.items() if any(pair)}
    at = ", ".join(f"{name} = {other:.4f}" for name, (_, other) in values.items())
    told = note("spatial.peaks", at=at, drop=peak.drop, names=", ".join(values))
    remedy = " Leave one of the two out, or rely on effects only." if len(values) > 1 else ""
    warnings.warn(f"{told}{remedy}", IdentificationWarning, stacklevel=outside())
    return [told]


def tell_of_bias(
    found: Estimate,
    design: Design,
    Z: Array,
    spectrum: Spectrum,
    effects: str | None,
    second: tuple[sp.csr_array, Spectrum] | None = None,
) -> list[Note]:
    """What exact dummies of periods do to the one spatial parameter, if it is much; with a warning.

    The measure is how far Lee and Yu's estimate is from it, in standard errors. Where that does not
    exist it is the bias to first order: the score has mean -T (i'Gi - tr G) / (N - 1), G = W (I -
    rho W)^-1 and i of ones (Lee and Yu 2010, section 3), which times the variance of rho is less
    than the bias where that is large.
    """
    if effects not in ("time", "twoway") or found.at_bound or len(found.spatial) != 1:
        return []
    value, error = found.spatial[0], found.g is None
    name, place = "lambda" if error else "rho", len(found.delta)
    deviation = float(np.sqrt(found.cov[place, place]))
    if not isinstance(design, StackedDesign) and (error or design.row_normalised):
        better = point(
            design.y,
            Z,
            design.W,
            spectrum,
            effects=effects,
            correction="lee-yu",
            lag=not error,
            error=error,
            second=second,
        )
        other = better.lambda_ if error else better.rho
        k = (other - value) / deviation
        told = note("spatial.biased", name=name, other=other, k=k)
    else:
        k = _first_order(found, design, spectrum) * deviation
        told = note("spatial.biased_at_least", name=name, k=k)
    if k < _BIASED:
        return []
    if k > _USELESS:
        warnings.warn(
            f"{told} Give W a cutoff, use correction='lee-yu', or look at "
            "nqp.diagnostics.grid_bootstrap(result).",
            IdentificationWarning,
            stacklevel=outside(),
        )
    return [told]


def _first_order(found: Estimate, design: Design, spectrum: Spectrum) -> float:
    """Minus the mean of the score of rho."""
    W, value = design.W, found.spatial[0]
    ones, periods = np.ones(W.shape[0]), found.scale.n_periods  # one if all periods are in W
    known = None if isinstance(design, StackedDesign) else spectrum  # that has another W
    constant = float(ones @ (W @ Multiplier(W, value, known).solve(ones)))
    return (
        periods
        * (constant - spectrum.trace_g(value))
        / (len(ones) * periods / design.n_periods - 1)
    )


def prepared(design: Design | Second, logdet: str, *, adjusted: bool = False) -> Spectrum:
    """The log-determinant asked for, or what keeps it from being used."""
    if adjusted and logdet != "eigenvalues":
        raise OptionError(
            f"logdet={logdet!r} cannot be used with correction='adjusted-score', which needs the "
            "eigenvalues of W. Leave it out, or use correction='none'."
        )
    try:
        return design.prepare(logdet)
    except ImportError:
        needed = "scikit-sparse>=0.4.16,<0.5"
        raise missing_dependency("scikit-sparse", "logdet='cholmod'", needed) from None
    except ValueError as error:
        raise OptionError(f"logdet={logdet!r} cannot be used with this W: {error}") from error


def check_periods(design: Design, effects: str | None) -> None:
    """Raise if entity effects have only one period."""
    if effects in ("entity", "twoway", "random") and design.n_periods < 2:
        raise EstimationError(
            "The panel has one period, which entity effects fit exactly. Use effects=None."
        )
    if effects in ("time", "twoway") and design.n_entities < 3:
        raise EstimationError("Time effects need at least three entities. Use effects='entity'.")


def check_degrees(design: Design, parameters: int, effects: str | None) -> None:
    """Raise unless there are more observations than parameters."""
    left = scale_of(effects, "lee-yu", design.n_entities, design.n_periods).n
    if isinstance(design, StackedDesign):
        left = design.y.size - design.removal.rank
    if left <= parameters:
        raise EstimationError(
            f"{left} observations are left by the {effects} effects for {parameters} parameters. "
            "Use fewer regressors (durbin=[...]) or fewer effects."
        )


def check_fit(found: Estimate, spectrum: Spectrum, second: Spectrum | None = None) -> None:
    """Raise if the fit is perfect; warn if rho is at the edge of its interval.

    ``second`` is that of the W of the error, where it has one of its own.
    """
    if found.sigma2 <= 1e-20 * float((found.y**2).mean()):
        raise EstimationError(
            "The regressors and Wy fit the outcome exactly, so that nothing can be inferred. "
            "Is the outcome among the regressors, or built from them? Under time effects, equal "
            "weights among all entities make Wy a multiple of y: rho then needs other weights."
        )
    low, high = spectrum.interval
    if not found.at_bound and not low * _NEAR < found.rho < high * _NEAR:
        warnings.warn(
            f"rho = {found.rho:.5f} is close to the edge of its interval ({low:.4f}, {high:.4f}): "
            f"total effects are {1 / (1 - found.rho / high):.0f} times the local ones there, and "
            "their standard errors are not to be trusted. Look at the weights, or add controls.",
            BoundaryWarning,
            stacklevel=outside(),
        )
    if found.at_bound:
        values = {"rho": found.rho, "lambda": found.lambda_}
        ends = {"rho": (low, high), "lambda": (low, high) if second is None else second.interval}
        near = {name: 2e-5 * (right - left) for name, (left, right) in ends.items()}
        at = [
            name
            for name, v in values.items()
            if v < ends[name][0] + near[name] or v > ends[name][1] - near[name]
        ]
        name = at[0] if at else "rho"
        low, high = ends[name]
        warnings.warn(
            f"{name} = {values[name]:.5f} is at the edge of its interval ({low:.4f}, {high:.4f}), "
            "so no standard errors are given. With a dense W and time effects Wy is nearly the "
            f"same for all entities and {name} is hardly identified: give W a cutoff. "
            "nqp.diagnostics.grid_bootstrap(result) shows which values are compatible with the "
            "data; correction='none' has an estimate, but one that is far too low. In a small "
            "panel with directed links there may be no maximum inside: use more entities or "
            "periods.",
            BoundaryWarning,
            stacklevel=outside(),
        )


def check_curvature(found: Estimate) -> None:
    """Warn if the likelihood has no curvature that could be inverted, although inside."""
    if np.isnan(found.cov).any() and not found.at_bound:
        warnings.warn(
            "The log-likelihood is flat or not concave at the estimate: minus its Hessian is not "
            "positive definite, so that no standard errors are given. The data hardly tell some of "
            "the parameters apart: leave out rho or lambda, or some lags with durbin=[...]; "
            "cov_type='asymptotic' has the mean of the Hessian, and large errors there.",
            IdentificationWarning,
            stacklevel=outside(),
        )

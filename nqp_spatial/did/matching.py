"""Matching: untreated units that are like treated ones, and weights that make them so.

Regressions on the matched sample take the weights: ``FixedEffects(y, x, weights=m.panel_weights(
y.index))`` is the PSM-DID of the literature.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from nqp_spatial.core.did import matching as core
from nqp_spatial.core.linear.collinear import dependent
from nqp_spatial.did.matched import EXTREME, MatchResult, doubtful
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataError,
    DataWarning,
    EstimationError,
    NqpError,
    OptionError,
    TreatmentError,
)
from nqp_spatial.language.catalogue import note
from nqp_spatial.panel.sample import Sample
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.notes import Note
from nqp_spatial.shared.options import (
    Between,
    Positive,
    check_options,
    positive,
    whole,
)

if TYPE_CHECKING:
    pass

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Labelled = TypeVar("Labelled", pd.Series, pd.DataFrame)

Kernel = Literal["epanechnikov", "gaussian", "biweight", "uniform"]

BANDWIDTH = 0.06  # psmatch2's, on the score
_COMMON = {"treated": "common_treated", "both": "common_both"}  # notes of them
_ENTROPY = {1: "entropy_1", 2: "entropy_2"}
_BELONGS = {  # options, and the methods that they are for
    "caliper": ("nearest", "radius"),
    "kernel": ("kernel",),
    "bandwidth": ("kernel",),
    "moments": ("entropy",),
}


# ---------------------------------------------------------------- the call


def match(
    treated: pd.Series,
    x: pd.DataFrame | pd.Series,
    *,
    method: Literal["nearest", "radius", "kernel", "entropy"] = "nearest",
    metric: Literal["score", "mahalanobis"] = "score",
    link: Literal["logit", "probit"] = "logit",
    k: Annotated[int, Between(1)] = 1,
    caliper: Positive | None = None,
    replace: bool = True,
    by: Literal["time"] | None = None,
    common_support: Literal["treated", "both"] | None = None,
    kernel: Kernel | None = None,
    bandwidth: Positive | None = None,
    moments: Literal[1, 2] | None = None,
) -> MatchResult:
    """Match treated units with untreated ones that are like them.

    Parameters
    ----------
    treated : Series of 0 and 1
        By entity, for one match of each unit; or by (entity, time), where rows are matched: all
        together, or year by year. It says who belongs to the treatment group: 1 in all rows of a
        unit that is treated at some time, so that years before the policy are matched too.
    x : DataFrame
        What is to be alike, on the same labels, without a constant.
    method : {"nearest", "radius", "kernel", "entropy"}
        The k nearest; all within ``caliper``; a mean weighted by distance; or weights of untreated
        units that give their means (and variances) the values of the treated ones.
    metric : {"score", "mahalanobis"}
        Distance of scores, which are probabilities of treatment given x; or Mahalanobis', with the
        covariance of x within both groups.
    link : {"logit", "probit"}
        Of the score; psmatch2 has a probit unless ``logit`` is given.
    k : int
        Of "nearest". What is as near as the last of them is taken too, with equal shares, so that
        no order of rows decides.
    caliper : float, optional
        The largest distance of a match, that distance included: of scores, not of their standard
        deviation (0.25 of that is ``0.25 * m.score.std()``).
    replace : bool
        Whether an untreated unit may be a match several times. If not, treated units choose in the
        order of their scores, the highest first, then of their labels (with "mahalanobis" the
        closest pair that is left goes first); of untreated units that are equally near the first
        by label is taken, and a note counts such choices. All choose once before any chooses twice.
    by : {None, "time"}
        "time": each period by itself, with a score of its own.
    common_support : {None, "treated", "both"}
        "treated": leave out treated units whose score is below the lowest or above the highest of
        an untreated one (psmatch2's ``common``). "both": and untreated ones outside the scores of
        treated units (``common`` beside ``ate``).
    kernel : {"epanechnikov", "gaussian", "biweight", "uniform"}, optional
        Of "kernel"; the first by default.
    bandwidth : float, optional
        Of "kernel": 0.06 by default, in the unit of the distance.
    moments : {1, 2}, optional
        Of "entropy": means (default), or squares too.

    Returns
    -------
    MatchResult

    Raises
    ------
    TreatmentError
        treated is not 0 or 1, or one group is empty, in a period too.
    OptionError
        Options that do not belong together; a caliper within which nobody has a match.
    EstimationError
        A column, or several together, tell treated from untreated units, so that there is no
        score; no weights balance the columns.
    DataError
        By its own class and with labels: missing cells, other labels, columns that do not vary or
        depend on others, in a period too.

    Warns
    -----
    DataWarning
        Scores within 1e-8 of zero or one, with the column that is most of it; treated units that
        are left without a match.

    Examples
    --------
    >>> cities = nqp.load_simulated_clusters()
    >>> first_year = cities.xs(cities.index.levels[1][0], level=1)
    >>> group = cities["did"].groupby(level=0).max()
    >>> m = match(group, first_year[["human_capital"]], caliper=0.05)
    >>> bool(m.weights.sum() > 0)
    True
    """
    check_options(
        *(match,), method=method, metric=metric, link=link, by=by, kernel=kernel, moments=moments,
        common_support=common_support,
    )  # fmt: skip
    asked = _asked(
        method=method, metric=metric, link=link, k=k, caliper=caliper, replace=replace, by=by,
        common_support=common_support, kernel=kernel, bandwidth=bandwidth, moments=moments,
    )  # fmt: skip
    flat = not isinstance(getattr(treated, "index", None), pd.MultiIndex)
    if flat:
        treated, x = _one_period(treated, x, by)
    sample = Sample.of(treatment=treated, x=x, needs=["x"], may_be_constant=["treatment"])
    keys = sample.keys
    labels = keys.index.get_level_values(0) if flat else keys.index
    on = _on(sample, labels)
    groups: list[tuple[object, Codes]] = [(None, np.arange(sample.nobs))]
    if by == "time":
        groups = [
            (label, np.flatnonzero(keys.period == code)) for code, label in enumerate(keys.periods)
        ]
    found = _Found.empty(sample.array("x"), on, labels)
    for label, rows in groups:
        try:
            found.match(sample, rows, asked)
        except NqpError as error:
            raise _of_period(error, label) from None
    return _result(sample, found, asked, groups, flat=flat)


def _asked(**asked: Any) -> dict[str, Any]:
    """Options that belong together, with their defaults."""
    method = asked["method"]
    whole("k", asked["k"], 1)
    for name in ("caliper", "bandwidth"):
        if asked[name] is not None:
            positive(name, asked[name])
    for name, owners in _BELONGS.items():
        if asked[name] is not None and method not in owners:
            belongs = " or ".join(f'"{owner}"' for owner in owners)
            raise OptionError(f"{name}= belongs to method={belongs}. Leave it out.", option=name)
    if method != "nearest" and (asked["k"] != 1 or not asked["replace"]):
        name = "k" if asked["k"] != 1 else "replace"
        raise OptionError(f'{name}= belongs to method="nearest". Leave it out.', option=name)
    if method == "radius" and asked["caliper"] is None:
        raise OptionError(
            'method="radius" takes all within caliper=. Give it, such as 0.05.', option="caliper"
        )
    if method == "entropy" and asked["metric"] != "score":
        raise OptionError('method="entropy" has no distance. Leave metric= out.', option="metric")
    defaults = {"kernel": "epanechnikov", "bandwidth": BANDWIDTH, "moments": 1}
    return {n: defaults.get(n) if v is None and n in defaults else v for n, v in asked.items()}


def _one_period(treated: Any, x: Any, by: str | None) -> tuple[pd.Series, pd.DataFrame]:
    """A cross-section as a panel of one period."""
    if not isinstance(treated, pd.Series):
        raise DataError(f"treated is a {type(treated).__name__}. Give one column: frame['name'].")
    if by is not None:
        raise OptionError('by="time" is for rows by (entity, time). Leave it out.', option="by")
    if isinstance(getattr(x, "index", None), pd.MultiIndex):
        raise DataError(
            "treated is by entity and x by (entity, time). Take x of one period, "
            "x.xs(2010, level=1), or its means, x.groupby(level=0).mean(); or give treated by "
            "(entity, time) too."
        )
    if not isinstance(x, pd.Series | pd.DataFrame):
        raise DataError(f"x is a {type(x).__name__}. Give a DataFrame indexed as treated.")
    frame = x.to_frame(x.name or "x") if isinstance(x, pd.Series) else x
    return _with_period(treated), _with_period(frame)


def _with_period(values: Labelled) -> Labelled:
    name = values.index.name or "entity"
    arrays = [values.index, np.zeros(len(values), dtype=int)]
    return values.set_axis(pd.MultiIndex.from_arrays(arrays, names=[name, "period"]), axis=0)


def _on(sample: Sample, labels: pd.Index) -> Mask:
    (name,) = sample.roles["treatment"]
    column = sample.array("treatment")[:, 0]
    odd = np.flatnonzero((column != 0) & (column != 1))
    if len(odd):
        raise TreatmentError(
            f"{name!r} is not 0 or 1 in {len(odd)} rows, first {first([column[odd[0]]])} at "
            f"{first([labels[odd[0]]])}. It says who belongs to the treatment group."
        )
    return column == 1


def _of_period(error: NqpError, label: object) -> NqpError:
    if label is None:
        return error
    told = f"In period {first([label])}: {error}"
    if isinstance(error, OptionError):
        return OptionError(told, option=error.option)
    return type(error)(told)


# ---------------------------------------------------------------- one group of rows


@dataclass
class _Found:
    """What was found of all rows, filled in group by group."""

    weights: Array
    score: Array
    support: Mask
    places: Array
    x: Array
    on: Mask
    labels: pd.Index
    shares: list[tuple[Codes, Codes, Array]]
    ties: int = 0

    @classmethod
    def empty(cls, x: Array, on: Mask, labels: pd.Index) -> _Found:
        n = len(x)
        places = np.full((n, 1), np.nan)
        return cls(np.zeros(n), np.full(n, np.nan), np.ones(n, bool), places, x, on, labels, [])

    def match(self, sample: Sample, rows: Codes, asked: Mapping[str, Any]) -> None:
        """Match rows among themselves."""
        x, on = self.x[rows], self.on[rows]
        if not on.any() or on.all():
            state = "nobody is" if not on.any() else "all are"
            raise TreatmentError(
                f"{state} treated, so that there is nobody to match. treated is 1 in all rows of "
                "units of the treatment group, those before the policy too."
            )
        self._check(sample, x)
        common = asked["common_support"]
        needs_score = asked["metric"] == "score" and asked["method"] != "entropy"
        needed = needs_score or common is not None
        told_of = asked["method"] != "entropy"
        score = self._scored(sample, rows, asked["link"], needed=needed, told_of=told_of)
        self.score[rows] = score
        wanted = np.ones(len(on), dtype=bool)
        for group in (on, ~on) if common == "both" else (on,) if common else ():
            low, high = score[~group].min(), score[~group].max()
            wanted &= ~group | ((score >= low) & (score <= high))
        if not (wanted & on).any() or not (wanted & ~on).any():
            raise EstimationError(
                f"Scores of treated units reach from {score[on].min():.4g} to "
                f"{score[on].max():.4g}, those of untreated ones from {score[~on].min():.4g} to "
                f"{score[~on].max():.4g}: there is no common support. Use fewer columns of x."
            )
        one, other = np.flatnonzero(wanted & on), np.flatnonzero(wanted & ~on)
        if asked["method"] == "entropy":
            weights = self._balanced(sample, x, one, other, asked["moments"])
            matched = np.ones(len(one), dtype=bool)
        else:
            places = score[:, None] if asked["metric"] == "score" else core.whitened(x, on)
            self._measure(rows, places)
            weights, matched = self._near(rows, places, one, other, asked)
        self.support[rows[~wanted]] = False
        self.support[rows[one[~matched]]] = False
        self.weights[rows[one[matched]]] = 1.0
        self.weights[rows[other]] = weights

    def _measure(self, rows: Codes, places: Array) -> None:
        """Keep the places of rows, in as many dimensions as there are."""
        if self.places.shape[1] < places.shape[1]:
            self.places = np.full((len(self.places), places.shape[1]), np.nan)
        self.places[rows] = places

    def _check(self, sample: Sample, x: Array) -> None:
        names = sample.roles["x"]
        size = np.abs(x).max(axis=0)
        flat = [names[j] for j in np.flatnonzero(np.ptp(x, axis=0) <= 1e-12 * size)]
        if flat:
            raise ConstantColumnError(f"{first(flat)} does not vary. Leave it out of x.")
        for j, others in dependent(x - x.mean(axis=0)):
            raise CollinearityError(
                f"{names[j]!r} is a linear combination of {first([names[m] for m in others])}. "
                "Leave one out of x."
            )

    def _scored(
        self, sample: Sample, rows: Codes, link: str, *, needed: bool, told_of: bool
    ) -> Array:
        """Probabilities of treatment; missing where there are none and none are needed.

        Entropy balancing fails by itself where there is none, with more to say.
        """
        x, on, names = self.x[rows], self.on[rows], sample.roles["x"]
        found = core.binary(on, x, link=link)
        edge = np.minimum(found.score, 1 - found.score) < EXTREME
        guilty = core.separating(on, x) if doubtful(found, np.ones(len(on), bool)) else None
        if guilty is None and not found.converged:
            raise EstimationError(f"The {link} of treatment on x did not converge. Rescale x.")
        if guilty is not None:
            told = first([names[j] for j in guilty])
            tell = "tells" if len(guilty) == 1 else "together tell"
            what = f"{told} {tell} treated from untreated units"
            if needed:
                raise EstimationError(
                    f"{what} (a value that only one group has, or beyond which there is only one): "
                    "scores would be zero or one. Leave it out of x, or join its values."
                )
            if told_of:
                _warn(f"{what}: there is no score, which this method does not need.")
            return np.full(len(rows), np.nan)
        if edge.any():
            parts = np.abs(found.params[1:] * (x - x.mean(axis=0)))[edge].sum(axis=0)
            _warn(
                f"{int(edge.sum())} scores are within {EXTREME:g} of zero or one, first of "
                f"{first(self.labels[rows[edge]], 3)}: mostly because of "
                f"{names[int(parts.argmax())]!r}. Such units have nobody like them in the other "
                "group."
            )
        return found.score

    def _near(
        self, rows: Codes, places: Array, one: Codes, other: Codes, asked: Mapping[str, Any]
    ) -> tuple[Array, Mask]:
        """Sums of shares of untreated rows, and who has a match."""
        a, b = places[one], places[other]
        if asked["method"] == "kernel":
            weights, matched = core.kernel_sums(a, b, asked["kernel"], asked["bandwidth"])
            if not matched.any():
                raise _nobody("bandwidth", asked["bandwidth"], a, b)
            return weights, matched
        caliper = np.inf if asked["caliper"] is None else asked["caliper"]
        if asked["k"] > len(other):
            raise OptionError(
                f"k={asked['k']} is more than the {len(other)} untreated units. Use fewer.",
                option="k",
            )
        if asked["method"] == "radius":
            found = core.radius(a, b, caliper)
        elif asked["replace"]:
            found = core.nearest(a, b, asked["k"], caliper)
        else:
            order = None
            if asked["metric"] == "score":  # ties by label: rows stand in their order
                order = np.argsort(-np.round(a[:, 0], 12), kind="stable")
            found = core.without_replacement(a, b, asked["k"], caliper, order)
        matched = np.diff(found.shares.indptr) > 0
        if not matched.any():
            raise _nobody("caliper", caliper, a, b)
        self.ties += found.ties
        pairs = found.shares.tocoo()
        i, j = (np.asarray(c, dtype=np.int64) for c in pairs.coords)
        self.shares.append((rows[one[i]], rows[other[j]], pairs.data))
        return np.asarray(found.shares.sum(axis=0)), matched

    def _balanced(self, sample: Sample, x: Array, one: Codes, other: Codes, order: int) -> Array:
        """Weights of untreated rows that sum to the number of treated ones."""
        names = list(sample.roles["x"])
        columns = [x]
        if order == 2:
            many = [j for j in range(x.shape[1]) if len(np.unique(x[:, j])) > 2]
            centred = x[:, many] - x[one][:, many].mean(axis=0)
            columns.append(centred**2)
            names += [f"{names[j]} squared" for j in many]
        Z = np.column_stack(columns)
        target = Z[one].mean(axis=0)
        low, high = Z[other].min(axis=0), Z[other].max(axis=0)
        out = np.flatnonzero((target < low) | (target > high))
        if len(out):
            j = out[0]
            raise EstimationError(
                f"No weights balance {names[j]!r}: the mean of treated units is {target[j]:.4g}, "
                f"and untreated ones reach from {low[j]:.4g} to {high[j]:.4g}. Leave it out of x."
            )
        lost = {j for j, _ in dependent(Z[other] - Z[other].mean(axis=0))}
        lost |= set(np.flatnonzero(low == high))
        kept = [j for j in range(Z.shape[1]) if j not in lost]
        weights = core.entropy_weights(Z[other][:, kept], target[kept])
        if weights is None or (len(lost) and not np.allclose(weights @ Z[other], target)):
            raise EstimationError(
                f"No weights balance {first(names)} together: treated units are outside what "
                "untreated ones can be averaged to. Use fewer columns of x, or moments=1."
            )
        return np.asarray(weights * len(one))


def _nobody(name: str, value: float, one: Array, other: Array) -> OptionError:
    """That no treated unit has a match, and what would be enough."""
    least = core.least(one, other)
    return OptionError(
        f"{name}={value:g} matches nobody: the nearest untreated unit is {least.min():.4g} away "
        f"(median over treated units {np.median(least):.4g}, largest {least.max():.4g}). "
        f"Use {name}={_above(float(np.median(least))):g}, with which half of them have a match.",
        option=name,
    )


def _above(value: float) -> float:
    """The next number of two digits."""
    if value <= 0:
        return 0.01
    unit = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(np.ceil(value / unit + 1e-9) * unit)


def _warn(message: str) -> None:
    """`DataWarning` at the user's line."""
    warnings.warn(message, DataWarning, stacklevel=outside())


# ---------------------------------------------------------------- labels


def _result(
    sample: Sample,
    found: _Found,
    asked: dict[str, Any],
    groups: list[tuple[object, Codes]],
    *,
    flat: bool,
) -> MatchResult:
    """Arrays as Series on the labels given, in their order."""
    keys = sample.keys
    order = np.arange(sample.nobs) if keys.order is None else np.argsort(keys.order)
    index: pd.Index = keys.given
    if flat:
        index = keys.given.get_level_values(0)
    back = np.empty(sample.nobs, dtype=np.int64)
    back[order] = np.arange(sample.nobs)
    shares = None
    if found.shares:
        rows, columns, data = (np.concatenate(part) for part in zip(*found.shares, strict=True))
        shares = sp.csr_array((data, (back[rows], back[columns])), shape=(sample.nobs,) * 2)
    lost = found.labels[found.on & ~found.support]
    if len(lost):
        _warn(
            f"{len(lost)} of {int(found.on.sum())} treated units have no match, first "
            f"{first(lost, 3)}: the effect is that on the others."
        )
    return MatchResult(
        treated=pd.Series(found.on[order], index, name=sample.roles["treatment"][0]),
        x=pd.DataFrame(found.x[order], index, list(sample.roles["x"])),
        weights=pd.Series(found.weights[order], index, name="weights"),
        score=pd.Series(found.score[order], index, name="score"),
        support=pd.Series(found.support[order], index, name="support"),
        notes=(*sample.notes, *_notes(asked, found, len(lost))),
        asked=asked,
        shares=shares,
        groups=tuple((label, np.sort(back[rows])) for label, rows in groups),
        places=found.places[order],
    )


def _notes(asked: Mapping[str, Any], found: _Found, lost: int) -> list[Note]:
    """How units were matched, and what a reader must know of it."""
    method, metric = asked["method"], note(f"matching.{asked['metric']}", link=asked["link"])
    values: dict[str, Any] = {"metric": metric}
    if method == "nearest":
        key = "nearest" if asked["replace"] else "once"
        values["k"] = asked["k"]
    elif method == "radius":
        key, values["caliper"] = "radius", f"{asked['caliper']:g}"
    elif method == "kernel":
        key = "kernel"
        values["kernel"] = note(f"matching.{asked['kernel']}")
        values["bandwidth"] = f"{asked['bandwidth']:g}"
    else:
        key, values = _ENTROPY[asked["moments"]], {}
    told = [note(f"matching.{key}", **values)]
    if method == "nearest" and asked["caliper"] is not None:
        told.append(note("matching.caliper", caliper=f"{asked['caliper']:g}"))
    if asked["by"] == "time":
        told.append(note("matching.by_time"))
    if asked["common_support"] is not None:
        told.append(note(f"matching.{_COMMON[asked['common_support']]}"))
    if found.ties:
        tied = "ties" if asked["replace"] else "chosen"
        told.append(note(f"matching.{tied}", n=found.ties))
    if lost:
        told.append(note("matching.lost", n=lost, all=int(found.on.sum())))
    return told

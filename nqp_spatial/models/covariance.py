"""The options of covariances: declared once for every ``fit``, and checked without data.

One name is one covariance in every model. `Covariance` says what each option takes and means,
`BELONGS` which covariance it belongs to; a model asks with `CovarianceOptions`, and `models.scores`
brings that to a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, TypedDict

import pandas as pd

from nqp_spatial.exceptions import OptionError
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Between, Default, check_option, choices, positive

Equal = Literal["asymptotic", "unadjusted"]  # two words for equal variances
CovType = Literal[
    "asymptotic",
    "unadjusted",
    "observed",  # of spatial models by maximum likelihood alone: see CovarianceOptions.curved
    "robust",
    "clustered",
    "driscoll-kraay",
    "kernel",
    "conley",
]
Kernel = Literal["bartlett", "parzen", "quadratic-spectral", "uniform"]
Count = Annotated[int, Between(0)]
Kilometres = Annotated[float, Between(0, open=True)]
Labels: TypeAlias = str | Sequence[str] | pd.Series | pd.DataFrame


class Covariance(TypedDict, total=False):
    """What is assumed of the errors: the options of every ``fit``.

    Parameters
    ----------
    cov_type : str
        Errors have equal variances ("unadjusted" or "asymptotic", two words for one thing), with
        the information that these data have in place of its mean ("observed": minus the Hessian of
        the log-likelihood, as Stata's spregress and xsmle print; of spatial models by maximum
        likelihood, and of no others); unequal ones ("robust"); are
        correlated within clusters ("clustered"), over time within entities ("kernel", of Newey and
        West), within periods and over time ("driscoll-kraay"), or between entities near each other
        ("conley"). Small-sample factors are in docs/methods.md.
    clusters : {"entity", "time"}, both in a list, or a Series or DataFrame of labels
        Of "clustered": labels by entity or by (entity, time), one or two columns.
    bandwidth : int, optional
        Of "driscoll-kraay" and "kernel", in periods; by default floor(4 (T / 100)^(2/9)).
    kernel : str, optional
        Over periods "bartlett" (default), "parzen" or "quadratic-spectral"; over kilometres, of
        "conley", "bartlett" (default) or "uniform".
    cutoff_km : float, optional
        Of "conley": kilometres beyond which errors are uncorrelated.
    coordinates : GeoDataFrame or DataFrame, optional
        Of "conley": geometry, or columns lon and lat, indexed by entity.
    serial_lags : int, optional
        Of "conley": periods of autocorrelation within entities, with Bartlett weights; none by
        default.
    """

    cov_type: CovType
    clusters: Annotated[Labels, Default("entity")]
    bandwidth: Count | None
    kernel: Kernel | None
    cutoff_km: Kilometres | None
    coordinates: pd.DataFrame | pd.Series | None
    serial_lags: Count | None


BELONGS: dict[str, tuple[str, ...]] = {
    "clusters": ("clustered",),
    "bandwidth": ("driscoll-kraay", "kernel"),
    "kernel": ("conley", "driscoll-kraay", "kernel"),
    "cutoff_km": ("conley",),
    "coordinates": ("conley",),
    "serial_lags": ("conley",),
}
_IN_SPACE, _OVER_TIME = ("bartlett", "uniform"), ("bartlett", "parzen", "quadratic-spectral")


# ---------------------------------------------------------------- what was asked for


@dataclass(frozen=True, eq=False)
class CovarianceOptions:
    """What ``fit`` was asked for, checked as far as that needs no data.

    Attributes
    ----------
    given : Covariance
        Options that were given.
    equal : str
        The family's word for equal variances, which its results print.
    curved : bool
        Whether the model maximises a likelihood with a Hessian, so that "observed" is one of its
        covariances.

    Raises
    ------
    OptionError
        With the name of the ``option``.
    """

    given: Covariance
    equal: Equal = "unadjusted"
    curved: bool = False

    def __post_init__(self) -> None:
        check_option("cov_type", self.given.get("cov_type", self.equal), choices(CovType))
        if self.cov_type == "observed" and not self.curved:
            raise OptionError(
                "cov_type='observed' is minus the Hessian of a log-likelihood: of SpatialLag, "
                "SpatialDurbin, SpatialDiD and their family. Dynamic models are corrected for a "
                "bias after their likelihood, and moments and least squares have no Hessian of "
                "their own. "
                f"Type cov_type={self.equal!r}, which is for equal variances too.",
                option="cov_type",
            )
        given = {name: value for name, value in self.given.items() if value is not None}
        for name, owners in BELONGS.items():
            if name in given and self.cov_type not in owners:
                raise _belongs(name, owners, self.cov_type)
        if self.cov_type == "clustered":
            cluster_names(self.clusters)
        if self.cov_type == "conley":
            for name in ("cutoff_km", "coordinates"):
                if name not in given:
                    raise OptionError(
                        'cov_type="conley" needs cutoff_km= and coordinates= (a GeoDataFrame, or a '
                        "frame with lon and lat, indexed by entity).",
                        option=name,
                    )
            positive("cutoff_km", self.given["cutoff_km"])
        if "kernel" in given:
            known = _IN_SPACE if self.cov_type == "conley" else _OVER_TIME
            check_option("kernel", self.kernel, known)

    @property
    def cov_type(self) -> str:
        """Its name, equal variances by the family's word."""
        name = self.given.get("cov_type", self.equal)
        return self.equal if name in ("asymptotic", "unadjusted") else name

    @property
    def equal_variances(self) -> bool:
        """Whether no scores are needed."""
        return self.cov_type in (self.equal, "observed")

    @property
    def clusters(self) -> Any:
        """As given, by entity if nothing was."""
        return self.given.get("clusters", "entity")

    @property
    def kernel(self) -> str:
        """Over periods or kilometres."""
        return self.given.get("kernel") or "bartlett"

    @property
    def cutoff_km(self) -> float:
        """Of "conley", which has one."""
        given = self.given.get("cutoff_km")
        assert given is not None
        return given

    @property
    def serial_lags(self) -> int:
        """Periods of autocorrelation beside that in space."""
        return self.given.get("serial_lags") or 0

    @property
    def label(self) -> str:
        """For tables: with the clusters or the cutoff."""
        if self.cov_type == "clustered":
            return f"clustered by {' and '.join(cluster_names(self.clusters))}"
        if self.cov_type == "conley":
            return f"conley {self.cutoff_km:g} km"
        return self.cov_type

    @property
    def record(self) -> dict[str, Any]:
        """For the provenance: scalars as given, labels by what they are."""
        told: dict[str, Any] = {"cov_type": self.cov_type, "clusters": self.clusters}
        told |= {name: self.given.get(name) for name in BELONGS if name not in told}
        told["kernel"] = self.kernel
        if not isinstance(self.clusters, str | list | tuple):
            told["clusters"] = "labels given"
        told["coordinates"] = None if told["coordinates"] is None else "given"
        return told


def _belongs(name: str, owners: Sequence[str], cov_type: str) -> OptionError:
    """That an option was given to a covariance that has none such."""
    *before, last = (f'"{owner}"' for owner in owners)
    listed = f"{', '.join(before)} or {last}" if before else last
    told = f"{name}= belongs to cov_type={listed}. Leave one of them out."
    if name == "bandwidth" and cov_type == "conley":
        told += " Periods of conley are serial_lags=."
    return OptionError(told, option=name)


def cluster_names(clusters: Any) -> list[str]:
    """What the one or two ways to cluster are called.

    Raises
    ------
    OptionError
        If they are no clusters, or more than two.
    """
    if isinstance(clusters, pd.Series):
        names = [str(clusters.name or "clusters")]
    elif isinstance(clusters, pd.DataFrame):
        names = [str(name) for name in clusters.columns]
    else:
        names = [clusters] if isinstance(clusters, str) else clusters
        if not isinstance(names, Sequence):
            raise OptionError(
                f"clusters is a {type(clusters).__name__}. Give 'entity', 'time', both in a list, "
                "or a Series of labels by entity or by (entity, time).",
                option="clusters",
            )
        for name in names:
            check_option("clusters", name, ("entity", "time"))
    if not 1 <= len(names) <= 2:
        raise OptionError(
            f"{len(names)} cluster dimensions were given; use one or two.", option="clusters"
        )
    if len(set(names)) < len(names):
        raise OptionError(
            f"clusters has a column name twice: {first(names)}. Rename one.", option="clusters"
        )
    return list(names)

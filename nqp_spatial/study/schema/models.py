"""The models a study file can fit: their options, each under the name it has in the Python API.

An option that is absent is not passed on, so that the default is that of the API. What the classes
of `nqp_spatial.models` are given besides is in `estimation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator as Before
from pydantic import Discriminator, Field, Tag, model_validator

from nqp_spatial.shared.messages import suggest
from nqp_spatial.study.schema.instruments import Count, Instruments, Names
from nqp_spatial.study.schema.model_keys import Model
from nqp_spatial.study.schema.weights import Keys

Effects = Literal["twoway", "entity", "time", "none"]

Share = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0)]  # by default that of the study


# ---------------------------------------------------------------- models without weights


FixedCov = Literal["clustered", "unadjusted", "robust", "driscoll-kraay"]
Bandwidth = Annotated[int, Field(ge=0)]
Kilometres = Annotated[float, Field(gt=0)]


class _Clustered(Model):
    cov_type: str = "clustered"
    clusters: Names | None = None
    bandwidth: Bandwidth | None = None

    def given(self) -> dict[str, Any]:
        """As for all models; errors are clustered by entity where nothing is said."""
        found = super().given()
        if self.cov_type == "clustered":
            found.setdefault("clusters", ["entity"])
        return found


class _Conley(_Clustered):
    FIT: ClassVar[frozenset[str]] = Model.FIT | {"cutoff_km", "serial_lags"}

    cov_type: Literal["clustered", "unadjusted", "robust", "driscoll-kraay", "kernel", "conley"] = (
        "clustered"
    )
    cutoff_km: Kilometres | None = None
    serial_lags: Bandwidth | None = None


class Pooled(_Conley):
    """`PooledOLS`, `FirstDifference`."""


class Random(_Conley):
    """`RandomEffects`."""

    components: Literal["swamy-arora", "harmonic"] | None = None


class Regression(_Conley):
    """`FixedEffects`."""

    effects: Effects = "twoway"
    other_effects: Names | None = None
    trends: Literal["entity"] | None = None

    @property
    def plain(self) -> bool:
        """Without effects beyond those of entities and periods."""
        return self.other_effects is None and self.trends is None


class IV(_Conley):
    """`IV2SLS`."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("endog", "instruments")
    FIT: ClassVar[frozenset[str]] = _Conley.FIT | {"estimator"}

    endog: Names
    instruments: Instruments
    effects: Effects = "twoway"
    other_effects: Names | None = None
    estimator: Literal["2sls", "liml", "gmm"] = "2sls"


Lags = Annotated[list[int | None], Field(min_length=2, max_length=2)]


class GMM(Model):
    """`DifferenceGMM`, `SystemGMM`."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("iv",)
    FIT: ClassVar[frozenset[str]] = frozenset({"steps", "cov_type", "small", "ar_orders"})

    lags: Count = 1
    x_lags: dict[str, int] | int | None = None
    predetermined: Names | None = None
    endogenous: Names | None = None
    gmm_lags: dict[str, Lags] | Lags | None = None
    collapse: bool | list[str] = False
    iv: Instruments | None = None
    effects: Literal["time", "none"] = "time"
    transformation: Literal["difference", "orthogonal"] = "difference"
    first_step: Literal["full", "identity"] = "full"
    steps: Literal[1, 2] = 2
    cov_type: Literal["robust", "unadjusted"] = "robust"
    small: bool = False
    ar_orders: Count = 2

    def given(self) -> dict[str, Any]:
        """As for all models, with pairs of lags as the API takes them."""
        found, lags = super().given(), self.gmm_lags
        if isinstance(lags, dict):
            found["gmm_lags"] = {name: tuple(pair) for name, pair in lags.items()}
        elif lags is not None:
            found["gmm_lags"] = tuple(lags)
        return found


class SystemGMM(GMM):
    """`SystemGMM`."""

    iv_equation: Literal["both", "transformed", "level"] | None = None


Thresholds = Literal[1, 2, 3]
Trim = float | list[float]
Grid = Count | list[float]


class ThresholdTest(Keys):
    """The bootstrap test, in a search of its own: up to ``thresholds``, over another ``grid``."""

    thresholds: Thresholds = 3
    grid: Grid | None = None
    trim: Trim | None = None
    refine: bool | Literal["all"] | None = None
    trim_by: Literal["observations", "values"] | None = None
    replications: Count = 300
    method: Literal["residual", "wild"] = "residual"

    def search(self) -> dict[str, Any]:
        """Options of ``fit`` in place of those of the model."""
        own = ("thresholds", "grid", "trim", "refine", "trim_by")
        return {name: getattr(self, name) for name in own if getattr(self, name) is not None}


class Threshold(_Clustered):
    """`PanelThreshold`, and its test: with ``replications`` of the same search, or ``test``."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("threshold",)
    FIT: ClassVar[frozenset[str]] = Model.FIT | frozenset(
        ("thresholds", "trim", "grid", "boundary", "refine", "trim_by", "drop_last_period")
    )
    OWN: ClassVar[frozenset[str]] = frozenset({"replications", "method", "test", "seed"})

    threshold: str
    regime: Names
    effects: Effects = "twoway"
    thresholds: Thresholds = 1
    trim: Trim = 0.01
    grid: Grid | None = None
    refine: bool | Literal["all"] | None = None
    trim_by: Literal["observations", "values"] | None = None
    boundary: Literal["<=", "<"] = "<="
    drop_last_period: bool | None = None
    cov_type: FixedCov = "clustered"
    replications: Count | None = None
    method: Literal["residual", "wild"] | None = None
    test: ThresholdTest | None = None
    seed: Seed | None = None

    def given(self) -> dict[str, Any]:
        """As for all models; that entities are the clusters is not said to the API."""
        found = super().given()
        return found if self.clusters else {n: v for n, v in found.items() if n != "clusters"}

    @model_validator(mode="after")
    def _one_test(self) -> Threshold:
        if self.test is not None and (self.replications or self.method):
            raise ValueError("replications and method belong into test, which is given too")
        return self


class Quantile(Model):
    """`PanelQuantile`."""

    FIT: ClassVar[frozenset[str]] = frozenset(
        {"quantiles", "method", "cov_type", "replications", "scale_weights", "jackknife"}
    )
    DRAWS: ClassVar[bool] = True

    quantiles: Annotated[list[Share], Field(min_length=1)] | None = None
    effects: Literal["entity", "twoway"] = "entity"
    method: Literal["location-scale", "canay"] = "location-scale"
    cov_type: Literal["bootstrap", "clustered", "robust"] = "bootstrap"
    replications: Count = 300
    scale_weights: bool | None = None
    jackknife: bool | None = None
    seed: Seed | None = None


class Mediation(_Clustered):
    """`Mediation`; the treatment is the policy or the regressor."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("mediators",)
    FIT: ClassVar[frozenset[str]] = Model.FIT | {"replications"}
    OWN: ClassVar[frozenset[str]] = frozenset({"procedure"})
    DRAWS: ClassVar[bool] = True

    mediators: Names
    effects: Effects = "twoway"
    other_effects: Names | None = None
    cov_type: FixedCov = "clustered"
    replications: Count = 1000
    procedure: Literal["wen", "baron-kenny"] = "wen"
    seed: Seed | None = None


class Moderation(_Clustered):
    """`Moderation`; the regressor whose effect depends on the moderator is the first."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("moderator",)

    moderator: str
    effects: Effects = "twoway"
    other_effects: Names | None = None
    centre: bool = False
    cov_type: FixedCov = "clustered"


# ---------------------------------------------------------------- spatial models


class _Weighted(Model):
    spatial: ClassVar[bool] = True
    gaps: ClassVar[bool] = False
    OWN: ClassVar[frozenset[str]] = frozenset({"weights"})
    FIT: ClassVar[frozenset[str]] = Model.FIT | {"cutoff_km", "serial_lags"}

    weights: Names | None = None  # by default all of the study
    effects: str = "twoway"
    cov_type: Literal["asymptotic", "robust", "clustered", "driscoll-kraay", "conley"] = (
        "asymptotic"
    )
    clusters: Names | None = None
    bandwidth: Bandwidth | None = None
    cutoff_km: Kilometres | None = None
    serial_lags: Bandwidth | None = None


class Spatial(_Weighted):
    """Spatial models: `SpatialLag`, `SpatialError`, `SAC`."""

    gaps: ClassVar[bool] = True  # with the option unbalanced, which `loading` asks for
    COLUMNS: ClassVar[tuple[str, ...]] = ("observation_weights",)

    effects: Literal["twoway", "entity", "time", "none", "random"] = "twoway"
    correction: Literal["lee-yu", "none", "bias-corrected", "adjusted-score"] = "lee-yu"
    unbalanced: Literal["submatrix", "renormalised"] | None = None
    observation_weights: str | None = None


class Durbin(Spatial):
    """Those with lags of regressors: `SLX`, `SpatialDurbin`, `SpatialDiD` and so on."""

    durbin: list[str] | None = None


class Dynamic(_Weighted):
    """`DynamicSpatialLag`."""

    effects: Effects = "twoway"
    correction: Literal["lee-yu", "none", "bias-corrected"] = "lee-yu"
    time_lag: bool = True
    space_time_lag: bool = True


class DynamicDurbin(Dynamic):
    """`DynamicSpatialDurbin`."""

    durbin: list[str] | None = None


class SpatialIV(_Weighted):
    """`SpatialIV`."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("endog", "instruments")
    FIT: ClassVar[frozenset[str]] = _Weighted.FIT | {"estimator"}

    endog: Names | None = None
    instruments: Instruments | None = None
    effects: Effects = "twoway"
    durbin: list[str] | None = None
    error: bool = False
    instrument_orders: Count = 2
    estimator: Literal["2sls", "gmm"] = "2sls"

    @model_validator(mode="after")
    def _both(self) -> SpatialIV:
        if (self.endog is None) != (self.instruments is None):
            raise ValueError("endog and instruments belong together: give both, or neither")
        return self


MODELS: dict[str, type[Model]] = {
    "pooled": Pooled,
    "fe": Regression,
    "re": Random,
    "fd": Pooled,
    "iv": IV,
    "gmm_difference": GMM,
    "gmm_system": SystemGMM,
    "quantile": Quantile,
    "threshold": Threshold,
    "mediation": Mediation,
    "moderation": Moderation,
    "sar": Spatial,
    "slx": Durbin,
    "sem": Spatial,
    "sdem": Durbin,
    "sac": Spatial,
    "gns": Durbin,
    "sdm": Durbin,
    "spatial_iv": SpatialIV,
    "dynamic_sar": Dynamic,
    "dynamic_sdm": DynamicDurbin,
    "sdm_did": Durbin,
}


# ---------------------------------------------------------------- the key `models`


class Unknown(Model):
    """A model that there is not."""

    @model_validator(mode="before")
    @classmethod
    def _told(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(f"expected keys below it, found {value!r}")
        name = value.get("model")
        raise ValueError(
            f"unknown model. Expected one of {', '.join(MODELS)}.{suggest(name, list(MODELS))} For "
            "a model under a name of your own add model: fe, or another of these"
        )


def _tag(value: Any) -> str:
    name = value.get("model") if isinstance(value, Mapping) else getattr(value, "model", None)
    return f"@{MODELS[name].__name__}" if isinstance(name, str) and name in MODELS else "@NoModel"


AnyModel = Annotated[
    Annotated[Pooled, Tag("@Pooled")]
    | Annotated[Random, Tag("@Random")]
    | Annotated[Regression, Tag("@Regression")]
    | Annotated[IV, Tag("@IV")]
    | Annotated[GMM, Tag("@GMM")]
    | Annotated[SystemGMM, Tag("@SystemGMM")]
    | Annotated[Quantile, Tag("@Quantile")]
    | Annotated[Threshold, Tag("@Threshold")]
    | Annotated[Mediation, Tag("@Mediation")]
    | Annotated[Moderation, Tag("@Moderation")]
    | Annotated[Spatial, Tag("@Spatial")]
    | Annotated[Durbin, Tag("@Durbin")]
    | Annotated[SpatialIV, Tag("@SpatialIV")]
    | Annotated[Dynamic, Tag("@Dynamic")]
    | Annotated[DynamicDurbin, Tag("@DynamicDurbin")]
    | Annotated[Unknown, Tag("@NoModel")],
    Discriminator(_tag),
]


def _named(value: object) -> object:
    """Names as a mapping to options; each model knows what it is."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        value = {name: {} for name in value}
    if not isinstance(value, Mapping):
        return value
    bad = [name for name in value if isinstance(name, str) and "/" in name]
    if bad:
        raise ValueError(f"the name {bad[0]!r} has a slash, which parts names in the results")
    whole = {k: {} if v is None or v is True else v for k, v in value.items()}
    return {k: {"model": k, **v} if isinstance(v, Mapping) else v for k, v in whole.items()}


ModelsByName = Annotated[dict[str, AnyModel], Before(_named)]

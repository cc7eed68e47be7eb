"""The keys of each kind of weights, and what all parts of a study file are made of.

Unions are told apart by their form (text, list or keys). Their tags begin with ``@``, so that
`loading` can leave them out of the path of a mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic import BeforeValidator as Before

PERIOD = "period"  # in place of a window: the values of each period make its own W
BUNDLED_MEMBERS = "bundled:official"

Islands = Literal["warn", "error", "nearest", "ignore"]
FixedIslands = Literal["warn", "error", "ignore"]
Normalisation = Literal["row", "spectral", "minmax", "none"]
Ties = Literal["error", "cap"]
Number = Annotated[float, Field(gt=0)]


class Keys(BaseModel):
    """A mapping of known keys; anything else is a mistake."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def form(value: object) -> str:
    """The tag of a value: keys, a list, or a single value."""
    if isinstance(value, Mapping | BaseModel):
        return "@keys"
    return "@list" if isinstance(value, list) else "@text"


def _ordered(window: list[Any]) -> list[Any]:
    """A pair whose first element is not after its last."""
    if isinstance(window, list) and len(window) == 2:
        try:
            late = window[0] > window[1]
        except TypeError as error:
            raise ValueError("expected two periods of one kind, such as [2011, 2012]") from error
        if late:
            raise ValueError(f"the first period, {window[0]!r}, is after the last, {window[1]!r}")
    return window


Window = Annotated[list[Any], Field(min_length=2, max_length=2), Before(_ordered)]
OrPeriod = Annotated[
    Annotated[Literal["period"], Tag("@text")] | Annotated[Window, Tag("@list")],
    Discriminator(form),
]
LonLat = Annotated[list[str], Field(min_length=2, max_length=2)]
Points = Annotated[
    Annotated[Literal["centroids"], Tag("@text")] | Annotated[LonLat, Tag("@list")],
    Discriminator(form),
]


def period_text(period: Any) -> str:
    """A period as a file name has it: 2010 also where it is 2010.0, a date without its midnight."""
    if isinstance(period, pd.Timestamp) and period == period.normalize():
        return str(period.date())
    return f"{period:.0f}" if isinstance(period, float) and period % 1 == 0 else str(period)


class _Weights(Keys):
    normalise: Normalisation = "row"

    @property
    def changes(self) -> bool:
        """Whether there is a W for each period."""
        return getattr(self, "window", None) == PERIOD

    def at(self, period: Any) -> Self:
        """What it says of one period."""
        return self.model_copy(update={"window": [period, period]} if self.changes else {})


class Contiguity(_Weights):
    """Shared borders."""

    kind: Literal["queen", "rook"]
    order: Annotated[int, Field(ge=1)] = 1
    inclusive: bool = False
    tolerance: Annotated[float, Field(ge=0)] = 0.0
    islands: Islands = "warn"


class DistanceBand(_Weights):
    """One for pairs within a distance."""

    kind: Literal["distance_band"]
    threshold_km: Number | None = None
    points: Points = "centroids"
    islands: Islands = "warn"


class InverseDistance(_Weights):
    """Distance to a negative power."""

    kind: Literal["inverse_distance"]
    power: Number = 1.0
    cutoff_km: Number | None = None
    points: Points = "centroids"
    islands: Islands = "warn"


class Nearest(_Weights):
    """The k nearest."""

    kind: Literal["knn"]
    k: Annotated[int, Field(ge=1)]
    points: Points = "centroids"


class Kernel(_Weights):
    """A kernel of distance."""

    kind: Literal["kernel"]
    function: Literal["triangular", "parabolic", "bisquare", "cosine", "gaussian"] = "triangular"
    bandwidth_km: Number | None = None
    k: Annotated[int, Field(ge=1)] | None = None
    points: Points = "centroids"
    islands: FixedIslands = "warn"


class Exponential(_Weights):
    """exp(-d / scale)."""

    kind: Literal["exponential"]
    scale_km: Number
    cutoff_km: Number | None = None
    points: Points = "centroids"
    islands: Islands = "warn"


class Economic(_Weights):
    """Inverse gap in an economic column."""

    kind: Literal["economic"]
    column: str
    window: OrPeriod
    ties: Ties = "error"
    cap: Number | None = None


class Nested(_Weights):
    """Geography and economy together."""

    kind: Literal["nested"]
    geo: Annotated[
        Annotated[str, Tag("@text")] | Annotated[Weights, Tag("@keys")], Discriminator(form)
    ] = Field(default_factory=lambda: InverseDistance(kind="inverse_distance"))
    column: str
    window: OrPeriod
    how: Literal["product", "diagonal", "convex"] = "product"
    phi: Annotated[float, Field(ge=0, le=1)] = 0.5
    ties: Ties = "error"
    cap: Number | None = None
    islands: FixedIslands = "warn"


class Gravity(_Weights):
    """Product of masses over a power of distance."""

    kind: Literal["gravity"]
    column: str
    window: OrPeriod
    power: Number = 2.0
    points: Points = "centroids"
    islands: FixedIslands = "warn"


class Agglomeration(_Weights):
    """Members of one agglomeration."""

    kind: Literal["agglomeration"]
    links: Literal["block", "core_periphery"] = "block"
    membership: str = BUNDLED_MEMBERS
    group: str = "agglomeration"
    entity: str = "adcode"
    core: str = "core"
    islands: Islands = "warn"


class Flows(_Weights):
    """An origin-destination table, or the column of a step of the kind co_patents.

    ``window``: periods whose flows are added up, of such a step only.
    """

    kind: Literal["flows"]
    table: str
    origin: str = "origin"
    destination: str = "destination"
    value: str = "value"
    window: OrPeriod | None = None
    measure: Literal["volume", "time"] = "volume"
    symmetric: bool = False
    drop_self: bool = False
    islands: FixedIslands = "warn"


class FromFile(_Weights):
    """Weights from a .gal, .gwt, .csv, .xlsx, .dta, .parquet or .npz file, or one for each period.

    Of several the name has {period} in it, or ``paths`` says which is that of which period.
    """

    kind: Literal["file"]
    path: str | None = None
    paths: Annotated[dict[str, str], Field(min_length=1)] | None = None
    id_column: str | None = None

    @model_validator(mode="after")
    def _names_files(self) -> Self:
        if (self.path is None) == (self.paths is None):
            raise ValueError(
                "give path, such as path: w.gal or, with a file for each period, path: "
                'w_{period}.gal; or paths: {"2010": a.gal, "2011": b.gal}'
            )
        return self

    @property
    def changes(self) -> bool:
        """Whether there is a W for each period."""
        return self.path is None or "{period}" in self.path

    def at(self, period: Any) -> Self:
        """The file of one period."""
        text = period_text(period)
        path = (self.paths or {}).get(text) if self.path is None else self.path
        return self.model_copy(
            update={"path": (path or "").replace("{period}", text), "paths": None}
        )


KINDS: dict[str, type[_Weights]] = {
    "queen": Contiguity,
    "rook": Contiguity,
    "distance_band": DistanceBand,
    "inverse_distance": InverseDistance,
    "knn": Nearest,
    "kernel": Kernel,
    "exponential": Exponential,
    "economic": Economic,
    "nested": Nested,
    "gravity": Gravity,
    "agglomeration": Agglomeration,
    "flows": Flows,
    "file": FromFile,
}


class Unknown(BaseModel):
    """Weights whose kind is absent or unknown: only ``kind`` is judged."""

    kind: Literal[
        "queen", "rook", "distance_band", "inverse_distance", "knn", "kernel", "exponential",
        "economic", "nested", "gravity", "agglomeration", "flows", "file",
    ]  # fmt: skip


def _kind(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    if isinstance(kind, str) and kind in KINDS:
        return f"@{KINDS[kind].__name__}"
    return "@Unknown"


Weights = Annotated[
    Annotated[Contiguity, Tag("@Contiguity")]
    | Annotated[DistanceBand, Tag("@DistanceBand")]
    | Annotated[InverseDistance, Tag("@InverseDistance")]
    | Annotated[Nearest, Tag("@Nearest")]
    | Annotated[Kernel, Tag("@Kernel")]
    | Annotated[Exponential, Tag("@Exponential")]
    | Annotated[Economic, Tag("@Economic")]
    | Annotated[Nested, Tag("@Nested")]
    | Annotated[Gravity, Tag("@Gravity")]
    | Annotated[Agglomeration, Tag("@Agglomeration")]
    | Annotated[Flows, Tag("@Flows")]
    | Annotated[FromFile, Tag("@FromFile")]
    | Annotated[Unknown, Tag("@Unknown")],
    Discriminator(_kind),
]

Nested.model_rebuild()


def entry_changes(entry: Any, named: Mapping[str, Any]) -> bool:
    """Whether an entry gives a W for each period, itself or through the one it is built on."""
    seen: list[str] = []
    while not entry.changes:
        geo = getattr(entry, "geo", None)
        if isinstance(geo, str):
            if geo in seen or geo not in named:  # a mistake that is told elsewhere
                return False
            seen.append(geo)
            geo = named[geo]
        if geo is None:
            return False
        entry = geo
    return True

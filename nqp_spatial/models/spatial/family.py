"""The family of spatial panel models with fixed effects, by (quasi) maximum likelihood.

    y_t = rho W y_t + X_t beta + W X_t theta + mu + tau_t + u_t,   u_t = lambda W u_t + e_t

SAR  theta = lambda = 0     SEM   rho = theta = 0     SDM   lambda = 0     GNS  all free
SLX  rho = lambda = 0       SAC   theta = 0           SDEM  rho = 0
(Elhorst 2014, chapters 2 and 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pandas as pd

from nqp_spatial.models.spatial.model import SpatialModel, Specification
from nqp_spatial.panel.sample import Sample
from nqp_spatial.shared.options import Unpack, shared_options


class _WithLags(SpatialModel):
    """Models with spatial lags of regressors."""

    _chooses_lags: ClassVar[bool] = True

    @shared_options(Specification)
    def __init__(
        self,
        y: pd.Series,
        x: pd.DataFrame,
        graph: Any,
        *,
        durbin: Sequence[str] | None = None,
        durbin_graph: Any = None,
        **options: Unpack[Specification],
    ) -> None:
        sample = Sample.of(y=y, x=x, needs=["x"])
        self._specify(sample, graph, durbin, options, durbin_graph=durbin_graph)


class _WithBoth(SpatialModel):
    """Models with spatial lags of regressors and a spatial error."""

    _chooses_lags: ClassVar[bool] = True

    @shared_options(Specification)
    def __init__(
        self,
        y: pd.Series,
        x: pd.DataFrame,
        graph: Any,
        *,
        durbin: Sequence[str] | None = None,
        durbin_graph: Any = None,
        error_graph: Any = None,
        **options: Unpack[Specification],
    ) -> None:
        sample = Sample.of(y=y, x=x, needs=["x"])
        own = {"durbin_graph": durbin_graph, "error_graph": error_graph}
        self._specify(sample, graph, durbin, options, **own)


class _WithoutLags(SpatialModel):
    """Models without spatial lags of regressors."""

    _chooses_lags: ClassVar[bool] = False

    @shared_options(Specification)
    def __init__(
        self, y: pd.Series, x: pd.DataFrame, graph: Any, **options: Unpack[Specification]
    ) -> None:
        self._specify(Sample.of(y=y, x=x, needs=["x"]), graph, [], options)


class SpatialDurbin(_WithLags):
    """Spatial Durbin model: y_t = rho W y_t + X_t beta + W X_t theta + mu + tau_t + e_t.

    The specification, checked, and nothing estimated yet.

    Parameters
    ----------
    y : Series, shape (n_entities * n_periods,)
        Outcome, indexed by (entity, time) in any row order.
    x : DataFrame, shape (n_entities * n_periods, k)
        Regressors on the same index.
    graph : libpysal Graph or W, or (matrix, ids)
        Weights on exactly the entities of the panel; matched by label, never changed. Or a
        mapping of period to Graph, for weights that change over time.
    durbin : sequence of str, optional
        Regressors that get a spatial lag; None means all, ``[]`` none (the spatial lag model).
    durbin_graph : libpysal Graph or W, or (matrix, ids), optional
        Weights M of these lags, which stay called ``W_...``, by default ``graph`` (``dmat`` of
        xsmle beside its ``wmat``): effects are (I - rho W)^-1 (beta I + theta M). Its rows need
        not sum to one. With one W in all periods, every entity in each, and no random effects.
    effects : {"twoway", "entity", "time", None, "random"}
        Fixed effects; with None a constant is estimated. "random" are entity random effects by
        maximum likelihood; see ``error_components``.
    correction : {"lee-yu", "none", "bias-corrected", "adjusted-score"}
        Of the incidental-parameter bias (Lee and Yu 2010, J. Econometrics 154, 165-185):
        "lee-yu", the transformation approach; "none", exact dummies, as xsmle without ``leeyu``;
        "bias-corrected", the direct estimate with W times demeaned y, corrected analytically
        (Elhorst 2014, section 3.3.4); "adjusted-score", the likelihood whose score has mean zero
        whatever W, gaps and observation weights are [3]_, the same as "lee-yu" where both exist.
        Without fixed effects there is nothing to correct. Where periods differ (the next two
        options, or a mapping of graphs) only "none" and "adjusted-score" apply, and only "none" to
        models with a spatial error.
    unbalanced : {"error", "submatrix", "renormalised"}
        What W is where entities are absent in a period: an error, W among those present, or W
        among those present with each row scaled back to its sum.
    observation_weights : Series, optional
        By (entity, time): the variance of e is sigma2 divided by the weight.

    error_components : {"baltagi", "kkp"}
        With random effects mu and a spatial error: "baltagi", mu is outside it, u = lambda W u + e
        beside mu (Baltagi, Song and Koh 2003); "kkp", both are inside, u = lambda W u + mu + e
        (Kapoor, Kelejian and Prucha 2007, J. Econometrics 140, 97-130; Stata's ``spxtregress, re
        sarpanel``, splm's ``spatial.error="kkp"``).

    Raises
    ------
    DataError
        With the class and labels of what is wrong: missing cells, duplicate keys, an unbalanced
        panel, text, infinite values, ids that differ, constant or collinear regressors.
    WeightsError
        If all weights are zero or some negative.
    NotRowNormalisedError
        If "lee-yu" or "bias-corrected" is asked for with time or two-way effects and W is not
        row-normalised: the transformed model then has no spatial lag of its own.
    OptionError
        For an unknown option or column name.

    References
    ----------
    .. [1] Lee, L. F. and Yu, J. (2010). Estimation of spatial autoregressive panel data models
       with fixed effects. Journal of Econometrics 154, 165-185.
    .. [2] Elhorst, J. P. (2014). Spatial Econometrics. Springer, chapter 3.
    .. [3] Yang, Z. (2018). Unified M-estimation of fixed-effects spatial dynamic models with short
       panels. Journal of Econometrics 205, 423-447.
    """

    _lag, _error = True, False
    counterpart: ClassVar[str | None] = "spreg"
    _model_name: ClassVar[str] = "Spatial Durbin model"


class SpatialLag(_WithoutLags):
    """Spatial autoregressive model (SAR): y_t = rho W y_t + X_t beta + mu + tau_t + e_t.

    Parameters, errors and references as for :class:`SpatialDurbin`, without ``durbin``.
    """

    _lag, _error = True, False
    counterpart: ClassVar[str | None] = "spreg"
    _model_name: ClassVar[str] = "Spatial lag model"


class SLX(_WithLags):
    """Spatial lags of regressors only: y_t = X_t beta + W X_t theta + mu + tau_t + e_t.

    Least squares. The indirect effect of a regressor is theta times the mean row sum of W, and W
    need not be row-normalised. Parameters as for :class:`SpatialDurbin`.
    """

    _lag, _error = False, False
    counterpart: ClassVar[str | None] = "spreg"
    _model_name: ClassVar[str] = "Spatial lag of X model"


class SpatialError(_WithoutLags):
    """Spatial error model (SEM): y_t = X_t beta + mu + tau_t + u_t, u_t = lambda W u_t + e_t.

    It has no spillovers: indirect effects are zero, not missing. With time effects the rows of W
    must sum to one. Parameters as for :class:`SpatialDurbin`, without ``durbin``.
    """

    _lag, _error = False, True
    counterpart: ClassVar[str | None] = "spreg"
    _model_name: ClassVar[str] = "Spatial error model"


class SpatialDurbinError(_WithBoth):
    """Spatial Durbin error model (SDEM): SLX with u_t = lambda W u_t + e_t.

    Effects are those of SLX: local, without feedback. With time effects the rows of W must sum to
    one. Parameters as for :class:`SpatialDurbin`.

    Parameters
    ----------
    error_graph : libpysal Graph or W, or (matrix, ids), optional
        Weights of the error, by default ``graph``.
    """

    _lag, _error = False, True
    counterpart: ClassVar[str | None] = "spreg"
    _model_name: ClassVar[str] = "Spatial Durbin error model"


class SAC(_WithoutLags):
    """Spatial autoregressive combined model (SAC, SARAR): rho and lambda.

    The likelihood may have several local maxima; the search looks at a grid of lambda first. With
    time effects the rows of W must sum to one. Parameters as for :class:`SpatialDurbin`, without
    ``durbin`` and its graph.

    Parameters
    ----------
    error_graph : libpysal Graph or W, or (matrix, ids), optional
        Weights M of the error, u_t = lambda M u_t + e_t; by default ``graph`` (``emat`` of xsmle
        beside its ``wmat``).
    """

    _lag, _error = True, True
    _model_name: ClassVar[str] = "Spatial autoregressive combined model"

    @shared_options(Specification)
    def __init__(
        self,
        y: pd.Series,
        x: pd.DataFrame,
        graph: Any,
        *,
        error_graph: Any = None,
        **options: Unpack[Specification],
    ) -> None:
        sample = Sample.of(y=y, x=x, needs=["x"])
        self._specify(sample, graph, [], options, error_graph=error_graph)


class GNS(_WithBoth):
    """General nesting spatial model: SDM with u_t = lambda W u_t + e_t.

    Its parameters are weakly identified (Elhorst 2014, p. 32): rho and lambda are hard to tell
    apart when every regressor has a lag. In simulations with 49 entities and 5 periods they are
    exchanged in up to two panels of five (docs/monte_carlo_family.md). With time effects the rows
    of W must sum to one. Parameters as for :class:`SpatialDurbin`.

    Parameters
    ----------
    error_graph : libpysal Graph or W, or (matrix, ids), optional
        Weights of the error, by default ``graph``.
    """

    _lag, _error = True, True
    _model_name: ClassVar[str] = "General nesting spatial model"

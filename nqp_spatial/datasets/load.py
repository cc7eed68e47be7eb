"""Bundled data: where it lies, and simulated panels with a known truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nqp_spatial.exceptions import OptionError
from nqp_spatial.shared.bundled import bundled
from nqp_spatial.shared.messages import suggest

if TYPE_CHECKING:
    import pandas as pd

    from nqp_spatial.panel.panel import PanelData

# The simulations read polygons, which is slow to import: so they are imported where they are used.


def load_simulated_clusters(seed: int = 0) -> pd.DataFrame:
    """Simulated city-year panel on the real cities and pilots of the cluster study [1]_.

    Real: the 277 prefecture-level cities (without municipalities and the cities of Hainan,
    Qinghai, Xinjiang and Tibet), the years, and who was treated when - 52 pilots, treated from
    2013, 2015 or 2018, because a pilot approved after July counts from the next year.
    Everything else is drawn at random: the outcome from a two-way spatial Durbin model under
    row-normalised queen contiguity, with rho = 0.3632 and average effects of ``did`` of exactly
    0.0151 (direct) and 0.0079 (indirect), as printed in the study's table 8; the controls with
    the means and standard deviations of its table 2; 17 indicators whose entropy index
    follows the outcome. That pair of effects leaves almost nothing to theta: W did has a
    coefficient of 0.00004, and its estimate a standard error of about 0.006.

    What else the study needs comes after that, by a random stream of its own, and leaves the rest
    as it is. Other policies are not in the outcome. Mechanisms m are: the part
    (slope + more did) (m - mean) of each stands in its error, and what they leave of the error is
    uncorrelated with them. Effects are the same in every group of cities.

    Parameters
    ----------
    seed : int, >= 0
        Another seed, another sample; the truth stays the same.

    Returns
    -------
    DataFrame, shape (3324, 40)
        Index (city, year): adcode 130100 ... and 2011 ... 2022. Columns:

        - ``did`` 1 from the first treated year, ``first_treated`` (missing if never);
        - ``nqp`` the outcome (mean 0.2825, sd 0.0576, skewed to the right);
        - ``edu``, ``fin``, ``urb``, ``eco`` (log of GDP per head), ``ope``, ``mar``: controls;
        - ``gdp_pc`` GDP per head in yuan, exp(eco);
        - the indicators of ``indices/nqp_indicators.yaml``;
        - ``province`` and ``latitude`` of the city, which are real;
        - ``startup_base``, ``ip_pilot``, ``big_data``: other policies, 1 from their year on;
        - ``old_brands``, ``colleges_1985``: counts that do not change, more in pilots; times a
          trend they are instruments;
        - ``quality``, ``human_capital``, ``services``: mechanisms;
        - ``capital``, ``labour``, ``output``: a frontier output = a K^0.4 L^0.6, where a grows by
          three per cent a year, and cities below it.

        ``attrs["truth"]`` holds rho, beta, theta, sigma, W in words, ``direct``, ``indirect`` and
        ``total`` of did, ``effects`` of every variable, ``mechanisms`` (mean, slope and
        more_where_did of each), ``policies`` (zero) and ``technical_change``;
        ``attrs["simulated"]`` is True.

    Raises
    ------
    OptionError
        ``seed`` is not a whole number of zero or more.

    References
    ----------
    .. [1] Li, X. and Wei, Q. (2025). How can innovative industrial clusters improve new quality
       productive forces? Journal of Nanjing University of Finance and Economics 1, 12-22.
    """
    from nqp_spatial.datasets.clusters import simulate_clusters

    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise OptionError(f"seed={seed!r} must be a whole number of 0 or more, such as seed=0.")
    return simulate_clusters(seed)


def load_castle() -> PanelData:
    """Real panel: castle-doctrine laws and homicide, 48 US states, 2000-2010, with polygons.

    Twenty states, all but Alaska of those that extended the right to self-defence between 2005
    and 2009, are treated (Cheng and Hoekstra 2013 [1]_); Alaska and Hawaii, which touch no other
    state, are left out. Origin, licences and changes: ``shapefiles/us_states/SOURCE.md``.

    Returns
    -------
    PanelData
        ``.frame``, shape (528, 15): index (state, year) with postal codes; ``post`` (1 from the
        first full year of the law), ``first_treated`` (missing if never), ``l_homicide`` (log of
        homicides per 100,000 residents) and ``homicide``; ``l_larceny``, ``l_motor``;
        ``unemployrt`` and ``poverty`` in per cent; ``l_income``, ``l_police``, ``l_prisoner``,
        ``l_lagprisoner``, ``l_exp_subsidy``, ``l_exp_pubwelfare`` in logs; ``popwt`` (mean
        population). ``.polygons``: 48 outlines, EPSG:4326, for neighbours and maps.

    References
    ----------
    .. [1] Cheng, C. and Hoekstra, M. (2013). Does strengthening self-defense law deter crime or
       escalate violence? Journal of Human Resources 48, 821-854.
    """
    import geopandas as gpd
    import pandas as pd

    from nqp_spatial.panel.panel import PanelData

    frame = pd.read_csv(bundled("us_states", "castle.csv"), dtype={"first_treated": "Int64"})
    polygons = gpd.read_file(bundled("us_states", "states.shp")).set_index("state")
    return PanelData.from_frame(frame, entity="state", time="year", polygons=polygons)


def __getattr__(name: str) -> Any:
    """`simulate_durbin` and `DurbinTruth`, imported when asked for."""
    if name in ("simulate_durbin", "DurbinTruth"):
        from nqp_spatial.datasets import durbin

        return getattr(durbin, name)
    raise AttributeError(
        f"module {__name__!r} has no attribute {name!r}."
        + suggest(name, [*globals(), "simulate_durbin", "DurbinTruth"])
    )

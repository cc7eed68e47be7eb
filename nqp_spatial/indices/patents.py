"""Joint patent applications: co-patents of cities, per head, and flows between cities."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import DataError, MissingValuesError, OptionError
from nqp_spatial.panel.sample import one_column
from nqp_spatial.results import Calculation, Frame
from nqp_spatial.shared import checks
from nqp_spatial.shared.checks import refuse
from nqp_spatial.shared.frames import table_of
from nqp_spatial.shared.ids import type_hint
from nqp_spatial.shared.membership import members
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import notes_of
from nqp_spatial.shared.options import check_options


@dataclass(frozen=True, eq=False, repr=False)
class CoPatents(Calculation):
    """Co-patents of cities and what was counted.

    Attributes
    ----------
    counts : Series, index (city, time), named ``co_patents``
        Zero where a city has none in a period.
    flows : DataFrame
        ``origin``, ``destination``, ``time``, ``value``: each pair of cities once, in the order of
        their labels; pairs without joint application have no row.
    report : Series
        ``applications``, ``of one city`` (not joint), ``joint``, ``counted`` (joint between cities
        that count), ``not counted`` (joint, but across groups or with outside cities only),
        ``repeated rows`` (a city named more than once in one application; counted once).
    left_out : Index
        Cities of the table that are not among ``entities``.
    notes : tuple of str
        What the table says that readers must be told.
    """

    what = "Co-patents"

    counts: pd.Series
    flows: pd.DataFrame
    report: pd.Series
    left_out: pd.Index
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """The counts."""
        return self.counts.to_frame()

    @property
    def facts(self) -> Mapping[str, float]:
        """What was counted."""
        return {str(name): float(number) for name, number in self.report.items()}

    @property
    def frames(self) -> Mapping[str, Frame]:
        """What was counted, and flows between cities over all periods."""
        counted = self.report.rename("number").rename_axis("co-patents").to_frame()
        return self._titled({"co-patents": counted, "flows": self.flow_table()})

    def per_head(self, population: pd.Series, *, scale: float = 1.0) -> pd.Series:
        """Counts over population, times ``scale``; on the rows of the counts.

        Parameters
        ----------
        population : Series, index (city, time)
            Above zero; persons with ``scale=1e4`` give co-patents per 10 000 persons.
        """
        people = one_column(population, role="population")
        refuse(people, people <= 0, "zero or negative")
        absent = self.counts.index.difference(people.index)
        if len(absent):
            raise MissingValuesError(
                f"{people.name!r} has no value for {len(absent)} (city, time) pairs, first "
                f"{first(absent, 3)}. Complete it, or count with entities= and periods= of yours."
            )
        per = self.counts / people.loc[self.counts.index].to_numpy() * scale
        return per.rename("co_patents_per_head")

    def tally(self) -> pd.DataFrame:
        """The report as a frame, with how many cities were left out."""
        outside = pd.Series({"cities outside the panel": len(self.left_out)})
        counts = pd.concat([self.report, outside])
        return counts.rename("number").rename_axis("co-patents").to_frame()

    def flow_table(self, window: tuple[object, object] | None = None) -> pd.DataFrame:
        """Flows summed over the periods of a window, both ends included, or over all.

        Returns
        -------
        DataFrame
            ``origin``, ``destination``, ``value``, for ``weights.flows(table, symmetric=True)``.
        """
        rows = self.flows
        if window is not None:
            rows = rows[rows["time"].between(*window)]
            if rows.empty:
                raise OptionError(f"window={window!r} holds no flow.")
        total = rows.groupby(["origin", "destination"], sort=True)["value"].sum()
        return total.reset_index()

    @property
    def headline(self) -> str:
        """Whose they are."""
        return f"Co-patents of {self.counts.index.levels[0].size} cities"

    def _told(self) -> str:
        """What was counted."""
        return str(self.report.to_string())


def co_patents(
    table: pd.DataFrame,
    *,
    application: str = "application",
    city: str = "city",
    time: str = "year",
    groups: pd.Series | pd.DataFrame | None = None,
    entities: Iterable[Hashable] | None = None,
    periods: Iterable[Hashable] | None = None,
    counting: Literal["full", "fractional"] = "full",
) -> CoPatents:
    """Count joint applications of cities.

    Parameters
    ----------
    table : DataFrame, one row per (application, applicant)
    application, city, time : str
        Columns: an application's number, an applicant's city, the period.
    groups : Series indexed by entity, or membership table, optional
        Count only cooperation between cities of one agglomeration.
    entities, periods : iterable of labels, optional
        Cities and periods of the counts (zero where nothing is found); default: all in the table.
        Other cities are no partners and are listed in ``left_out``; applications of other periods
        are not read.
    counting : {"full", "fractional"}
        "full": an application counts one for each city that cooperates in it, and one for each
        pair of them. "fractional": it counts 1 / n for each of its n cities, and 1 / (n (n-1) / 2)
        for each pair, so that large consortia do not dominate. With groups an application is
        split per group.

    Returns
    -------
    CoPatents

    Raises
    ------
    DataError
        Absent columns, an empty table, an application with two periods, no joint application.
    MissingValuesError
        Empty cells in the three columns.
    """
    check_options(co_patents, counting=counting)
    table = table_of(table, "table")
    rows = _checked(table, application, city, time)
    cities = pd.Index(rows["city"].unique() if entities is None else list(entities))
    times = pd.Index(rows["time"].unique() if periods is None else list(periods))
    cities, times = _in_order(cities, city), _in_order(times, time)
    for name, wanted, option in (("city", cities, "entities"), ("time", times, "periods")):
        there = pd.Index(rows[name].unique())
        if not there.isin(wanted).any():
            raise DataError(
                f"None of {option}= is in the table: it has {first(there, 3)}, {option}= has "
                f"{first(wanted, 3)}. {type_hint(there, wanted)}".rstrip()
            )
    rows = rows[rows["time"].isin(times)]
    if not rows["city"].isin(cities).any():
        raise DataError("No application of periods= has a city of entities=.")
    once = rows.drop_duplicates()
    n_cities = once.groupby("application")["city"].size()
    inside = once[once["city"].isin(cities)]
    teams = _teams(inside, groups)
    index = pd.MultiIndex.from_product([cities, times], names=[city, time])
    counted = teams["application"].nunique()
    joint = int((n_cities > 1).sum())
    if not counted:
        raise DataError(
            f"None of {len(n_cities)} applications is joint between cities that count. Is "
            f"{application!r} the number that joint applicants share?"
        )
    return CoPatents(
        counts=_city_counts(teams, counting).reindex(index, fill_value=0.0).rename("co_patents"),
        flows=_pair_flows(teams, counting),
        report=pd.Series(
            {
                "applications": len(n_cities),
                "of one city": int((n_cities == 1).sum()),
                "joint": joint,
                "counted": counted,
                "not counted": joint - counted,
                "repeated rows": len(rows) - len(once),
            }
        ),
        left_out=pd.Index(once["city"].unique()).difference(cities),
        notes=notes_of(table),
    )


def _checked(table: pd.DataFrame, application: str, city: str, time: str) -> pd.DataFrame:
    """Columns ``application``, ``city``, ``time``, complete, one period per application."""
    names = [application, city, time]
    checks.columns_exist(table, names)
    if table.empty:
        raise DataError("The table of applications is empty.")
    for name in names:
        if (empty := table[name].isna()).any():
            raise MissingValuesError(
                f"{name!r} is empty in {int(empty.sum())} row(s) of the table, first "
                f"{first(table.index[empty], 3)}. Fill or drop them."
            )
    rows = table[names].set_axis(["application", "city", "time"], axis=1)
    for name in rows:
        if isinstance(kind := rows[name].dtype, pd.CategoricalDtype):
            rows[name] = rows[name].astype(kind.categories.dtype)
    spans = rows.groupby("application")["time"].nunique()
    if (spans > 1).any():
        raise DataError(
            f"{int((spans > 1).sum())} applications have more than one {time!r}, first "
            f"{first(spans.index[spans > 1], 3)}. Keep one date for each application."
        )
    return rows


def _in_order(labels: pd.Index, column: str) -> pd.Index:
    """Sorted labels, each once."""
    try:
        return labels.unique().sort_values()
    except TypeError as error:
        kinds = {type(label).__name__: label for label in labels}
        raise DataError(
            f"{column!r} has labels of several types, such as {first(kinds.values())}: they have "
            f"no order. Make them text: table[{column!r}] = table[{column!r}].astype(str)."
        ) from error


def _teams(rows: pd.DataFrame, groups: pd.Series | pd.DataFrame | None) -> pd.DataFrame:
    """Rows of applications with two cities or more (of one group), with the team and its size."""
    if groups is None:
        teams = rows.assign(team=rows["application"])
    else:
        labels = members(groups)
        label = pd.DataFrame({"city": labels.index, "group": labels.to_numpy()})
        teams = rows.merge(label, on="city")
        teams["team"] = pd.MultiIndex.from_frame(teams[["application", "group"]]).to_flat_index()
    teams["team"] = pd.factorize(teams["team"])[0]
    teams["size"] = teams.groupby("team")["city"].transform("size")
    return teams[teams["size"] > 1]


def _city_counts(teams: pd.DataFrame, counting: str) -> pd.Series:
    """A city that meets a partner in two groups in one application counts it once."""
    if counting == "full":
        rows = teams.drop_duplicates(["application", "city"]).assign(value=1.0)
    else:
        n_teams = teams.groupby("application")["team"].transform("nunique")
        rows = teams.assign(value=1.0 / teams["size"] / n_teams)
    return rows.groupby(["city", "time"])["value"].sum()


def _pair_flows(teams: pd.DataFrame, counting: str) -> pd.DataFrame:
    """Value of each pair of cities and period."""
    n_teams = teams.groupby("application")["team"].transform("nunique")
    share = 1.0 / (teams["size"] * (teams["size"] - 1) / 2) / n_teams
    left = teams.assign(value=np.where(counting == "full", 1.0, share))
    pairs = left.merge(teams[["team", "city"]], on="team", suffixes=("", "_2"))
    pairs = pairs[pairs["city"] < pairs["city_2"]]
    if counting == "full":
        pairs = pairs.drop_duplicates(["application", "city", "city_2"])
    total = pairs.groupby(["city", "city_2", "time"], sort=True)["value"].sum().reset_index()
    return total.set_axis(["origin", "destination", "time", "value"], axis=1)

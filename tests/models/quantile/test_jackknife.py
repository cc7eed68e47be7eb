"""PanelQuantile(jackknife=True) against half panels fitted one by one, and what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from nqp_spatial.core.linear import bootstrap
from nqp_spatial.exceptions import DataError, EstimationError, OptionError
from nqp_spatial.models.quantile.model import PanelQuantile

pytestmark = pytest.mark.filterwarnings("ignore:The fitted scale is not positive")

TAUS = (0.2, 0.5, 0.9)
CITIES = [f"c{i:02d}" for i in range(22)]


def panel(lengths, seed=4):
    """Cities whose periods begin in 2001 and last as ``lengths`` say."""
    rng = np.random.default_rng(seed)
    pairs = zip(CITIES, lengths, strict=True)
    rows = [(city, year) for city, last in pairs for year in range(2001, 2001 + last)]
    index = pd.MultiIndex.from_tuples(rows, names=["city", "year"])
    mu = pd.Series(rng.uniform(size=len(CITIES)), CITIES).reindex(index.get_level_values(0))
    a, b = rng.exponential(size=(2, len(index)))
    u = rng.normal(size=len(index))
    y = mu.to_numpy() + a - b + (1 + 0.5 * a + 0.2 * b + 0.5 * mu.to_numpy()) * u
    return pd.DataFrame({"y": y, "a": a, "b": b}, index)


def plain(frame, effects="entity"):
    model = PanelQuantile(frame["y"], frame[["a", "b"]], effects=effects)
    return everything(model.fit(TAUS, cov_type="robust"))


def everything(found):
    """Location, scale, then q and slopes of each quantile."""
    rows = [np.r_[found.q[tau], found.params[tau]] for tau in TAUS]
    return np.concatenate([found.location.params, found.scale.params, *rows])


def of_years(frame, keep):
    """The rows whose place among the city's own satisfies ``keep(place, number)``."""
    place = frame.groupby(level=0).cumcount()
    number = frame.groupby(level=0)["y"].transform("size")
    return frame[keep(place, number)]


def by_hand(frame, effects="entity"):
    """Twice the estimate less the mean of halves, by rows; over both splits if one is odd."""
    means = []
    odd = (frame.groupby(level=0).size() % 2).any()
    for up in [1, 0] if odd else [1]:
        first = of_years(frame, lambda place, n, up=up: place < (n + up) // 2)
        second = of_years(frame, lambda place, n, up=up: place >= (n + up) // 2)
        means.append(sum(len(part) / len(frame) * plain(part, effects) for part in (first, second)))
    return 2 * plain(frame, effects) - np.mean(means, axis=0)


UNEVEN = [6, 7, 8, 9, 10, 11, 8, 6, 7, 9, 12, 8, 8, 7, 6, 10, 9, 8, 12, 11, 6, 8]


@pytest.mark.slow
@pytest.mark.parametrize("lengths", [[8] * 22, [7] * 22, UNEVEN], ids=["even", "odd", "uneven"])
@pytest.mark.parametrize("effects", ["entity", "twoway"])
def test_the_correction_equals_half_panels_fitted_one_by_one(lengths, effects):
    frame = panel(lengths)
    model = PanelQuantile(frame["y"], frame[["a", "b"]], effects=effects)
    found = model.fit(TAUS, jackknife=True, replications=20)
    expected = by_hand(frame, effects)
    assert_allclose(everything(found), expected, rtol=1e-9, atol=1e-10)
    assert not np.allclose(expected, plain(frame, effects), rtol=0.01)


def test_odd_panels_weigh_their_halves_by_length():
    """Seven periods: 4/7 and 3/7, then 3/7 and 4/7 (Dhaene and Jochmans 2015), written out."""
    frame = panel([7] * 22)
    year = frame.index.get_level_values(1)
    four, three = plain(frame[year <= 2004]), plain(frame[year > 2004])
    short, long = plain(frame[year <= 2003]), plain(frame[year > 2003])
    mean = (4 / 7 * four + 3 / 7 * three + 3 / 7 * short + 4 / 7 * long) / 2
    found = PanelQuantile(frame["y"], frame[["a", "b"]]).fit(TAUS, jackknife=True, replications=20)
    assert_allclose(everything(found), 2 * plain(frame) - mean, rtol=1e-9)


@pytest.mark.slow
def test_every_draw_of_the_bootstrap_is_corrected():
    """Each draw written out as a panel of its own, cities drawn twice under two names."""
    frame = panel(UNEVEN)
    model = PanelQuantile(frame["y"], frame[["a", "b"]])
    found = model.fit(TAUS, jackknife=True, replications=20, seed=5)
    entity = np.asarray(frame.index.codes[0], dtype=np.int64)
    rows = []
    for seed in np.random.SeedSequence(5).spawn(20):
        times = pd.Series(bootstrap.draw(entity, seed), frame.index).groupby(level=0).first()
        copies = [
            frame.loc[[city]].rename(index={city: f"{city}-{k}"}, level=0)
            for city, count in times.items()
            for k in range(int(count))
        ]
        rows.append(by_hand(pd.concat(copies))[4:])
    expected = np.cov(np.array(rows), rowvar=False)
    slopes = [j for j in range(3 * len(TAUS)) if j % 3]
    assert_allclose(found.cov, expected[np.ix_(slopes, slopes)], rtol=1e-7, atol=1e-12)
    again = model.fit(TAUS, jackknife=True, replications=20, seed=5, n_jobs=2)
    assert_array_equal(again.cov, found.cov)


@pytest.mark.parametrize("lengths", [[6] * 5, [7] * 5, [6, 7, 9, 12, 20]])
def test_a_bias_of_one_over_periods_is_taken_off_whole(lengths):
    """Each entity adds b / T_i to a mean over rows: n (theta) = sum of T_i (truth + b / T_i)."""
    entity = np.repeat(np.arange(5), lengths)
    truth, b = 3.0, np.array([2.0, -1.0, 0.5, 4.0, 1.0])

    def biased(rows):
        counts = np.bincount(entity[rows], minlength=5)
        return np.array([(counts * truth + b).sum() / counts.sum()])

    every = np.ones(len(entity), dtype=bool)
    splits = bootstrap.halves(entity)
    assert len(splits) == (1 if lengths == [6] * 5 else 2)
    found = bootstrap.jackknife(biased(every), splits, every.astype(float), biased)
    assert abs(biased(every)[0] - truth) > 0.1
    assert_allclose(found, truth, rtol=1e-12)


def test_fitted_values_keep_the_means_of_cities():
    frame = panel(UNEVEN)
    model = PanelQuantile(frame["y"], frame[["a", "b"]])
    before = model.fit(TAUS, cov_type="clustered")
    after = model.fit(TAUS, jackknife=True, replications=20)
    for tau in TAUS:
        one, other = before.quantile(tau), after.quantile(tau)
        means = [res.fitted.groupby(level=0).mean() for res in (one, other)]
        assert_allclose(means[1], means[0], rtol=1e-10)
        left = other.fitted - frame[["a", "b"]] @ other.params
        assert left.groupby(level=0).std().max() < 1e-10
        assert_allclose(other.fitted + other.resids, frame["y"], rtol=1e-12)
    for name in ("location", "scale"):
        left = getattr(after, name).fitted - frame[["a", "b"]] @ getattr(after, name).params
        assert left.groupby(level=0).std().max() < 1e-10


def test_what_is_told():
    frame = panel([8] * 22)
    model = PanelQuantile(frame["y"], frame[["a", "b"]])
    found = model.fit((0.5,), jackknife=True, replications=20)
    assert found.jackknife and found.provenance["options"]["jackknife"] is True
    assert "(moments, half-panel jackknife): y" in found.summary()
    assert "half-panel jackknife" in found.quantile(0.5).summary()
    for cited in (found, found.quantile(0.5), found.scale):
        assert "Dhaene" in cited.cite() and "Machado" in cited.cite()
    without = model.fit((0.5,), replications=20)
    assert not without.jackknife and "Dhaene" not in without.cite()
    assert "jackknife" not in without.summary()


# what is refused -----------------------------------------------------------------------------


def test_entities_of_few_periods_are_named():
    frame = panel([8] * 20 + [5, 4])
    with pytest.raises(DataError, match="2 entities have fewer, first 'c20', 'c21'"):
        PanelQuantile(frame["y"], frame[["a"]]).fit((0.5,), jackknife=True)


def test_entities_that_only_their_categories_have_are_none():
    frame = panel([8] * 22)
    names, years = (frame.index.get_level_values(i) for i in (0, 1))
    labels = pd.CategoricalIndex(names, categories=[*names.unique(), "elsewhere"])
    index = pd.MultiIndex.from_arrays([labels, years], names=frame.index.names)
    expected, found = (
        PanelQuantile(f["y"], f[["a"]]).fit((0.5,), jackknife=True, replications=20)
        for f in (frame, frame.set_axis(index))
    )
    pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame())


def test_a_policy_that_begins_in_the_second_half_is_named():
    frame = panel([8] * 22)
    began = (frame.index.get_level_values(1) >= 2006) & (frame.index.codes[0] % 2 == 0)
    model = PanelQuantile(frame["y"], frame[["a"]].assign(did=began.astype(float)))
    assert model.fit((0.5,), cov_type="clustered").nobs == 176
    with pytest.raises(EstimationError, match="'did' does not vary in a half of the periods"):
        model.fit((0.5,), jackknife=True, replications=20)
    before = 0.1 + 0.0 * began + 0.2 * (frame.index.get_level_values(1) <= 2002)
    model = PanelQuantile(frame["y"], frame[["a"]].assign(early=before))
    with pytest.raises(EstimationError, match="'early' does not vary in a half"):  # 0.1 throughout
        model.fit((0.5,), jackknife=True, replications=20)


def test_options_that_do_not_go_together():
    frame = panel([8] * 22)
    model = PanelQuantile(frame["y"], frame[["a"]])
    with pytest.raises(OptionError, match="jackknife=True belongs to method='location-scale'"):
        model.fit((0.5,), jackknife=True, method="canay")
    for cov_type in ("clustered", "robust"):
        with pytest.raises(OptionError, match="without jackknife=True.*cov_type='bootstrap'"):
            model.fit((0.5,), jackknife=True, cov_type=cov_type)


# Monte Carlo ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_takes_the_bias_off_outer_deciles_in_ten_periods():
    """The panels of benchmarks/monte_carlo_quantile_mediation.py, normal errors, 200 times."""
    rng, errors = np.random.default_rng(9), {False: [], True: []}
    size = np.sqrt(2 / np.pi)
    truth = 1 + 0.5 * np.array([-1.2815515655, 1.2815515655]) / size
    index = pd.MultiIndex.from_product([range(50), range(10)], names=["city", "year"])
    for _ in range(200):
        mu = rng.uniform(size=(50, 1))
        x = mu + rng.chisquare(1, (50, 10)) / np.sqrt(2)
        y = mu + x + (1 + 0.5 * x + 0.5 * mu) * rng.normal(size=(50, 10)) / size
        frame = pd.DataFrame({"y": y.ravel(), "x": x.ravel()}, index)
        model = PanelQuantile(frame["y"], frame[["x"]])
        for jackknife, rows in errors.items():
            found = model.fit((0.1, 0.9), jackknife=jackknife, replications=20)
            rows.append(found.params.loc["x"].to_numpy() - truth)
    bias = {key: np.mean(rows, axis=0) for key, rows in errors.items()}
    error = {key: np.std(rows, axis=0) / np.sqrt(200) for key, rows in errors.items()}
    assert (bias[False] * [1, -1] > 4 * error[False]).all()  # towards the median
    assert (abs(bias[True]) < 3 * error[True]).all()
    assert (abs(bias[True]) < abs(bias[False]) / 2).all()

"""A simulated panel with entities of unequal length: writes gmm_data.csv.

y = 0.6 y[-1] + 0.5 x + 0.3 v + mu + tau + e, x answers to the last e, v is exogenous, s is
constant within entities; 60 entities, at most 9 periods. Rows with hole = 1 are those that tests
leave out for a panel with gaps. Made with numpy 2.4; the CSV is the datum.
"""

from pathlib import Path

import numpy as np
import pandas as pd

rng = np.random.default_rng(20)
n, T, burn = 60, 9, 30
mu, tau = rng.normal(size=n), 0.3 * rng.normal(size=T + burn)
y, x, before = mu / 0.4, np.zeros(n), np.zeros(n)
s = rng.normal(size=n) + 0.5 * mu
lines = []
for t in range(T + burn):
    e = rng.normal(size=n) * np.exp(0.3 * rng.normal(size=n))
    v = 0.5 * rng.normal(size=n) + 0.2 * np.sin(t)
    x = 0.5 * x + 0.4 * before + 0.3 * mu + rng.normal(size=n)
    y = 0.6 * y + 0.5 * x + 0.3 * v + 0.2 * s + mu + tau[t] + e
    before = e
    lines += [(i + 1, 2000 + t - burn, *c) for i, c in enumerate(zip(y, x, v, s, strict=True))]
frame = pd.DataFrame(lines, columns=["id", "year", "y", "x", "v", "s"])
frame = frame[frame.year >= 2000].sort_values(["id", "year"])
frame["hole"] = (rng.uniform(size=len(frame)) < 0.06).astype(int)
late = frame.year < 2000 + rng.integers(0, 3, n)[frame.id - 1]
early = frame.year > 2008 - rng.integers(0, 3, n)[frame.id - 1]
frame = frame[~(late | early)].round(6)
frame.to_csv(Path(__file__).with_suffix(".csv"), index=False)

"""The law of the Dickey-Fuller t in long series, computed, not simulated.

    python benchmarks/dickey_fuller.py            writes core/linear/unit_root_t.csv
    python benchmarks/dickey_fuller.py --check    compares with long simulated random walks

In the limit t is N / sqrt(D), N and D the integrals of W dW and of W^2 for a Wiener process W less
nothing, its mean, or its linear trend. Let a and b be W's values at the two ends. Then

    none:              N = (b^2 - 1) / 2,              a = 0
    constant, trend:   N = (s d - 1) / 2,              s = b + a, d = b - a

Time reversed about its middle, W splits into an even and an odd part, which are independent; s
belongs to the one and d to the other, and D is the sum of both parts' integrals. Each part is a
Gaussian process with one value fixed, so that E[exp(-r D); s, d] is the product of two normal
densities times constants, all of hyperbolic functions of sqrt(r); the product p = s d of two
independent normals has the density K0(|p| / sqrt(v w)) / (pi sqrt(v w)). For c < 0

    P(t < c) = integral over p < 1 of P(D < (1 - p)^2 / (4 c^2), p),

where P(D < y, p) is an inverse Laplace transform, taken along a parabola through the saddle point,
which keeps the relative precision of small probabilities. For c > 0 likewise P(t > c), with p > 1.

Two refinements of both quadratures change nothing in the eleventh decimal. The sources of the
transforms are classical (Cameron and Martin 1945; White 1958, Annals of Mathematical Statistics 29,
1188-1197; Nabeya and Tanaka 1990, Econometrica 58, 145-163; Abadir 1995, Econometric Theory 11,
775-793); MacKinnon (1996, J. Applied Econometrics 11, 601-618) simulated the same law.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy import special, stats

OUT = Path(__file__).parents[1] / "nqp_spatial" / "core" / "linear" / "unit_root_t.csv"
TRENDS = ("none", "constant", "trend")
GRID = np.round(np.r_[np.arange(-20, -6, 0.5), np.arange(-6, 4, 0.05), np.arange(4, 10.1, 0.5)], 2)
FARTHEST = 100.0  # of |s d|, and with ``none`` of b^2, beyond which nothing is left


def log_sinhc(k):
    """log(sinh k / k), k complex."""
    return k + np.log1p(-np.exp(-2 * k)) - np.log(2 * k)


def log_cosh(k):
    return k + np.log1p(np.exp(-2 * k)) - np.log(2)


def even_variance(k):
    """(k coth k - 1) / k^2: of s, tilted."""
    k2 = k * k
    with np.errstate(all="ignore"):
        closed = (k / np.tanh(k) - 1) / k2
    return np.where(np.abs(k) < 0.1, 1 / 3 - k2 / 45 + 2 * k2**2 / 945 - k2**3 / 4725, closed)


def odd_part(k, trend):
    """Log of the constant and variance of d, tilted."""
    if trend == "constant":
        return -log_cosh(k) / 2, np.tanh(k) / k
    k2 = k * k
    series = [2 / 5, -17 / 105, 62 / 945, -1382 / 51975, 21844 / 2027025]
    shortfall = sum(c * k2**j for j, c in enumerate(series))  # (1 - q) / k^2
    small = np.abs(k) < 0.3
    with np.errstate(all="ignore"):
        q = np.where(small, 1 - k2 * shortfall, 3 * (k - np.tanh(k)) / k**3)
        closed = 3 * (np.tanh(k) / k - q) / (k2 * q)
    variance = np.where(small, 3 * shortfall / q - 1, closed)
    return -(log_cosh(k) + np.log(q)) / 2, variance


def log_transform(r, p, trend):
    """log E[exp(-r D); p], a density in p: of b with ``none``, else of s d."""
    if trend == "none":
        k = np.sqrt(2 * r)
        return -(np.log(2 * np.pi) + log_sinhc(k) + p**2 * k / np.tanh(k)) / 2
    k = np.sqrt(r / 2)
    constant, variance = odd_part(k, trend)
    scale = np.sqrt(even_variance(k)) * np.sqrt(variance)
    z = np.abs(p) / scale
    bessel = np.log(special.kve(0, z)) - z
    return constant - log_sinhc(k) / 2 + bessel - np.log(np.pi * scale)


def below(y, p, trend, step):
    """P(D < y, p), shape (n,), along r0 (1 + i u / sqrt(r0 y))^2 with r0 near the saddle."""
    trial = np.exp(np.linspace(np.log(0.5), np.log(1e5), 120))[:, None] / y
    height = trial * y + np.real(log_transform(trial, p, trend)) - np.log(trial)
    r0 = np.maximum(trial[height.argmin(axis=0), np.arange(len(y))], 3 / y)
    u = np.arange(-7, 7 + step / 2, step)[:, None]
    w = 1 + 1j * u / np.sqrt(r0 * y)
    r = r0 * w**2
    values = np.exp(r * y + log_transform(r, p, trend)) * 2 / (w * np.sqrt(r0 * y))
    return np.real(values.sum(axis=0)) * step / (2 * np.pi)


def tail(c, trend, fine=1):
    """P(t < c) for c < 0, P(t > c) for c > 0."""
    root = 2 if trend == "none" else 3  # p = +-x^3 takes the singularity of K0 at zero away
    ends = [1.0, 6.0 ** (1 / root), FARTHEST ** (1 / root)]
    pieces = list(zip(ends[:-1], ends[1:], strict=True))
    if trend == "none":
        pieces, signs = ([(0.0, 1.0)] if c < 0 else pieces), [1]
    elif c < 0:
        pieces, signs = [(0.0, 1.0), *pieces], [-1, 1]
    else:
        signs = [1]
    x, weight = np.polynomial.legendre.leggauss(120 * fine)
    total = 0.0
    for low, high in pieces:
        for sign in signs:
            if c < 0 and sign > 0 and low >= 1:  # N < 0 ends at p = 1
                continue
            at, w = low + (high - low) * (x + 1) / 2, weight * (high - low) / 2
            if trend == "none":
                p, w, excess = at, 2 * w, at**2
            else:
                p = sign * at**3
                w, excess = 3 * at**2 * w, p
            y = (1 - excess) ** 2 / (4 * c**2)
            total += float(w @ below(y, p, trend, 0.1 / fine))
    return total


def quantile(c, trend, fine=1):
    """The normal quantile of P(t < c), from whichever tail is smaller than it looks."""
    if abs(c) < 1e-12:
        return (quantile(-1e-6, trend, fine) + quantile(1e-6, trend, fine)) / 2
    value = tail(c, trend, fine)
    return float(stats.norm.ppf(value) if c < 0 else stats.norm.isf(value))


def write():
    lines = ["t," + ",".join(TRENDS)]
    for c in GRID:
        lines.append(f"{c:.2f}," + ",".join(f"{quantile(c, trend):.11g}" for trend in TRENDS))
    OUT.write_text("\n".join(lines) + "\n", encoding="ascii")


def check(draws=400_000, periods=1000):
    """Shares of simulated random walks whose t is below c, beside what was computed."""
    rng = np.random.default_rng(1)
    points = {"none": (-1.94, -0.5, 0.9), "constant": (-2.86, -1.5, -0.4)}
    points["trend"] = (-3.41, -2.2, -1.2)
    found = {trend: [] for trend in TRENDS}
    time = np.linspace(-1, 1, periods)
    for _ in range(draws // 2000):
        steps = rng.normal(size=(2000, periods))
        level = np.cumsum(steps, axis=1) - steps
        for trend, terms in (("none", 0), ("constant", 1), ("trend", 2)):
            e, v = steps, level
            if terms:
                q = np.linalg.qr(np.vander(time, terms, increasing=True))[0]
                e, v = e - (e @ q) @ q.T, v - (v @ q) @ q.T
            slope = (e * v).sum(axis=1) / (v**2).sum(axis=1)
            ssr = (e**2).sum(axis=1) - slope**2 * (v**2).sum(axis=1)
            error = np.sqrt(ssr / (periods - terms - 1) / (v**2).sum(axis=1))
            found[trend].append(slope / error)
    for trend in TRENDS:
        t = np.concatenate(found[trend])
        for c in points[trend]:
            exact = float(stats.norm.cdf(quantile(c, trend)))
            error = np.sqrt(exact * (1 - exact) / len(t))
            print(f"{trend:9s} {c:6.2f}  {exact:.5f}  {(t < c).mean():.5f} ({error:.5f})")
    for trend in TRENDS:
        worst = max(abs(quantile(c, trend) - quantile(c, trend, 2)) for c in (-9, -3, -0.7, 0.1, 2))
        print(f"{trend}: finer quadratures move normal quantiles by {worst:.1e}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check() if parser.parse_args().check else write()

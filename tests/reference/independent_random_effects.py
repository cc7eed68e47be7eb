"""Random-effects spatial panel likelihoods from the normal density, slowly, with NT x NT matrices.

What the tests of `nqp_spatial.core.spatial.random_effects` compare with. Plain numpy and
scipy.optimize; no line is shared with the package. Stacking is period-major: all entities of
period 1 first.

    y = (I_T kron (I - rho W))^-1 (Z delta + v),   v ~ N(0, s2 Omega),
    Omega = phi (J_T kron I_N) + I_T kron V           mu outside the spatial error ("baltagi"),
    Omega = phi (J_T kron V)   + I_T kron V           mu inside the spatial error ("kkp"),
    V = [(I - lambda W)'(I - lambda W)]^-1,           J_T all ones

(Baltagi, Song and Koh 2003, J. Econometrics 117; Kapoor, Kelejian and Prucha 2007, J. Econometrics
140).
Derivatives are complex-step (f(x + ih) / h, exact to rounding), second derivatives central
differences of those, so that no derivative is ever written down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize, root


@dataclass
class Model:
    """y (T, N), Z (T, N, k), W (N, N); theta = (delta, rho, lambda, phi, s2)."""

    y: np.ndarray
    Z: np.ndarray
    W: np.ndarray
    lag: bool
    error: bool
    form: str = "baltagi"

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.Z.shape

    @property
    def free(self) -> list[int]:
        """Positions in (rho, lambda, phi) of what is estimated."""
        return [j for j, present in enumerate((self.lag, self.error, True)) if present]

    @property
    def positions(self) -> list[int]:
        """Positions in theta of what is estimated."""
        k = self.shape[2]
        return [*range(k), *(k + j for j in self.free), k + 3]


def log_determinant(matrix: np.ndarray) -> complex:
    sign, size = np.linalg.slogdet(matrix)
    return size + 1j * np.angle(sign) if np.iscomplexobj(matrix) else size


def omega(model: Model, lambda_, phi) -> np.ndarray:
    n_periods, n, _ = model.shape
    B = np.eye(n) - lambda_ * model.W
    V = np.linalg.inv(B.T @ B)
    inside = V if model.form == "kkp" else np.eye(n)
    ones = np.ones((n_periods, n_periods))
    return phi * np.kron(ones, inside) + np.kron(np.eye(n_periods), V)


def parts(model: Model, rho):
    """Stacked S = I_T kron (I - rho W), y and Z."""
    n_periods, n, k = model.shape
    S = np.kron(np.eye(n_periods), np.eye(n) - rho * model.W)
    return S, model.y.reshape(-1), model.Z.reshape(-1, k)


def loglik(model: Model, theta: np.ndarray):
    """The log density of y at theta."""
    k = model.shape[2]
    delta, (rho, lambda_, phi, s2) = theta[:k], theta[k:]
    S, y, Z = parts(model, rho)
    Omega = s2 * omega(model, lambda_, phi)
    v = S @ y - Z @ delta
    constant = -0.5 * len(y) * np.log(2 * np.pi)
    quadratic = v @ np.linalg.solve(Omega, v)
    return constant + log_determinant(S) - 0.5 * log_determinant(Omega) - 0.5 * quadratic


def expected_loglik(model: Model, theta: np.ndarray, truth: np.ndarray):
    """Mean of the log density at theta when y has the density at truth; y itself is not used."""
    k = model.shape[2]

    def moments(at):
        S, _, Z = parts(model, at[k])
        A = np.linalg.inv(S)
        return A @ Z @ at[:k], A @ (at[k + 3] * omega(model, at[k + 1], at[k + 2])) @ A.T

    mean, cov = moments(theta)
    mean0, cov0 = moments(truth)
    inverse = np.linalg.inv(cov)
    quadratic = np.trace(inverse @ cov0) + (mean - mean0) @ inverse @ (mean - mean0)
    return -0.5 * (len(mean) * np.log(2 * np.pi) + log_determinant(cov) + quadratic)


def gradient(function, x: np.ndarray, positions: list[int]) -> np.ndarray:
    out = []
    for j in positions:
        moved = np.asarray(x, dtype=complex)
        moved[j] += 1e-30j
        out.append(np.imag(function(moved)) / 1e-30)
    return np.array(out)


def hessian(function, x: np.ndarray, positions: list[int]) -> np.ndarray:
    """Central differences of the complex-step gradient, with one Richardson step."""

    def differences(share):
        rows = []
        for j in positions:
            step = np.zeros(len(x))
            step[j] = share * max(abs(x[j]), 1e-2)
            up = gradient(function, x + step, positions)
            down = gradient(function, x - step, positions)
            rows.append((up - down) / (2 * step[j]))
        return np.array(rows)

    return (4 * differences(5e-4) - differences(1e-3)) / 3


def information(model: Model, theta: np.ndarray) -> np.ndarray:
    """Minus the Hessian of the expected log density at the truth, of what is estimated."""
    return -hessian(lambda at: expected_loglik(model, at, theta), theta, model.positions)


def concentrate(model: Model, spatial: np.ndarray):
    """Generalised least squares of delta and s2 at (rho, lambda, phi): the whole theta."""
    rho, lambda_, phi = spatial
    S, y, Z = parts(model, rho)
    weighted = np.linalg.solve(omega(model, lambda_, phi), np.column_stack([Z, S @ y]))
    delta = np.linalg.solve(Z.T @ weighted[:, :-1], Z.T @ weighted[:, -1])
    v = S @ y - Z @ delta
    s2 = v @ (weighted[:, -1] - weighted[:, :-1] @ delta) / len(y)
    return np.concatenate([delta, spatial, [s2]])


def concentrated(model: Model, spatial: np.ndarray):
    return loglik(model, concentrate(model, spatial))


def interval(W: np.ndarray) -> tuple[float, float]:
    values = np.linalg.eigvals(W)
    real = values.real[np.abs(values.imag) < 1e-9]
    low = real.min() if real.min() < -1e-9 else -np.abs(values).max()
    return 1 / low, 1 / real.max()


def maximise(model: Model, *, phi: float | None = None) -> tuple[np.ndarray, float]:
    """theta and its log density; from starts on all sides, then the root of the gradient.

    With ``phi`` given it is held there; otherwise it may not be negative.
    """
    free = [j for j in model.free if not (j == 2 and phi is not None)]
    low, high = interval(model.W)
    limits = [(0.999 * low, 0.999 * high)] * 2 + [(0.0, None)]
    held = np.array([0.0, 0.0, phi or 0.0])

    def whole(x):
        full = held.astype(np.asarray(x).dtype)
        full[free] = x
        return full

    def value(x):
        return -concentrated(model, whole(x)) / model.y.size

    def slope(x):
        return gradient(value, x, list(range(len(x))))

    best = None
    for rho in (0.5 * low, 0.6 * high):
        for lambda_ in (0.5 * low, 0.6 * high):
            start = np.array([rho, lambda_, 0.5])[free]
            bounds = [limits[j] for j in free]
            found = minimize(value, start, jac=slope, bounds=bounds, method="L-BFGS-B")
            if best is None or found.fun < best.fun:
                best = found
    x = best.x
    inner = [i for i, j in enumerate(free) if not (j == 2 and x[i] == 0.0)]

    def inner_slope(part):
        moved = x.copy()
        moved[inner] = part
        return slope(moved)[inner]

    x[inner] = root(inner_slope, x[inner], tol=1e-13).x
    theta = concentrate(model, whole(x))
    return theta, float(loglik(model, theta))

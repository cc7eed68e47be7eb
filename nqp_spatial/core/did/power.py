"""What a set of pilots can find: outcomes are simulated with a known effect and estimated.

    y_t = rho W y_t + a D_t + b W D_t + mu + tau_t + u_t,   u_it = phi u_it-1 + e_it

Effects of entities and periods do not matter, since they are removed. (a, b) are those that give
the average direct and indirect effects asked for. Outcomes are linear in them, so that one draw of
errors serves all sizes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from nqp_spatial.core.did.refit import DurbinRefit, Refits

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_ROUNDS = 60  # of the smallest effect, whose standard error depends on it
_SAME = 1e-9  # relative change that ends them


@dataclass(frozen=True, eq=False)
class Experiment:
    """A policy, and the truth that outcomes are drawn from.

    Attributes
    ----------
    fits : DurbinRefit
        Two-way, without other regressors; its y has the shape of outcomes.
    D : array, shape (n_periods, n_entities)
    rho, sigma : float
        sigma is the standard deviation of u.
    serial : float
        phi.
    """

    fits: DurbinRefit
    D: Array
    rho: float
    sigma: float
    serial: float = 0.0

    @cached_property
    def _policy(self) -> tuple[Array, Mask]:
        return self.fits.policies(self.D[None])

    @property
    def identified(self) -> bool:
        """Whether direct and indirect effects can be told apart from effects and each other."""
        return bool(self._policy[1][0])

    @cached_property
    def mix(self) -> Array:
        """(a, b) of one unit of the direct effect, and of the indirect one; columns of (2, 2)."""
        weights, _ = self.fits.weights(np.array([self.rho]))
        return np.asarray(np.linalg.inv(weights[0, :2]))

    def _multiplied(self, values: Array) -> Array:
        """(I - rho W)^-1 of values (m, n_periods, n_entities)."""
        rhos = np.full(len(values), self.rho)
        return values + self.rho * self.fits.traces.apply(rhos, values)

    def _outcomes(self, y: Array) -> Array:
        """(W y, y) free of effects, shape (m, 2, cells)."""
        both = [self.fits.within(self.fits.lag(y)), self.fits.within(y)]
        return np.stack([part.reshape(len(y), -1) for part in both], axis=1)

    @cached_property
    def responses(self) -> Array:
        """(W y, y) of one unit of the direct effect, and of the indirect one, (2, 2, cells)."""
        columns = np.stack([self.D, self.fits.lag(self.D[None])[0]])
        mixed = np.einsum("ke,ktn->etn", self.mix, columns)
        return self._outcomes(self._multiplied(mixed))

    def errors(self, seed: int, number: int) -> Array:
        """Errors u of one draw, shape (n_periods, n_entities)."""
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
        u = rng.standard_normal(self.D.shape)
        if self.serial:
            for t in range(1, len(u)):
                u[t] = self.serial * u[t - 1] + np.sqrt(1 - self.serial**2) * u[t]
        return self.sigma * u

    def noise(self, seed: int, numbers: Iterable[int]) -> Array:
        """(W y, y) of draws without an effect, shape (m, 2, cells)."""
        drawn = np.stack([self.errors(seed, number) for number in numbers])
        return self._outcomes(self._multiplied(drawn))

    def estimates(self, noise: Array, direct: float, indirect: float) -> Refits:
        """Fits of outcomes with these effects."""
        shift = direct * self.responses[0] + indirect * self.responses[1]
        P, fine = self._policy
        return self.fits.solve(P, fine, noise + shift)

    def asymptotic(self, direct: Array, indirect: Array, D: Array | None = None) -> Array:
        """Standard errors of direct and indirect effects by the expected information, (m, 2).

        Parameters
        ----------
        direct, indirect : array, shape (m,)
        D : array, shape (m, n_periods, n_entities), optional
            Other policies; NaN where one is not identified.
        """
        P, fine = self._policy if D is None else self.fits.policies(D)
        P = np.where(fine[:, None, None], P, self._policy[0])
        policy = np.column_stack([direct, indirect]) @ self.mix.T
        rho = np.full(len(policy), self.rho)
        V = self.fits.expected(P, rho, policy, self.sigma**2)
        _, errors = self.fits.average(rho, policy, V)
        return np.where(fine[:, None], errors[:, :2], np.nan)

    def smallest(self, effect: int, other: float, times: float, D: Array | None = None) -> Array:
        """The effect that is ``times`` its asymptotic standard error, by policy, shape (m,).

        NaN if a policy is not identified, or no effect is: in small panels the error may grow with
        the effect as fast as it does.

        Parameters
        ----------
        effect : int
            0 the direct one, 1 the indirect one.
        other : float
            Size of the other.
        """
        size = np.zeros(1 if D is None else len(D))
        for _ in range(_ROUNDS):
            beside = np.full(len(size), other)
            direct, indirect = (beside, size) if effect else (size, beside)
            new = np.nan_to_num(times * self.asymptotic(direct, indirect, D)[:, effect])
            off, size = np.abs(new - size) > _SAME * new, new
            if not off.any():
                break
        return np.where((size > 0) & ~off, size, np.nan)

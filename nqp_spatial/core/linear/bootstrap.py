"""Drawing entities with replacement, and removing fixed effects from what was drawn.

An entity drawn twice counts as two with an effect each; since both estimate the same effect, the
draw is the data with the number of times each entity was drawn as observation weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqp_spatial.core.linear.projection import Projection, projection

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Absorber:
    """Removal of up to two kinds of effects (a constant if none), with observation weights.

    Attributes
    ----------
    weight : array, shape (n,)
        Positive weights of the rows.
    projection : Projection
        Of rows times the roots of their weights.
    """

    weight: Array
    projection: Projection

    def __call__(self, values: Array) -> Array:
        """Values of shape (n, k) free of the effects, rows not weighted."""
        root = np.sqrt(self.weight)[:, None]
        return self.projection((root * values)[None])[0] / root

    def fit(self, X: Array, Y: Array) -> tuple[Array, Array] | None:
        """Coefficients (k, m) of Y (n, m) on X (n, k), both free of effects, and residuals.

        None if X is collinear.
        """
        root = np.sqrt(self.weight)[:, None]
        size = np.linalg.norm(root * X, axis=0)
        if not (size > 0).all():
            return None
        slopes, _, rank, _ = np.linalg.lstsq(root * X / size, root * Y, rcond=1e-9)
        if rank < X.shape[1]:
            return None
        slopes = slopes / size[:, None]
        return slopes, Y - X @ slopes


def absorber(kinds: Sequence[Codes], weight: Array) -> Absorber:
    """Removal of the effects whose categories ``kinds`` holds, at most two codes of each row."""
    if len(kinds) > 2:
        raise ValueError("two kinds of effects at most")
    codes = [np.unique(code, return_inverse=True)[1] for code in kinds]
    codes = codes or [np.zeros(len(weight), dtype=np.int64)]
    effects = "entity" if len(codes) == 1 else "twoway"
    return Absorber(weight, projection(effects, codes[0], codes[-1], np.sqrt(weight)))


def draw(entity: Codes, seed: np.random.SeedSequence) -> Array:
    """How often the entity of each row is drawn, shape (n,); codes from zero, each used."""
    n_entities = int(entity.max()) + 1
    chosen = np.random.default_rng(seed).integers(n_entities, size=n_entities)
    return np.bincount(chosen, minlength=n_entities)[entity].astype(float)

"""What maketables asks a model for: its ETable then takes ours beside other libraries' models."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class ForMaketables:
    """Answers in the words of maketables, from what every result has."""

    nobs: int
    dependent: str
    cov_type: str
    effects_included: tuple[str, ...]
    fit_statistics: pd.Series
    to_frame: Callable[..., pd.DataFrame]

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        names = {"estimate": "b", "std_error": "se", "tstat": "t", "pvalue": "p"}
        return self.to_frame()[list(names)].rename(columns=names)

    def __maketables_stat__(self, key: str) -> float | int | None:
        if key == "N":
            return self.nobs
        value = self.fit_statistics.get(key)
        return None if value is None else float(value)

    @property
    def __maketables_depvar__(self) -> str:
        return self.dependent

    @property
    def __maketables_fixef_string__(self) -> str:
        return "+".join(self.effects_included)  # no blanks: maketables splits at the bare plus sign

    @property
    def __maketables_vcov_info__(self) -> dict[str, str]:
        return {"vcov_type": self.cov_type}

    @property
    def __maketables_stat_labels__(self) -> dict[str, str]:
        return {"N": "Observations", "loglik": "Log-likelihood", "sigma2": "σ²", "aic": "AIC"}

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        return ["N", *(key for key in ("sigma2", "loglik", "aic") if key in self.fit_statistics)]

"""Matplotlib figures of effects and of spatial dependence."""

from nqp_spatial.plots.figures import (
    check_glyphs,
    effects,
    fonts,
    forest,
    moran_by_period,
    save,
    write_notes,
)

__all__ = ["check_glyphs", "effects", "fonts", "forest", "moran_by_period", "save", "write_notes"]

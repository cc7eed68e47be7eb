"""Printed tables: one call makes the three-line table of a journal, in every format.

Every function returns a `Table` and saves it where a path is given, by suffix: .docx, .tex,
.html, .xlsx, .md. The renderers are our own: maketables 0.2, which was tried behind `Table`,
leaves ``%``, ``&`` and ``_`` of a label as they are in LaTeX (a ``%`` removes the numbers that
follow it), sets no East Asian font in Word and numbers a Chinese table with the word "Table".
Results answer to maketables all the same, so that its ``ETable`` takes them beside other models.
"""

from nqp_spatial.tables.autocorrelation import autocorrelation
from nqp_spatial.tables.correlation import correlation
from nqp_spatial.tables.frames import descriptive, from_frame, index_weights, weights
from nqp_spatial.tables.layout import RULE, Row
from nqp_spatial.tables.regression import effects, regression
from nqp_spatial.tables.table import Table

__all__ = [
    "RULE",
    "Row",
    "Table",
    "autocorrelation",
    "correlation",
    "descriptive",
    "effects",
    "from_frame",
    "index_weights",
    "regression",
    "weights",
]

"""Printed tables: one call makes the three-line table of a journal, in every format.

Every function returns a `Table` and saves it where a path is given, by suffix: .docx, .tex,
.html, .xlsx, .md. The renderers are our own: maketables 0.2, which was tried behind `Table`,
leaves ``%``, ``&`` and ``_`` of a label as they are in LaTeX (a ``%`` removes the numbers that
follow it), sets no East Asian font in Word and numbers a Chinese table with the word "Table".
Results answer to maketables all the same, so that its ``ETable`` takes them beside other models.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)  # names: __init__.pyi

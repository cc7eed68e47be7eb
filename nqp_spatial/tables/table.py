"""Table: a printed table that writes itself to Word, LaTeX, HTML, Excel and Markdown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shutil import get_terminal_size

import pandas as pd

from nqp_spatial.exceptions import OptionError, OutputError
from nqp_spatial.shared.files import replacing
from nqp_spatial.shared.messages import suggest
from nqp_spatial.tables import office, plain
from nqp_spatial.tables.layout import Grid

SUFFIXES = (".docx", ".tex", ".html", ".xlsx", ".md")
_TERMINAL = 80  # columns; in narrower ones lines are broken by the terminal


@dataclass(frozen=True, repr=False)
class Table(Grid):
    """A table as printed, immutable; the same text in every format.

    Its fields are those of the grid: ``title``, ``header``, ``rows``, ``align``, ``notes``,
    ``lang``. Use `dataclasses.replace` to change one, for example the title.
    """

    def to_html(self, *, standalone: bool = True) -> str:
        """HTML with every style inline: a whole page, or only the table."""
        return plain.html(self, standalone=standalone)

    def to_latex(self, *, label: str = "", standalone: bool = False) -> str:
        r"""LaTeX for booktabs and threeparttable, to be read by ``\input``.

        A number at the start of the title ("Table 8") is left out, since LaTeX numbers tables.

        Parameters
        ----------
        label : str
            Key for ``\ref``, such as ``"tab:effects"``.
        standalone : bool
            A whole document for xelatex; with ctex where there is Chinese text.
        """
        return plain.latex(self, label=label, standalone=standalone)

    def to_markdown(self) -> str:
        """Pipe table of GitHub and Quarto."""
        return plain.markdown(self)

    def to_frame(self) -> pd.DataFrame:
        """Cells as text: index the first column, columns the header lines; rules are left out."""
        header = plain.filled(self)
        body = [list(row.texts) for row in self.body]
        index = pd.Index([cells[0] for cells in body], name=header[-1][0] if header else None)
        data = [cells[1:] for cells in body]
        if len(header) > 1:
            tuples = [tuple(line[i] for line in header) for i in range(1, len(self.align))]
            return pd.DataFrame(data, index=index, columns=pd.MultiIndex.from_tuples(tuples))
        return pd.DataFrame(data, index=index, columns=header[0][1:] if header else None)

    def to_docx(self, path: str | Path) -> Path:
        """Write a Word document with a three-line table of editable cells."""
        return _write(path, lambda target: office.docx(self, target))

    def to_excel(self, path: str | Path) -> Path:
        """Write an Excel sheet; plain numbers are numbers, all else is text."""
        return _write(path, lambda target: office.excel(self, target))

    def save(self, path: str | Path) -> Path:
        """Write a file in the format its suffix names; an existing file is replaced.

        Parameters
        ----------
        path : str or Path
            Ends in .docx, .tex, .html, .xlsx or .md.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        OptionError
            The suffix is none of these.
        OutputError
            The folder does not exist, or the file cannot be written there.
        """
        suffix = Path(path).suffix.lower()
        if suffix == ".docx":
            return self.to_docx(path)
        if suffix == ".xlsx":
            return self.to_excel(path)
        texts: dict[str, Callable[[], str]] = {
            ".tex": self.to_latex,
            ".html": self.to_html,
            ".md": self.to_markdown,
        }
        if suffix not in texts:
            raise OptionError(
                f"A table cannot be saved as {str(path)!r}: the suffix {suffix!r} is not known. "
                f"Use one of {', '.join(SUFFIXES)}." + suggest(suffix, SUFFIXES)
            )
        content = texts[suffix]()
        return _write(path, lambda target: _write_text(target, content))

    def _repr_html_(self) -> str:
        return self.to_html(standalone=False)

    def __str__(self) -> str:
        return plain.text(self, max(get_terminal_size().columns, _TERMINAL))

    def __repr__(self) -> str:
        return str(self)


def _write_text(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8", newline="\n")


def _write(path: str | Path, writer: Callable[[Path], None]) -> Path:
    """Run a writer and turn what the file system says into an error of ours.

    Raises
    ------
    OutputError
        The folder does not exist, or the file cannot be written there.
    """
    target = Path(path)
    try:
        with replacing(target) as part:
            writer(part)
    except OSError as error:
        raise OutputError(
            f"The table cannot be written to {str(target)!r} ({error.strerror or error}). "
            "Close the file if another program has it open, or give another path."
        ) from error
    return target

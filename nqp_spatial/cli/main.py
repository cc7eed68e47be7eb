"""The command line: ``nqp-spatial demo | run | check | init | weights | cities``.

Each command reads its arguments, calls the public API and prints; nothing is computed here.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nqp_spatial.cli.arguments import READING, USAGE, parse, weight_options
from nqp_spatial.exceptions import NqpError, OutputError
from nqp_spatial.language.catalogue import word
from nqp_spatial.language.messages import in_language
from nqp_spatial.shared.source import is_located
from nqp_spatial.study.advice import on_a_terminal

PARTLY, INTERRUPTED, CLOSED = 1, 130, 141  # exit statuses, as shells have them
_LONGEST = 300  # characters of a warning on the terminal; run.log has all of it
_DEVELOPERS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        0; 1 where names could not be matched, or where a part of a study failed and the rest is
        written; 2 for a mistake, which is told on stderr; 130 if interrupted; 141 if who reads the
        output has closed it.
    """
    _prepare()
    try:
        arguments = parse(sys.argv[1:] if argv is None else list(argv))
    except SystemExit as stop:  # argparse has said why
        return int(stop.code or 0)
    lang = _language(arguments)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with _collecting_seldom():
                code = COMMANDS[arguments.command](arguments)
        except KeyboardInterrupt:
            return _fail(word("cli.interrupted", lang), INTERRUPTED)
        except BrokenPipeError:  # who reads has had enough, as head has
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return CLOSED
        except (NqpError, OSError) as error:
            if arguments.debug:
                traceback.print_exc()
            return _fail(_words(error, lang))
        finally:
            _tell(caught, lang)
    return int(code)


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Cycles are looked for after 100,000 new objects, not 700.

    Most objects of a command stay, or go without that; a tenth of a study's time went into looking.
    """
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _prepare() -> None:
    """Pictures without a screen, no font gossip, and characters a terminal lacks as marks."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if callable(reconfigure):
            reconfigure(errors="replace")


def _fail(message: str, code: int = USAGE) -> int:
    print(f"nqp-spatial: {message}", file=sys.stderr)
    return code


def _language(arguments: argparse.Namespace) -> str:
    """In which a command tells mistakes: that of the study it is about."""
    if arguments.command not in ("demo", "run", "check"):
        return "en"
    if arguments.lang or arguments.command == "demo":
        return arguments.lang or "en"
    from nqp_spatial.study.file import language, parse_assignments

    with suppress(NqpError):  # it is told when the command reads it
        return language(arguments.study, parse_assignments(arguments.set))
    return language(arguments.study)


def _words(error: NqpError | OSError, lang: str) -> str:
    """The message alone; what the system says, with the file."""
    if isinstance(error, OSError) and not isinstance(error, NqpError) and error.filename:
        return f"{str(error.filename)!r}: {error.strerror}."
    return on_a_terminal(str(error) if is_located(error) else in_language(str(error), lang))


def _tell(caught: Iterable[warnings.WarningMessage], lang: str) -> None:
    """Warnings as short lines, each once."""
    told = [w for w in caught if not issubclass(w.category, _DEVELOPERS)]
    texts = [on_a_terminal(str(w.message)) for w in told]
    for text in dict.fromkeys(texts):
        short = text if len(text) <= _LONGEST else text[: _LONGEST - 4] + " ..."
        print(word("cli.warning", lang).format(text=short), file=sys.stderr)


# ---------------------------------------------------------------- commands


def _demo(arguments: argparse.Namespace) -> int:
    from nqp_spatial.study import DEMO

    chinese = {"title": word("cli.demo", "zh")}
    return _study(arguments, DEMO, chinese if arguments.lang == "zh" else {})


def _run(arguments: argparse.Namespace) -> int:
    from nqp_spatial.study.file import parse_assignments

    return _study(arguments, arguments.study, parse_assignments(arguments.set))


def _check(arguments: argparse.Namespace) -> int:
    from nqp_spatial.study import check_study
    from nqp_spatial.study.file import parse_assignments

    overrides = parse_assignments(arguments.set) | _chosen(arguments.lang)
    found = check_study(arguments.study, overrides=overrides)
    print(found.summary())
    return 0 if found.ok else USAGE


def _chosen(lang: str | None) -> dict[str, Any]:
    """The keys of a file that ``--lang`` stands for."""
    return {} if lang is None else {"lang": lang, "output.lang": lang}


def _study(arguments: argparse.Namespace, path: Path, overrides: dict[str, Any]) -> int:
    from nqp_spatial.study import run_study

    result = run_study(
        path,
        arguments.output,
        overwrite=arguments.overwrite,
        overrides=overrides | _chosen(arguments.lang),
        n_jobs=getattr(arguments, "jobs", 1),
    )
    print(result.summary())
    return PARTLY if result.failures else 0


def _init(arguments: argparse.Namespace) -> int:
    from nqp_spatial.study import TEMPLATE

    path: Path = arguments.path
    _writable(path, overwrite=None)
    path.write_text(TEMPLATE.read_text(encoding="utf-8"), encoding="utf-8")
    print(f"{path}: fill in data, outcome, policy and controls, then type")
    print(f"  nqp-spatial run {path} --output out")
    return 0


def _weights_build(arguments: argparse.Namespace) -> int:
    from nqp_spatial import weights
    from nqp_spatial.cli import single

    _writable(arguments.output, arguments.overwrite)
    options = {name: getattr(arguments, name) for name in weight_options()}
    given = {name: value for name, value in options.items() if value is not None}
    ground = single.ground(
        polygons=arguments.polygons,
        polygon_id=arguments.polygon_id,
        points=arguments.points,
        point_id=arguments.point_id,
        table=arguments.ids,
        id_column=arguments.id_column,
    )
    graph = single.build(arguments.kind, given, ground, normalise=_normalisation(arguments))
    weights.write(graph, arguments.output, layout=arguments.layout, binary=arguments.binary)
    _describe({arguments.output.stem: graph})
    print(f"\nwritten to {arguments.output}")
    return 0


def _normalisation(arguments: argparse.Namespace) -> str:
    """Rows by default; none for .gal, which holds neighbours only."""
    holds_weights = arguments.output.suffix.lower() != ".gal" or arguments.binary
    if arguments.normalise is None:
        return "row" if holds_weights else "none"
    if arguments.normalise != "none" and not holds_weights:
        raise OutputError(
            f"{arguments.output.name} would lose the weights: .gal holds neighbours only. Leave "
            "--normalise out (a study normalises what it reads), write .gwt or .csv, or add "
            "--binary."
        )
    return str(arguments.normalise)


def _weights_describe(arguments: argparse.Namespace) -> int:
    from nqp_spatial import weights

    names = [path.stem for path in arguments.files]
    repeated = len(set(names)) < len(names)
    labels = [str(path) if repeated else path.stem for path in arguments.files]
    _describe(
        {
            n: weights.read(path, **_reading(arguments))
            for n, path in zip(labels, arguments.files, strict=True)
        },
        arguments.lang or "en",
    )
    return 0


def _reading(arguments: argparse.Namespace) -> dict[str, Any]:
    """How the files are read."""
    given = {name: getattr(arguments, name) for name in READING}
    return {name: value for name, value in given.items() if value is not None}


def _weights_convert(arguments: argparse.Namespace) -> int:
    from nqp_spatial import weights
    from nqp_spatial.cli import single

    _writable(arguments.output, arguments.overwrite)
    ids = single.ids(arguments.ids, arguments.id_column)
    graph = weights.read(arguments.input, ids, **_reading(arguments))
    if arguments.normalise != "none":
        graph = weights.normalise(graph, arguments.normalise)
    weights.write(graph, arguments.output, layout=arguments.layout, binary=arguments.binary)
    print(f"{graph.n} entities, {graph.n_edges} weights, written to {arguments.output}")
    return 0


def _describe(graphs: dict[str, Any], lang: str = "en") -> None:
    from nqp_spatial import tables, weights

    print(tables.weights(weights.describe(graphs), title="", lang=lang))


def _cities_match(arguments: argparse.Namespace) -> int:
    from nqp_spatial.cli import single

    if arguments.output is not None:
        _writable(arguments.output, arguments.overwrite)
    found = single.match(
        arguments.file,
        column=arguments.column,
        province_column=arguments.province_column,
        year=arguments.year,
        level=arguments.level,
        counties=arguments.counties,
        encoding=arguments.encoding,
    )
    print(found)
    for line in single.open_names(found):
        print(line)
    if arguments.output is not None:
        single.save_report(found, arguments.output)
        print(f"report of every name: {arguments.output}")
    return 0 if found.ok else PARTLY


def _writable(path: Path, overwrite: bool | None) -> None:
    """Raise `OutputError` if a file is in the way (None: always), or its folder is not there."""
    if path.exists() and not overwrite:
        more = "" if overwrite is None else ", or replace it with --overwrite"
        raise OutputError(f"{str(path)!r} exists already. Give another name{more}.")
    if path.is_dir():
        raise OutputError(f"{str(path)!r} is a folder. Give a file name.")
    if not path.parent.is_dir():
        raise OutputError(f"The folder {str(path.parent)!r} does not exist. Make it first.")


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "demo": _demo,
    "run": _run,
    "check": _check,
    "init": _init,
    "weights build": _weights_build,
    "weights describe": _weights_describe,
    "weights convert": _weights_convert,
    "cities match": _cities_match,
}


if __name__ == "__main__":
    sys.exit(main())

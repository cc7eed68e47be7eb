"""The arguments of the command line: commands, options, help texts with an example each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from nqp_spatial import __version__
from nqp_spatial.exceptions import OptionError
from nqp_spatial.shared.messages import suggest
from nqp_spatial.shared.options import Parameter, choices, declared
from nqp_spatial.shared.parallel import MOST, check_jobs
from nqp_spatial.study.registry import WEIGHTS, Normalisation

READING = ("gwt", "names")  # options of `nqp_spatial.weights.read` that files of weights ask for
USAGE = 2  # the status of a mistake


class _Parser(argparse.ArgumentParser):
    """A parser that keeps examples as they are and suggests the nearest option."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        options.setdefault("allow_abbrev", False)
        super().__init__(*args, **options)
        self.later: list[Callable[[_Parser], None]] = []  # arguments that take time to find

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As for all parsers; arguments of a command are found when it is given."""
        while self.later:
            self.later.pop()(self)
        return super().parse_known_args(args, namespace)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Choices with the nearest one."""
        if action.choices is not None and value not in action.choices:
            known = list(action.choices)
            name = "command" if action.metavar == "COMMAND" else "/".join(action.option_strings)
            self.error(
                f"{name} {value!r} is not known. Use one of {', '.join(map(str, known))}."
                + suggest(value, known)
            )

    def unknown(self, words: Sequence[str]) -> NoReturn:
        """Stop at options that this command does not have."""
        known = [o for action in self._actions for o in action.option_strings]
        options = [word.partition("=")[0] for word in words if word.startswith("-")] or words[:1]
        self.error(f"{options[0]!r} is not understood here.{suggest(options[0], known)}")


def weight_kinds() -> list[str]:
    """Kinds of weights that ``nqp-spatial weights build`` makes."""
    return [kind for kind, row in WEIGHTS.items() if row.command]


def weight_options() -> dict[str, dict[str, Parameter]]:
    """Options of ``nqp-spatial weights build``, each by the kinds that have it.

    They are read off the source of the builders, whose libraries take a second to load.
    """
    found: dict[str, dict[str, Parameter]] = {}
    for kind in weight_kinds():
        row = WEIGHTS[kind]
        for name, parameter in declared(*row.api.split(":")).items():
            if name not in (*row.supplied, *row.fixed, *row.own):
                found.setdefault(row.names.get(name, name), {})[kind] = parameter
    return found


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Arguments with the name of their ``command``; stops with status 2 if they are wrong."""
    parser = _parser()
    arguments, rest = parser.parse_known_args(argv)
    if rest:
        arguments.parser.unknown(rest)
    if not hasattr(arguments, "command"):
        arguments.parser.print_help(sys.stderr)
        raise SystemExit(USAGE)
    return arguments


def _parser() -> _Parser:
    parser = _Parser(
        prog="nqp-spatial",
        description="From city polygons and a city-year table to a spatial policy evaluation.",
        epilog="Start with:\n  nqp-spatial demo\n  nqp-spatial init study.yaml",
    )
    parser.add_argument("--version", action="version", version=f"nqp-spatial {__version__}")
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    parser.set_defaults(parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_studies(commands)
    weights = _add(commands, "weights", "build, describe and convert weight matrices")
    _add_weights(weights.add_subparsers(title="commands", metavar="COMMAND"))
    cities = _add(commands, "cities", "names and codes of Chinese cities")
    _add_cities(cities.add_subparsers(title="commands", metavar="COMMAND"))
    return parser


def _add(
    commands: Any,
    name: str,
    text: str,
    *,
    example: str = "",
    command: str | None = None,
) -> _Parser:
    parser: _Parser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"example:\n  {example}" if example else None,
    )
    parser.add_argument(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show where an error came from",
    )
    parser.set_defaults(parser=parser)
    if command is not None:
        parser.set_defaults(command=command)
    return parser


def _add_studies(commands: Any) -> None:
    demo = _add(
        commands,
        "demo",
        "run a whole study on real cities and SIMULATED outcomes, in under a minute",
        example="nqp-spatial demo --output nqp-demo --lang zh",
        command="demo",
    )
    demo.add_argument("--output", type=Path, default=Path("nqp-demo"), metavar="DIR",
                      help="folder to write (default: nqp-demo)")  # fmt: skip
    run = _add(
        commands,
        "run",
        "run a study file",
        example="nqp-spatial run study.yaml --output out --set data.table=panel.csv",
        command="run",
    )
    check = _add(
        commands,
        "check",
        "say what is wrong with a study file and what it would do, without fitting anything",
        example="nqp-spatial check study.yaml --set data.table=panel.csv",
        command="check",
    )
    for parser in (run, check):
        parser.add_argument("study", type=Path, metavar="STUDY.yaml")
        parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                            help="a value for a key of the file, such as data.table=panel.csv; "
                            "paths are then relative to the current folder; may be "
                            "repeated")  # fmt: skip
    _add_lang(check)
    run.add_argument("--output", type=Path, metavar="DIR",
                     help="folder to write (default: output.folder of the file)")  # fmt: skip
    run.add_argument(
        "--jobs", type=_jobs, default=1, metavar="N", help="fits at a time (default: 1)"
    )
    for parser in (demo, run):
        parser.add_argument("--overwrite", action="store_true",
                            help="replace the files of an earlier run in the folder")  # fmt: skip
        _add_lang(parser)
    init = _add(
        commands,
        "init",
        "write a commented study file to start from",
        example="nqp-spatial init study.yaml",
        command="init",
    )
    init.add_argument("path", type=Path, nargs="?", default=Path("study.yaml"), metavar="PATH",
                      help="file to write (default: study.yaml)")  # fmt: skip


def _jobs(text: str) -> int:
    found = int(text) if text.isdecimal() and len(text) < 6 else -1 if text == "-1" else 0
    try:
        check_jobs(found)
    except OptionError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of fits. Use 1, 2, ... up to {MOST}, or -1 for one a "
            "processor"
        ) from None
    return found


def _add_weights(commands: Any) -> None:
    build = _add(
        commands,
        "build",
        "build weights from polygons or points",
        example="nqp-spatial weights build --polygons bundled:china-cities --kind queen "
        "--islands nearest --ids panel.csv --id-column city --output w.gwt",
        command="weights build",
    )
    places = build.add_mutually_exclusive_group(required=True)
    places.add_argument("--polygons", metavar="LAYER",
                        help="bundled:china-cities, bundled:us-states, or a file")  # fmt: skip
    places.add_argument("--points", type=Path, metavar="TABLE",
                        help="a table with columns lon and lat in degrees")  # fmt: skip
    build.add_argument("--polygon-id", metavar="COLUMN", help="ids of a layer of your own")
    build.add_argument("--point-id", metavar="COLUMN", help="ids of the table of points")
    build.later.append(_add_kinds)
    _add_ids(build, "only the entities in a column of this table")
    build.add_argument("--normalise", choices=choices(Normalisation),
                       help="default: row (none for .gal: it holds no weights)")  # fmt: skip
    build.add_argument("--output", type=Path, required=True, metavar="FILE",
                       help=".gal, .gwt, .csv, .xlsx, .dta, .parquet or .npz")  # fmt: skip
    _add_writing(build)
    describe = _add(
        commands,
        "describe",
        "facts about weights in files",
        example="nqp-spatial weights describe queen.gal distance.gwt",
        command="weights describe",
    )
    describe.add_argument("files", type=Path, nargs="+", metavar="FILE")
    describe.later.append(_add_reading)
    _add_lang(describe)
    convert = _add(
        commands,
        "convert",
        "weights from one kind of file to another",
        example="nqp-spatial weights convert w.gal w.dta",
        command="weights convert",
    )
    convert.add_argument("input", type=Path, metavar="IN")
    convert.add_argument("output", type=Path, metavar="OUT")
    convert.later.append(_add_reading)
    _add_ids(convert, "a table whose rows give the ids of a matrix without ids, in its order")
    convert.add_argument("--normalise", default="none", choices=choices(Normalisation),
                         help="default: none")  # fmt: skip
    _add_writing(convert)


def _add_kinds(parser: _Parser) -> None:
    """Kinds, and the options of each, as their functions declare them."""
    parser.add_argument("--kind", required=True, choices=weight_kinds())
    for name, by_kind in weight_options().items():
        own = list(by_kind.values())
        kinds = ", ".join(by_kind) if len(by_kind) < len(weight_kinds()) - 1 else "most kinds"
        _add_option(parser, name, own, f"{kinds}: {own[0].text}")


def _add_reading(parser: _Parser) -> None:
    """How a file of weights is read, as its function declares it."""
    known = declared("weights", "read")
    for name in READING:
        _add_option(parser, name, [known[name]], known[name].text)


def _add_option(parser: _Parser, name: str, own: Sequence[Parameter], text: str) -> None:
    """A flag for a parameter that one or several functions have."""
    given: dict[str, Any] = {"metavar": "VALUE", "type": own[0].annotation}
    if own[0].annotation is bool:
        given = {"action": "store_true", "default": None}
    elif own[0].choices is not None:
        known = [c for p in own for c in p.choices or () if c is not None]
        given = {"choices": tuple(dict.fromkeys(known))}
    said = text.split(". ")[0].rstrip(".").replace("%", "%%")
    parser.add_argument(f"--{name.replace('_', '-')}", help=said, **given)


def _add_ids(parser: _Parser, text: str) -> None:
    parser.add_argument("--ids", type=Path, metavar="TABLE", help=text)
    parser.add_argument("--id-column", metavar="COLUMN", help="its column with the ids")


def _add_writing(parser: _Parser) -> None:
    parser.add_argument("--layout", choices=("dense", "triplets"), help="of .csv and .dta")
    parser.add_argument("--binary", action="store_true",
                        help="write .gal although it loses the weights")  # fmt: skip
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")


def _add_lang(parser: _Parser) -> None:
    parser.add_argument("--lang", choices=("en", "zh"), help="of tables, maps and the summary")


def _add_cities(commands: Any) -> None:
    match = _add(
        commands,
        "match",
        "match names or codes of any year to adcodes (status 1 if some are open)",
        example="nqp-spatial cities match panel.csv --column city --output report.csv",
        command="cities match",
    )
    match.add_argument("file", type=Path, metavar="FILE", help=".csv, .xlsx, .dta or .parquet")
    match.add_argument("--column", metavar="NAME", help="its column with names or codes")
    match.add_argument("--province-column", metavar="NAME", help="decides between homonyms")
    match.add_argument("--year", type=int, help="year the names or codes are from")
    match.add_argument("--level", choices=("unit", "city"), default="unit",
                       help="city: prefecture-level cities and municipalities only")  # fmt: skip
    match.add_argument("--counties", action="store_true",
                       help="the code of a county stands for its city")  # fmt: skip
    match.add_argument("--encoding", help="of a .csv file")
    match.add_argument("--output", type=Path, metavar="REPORT",
                       help="write the report of every name, .csv or .xlsx")  # fmt: skip
    match.add_argument("--overwrite", action="store_true", help="replace an existing report")

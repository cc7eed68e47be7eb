"""One program on one panel, timed in its own process: `python _peers.py PROGRAM FOLDER ...`.

Imports nothing of the benchmark, and each program only when it is asked for, so that any
interpreter that has the program can run it. Prints one line of JSON for each thing measured, as
soon as it is: what a time limit cuts off leaves the lines before it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp


@dataclass(frozen=True)
class Data:
    """The panel of a folder, in every form that the programs start from."""

    columns: Any  # (n_entities, n_periods, 1 + k): y, x1 ... xk
    W: sp.csr_array

    @classmethod
    def read(cls, folder: Path) -> Data:
        """Read what `_cases.py` wrote."""
        shape = json.loads((folder / "shape.json").read_text(encoding="utf-8"))
        n, n_periods, k = shape["n_entities"], shape["n_periods"], shape["k"]
        flat = np.fromfile(folder / "panel.f8", "<f8").reshape(1 + k, n, n_periods)
        parts = (
            np.fromfile(folder / name, kind)
            for name, kind in (("weights.f8", "<f8"), ("indices.i4", "<i4"), ("indptr.i4", "<i4"))
        )
        return cls(
            np.ascontiguousarray(np.moveaxis(flat, 0, 2)), sp.csr_array(tuple(parts), (n, n))
        )

    @property
    def n_entities(self) -> int:
        return self.columns.shape[0]

    @property
    def n_periods(self) -> int:
        return self.columns.shape[1]

    @property
    def names(self) -> list[str]:
        return [f"x{j + 1}" for j in range(self.columns.shape[2] - 1)]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """y, x1 ... xk by (entity, time)."""
        index = pd.MultiIndex.from_product(
            [range(self.n_entities), range(self.n_periods)], names=["entity", "time"]
        )
        values = self.columns.reshape(len(index), -1)
        return pd.DataFrame(values, index=index, columns=["y", *self.names])

    @cached_property
    def graph(self) -> Any:
        """W as a libpysal Graph."""
        from libpysal.graph import Graph

        return Graph.from_sparse(self.W, ids=range(self.n_entities))


def periods_first(frame: pd.DataFrame) -> Any:
    """The columns of a frame by (entity, time), as (n_periods, n_entities, columns)."""
    n_entities = frame.index.get_level_values(0).nunique()
    return np.moveaxis(frame.to_numpy().reshape(n_entities, -1, frame.shape[1]), 0, 1)


def with_lags(frame: pd.DataFrame, W: Any) -> tuple[Any, Any]:
    """y and [X, WX] by period and then entity, shapes (T, N) and (T, N, 2k)."""
    cells = periods_first(frame)
    x = cells[..., 1:]
    return cells[..., 0], np.concatenate([x, np.stack([W @ period for period in x])], axis=2)


@dataclass(frozen=True)
class Program:
    """How a program is fed and read.

    ``build`` makes its own form of a frame and weights, ``fit`` and ``effects`` are timed, and
    ``estimates`` and ``averages`` read what they returned. ``prepares``: a first fit leaves W
    prepared for the next; ``forget``: until it is told so.
    """

    build: Callable[[Data], Any]
    fit: Callable[[Any], Any]
    estimates: Callable[[Any], dict[str, Any]]
    effects: Callable[[Any, Any], Any] | None = None
    averages: Callable[[Any], dict[str, Any]] | None = None
    prepares: bool = False
    forget: Callable[[], None] = lambda: None


def split(slopes: Any, rho: float) -> dict[str, Any]:
    """beta, theta and rho of slopes in that order."""
    slopes = np.ravel(slopes)
    k = len(slopes) // 2
    return {"beta": slopes[:k].tolist(), "theta": slopes[k:].tolist(), "rho": float(rho)}


def ours() -> Program:
    """Two-way, Lee and Yu's transformation (the default), effects by the delta method."""
    import nqp_spatial as nqp
    from nqp_spatial.core.spectrum.eigen import forget

    def build(data: Data) -> Any:
        return nqp.SpatialDurbin(data.frame["y"], data.frame[data.names], data.graph)

    def averages(table: Any) -> dict[str, Any]:
        return {kind: table.loc[kind, "estimate"].tolist() for kind in ("direct", "total")}

    return Program(
        build,
        fit=lambda model: model.fit(),
        estimates=lambda result: split(result.params.to_numpy()[:-1], result.rho),
        effects=lambda model, result: replace(result).effects(),  # a copy has nothing cached
        averages=averages,
        prepares=True,
        forget=forget,
    )


def spreg() -> Program:
    """Entity effects on data free of period means, WX by hand; its multipliers leave theta out."""
    import spreg

    def build(data: Data) -> Any:
        w = data.graph.to_W()
        w.transform = "r"
        y, Z = with_lags(data.frame, w.sparse)
        y, Z = (values - values.mean(axis=1, keepdims=True) for values in (y, Z))
        return y.reshape(-1, 1), Z.reshape(y.size, -1), w

    def effects(model: Any, result: Any) -> Any:
        found = spreg.sputils.spmultiplier(model[2], np.ravel(result.rho)[0], method="full")
        beta = np.ravel(result.betas)[: model[1].shape[1] // 2]
        return {"direct": found["adi"] * beta, "total": found["ati"] * beta}

    return Program(
        build,
        fit=lambda model: spreg.Panel_FE_Lag(*model),
        estimates=lambda result: split(np.ravel(result.betas)[:-1], np.ravel(result.rho)[0]),
        effects=effects,
        averages=lambda found: {kind: np.ravel(v).tolist() for kind, v in found.items()},
    )


def panelbox() -> Program:
    """Entity effects: it has no others."""
    from panelbox.effects import compute_spatial_effects
    from panelbox.models.spatial import SpatialDurbin

    def build(data: Data) -> Any:
        formula = "y ~ " + " + ".join(data.names)
        table = data.frame.reset_index()
        return SpatialDurbin(formula, table, "entity", "time", data.W.toarray())

    def estimates(result: Any) -> dict[str, Any]:
        return split(result.params.drop("rho").to_numpy(), result.params["rho"])

    def averages(found: Any) -> dict[str, Any]:
        each = list(found.effects.values())
        return {kind: [effect[kind] for effect in each] for kind in ("direct", "total")}

    return Program(
        build,
        fit=lambda model: model.fit(),
        estimates=estimates,
        effects=lambda model, result: compute_spatial_effects(result),
        averages=averages,
    )


def spmixw() -> Program:
    """Two-way effects; 5,500 draws; exact log-determinants up to 1,000 entities, else its default.

    Draws of the effects are part of the fit.
    """
    from spmixw import sdm_panel

    def build(data: Data) -> Any:
        cells = periods_first(data.frame)
        flat = cells.reshape(-1, cells.shape[-1])
        return flat[:, 0], flat[:, 1:], sp.csr_matrix(data.W), data.n_entities, data.n_periods

    def fit(model: Any) -> Any:
        exact = 0 if model[3] <= 1_000 else 1
        return sdm_panel(*model, model=3, rval=0, lflag=exact, seed=1)

    def averages(result: Any) -> dict[str, Any]:
        return {kind: getattr(result, kind)[:, 0].tolist() for kind in ("direct", "total")}

    return Program(
        build,
        fit=fit,
        estimates=lambda result: split(result.beta, result.rho),
        effects=lambda model, result: result,
        averages=averages,
    )


PROGRAMS = {"ours": ours, "spreg": spreg, "panelbox": panelbox, "spmixw": spmixw}


def references(data: Data) -> dict[str, Any]:
    """Our estimates, standard errors and effects under each convention that a peer follows."""
    import nqp_spatial as nqp
    from nqp_spatial.core.linear.within import demean
    from nqp_spatial.core.spatial.ml import estimate
    from nqp_spatial.core.spectrum.eigen import prepare

    spectrum = prepare(data.W)
    y, Z = with_lags(data.frame, data.W)
    within = estimate(  # nothing is left to remove: W times demeaned y
        demean(y, "twoway"), demean(Z, "twoway"), data.W, spectrum, effects=None, correction="none"
    )
    found = {"demeaned": (np.array([*within.delta, within.rho]), within.cov[:-1, :-1])}
    for name, effects, correction in (
        ("dummies", "twoway", "none"),
        ("lee-yu", "twoway", "lee-yu"),
        ("bias-corrected", "twoway", "bias-corrected"),
        ("entity", "entity", "none"),
    ):
        model = nqp.SpatialDurbin(
            data.frame["y"],
            data.frame[data.names],
            data.graph,
            effects=effects,
            correction=correction,
        )
        result = model.fit()
        found[name] = (result.params.to_numpy(), result.cov.to_numpy())
    return {name: _with_effects(spectrum, *pair) for name, pair in found.items()}


def _with_effects(spectrum: Any, params: Any, cov: Any) -> dict[str, Any]:
    """Direct and total effects with delta-method errors, from (beta, theta, rho); W 1 = 1."""
    rho, n = params[-1], spectrum.n
    beta, theta = np.split(params[:-1], 2)
    k = len(beta)
    g, slope = spectrum.trace_g(rho) / n, spectrum.trace_gg(rho) / n
    unit = np.eye(2 * k + 1)
    weights = {  # value, its derivatives in beta, theta and rho
        "direct": ((1 + rho * g) * beta + g * theta, 1 + rho * g, g,
                   (g + rho * slope) * beta + slope * theta),
        "total": ((beta + theta) / (1 - rho), 1 / (1 - rho), 1 / (1 - rho),
                  (beta + theta) / (1 - rho) ** 2),
    }  # fmt: skip
    out = {**split(params[:-1], rho), "se": np.sqrt(np.diag(cov)).tolist()}
    for kind, (value, on_beta, on_theta, on_rho) in weights.items():
        gradient = on_beta * unit[:k] + on_theta * unit[k:-1] + np.outer(on_rho, unit[-1])
        out[kind] = value.tolist()
        out[f"{kind}_se"] = np.sqrt(np.einsum("ri,ij,rj->r", gradient, cov, gradient)).tolist()
    return out


def say(**values: Any) -> None:
    """One line of JSON to the benchmark."""
    print(json.dumps(values), file=sys.__stdout__, flush=True)


def megabytes(field: str) -> float:
    """VmHWM (peak) or VmRSS (now) of this process."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = next(line for line in status.read_text().splitlines() if line.startswith(field))
    return int(found.split()[1]) / 1024


def forget_peak() -> None:
    """Let the peak start from what is held now, so that reading the files is not counted."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


@dataclass(frozen=True)
class Runs:
    """How often a call is run and by which clock; once if it takes longer than ``longest``."""

    repeats: int
    longest: float
    clock: Callable[[], float]


def timed(call: Callable[[], Any], runs: Runs) -> tuple[list[float], Any]:
    """Seconds of each run, after one that is not counted unless it took too long."""
    times: list[float] = []
    for _ in range(runs.repeats + 1):
        start = runs.clock()
        value = call()
        times.append(runs.clock() - start)
        if len(times) == 1 and times[0] > runs.longest:
            return times, value
    return times[1:], value


def run(program: Program, data: Data, runs: Runs) -> None:
    """Fit, effects, and all from frames and graph."""
    in_parts(program, data, runs)

    def everything() -> None:
        program.forget()
        model = program.build(data)
        fitted = program.fit(model)
        if program.effects is not None:
            program.effects(model, fitted)

    times, _ = timed(everything, runs)
    say(phase="all", times=times)


def in_parts(program: Program, data: Data, runs: Runs) -> None:
    """Fit and effects, each by itself."""
    model = program.build(data)
    if program.prepares:
        start = runs.clock()
        program.fit(model)
        say(phase="first", times=[runs.clock() - start])
    times, fitted = timed(lambda: program.fit(model), runs)
    say(phase="fit", times=times, **program.estimates(fitted))
    if program.prepares:
        say(phase="method", method=fitted.spectrum.method)
    if program.effects is not None and program.averages is not None:
        effects = program.effects
        times, found = timed(lambda: effects(model, fitted), runs)
        say(phase="effects", times=times, **program.averages(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", choices=PROGRAMS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("repeats", type=int)
    parser.add_argument("longest", type=float)
    parser.add_argument("clock", choices=CLOCKS)
    parser.add_argument("--references", action="store_true")
    arguments = parser.parse_args()
    runs = Runs(arguments.repeats, arguments.longest, CLOCKS[arguments.clock])
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(io.StringIO()):  # some print while they work
        data = Data.read(arguments.folder)
        program = PROGRAMS[arguments.program]()
        _ = data.frame, data.graph if arguments.program in ("ours", "spreg") else None
        forget_peak()
        say(phase="start", megabytes=megabytes("VmRSS"))
        try:
            run(program, data, runs)
        except Exception as error:  # what a peer cannot do goes into the table
            say(phase="error", error=f"{type(error).__name__}: {error}")
        say(phase="peak", megabytes=megabytes("VmHWM"))
        if arguments.references:
            say(phase="references", **references(data))


if __name__ == "__main__":
    main()

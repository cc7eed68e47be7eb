"""Write cigar_sdm.csv from the collected reference values: python cigar_sdm.py reference.json.

Cigarette demand in 46 US states, 1963-1992 (Baltagi), logc on logp and logy, binary contiguity
row-normalised. Origins, by the column `source`:

arbiter  plain-numpy maximum likelihood from the printed likelihood (numpy 2.4.6); equals R splm
         1.6-5 to 1e-6 wherever splm is right
splm     R splm 1.6-5 on R 4.2.2, spml(..., LeeYu=TRUE); its `lambda` is our rho
book     Elhorst (2014), Spatial Econometrics, two-way columns (effects are means of simulations)

Versions of two-way effects: A, W times demeaned y; B, exact dummies; C, Lee-Yu transformation.
Left out because the peer is wrong: splm with two-way Lee-Yu (sign and scale of the correction), and
the arbiter's standard errors in version B (see test_durbin_cigarettes.py).
"""

import csv
import json
import sys

NAMES = {"W*logp": "W_logp", "W*logy": "W_logy", "wlogp": "W_logp", "wlogy": "W_logy"}
NAMES |= {"lambda": "rho"}
VARIANTS = {
    "A": "A direct: W times demeaned y (splm, SDPDmod LYtrans=FALSE)",
    "B": "B exact two-way dummies: demeaned W y",
    "C": "C Lee-Yu transformation: (n-1)(T-1) obs, log-det minus log(1-rho)",
}
CORRECTED = "Lee-Yu bias corrected (theta - bias/n, then sigma2*T/(T-1))"


def rows(results):
    for model in ("SAR", "SDM"):
        for effects, key in ((None, "none"), ("entity", "individual")):
            entry = results[f"arbiter|cigar|{model}|{key}"]
            yield from arbiter(model, effects, "none", entry)
        for effects, correction, key in (
            ("entity", "lee-yu", "individual"),
            ("time", "bias-corrected", "time"),
        ):
            yield from arbiter(
                model, effects, correction, results[f"arbiter|cigar|{model}|{key}"], point_only=True
            )
            case = (model, effects, correction)
            entry = results[f"splm|cigar|{model}|{key}|LeeYu=TRUE"]
            for name, value in entry["se"].items():
                yield (*case, "std_error", NAMES.get(name, name), value, "splm")
            yield (*case, "sigma2", "", entry["sigma2"], "splm")
            peer = results[f"arbiter|cigar|{model}|{key}"]  # of the direct estimate, version A
            pair = (entry, "splm") if correction == "lee-yu" else (peer, "arbiter")
            yield (*case, "loglik", "", pair[0]["loglik"], pair[1])
        for version, correction in (("B", "none"), ("C", "lee-yu"), ("A", "bias-corrected")):
            entry = results[f"arbiter|cigar|{model}|twoways variants|{VARIANTS[version]}"]
            if version == "A":
                yield from arbiter(model, "twoway", correction, entry[CORRECTED])
                yield (model, "twoway", correction, "loglik", "", entry["loglik"], "arbiter")
                continue
            yield from arbiter(model, "twoway", correction, entry)
            names = [*entry["coef"], "rho"] if version == "C" else []
            for name, value in zip(names, entry["se"], strict=False):
                name = NAMES.get(name, name)
                yield (model, "twoway", correction, "std_error", name, value, "arbiter")


def arbiter(model, effects, correction, entry, point_only=False):
    case = (model, effects or "none", correction)
    rho = entry.get("rho_or_lambda", entry.get("rho"))
    for name, value in {**entry["coef"], "rho": rho}.items():
        yield (*case, "params", NAMES.get(name, name), value, "arbiter")
    for variable, effect in entry["effects"].items():
        for kind, value in effect.items():
            yield (*case, kind, variable, value, "arbiter")
    if point_only:
        return
    yield (*case, "sigma2", "", entry["sigma2"], "arbiter")
    if "loglik" in entry:
        yield (*case, "loglik", "", entry["loglik"], "arbiter")
    if "rho_se" in entry:
        for name, value in {**entry["se"], "rho": entry["rho_se"]}.items():
            yield (*case, "std_error", NAMES.get(name, name), value, "arbiter")


def book(check):
    for correction, key in (
        ("none", "textbook uncorrected (Elhorst 2014)"),
        ("bias-corrected", "textbook bias-corrected (Elhorst 2014)"),
    ):
        for name, value in check[key].items():
            kind, _, variable = name.partition("_")
            quantity = kind if variable and not name.startswith("W*") else "params"
            label = variable if quantity == kind else NAMES.get(name, name)
            yield ("SDM", "twoway", correction, quantity, label, value, "book")


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        collected = json.load(file)
    with open("cigar_sdm.csv", "w", encoding="utf-8", newline="") as file:
        file.write("# made by cigar_sdm.py, whose header names the programs and conventions\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["model", "effects", "correction", "quantity", "name", "value", "source"])
        writer.writerows(rows(collected["results"]))
        writer.writerows(book(collected["elhorst_2014_check"]))

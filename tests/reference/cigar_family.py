"""Write cigar_family.csv from collected reference values: python cigar_family.py reference.json.

Cigarette demand as in cigar_sdm.py (the same data and weights). Columns: model, effects, quantity,
name, value, source. Our names throughout: rho is the lag of y, lambda that of the error.

arbiter  plain-numpy maximum likelihood of the direct approach: with time effects version A, W times
         demeaned y. Log-likelihoods with their constant.
splm     R splm 1.6-5 on R 4.2.2, spml(..., LeeYu=FALSE) and (LeeYu=TRUE); its `lambda` is our rho
         and its `rho` our lambda
plm      R plm 2.6-2; sigma2_ml is SSR / NT, std_error has SSR over the degrees of freedom
"""

import csv
import json
import sys

EFFECTS = {"none": "none", "individual": "entity", "time": "time"}
NAMES = {"W*logp": "W_logp", "W*logy": "W_logy", "wlogp": "W_logp", "wlogy": "W_logy"}
SPLM = {**NAMES, "lambda": "rho", "rho": "lambda"}


def arbiter(results):
    for model in ("SAR", "SDM", "SEM", "SDEM"):
        spatial = "rho" if model in ("SAR", "SDM") else "lambda"
        for key, effects in EFFECTS.items():
            entry = results[f"arbiter|cigar|{model}|{key}"]
            case = (model, effects)
            params = {**entry["coef"], spatial: entry["rho_or_lambda"]}
            errors = {**entry["se"], spatial: entry["rho_se"]}
            for quantity, values in (("params", params), ("std_error", errors)):
                for name, value in values.items():
                    yield (*case, quantity, NAMES.get(name, name), value, "arbiter")
            for quantity in ("sigma2", "sigma2_se", "loglik"):
                yield (*case, quantity, "", entry[quantity], "arbiter")


def splm(results):
    cases = [(m, e, True) for m in ("SEM", "SDEM") for e in ("individual", "time")]
    cases += [("SARAR", "individual", False), ("SARAR", "individual", True)]
    cases += [("SARAR", "time", False), ("SARAR", "time", True)]
    for model, key, leeyu in cases:
        entry = results[f"splm|cigar|{model}|{key}|LeeYu={str(leeyu).upper()}"]
        case = ("SAC" if model == "SARAR" else model, EFFECTS[key])
        source = "splm LeeYu" if leeyu else "splm"
        for quantity, key_of in (("params", "coef"), ("std_error", "se")):
            for name, value in entry[key_of].items():
                yield (*case, quantity, SPLM.get(name, name), value, source)
        yield (*case, "sigma2", "", entry["sigma2"], source)


def plm(results):
    for key, effects in (("individual", "entity"), ("time", "time"), ("twoways", "twoway")):
        entry = results[f"plm|cigar|SLX|{key}"]
        for quantity, key_of in (("params", "coef"), ("std_error", "se")):
            for name, value in entry[key_of].items():
                yield ("SLX", effects, quantity, NAMES.get(name, name), value, "plm")
        for quantity in ("ssr", "df", "sigma2_ml"):
            yield ("SLX", effects, quantity, "", entry[quantity], "plm")


def main(source):
    with open(source, encoding="utf-8") as file:
        results = json.load(file)["results"]
    with open("cigar_family.csv", "w", encoding="utf-8", newline="") as file:
        file.write("# cigar_family.py: origins and conventions are stated there\n")
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("model", "effects", "quantity", "name", "value", "source"))
        for make in (arbiter, splm, plm):
            out.writerows(make(results))


if __name__ == "__main__":
    main(sys.argv[1])

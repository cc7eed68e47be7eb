# Fixed effects on Grunfeld's data (10 firms, 20 years), by plm: estimates and plain covariances.
# Software: R 4.2.2, plm 2.6.2. Data: Grunfeld of plm (inv, value, capital).
# Run: Rscript grunfeld.R   writes grunfeld.csv
# Conventions: plm scales by (n - K) for "iid" only, K with all effects. The sandwiches here are HC0,
# without a small-sample factor: "arellano" clusters by firm, "time" by year, "scc" is Driscoll and
# Kraay with Bartlett weights 1 - l / (L + 1) up to lag L; "pooled" has a constant.
suppressMessages(library(plm))
data("Grunfeld", package = "plm")
rows <- list()
for (effect in c("pooled", "individual", "time", "twoways")) {
  fit <- if (effect == "pooled") {
    plm(inv ~ value + capital, Grunfeld, model = "pooling")
  } else plm(inv ~ value + capital, Grunfeld, model = "within", effect = effect)
  kinds <- list(
    params = coef(fit), iid = sqrt(diag(vcov(fit))),
    arellano = sqrt(diag(vcovHC(fit, method = "arellano", type = "HC0", cluster = "group"))),
    time = sqrt(diag(vcovHC(fit, method = "arellano", type = "HC0", cluster = "time"))),
    scc2 = sqrt(diag(vcovSCC(fit, type = "HC0", maxlag = 2))),
    scc4 = sqrt(diag(vcovSCC(fit, type = "HC0", maxlag = 4))),
    white = sqrt(diag(vcovHC(fit, method = "white1", type = "HC0")))
  )
  for (kind in names(kinds)) {
    v <- kinds[[kind]]
    rows[[length(rows) + 1]] <- data.frame(effect = effect, kind = kind,
      name = sub("(Intercept)", "const", names(v), fixed = TRUE), value = sprintf("%.15g", v))
  }
}
write.csv(do.call(rbind, rows), "grunfeld.csv", row.names = FALSE, quote = FALSE)

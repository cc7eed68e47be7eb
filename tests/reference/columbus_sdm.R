# Spatial Durbin model of one cross-section: spatialreg's lagsarlm on Columbus crime (49 areas).
# Run: Rscript columbus_sdm.R   (writes columbus_data.csv and columbus_sdm.csv)
# Data: spData::columbus and its first-order contiguity col.gal.nb, row-standardised (style "W").
# Conventions: sigma2 is SSE / n; the log-likelihood has its constant; standard errors from the
# analytic information matrix. lagsarlm puts lags of X after X, and the intercept has no lag.
# Of the 20,000 simulated effects the quantiles are kept: with draws of rho near 1 their standard
# deviation has no limit (0.15 to 0.26 for the indirect effect of HOVAL by seed).
# impacts() gets the traces of the powers of W; with trMat of 200 powers they are exact here.
suppressPackageStartupMessages({library(spdep); library(spatialreg)})
data(columbus, package = "spData")
lw <- nb2listw(col.gal.nb, style = "W")
neighbours <- vapply(col.gal.nb, paste, "", collapse = " ")
frame <- data.frame(area = columbus$POLYID, CRIME = columbus$CRIME, INC = columbus$INC,
                    HOVAL = columbus$HOVAL, neighbours = neighbours)
write.csv(format(frame, digits = 15, trim = TRUE), "columbus_data.csv", row.names = FALSE, quote = FALSE)
traces <- trW(as(lw, "CsparseMatrix"), m = 200, type = "mult")
out <- NULL
add <- function(model, quantity, name, value)
  out <<- rbind(out, data.frame(model, quantity, name, value = sprintf("%.14g", value)))
for (model in c("all", "INC", "none")) {
  durbin <- switch(model, all = TRUE, INC = ~ INC, none = FALSE)
  fit <- lagsarlm(CRIME ~ INC + HOVAL, columbus, lw, Durbin = durbin, method = "eigen",
                  control = list(tol.opt = .Machine$double.eps^0.75))
  names <- sub("^lag[.]", "W_", sub("[(]Intercept[)]", "const", names(fit$coefficients)))
  add(model, "params", c(names, "rho"), c(fit$coefficients, fit$rho))
  add(model, "std_error", c(names, "rho"), c(fit$rest.se, fit$rho.se))
  add(model, "sigma2", "", fit$s2)
  add(model, "loglik", "", as.numeric(logLik(fit)))
  set.seed(20241)
  simulated <- impacts(fit, tr = traces, R = 20000)
  for (kind in c("direct", "indirect", "total")) {
    add(model, kind, c("INC", "HOVAL"), as.numeric(simulated$res[[kind]]))
    for (end in c(0.025, 0.975))
      add(model, paste(kind, end), c("INC", "HOVAL"), apply(simulated$sres[[kind]], 2, quantile, end))
  }
}
path <- file("columbus_sdm.csv", "w")
writeLines(sprintf("# columbus_sdm.R: spatialreg %s, spdep %s, %s", packageVersion("spatialreg"),
                   packageVersion("spdep"), R.version.string), path)
write.csv(out, path, row.names = FALSE, quote = FALSE)
close(path)

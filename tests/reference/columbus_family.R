# SLX, SEM, SDEM, SAC and GNS of one cross-section: spatialreg on Columbus crime (49 areas).
# Run: Rscript columbus_family.R   (reads nothing, writes columbus_family.csv)
# Data: as columbus_sdm.R (columbus_data.csv has them).
# Conventions: spatialreg's rho is the lag of y, lambda that of the error, as ours. sigma2 is SSE / n
# (lmSLX: SSE over residual degrees of freedom, given here as SSE / n; its standard errors are
# multiplied by sqrt(df / n)). Standard errors are from the analytic information; where they are not
# comparable the reader of the file says so. The intercept has no lag.
# impacts() gets the traces of the powers of W; 200 powers are exact here.
suppressPackageStartupMessages({library(spdep); library(spatialreg)})
data(columbus, package = "spData")
lw <- nb2listw(col.gal.nb, style = "W")
traces <- trW(as(lw, "CsparseMatrix"), m = 200, type = "mult")
out <- NULL
add <- function(model, quantity, name, value)
  out <<- rbind(out, data.frame(model, quantity, name, value = sprintf("%.14g", value)))
ours <- function(names) sub("^lag[.]", "W_", sub("[(]Intercept[)]", "const", names))
f <- CRIME ~ INC + HOVAL
tight <- list(tol.opt = .Machine$double.eps^0.75)
impact <- function(model, found, names = c("INC", "HOVAL"))
  for (kind in c("direct", "indirect", "total")) add(model, kind, names, as.numeric(found[[kind]]))
for (model in c("SEM", "SDEM")) {
  fit <- errorsarlm(f, columbus, lw, Durbin = model == "SDEM", method = "eigen", control = tight)
  names <- ours(names(fit$coefficients))
  add(model, "params", c(names, "lambda"), c(fit$coefficients, fit$lambda))
  add(model, "std_error", c(names, "lambda"), c(fit$rest.se, fit$lambda.se))
  add(model, "sigma2", "", fit$s2)
  add(model, "loglik", "", as.numeric(logLik(fit)))
  if (model == "SDEM") {
    found <- impacts(fit)
    impact(model, found$impacts)
    for (kind in c("direct", "indirect", "total"))
      add(model, paste(kind, "se"), c("INC", "HOVAL"), as.numeric(found$se[[kind]]))
  }
}
for (model in c("SAC", "GNS")) {
  fit <- sacsarlm(f, columbus, lw, Durbin = model == "GNS", method = "eigen",
                  control = list(opt_control = list(iter.max = 5000, eval.max = 5000,
                                                    rel.tol = 1e-15, x.tol = 1e-13)))
  names <- ours(names(fit$coefficients))
  add(model, "params", c(names, "rho", "lambda"), c(fit$coefficients, fit$rho, fit$lambda))
  add(model, "std_error", c(names, "rho", "lambda"), c(fit$rest.se, fit$rho.se, fit$lambda.se))
  add(model, "sigma2", "", fit$s2)
  add(model, "loglik", "", as.numeric(logLik(fit)))
  impact(model, impacts(fit, tr = traces))
}
fit <- lmSLX(f, columbus, lw, Durbin = TRUE)
n <- nrow(columbus); s2 <- sum(residuals(fit)^2) / n
scale <- sqrt(s2 / summary.lm(fit)$sigma^2)
names <- ours(names(coef(fit)))
add("SLX", "params", names, coef(fit))
add("SLX", "std_error", names, sqrt(diag(vcov(fit))) * scale)
add("SLX", "sigma2", "", s2)
add("SLX", "loglik", "", as.numeric(logLik(fit)))
found <- impacts(fit)
impact("SLX", found$impacts)
for (kind in c("direct", "indirect", "total"))
  add("SLX", paste(kind, "se"), c("INC", "HOVAL"), as.numeric(found$se[[kind]]) * scale)
path <- file("columbus_family.csv", "w")
writeLines(sprintf("# columbus_family.R: spatialreg %s, spdep %s, %s", packageVersion("spatialreg"),
                   packageVersion("spdep"), R.version.string), path)
write.csv(out, path, row.names = FALSE, quote = FALSE)
close(path)

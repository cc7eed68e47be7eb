# SAC and GNS with a W of its own for the error: spatialreg's sacsarlm(listw, listw2) on Columbus.
# Run: Rscript columbus_two_matrices.R   (reads autocorrelation_links.csv, writes
# columbus_two_matrices.csv)
# W of y (and of lags of regressors) is queen_W, that of the error knn4_W, both of
# autocorrelation_links.csv. Data: CRIME, INC, HOVAL of spData, as in columbus_family.R, whose
# conventions hold. Standard errors are spatialreg's analytic ones.
suppressPackageStartupMessages({library(spdep); library(spatialreg)})
data(columbus, package = "spData")
links <- read.csv("autocorrelation_links.csv", comment.char = "#")
weights <- function(name) {
  own <- links[links$weights == name, ]
  W <- matrix(0, 49, 49)
  W[cbind(own$i, own$j)] <- own$w
  mat2listw(W / rowSums(W), style = "W")
}
out <- NULL
add <- function(model, quantity, name, value)
  out <<- rbind(out, data.frame(model, quantity, name, value = sprintf("%.14g", value)))
ours <- function(names) sub("^lag[.]", "W_", sub("[(]Intercept[)]", "const", names))
search <- list(opt_control = list(iter.max = 5000, eval.max = 5000, rel.tol = 1e-15, x.tol = 1e-13))
for (model in c("SAC", "GNS")) {
  fit <- sacsarlm(CRIME ~ INC + HOVAL, columbus, weights("queen_W"), listw2 = weights("knn4_W"),
                  Durbin = model == "GNS", method = "eigen", control = search)
  names <- ours(names(fit$coefficients))
  add(model, "params", c(names, "rho", "lambda"), c(fit$coefficients, fit$rho, fit$lambda))
  add(model, "std_error", c(names, "rho", "lambda"), c(fit$rest.se, fit$rho.se, fit$lambda.se))
  add(model, "sigma2", "", fit$s2)
  add(model, "loglik", "", as.numeric(logLik(fit)))
}
path <- file("columbus_two_matrices.csv", "w")
writeLines(sprintf("# columbus_two_matrices.R: spatialreg %s, spdep %s, %s",
                   packageVersion("spatialreg"), packageVersion("spdep"), R.version.string), path)
write.csv(out, path, row.names = FALSE, quote = FALSE)
close(path)

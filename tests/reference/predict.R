# In-sample predictors of one cross-section: spatialreg::predict on Columbus crime (49 areas).
# Software: R 4.2.2, spatialreg, spdep. Data: as columbus_sdm.R (columbus_data.csv has them).
# Run: Rscript predict.R   writes predict.csv
# "trend" is X beta (+ W X theta), "TC" (I - rho W)^-1 of it, "TS" trend and signal, the signal being
# rho W y, or lambda W (y - X beta) in error models (Goulard, Laurent and Thomas-Agnan 2017, Spatial
# Economic Analysis 12, 304-325).
suppressPackageStartupMessages({library(spdep); library(spatialreg)})
data(columbus, package = "spData")
lw <- nb2listw(col.gal.nb, style = "W")
f <- CRIME ~ INC + HOVAL
tight <- list(tol.opt = .Machine$double.eps^0.75)
search <- list(opt_control = list(iter.max = 5000, eval.max = 5000, rel.tol = 1e-15, x.tol = 1e-13))
fits <- list(
  SAR = lagsarlm(f, columbus, lw, control = tight),
  SDM = lagsarlm(f, columbus, lw, Durbin = TRUE, control = tight),
  SEM = errorsarlm(f, columbus, lw, control = tight),
  SDEM = errorsarlm(f, columbus, lw, Durbin = TRUE, control = tight),
  SAC = sacsarlm(f, columbus, lw, control = search),
  GNS = sacsarlm(f, columbus, lw, Durbin = TRUE, control = search))
out <- NULL
for (model in names(fits)) for (type in c("trend", "TC", "TS")) {
  value <- tryCatch(as.numeric(predict(fits[[model]], pred.type = type, listw = lw)),
                    error = function(e) {message(model, " ", type, ": ", conditionMessage(e)); NULL})
  if (!is.null(value))
    out <- rbind(out, data.frame(model, type, area = seq_along(value),
                                 value = sprintf("%.12g", value)))
}
path <- file("predict.csv", "w")
writeLines(sprintf("# predict.R: spatialreg %s, spdep %s, %s", packageVersion("spatialreg"),
                   packageVersion("spdep"), R.version.string), path)
write.csv(out, path, row.names = FALSE, quote = FALSE)
close(path)

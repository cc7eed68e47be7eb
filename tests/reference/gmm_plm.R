# Difference and system GMM on EmplUK (140 firms, 1976-1984; Arellano and Bond 1991).
# Software: R 4.2.2, plm 2.6.2 (pgmm). Data: EmplUK of plm, in logarithms. Run: Rscript gmm_plm.R
# Writes gmm_plm.csv: coefficients and robust standard errors (two-step: Windmeijer's), J, AR tests.
# Conventions: plm's dummies of difference GMM are not differenced, so that only the slopes compare.
# Its "sargan" weighs one-step residuals by the second step's weights: only two-step J is kept.
# Unadjusted one-step errors are left out: plm puts 1/N for the residual variance.
suppressMessages(library(plm))
data("EmplUK", package = "plm")
EmplUK[4:7] <- log(EmplUK[4:7])
names(EmplUK)[4:7] <- c("n", "w", "k", "ys")
out <- NULL
add <- function(case, quantity, name, value)
  out <<- rbind(out, data.frame(case, quantity, name, value = sprintf("%.14g", value)))
run <- function(case, f, effect = "twoways", ...) for (steps in c("onestep", "twosteps")) {
  z <- pgmm(f, EmplUK, effect = effect, model = steps, ...)
  b <- coef(summary(z, robust = TRUE))
  b <- b[!grepl("^19", rownames(b)), ]
  lags <- sub("lag\\((\\w+), .*\\)([0-9])$", "L\\2.\\1", rownames(b))
  lags <- sub("lag\\((\\w+), 1\\)$", "L1.\\1", lags)
  lags <- sub("^L0\\.", "", sub("\\(Intercept\\)", "const", lags))
  key <- paste(case, sub("steps?$", "", steps))
  add(key, "params", lags, b[, 1]); add(key, "std_errors", lags, b[, 2])
  for (m in 1:2) add(key, paste0("ar", m), "", mtest(z, m, vcov = vcovHC(z))$statistic)
  if (steps == "twosteps") add(key, "hansen", "", sargan(z, "twosteps")$statistic)
  if (steps == "twosteps") add(key, "df", "", sargan(z, "twosteps")$parameter)
}
run("a", n ~ lag(n, 1:2) + lag(w, 0:1) + lag(k, 0:2) + lag(ys, 0:2) | lag(n, 2:99))
run("b", n ~ lag(n, 1:2) + lag(w, 0:1) + k + lag(ys, 0:1) | lag(n, 2:99))
run("collapsed", n ~ lag(n, 1:2) + w + k | lag(n, 2:99), collapse = TRUE)
run("limited", n ~ lag(n, 1) + w + k | lag(n, 2:4) + lag(w, 2:3) + lag(k, 1:3))
run("no time effects", n ~ lag(n, 1) + w + k | lag(n, 2:99), effect = "individual")
run("system", n ~ lag(n, 1) + lag(w, 0:1) + lag(k, 0:1) |
      lag(n, 2:99) + lag(w, 2:99) + lag(k, 2:99), transformation = "ld")
run("system collapsed", n ~ lag(n, 1) + w + k | lag(n, 2:99) + lag(w, 2:99) + lag(k, 2:99),
    transformation = "ld", collapse = TRUE)
path <- file("gmm_plm.csv", "w")
writeLines(sprintf("# gmm_plm.R: plm %s, %s", packageVersion("plm"), R.version.string), path)
write.csv(out, path, row.names = FALSE, quote = FALSE)
close(path)

# Two-stage least squares with fixed effects on an unbalanced panel, by base R and ivreg of AER.
# Software: R 4.2.2, AER 1.2-10, sandwich 3.0-2 (Debian 12). Run: Rscript iv_panel.R
#   writes iv_panel_data.csv (the panel, simulated) and iv_panel.csv (values).
# The panel: 24 cities x 9 years, 26 rows left out at random; d and e endogenous; z1 to z4 excluded.
# Effects are dummies of the regression. K is the number of columns of the second stage, L that of the
# first, dummies included. Conventions:
#   iid       ivreg's own, SSR / (n - K)
#   hetero    White's sandwich times n / (n - K)
#   cluster   sandwich of sums by city times G / (G - 1) (n - 1) / (n - K + nested), where nested is the
#             number of cities less one if cities are among the effects
#   first_F_* Wald test of the excluded instruments in the first stage of d, over their number, with
#             the same factors (L for K): with one endogenous regressor the Kleibergen-Paap F
#   ar_F_*    the same in the regression of y - b d on exogenous columns, at b = 0 and b = 1
#   sargan, wu_hausman  diagnostics of ivreg: Sargan's n R2 and its p-value; the F test of endogeneity
options(digits = 15)
suppressMessages({library(AER); library(sandwich)})
set.seed(41)
cities <- sprintf("c%02d", 1:24)
d <- expand.grid(year = 2001:2009, city = cities, stringsAsFactors = FALSE)[, c("city", "year")]
n <- nrow(d)
mu <- rnorm(24)[match(d$city, cities)]
for (z in paste0("z", 1:4)) d[[z]] <- round(rnorm(n) + mu / 2, 6)
d$x <- round(rnorm(n) + (d$year - 2005) / 4, 6)
v <- rnorm(n) + rnorm(24)[match(d$city, cities)] / 2
w <- rnorm(n)
d$d <- round(0.5 * d$z1 + 0.3 * d$z2 + 0.2 * d$x + v + mu, 6)
d$e <- round(0.4 * d$z3 - 0.4 * d$z4 + w, 6)
d$y <- round(0.8 * d$d - 0.5 * d$e + d$x + mu + cos(d$year) + 0.6 * v + 0.5 * w +
  rnorm(n) * exp(d$x / 4), 6)
d <- d[sort(sample(n, n - 26)), ]
write.csv(d, "iv_panel_data.csv", row.names = FALSE, quote = FALSE)

rows <- list()
add <- function(case, kind, name, value)
  rows[[length(rows) + 1]] <<- data.frame(case = case, kind = kind, name = name, value = value)
factors <- c(city = "factor(city)", year = "factor(year)")
wald <- function(fit, names, V) {
  b <- coef(fit)[names]
  drop(t(b) %*% solve(V[names, names], b)) / length(names)
}
covariances <- function(fit, nested) {
  n <- nobs(fit); K <- fit$rank; G <- length(unique(d$city))
  list(iid = vcov(fit), hetero = sandwich(fit) * n / (n - K),
    cluster = vcovCL(fit, d$city, type = "HC0", cadjust = FALSE) * G / (G - 1) * (n - 1) /
      (n - K + nested))
}
cases <- list(pooled = character(), entity = "city", time = "year", twoway = c("city", "year"))
models <- list(
  just = list(exog = c("x", "e"), endog = "d", z = "z1"),
  over = list(exog = c("x", "e"), endog = "d", z = c("z1", "z2", "z3")),
  two = list(exog = "x", endog = c("d", "e"), z = paste0("z", 1:4))
)
for (case in names(cases)) for (kind in names(models)) {
  m <- models[[kind]]
  dummies <- factors[cases[[case]]]
  nested <- if ("city" %in% cases[[case]]) length(unique(d$city)) - 1 else 0
  right <- c(m$exog, dummies)
  f <- as.formula(paste("y ~", paste(c(right, m$endog), collapse = "+"), "|",
    paste(c(right, m$z), collapse = "+")))
  fit <- ivreg(f, data = d)
  label <- paste(case, kind)
  shown <- c(if (case == "pooled") "(Intercept)", m$exog, m$endog)
  for (p in shown) add(label, "params", p, coef(fit)[[p]])
  V <- covariances(fit, nested)
  for (k in names(V)) for (p in shown) add(label, k, p, sqrt(V[[k]][p, p]))
  if (kind == "two") next
  stage <- lm(as.formula(paste("d ~", paste(c(right, m$z), collapse = "+"))), data = d)
  V <- covariances(stage, nested)
  for (k in names(V)) add(label, paste0("first_F_", k), "d", wald(stage, m$z, V[[k]]))
  for (b in 0:1) {
    ar <- lm(as.formula(paste("I(y -", b, "* d) ~", paste(c(right, m$z), collapse = "+"))), data = d)
    V <- covariances(ar, nested)
    for (k in names(V)) add(label, paste0("ar_F_", k), as.character(b), wald(ar, m$z, V[[k]]))
  }
  table <- summary(fit, diagnostics = TRUE)$diagnostics
  add(label, "wu_hausman", "statistic", table["Wu-Hausman", "statistic"])
  add(label, "wu_hausman", "df2", table["Wu-Hausman", "df2"])
  add(label, "wu_hausman", "pvalue", table["Wu-Hausman", "p-value"])
  if (kind == "over") {
    add(label, "sargan", "statistic", table["Sargan", "statistic"])
    add(label, "sargan", "pvalue", table["Sargan", "p-value"])
  }
}
write.csv(do.call(rbind, rows), "iv_panel.csv", row.names = FALSE, quote = FALSE)

# Pooled, random-effects and first-difference regressions and tests of effects, by plm and base R.
# Software: R 4.2.2, plm 2.6.2, car 3.1. Run: Rscript panel_models.R   writes panel_models.csv
# Data: Grunfeld of plm (10 firms, 20 years, "balanced"); the unbalanced panel of fixed_effects.R in
#   fixed_effects_data.csv ("unbalanced", 129 rows, one city seen once, gaps in time) with a regressor
#   z that is fixed for a city; Grunfeld without each seventh row ("dropped"); and the same without rows after a gap ("gapless", for differences).
# Conventions: "swar" is Swamy and Arora's estimator, for unbalanced panels by the quadratic forms of
#   Baltagi and Chang (1994). Errors of coefficients are plm's, SSR / (n - k). "arellano" clusters by
#   city or firm without a small-sample factor (HC0). plm's differences span gaps; here there are none.
# "hausman": phtest, which takes the absolute value where the difference of covariances is negative,
#   as it is for "unbalanced".
# "sigmamore": Hausman's statistic with both covariances from the error variance of random effects.
# "aux": plm's regression-based test; "aux_arellano" with the clustered covariance. For the unbalanced
#   panel plm adds a plain constant to quasi-demeaned columns, so that it is made by hand here, with
#   the quasi-demeaned constant.
suppressMessages({library(plm); library(car)})
options(digits = 15)
out <- NULL
add <- function(data, what, name, value)
  out <<- rbind(out, data.frame(data, what, name = sub("(Intercept)", "const", name, fixed = TRUE),
    value = sprintf("%.15g", as.numeric(value))))
square <- function(data, what, V) for (a in rownames(V)) for (b in colnames(V))
  add(data, what, paste(sub("(Intercept)", "const", c(a, b), fixed = TRUE), collapse = " "), V[a, b])
fit <- function(data, what, m) {
  add(data, paste0(what, "_params"), names(coef(m)), coef(m))
  square(data, paste0(what, "_cov"), vcov(m))
  if (data == "balanced") square(data, paste0(what, "_arellano"), vcovHC(m, method = "arellano", type = "HC0"))
}
# quasi-demeaned columns by hand, for any panel
by_hand <- function(data, m, d, id, y, x, within) {
  s <- ercomp(m)$sigma2
  T <- ave(rep(1, nrow(d)), d[[id]], FUN = sum)
  th <- 1 - sqrt(s[["idios"]] / (s[["idios"]] + T * s[["id"]]))
  mean_of <- function(v) ave(v, d[[id]])
  Y <- d[[y]] - th * mean_of(d[[y]])
  X <- cbind(1 - th, sapply(x, function(n) d[[n]] - th * mean_of(d[[n]])))
  W <- sapply(within, function(n) d[[n]] - mean_of(d[[n]]))
  one <- lm.fit(X, Y); two <- lm.fit(cbind(X, W), Y)
  stopifnot(max(abs(one$coefficients - coef(m)) / abs(coef(m))) < 1e-8)
  s2 <- sum(one$residuals^2) / (nrow(X) - ncol(X))
  add(data, "sigmamore", "", (sum(one$residuals^2) - sum(two$residuals^2)) / s2)
  Z <- cbind(X, W); B <- solve(crossprod(Z))
  sums <- rowsum(Z * two$residuals, d[[id]])
  at <- ncol(X) + seq_along(within)
  V <- (B %*% crossprod(sums) %*% B)[at, at]
  add(data, "robust", "", two$coefficients[at] %*% solve(V, two$coefficients[at]))
}
data("Grunfeld", package = "plm")
G <- Grunfeld
U <- read.csv("fixed_effects_data.csv")
U$y <- U$y - 5e6
U$z <- (match(U$city, sort(unique(U$city))) %% 4) + 0.5
D <- do.call(rbind, lapply(split(U, U$city), function(d) {
  d <- d[order(d$year), ]
  run <- cumsum(c(TRUE, diff(d$year) > 1))
  d[run == as.integer(names(which.max(table(run)))), ]
}))
write.csv(D[c("city", "year")], "panel_models_gapless.csv", row.names = FALSE, quote = FALSE)
panels <- list(
  balanced = list(d = G, f = inv ~ value + capital, index = c("firm", "year")),
  unbalanced = list(d = U, f = y ~ x1 + x2 + policy + z, index = c("city", "year")),
  dropped = list(d = G[seq_len(nrow(G)) %% 7 != 0, ], f = inv ~ value + capital,
                 index = c("firm", "year")),
  gapless = list(d = D, f = y ~ x1 + x2 + policy, index = c("city", "year"))
)
for (name in names(panels)) {
  p <- panels[[name]]
  d <- pdata.frame(p$d, index = p$index)
  pool <- plm(p$f, d, model = "pooling")
  fit(name, "pooled", pool)
  if (name == "gapless") {
    fit(name, "difference", plm(update(p$f, . ~ . - 1), d, model = "fd"))
    fit(name, "difference_const", plm(p$f, d, model = "fd"))
    next
  }
  re <- plm(p$f, d, model = "random", random.method = "swar")
  fit(name, "swar", re)
  s <- ercomp(re)
  add(name, "sigma2", c("e", "u"), s$sigma2)
  add(name, "theta", if (name == "balanced") "" else unique(p$d[[p$index[1]]]),
      if (name == "balanced") s$theta else s$theta[!duplicated(index(d)[[1]])])
  fe <- plm(p$f, d, model = "within")
  h <- phtest(fe, re)
  add(name, "hausman", c("statistic", "pvalue", "df"), c(h$statistic, h$p.value, h$parameter))
  for (effect in c("individual", "time", "twoways")) {
    F <- pFtest(plm(p$f, d, model = "within", effect = effect), pool)
    if (name == "balanced")  # plm counts a regressor that is fixed for a city twice
      add(name, paste0("F_", effect), c("statistic", "df1", "df2", "pvalue"),
          c(F$statistic, F$parameter, F$p.value))
    for (type in c("bp", "honda", "kw")) {
      L <- plmtest(pool, effect = effect, type = type)
      add(name, paste0(type, "_", effect), c("statistic", "pvalue"), c(L$statistic, L$p.value))
    }
  }
  slopes <- setdiff(names(coef(fe)), "z")
  response <- as.character(p$f)[2]
  by_hand(name, re, p$d, p$index[1], response, setdiff(names(coef(re)), "(Intercept)"), slopes)
  if (name == "balanced") {
    a <- phtest(p$f, data = G, method = "aux", index = p$index)
    add(name, "aux", "", a$statistic)
    r <- phtest(p$f, data = G, method = "aux", index = p$index,
                vcov = function(v) vcovHC(v, method = "arellano", type = "HC0"))
    add(name, "aux_arellano", "", r$statistic)
  } else if (name == "unbalanced") {
    for (effects in list("city", "year", c("city", "year"))) {
      full <- lm(reformulate(c("x1", "x2", "policy", sprintf("factor(%s)", effects)), "y"), p$d)
      F <- anova(lm(y ~ x1 + x2 + policy, p$d), full)
      add(name, paste0("F_", paste(effects, collapse = "_")), c("statistic", "df1", "df2", "pvalue"),
          c(F[2, "F"], F[2, "Df"], F[2, "Res.Df"], F[2, "Pr(>F)"]))
    }
  }
}
v <- vif(lm(y ~ x1 + x2 + policy + z, U))
add("unbalanced", "vif", names(v), v)
# Belsley, Kuh and Welsch: columns with the constant, of length one, not centred
X <- model.matrix(~ x1 + x2 + policy + z, U)
X <- sweep(X, 2, sqrt(colSums(X^2)), "/")
S <- svd(X)
add("unbalanced", "condition", seq_along(S$d), max(S$d) / S$d)
P <- sweep(S$v, 2, S$d, "/")^2
P <- t(sweep(P, 1, rowSums(P), "/"))
for (j in seq_len(ncol(X))) add("unbalanced", "proportions", paste(seq_along(S$d), colnames(X)[j]), P[, j])
for (method in c("pearson", "spearman")) {
  for (pair in list(c("x1", "x2"), c("x1", "y"), c("x2", "y"))) {
    C <- cor.test(U[[pair[1]]], U[[pair[2]]], method = method, exact = FALSE)
    add("unbalanced", method, paste(pair[1], pair[2], c("r", "p")), c(C$estimate, C$p.value))
  }
}
write.csv(out, "panel_models.csv", row.names = FALSE, quote = FALSE)

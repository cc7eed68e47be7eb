# Goodman-Bacon's decomposition and the weights of de Chaisemartin and D'Haultfoeuille, by lm.
#
# R 4.2.2, no packages. On staggered_data.csv (see staggered.py); units of the cohort 2003 are always
# treated in the case "always", which begins in 2003. Writes two_by_twos.csv. Run: Rscript two_by_twos.R
#
# Without regressors each part is the coefficient of a regression with dummies on the rows of two
# cohorts before the later, or after the earlier one is treated, with the weight of Goodman-Bacon
# (2021, equations 10a to 10g). With regressors (his section 5.2) each pair of cohorts is one part: the
# coefficient of what is left of the treatment, averaged by cohort and year; its weight is the square
# of the number of rows times the variance of that in the rows of the pair.
# Weights: residuals of lm of the treatment on dummies and x; sensitivity by the definitions of
# corollary 1 of de Chaisemartin and D'Haultfoeuille (2020), with the divisor n - 1 of the authors'
# programs in the first.

d0 <- read.csv("staggered_data.csv")
d0$D <- as.numeric(d0$cohort > 0 & d0$year >= d0$cohort)
out <- data.frame()
add <- function(case, kind, a, b, estimate, weight)
  out <<- rbind(out, data.frame(case, kind, a, b, estimate, weight))
left <- function(v, d, x = NULL) {
  f <- if (is.null(x)) v ~ factor(unit) + factor(year) else
    as.formula(paste("v ~ factor(unit) + factor(year) +", paste(x, collapse = " + ")))
  environment(f) <- list2env(list(v = v))
  resid(lm(f, data = d))
}

plain <- function(case, d) {
  start <- min(d$year)
  d$g <- ifelse(d$cohort == 0, Inf, pmax(d$cohort, start))
  groups <- sort(unique(d$g))
  rows <- list()
  for (k in groups) for (l in groups) {
    if (k == l || k == Inf || k == start) next
    s <- d[d$g %in% c(k, l), ]
    s <- if (k < l) s[s$year < l, ] else s[s$year >= l, ]
    if (length(unique(s$year)) < 2) next
    e <- coef(lm(y ~ D + factor(unit) + factor(year), data = s))["D"]
    w <- sum(left(s$D, s)^2) * nrow(s)  # N^2 times the variance of the treatment left in the part
    rows[[length(rows) + 1]] <- c(k, l, e, w)
  }
  m <- do.call(rbind, rows)
  m[, 4] <- m[, 4] / sum(m[, 4])
  for (i in seq_len(nrow(m)))
    add(case, "pair", m[i, 1], ifelse(m[i, 2] == Inf, 0, m[i, 2]), m[i, 3], m[i, 4])
  add(case, "twfe", 0, 0, coef(lm(y ~ D + factor(unit) + factor(year), data = d))["D"], 1)
}

with_x <- function(case, d, x) {
  start <- min(d$year)
  d$g <- ifelse(d$cohort == 0, Inf, pmax(d$cohort, start))
  d$d <- left(d$D, d, x)
  d$dkt <- ave(d$d, d$g, d$year)
  inner <- d$d - d$dkt
  omega <- sum(inner^2) / sum(d$d^2)
  add(case, "within", 0, 0, sum(inner * d$y) / sum(inner^2), omega)
  groups <- sort(unique(d$g))
  m <- NULL
  for (i in seq_along(groups)) for (j in seq_along(groups)) if (i < j) {
    s <- d[d$g %in% groups[c(i, j)], ]
    e <- coef(lm(y ~ dkt + factor(unit) + factor(year), data = s))["dkt"]
    m <- rbind(m, c(groups[i], groups[j], e, nrow(s) * sum(left(s$dkt, s)^2)))
  }
  m[, 4] <- (1 - omega) * m[, 4] / sum(m[, 4])
  for (i in seq_len(nrow(m)))
    add(case, "pair", m[i, 1], ifelse(m[i, 2] == Inf, 0, m[i, 2]), m[i, 3], m[i, 4])
  f <- as.formula(paste("y ~ D + factor(unit) + factor(year) +", paste(x, collapse = " + ")))
  add(case, "twfe", 0, 0, coef(lm(f, data = d))["D"], 1)
}

weights_of <- function(case, d, x = NULL) {
  e <- left(d$D, d, x)
  on <- d$D != 0
  w <- e[on] * d$D[on] / sum(e * d$D)
  for (i in which(on)) add(case, "weight", d$unit[i], d$year[i], w[sum(on[1:i])], 0)
  f <- paste(c("y ~ D + factor(unit) + factor(year)", x), collapse = " + ")
  beta <- coef(lm(as.formula(f), data = d))["D"]
  p <- d$D[on] / sum(d$D)
  W <- w / p
  add(case, "sigma", 0, 0, abs(beta) / sqrt(sum(p * (W - 1)^2) * sum(on) / (sum(on) - 1)), 0)
  if (any(w < -1e-10)) {
    keep <- abs(w) > 1e-10
    o <- order(-W[keep])
    W <- W[keep][o]; p <- p[keep][o]
    n <- length(W)
    found <- NA
    for (i in 2:n) {
      P <- sum(p[i:n]); S <- sum((p * W)[i:n]); T <- sum((p * W^2)[i:n])
      if (W[i] < -S / (1 - P)) { found <- abs(beta) / sqrt(T + S^2 / (1 - P)); break }
    }
    add(case, "opposite", 0, 0, found, 0)
  }
}

plain("plain", d0)
always <- d0[d0$year >= 2003, ]
plain("always", always)
with_x("x", d0, c("x"))
with_x("x z-trend", transform(d0, zt = z * year), c("x", "zt"))
with_x("always x", always, c("x"))
weights_of("weights", d0)
weights_of("weights x", d0, "x")
weights_of("weights unbalanced", d0[d0$kept == 1, ])
dose <- d0
dose$D <- dose$D * (1 + dose$unit %% 3)
dose$D[dose$unit %% 7 == 0 & dose$year == 2008] <- 0
weights_of("weights dose", dose)
write.csv(out, "two_by_twos.csv", row.names = FALSE)

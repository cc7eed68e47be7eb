# Panel threshold regressions by brute force: lm with dummies at every candidate.
# R 4.2.2, base only. Data: fixed_effects_data.csv (simulated, unbalanced; see fixed_effects.R).
# To y is added 1.2 x1 (x2 > 700) + 1.2 x1 (x2 > 2000), so that there is something to find.
# Model: y on x1 (slope by regime), x2 and policy, threshold variable x2, x2 <= gamma the lower
# regime; candidates are the values of x2 that leave at least a tenth of the observations in every
# regime. Thresholds one after another; the first again beside the second.
# F = (S0 - S1) / (S1 / df), df = n - cities with city effects, else n.
# Run in tests/reference: Rscript threshold_lm.R

d <- read.csv("fixed_effects_data.csv")
d$y <- d$y + 1.2 * d$x1 * (d$x2 > 700) + 1.2 * d$x1 * (d$x2 > 2000)
d$city <- factor(d$city)
d$year <- factor(d$year)
n <- nrow(d)
effects <- list(entity = "+ city", twoway = "+ city + year", pooled = "")
rows <- list()
add <- function(case, kind, name, value) {
  rows[[length(rows) + 1]] <<- data.frame(case = case, kind = kind, name = name, value = value)
}

fit <- function(gammas, extra) {
  regime <- cut(d$x2, c(-Inf, sort(gammas), Inf), labels = FALSE)  # right-closed
  for (r in seq_len(length(gammas) + 1)) d[[paste0("x1_", r)]] <- d$x1 * (regime == r)
  terms <- paste0("x1_", seq_len(length(gammas) + 1), collapse = " + ")
  lm(as.formula(paste("y ~ x2 + policy +", terms, extra)), d)
}

allowed <- function(gamma, fixed) {
  regime <- cut(d$x2, c(-Inf, sort(c(fixed, gamma)), Inf), labels = FALSE)
  counts <- tabulate(regime, length(fixed) + 2)
  all(counts >= 0.1 * n - 1e-9)
}

search <- function(fixed, extra) {
  candidates <- Filter(function(g) !(g %in% fixed) && allowed(g, fixed), sort(unique(d$x2)))
  S <- sapply(candidates, function(g) sum(resid(fit(c(fixed, g), extra))^2))
  list(candidates = candidates, S = S, gamma = candidates[which.min(S)], ssr = min(S))
}

for (case in names(effects)) {
  extra <- effects[[case]]
  df <- if (case == "pooled") n else n - nlevels(d$city)
  S0 <- sum(resid(lm(as.formula(paste("y ~ x2 + policy + x1", extra)), d))^2)
  one <- search(numeric(0), extra)
  two <- search(one$gamma, extra)
  again <- search(two$gamma, extra)
  add(case, "ssr", c("0", "1", "2", "refined"), c(S0, one$ssr, two$ssr, again$ssr))
  add(case, "gamma", c("1", "2", "refined"), c(one$gamma, two$gamma, again$gamma))
  add(case, "F", c("1", "2"), df * c(S0 / one$ssr - 1, one$ssr / two$ssr - 1))
  lr <- df * (one$S / one$ssr - 1)
  for (level in c(0.90, 0.95, 0.99)) {
    inside <- one$candidates[lr <= -2 * log(1 - sqrt(level))]
    add(case, "set", paste(c("lower", "upper"), level), range(inside))
  }
  add(case, "count", "candidates", length(one$candidates))
  final <- fit(one$gamma, extra)
  names <- c("x2", "policy", "x1_1", "x1_2")
  add(case, "params", names, coef(final)[names])
  add(case, "std_error", names, sqrt(diag(vcov(final)))[names])
}
write.csv(do.call(rbind, rows), "threshold_lm.csv", row.names = FALSE)

# Fixed-effects regression on an unbalanced panel, by base R: lm with a dummy for every category.
# Software: R 4.2.2 (base only). Run: Rscript fixed_effects.R
#   writes fixed_effects_data.csv (the panel, simulated) and fixed_effects.csv (estimates).
# The panel: 20 cities x 8 years, 31 rows left out at random, one city seen once only; provinces hold
# five cities each, so that province-by-year effects contain the year effects; y in millions.
# Conventions of the standard errors, all from the lm residuals and K = rank of the model matrix:
#   iid       sqrt(diag((X'X)^-1) SSR / (n - K))
#   hetero    the sandwich of White times n / (n - K)
#   cluster   sandwich of cluster sums times G / (G - 1) (n - 1) / (n - K + nested), where nested is the
#             rank, less one, of the dummies of effects whose categories each lie within one cluster
#   clusters2 a + b - (a and b), the factor from min(G_a, G_b)
#   dk        Driscoll and Kraay with Bartlett weights 1 - l / (L + 1), L = 2, over observed years,
#             times T / (T - 1) (n - 1) / (n - K)
options(digits = 15)
set.seed(11)
cities <- sprintf("c%02d", 1:20)
full <- expand.grid(year = 2001:2008, city = cities, stringsAsFactors = FALSE)[, c("city", "year")]
full$province <- c("north", "east", "south", "west")[(match(full$city, cities) - 1) %/% 5 + 1]
full$region <- ifelse(full$province %in% c("north", "west"), "inner", "outer")
n <- nrow(full)
full$x1 <- round(rnorm(n) + match(full$city, cities) / 5 + (full$year - 2004) / 3, 6)
full$x2 <- round(exp(rnorm(n)) * 1000, 3)
full$policy <- as.integer(match(full$city, cities) %% 3 == 0 & full$year >= 2004)
full$y <- round(5e6 + 2 * full$x1 - 0.003 * full$x2 + 0.7 * full$policy +
  match(full$city, cities) + sin(full$year) + rnorm(n) * (1 + full$policy), 6)
keep <- sort(sample(n, n - 31))
single <- full$city == "c20"
keep <- setdiff(keep, which(single))
keep <- sort(c(keep, which(single)[3]))
d <- full[keep, ]
d$province_year <- paste(d$province, d$year, sep = "-")
write.csv(d, "fixed_effects_data.csv", row.names = FALSE, quote = FALSE)

x <- c("x1", "x2", "policy")
cases <- list(
  pooled = list(), entity = list("city"), time = list("year"), twoway = list("city", "year"),
  entity_province_year = list("city", "province_year"), province_year = list("province_year"),
  province_and_year = list("province", "year")
)
nested <- function(effects, clusters) {
  inside <- vapply(effects, function(e) any(vapply(clusters, function(g) {
    all(tapply(d[[g]], d[[e]], function(v) length(unique(v))) == 1)
  }, TRUE)), TRUE)
  if (!any(inside)) return(0)
  lm(reformulate(sprintf("factor(%s)", effects[inside]), "y"), d)$rank - 1
}
rows <- list()
add <- function(case, kind, values) {
  values <- values[!is.nan(values)] # two-way clustering can give a negative variance
  if (length(values)) rows[[length(rows) + 1]] <<- data.frame(case = case, kind = kind, name = names(values),
    value = sprintf("%.15g", values))
}
for (case in names(cases)) {
  effects <- unlist(cases[[case]])
  terms <- c(x, if (length(effects)) sprintf("factor(%s)", effects))
  fit <- lm(reformulate(terms, "y"), d)
  X <- model.matrix(fit)[, !is.na(coef(fit))]
  K <- fit$rank
  stopifnot(ncol(X) == K)
  names <- names(coef(fit))[!is.na(coef(fit))]
  show <- if (case == "pooled") c("(Intercept)", x) else x
  at <- match(show, names)
  scale <- sqrt(colSums(X^2))
  B <- solve(crossprod(sweep(X, 2, scale, "/"))) / outer(scale, scale)
  e <- residuals(fit)
  n <- nrow(d)
  scores <- X * e
  meat <- function(g) crossprod(rowsum(scores, g))
  se <- function(M, factor) setNames(suppressWarnings(sqrt(diag(B %*% M %*% B)[at] * factor)), show)
  one <- function(g, effects) {
    G <- length(unique(d[[g]]))
    se(meat(d[[g]]), G / (G - 1) * (n - 1) / (n - K + nested(effects, g)))
  }
  add(case, "params", setNames(coef(fit)[show], show))
  add(case, "iid", setNames(sqrt(diag(B)[at] * sum(e^2) / (n - K)), show))
  add(case, "hetero", se(crossprod(scores), n / (n - K)))
  add(case, "cluster_city", one("city", effects))
  add(case, "cluster_province", one("province", effects))
  both <- interaction(d$city, d$year, drop = TRUE)
  G <- min(length(unique(d$city)), length(unique(d$year)))
  add(case, "clusters2", se(meat(d$city) + meat(d$year) - meat(both), G / (G - 1) * (n - 1) /
    (n - K + nested(effects, c("city", "year")))))
  S <- rowsum(scores, d$year)
  T <- nrow(S)
  M <- crossprod(S)
  for (l in 1:2) {
    C <- crossprod(S[(l + 1):T, ], S[1:(T - l), ])
    M <- M + (1 - l / 3) * (C + t(C))
  }
  add(case, "dk2", se(M, T / (T - 1) * (n - 1) / (n - K)))
  ll <- as.numeric(logLik(fit))
  within <- if (length(effects)) {
    1 - sum(e^2) / sum(residuals(lm(reformulate(sprintf("factor(%s)", effects), "y"), d))^2)
  } else summary(fit)$r.squared
  add(case, "fit", c(loglik = ll, overall = 1 - sum(e^2) / sum((d$y - mean(d$y))^2),
    within = within, rank = K))
}
write.csv(do.call(rbind, rows), "fixed_effects.csv", row.names = FALSE, quote = FALSE)

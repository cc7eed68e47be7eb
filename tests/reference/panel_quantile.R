# Panel quantiles, mediation and moderation on an unbalanced panel, from regressions with dummies.
# Software: R 4.2.2, quantreg 5.94. Data: simulated here, panel_quantile_data.csv.
# Run: Rscript panel_quantile.R   writes panel_quantile.csv, panel_quantile_data.csv
# Conventions: location and scale by lm with dummies of entities (and years); q by quantile type 1
# of residual / scale ("plain"), and by rq of the residual on the scale through the origin
# ("weighted"), which minimises the check function. Canay: rq of y less effects of mean zero.
# Errors of lm are plain, with n - K degrees of freedom, K counting all dummies.
suppressMessages(library(quantreg))
set.seed(7)
d <- expand.grid(year = 2005:2014, city = sprintf("c%02d", 1:24))[, 2:1]
d <- d[sort(sample(nrow(d), 200)), ]
mu <- rnorm(24)[as.integer(d$city)]
d$a <- round(mu + rnorm(200), 4)
d$b <- round(rexp(200) + 0.1 * (d$year - 2005), 4)
d$m1 <- round(0.5 * d$a + mu + rnorm(200), 4)
d$m2 <- round(-0.4 * d$a + 0.3 * d$m1 + rnorm(200), 4)
d$y <- round(mu + d$a - d$b + 0.5 * d$m1 + (1 + 0.4 * d$b) * rt(200, 6), 4)
write.csv(d, "panel_quantile_data.csv", row.names = FALSE, quote = FALSE)
d$city <- factor(d$city); d$t <- factor(d$year)
rows <- list()
add <- function(case, kind, tau, name, value) rows[[length(rows) + 1]] <<- data.frame(
  case = case, kind = kind, tau = tau, name = name, value = sprintf("%.15g", value))
for (case in c("entity", "twoway")) {
  dummies <- if (case == "entity") "city" else "city + t"
  m <- lm(as.formula(paste("y ~ a + b +", dummies)), d)
  r <- resid(m); d$size <- abs(r)
  s <- fitted(lm(as.formula(paste("size ~ a + b +", dummies)), d))
  g <- coef(lm(as.formula(paste("size ~ a + b +", dummies)), d))[c("a", "b")]
  beta <- coef(m)[c("a", "b")]
  effect <- fitted(m) - as.matrix(d[, c("a", "b")]) %*% beta
  d$free <- d$y - as.vector(effect - mean(effect))
  add(case, "min_scale", 0, "scale", min(s))
  for (tau in c(0.15, 0.5, 0.83)) {
    q <- c(plain = unname(quantile(r / s, tau, type = 1)),
           weighted = unname(coef(rq(r ~ 0 + s, tau))))
    for (kind in names(q)) {
      add(case, kind, tau, "q", q[[kind]])
      for (x in c("a", "b")) add(case, kind, tau, x, beta[[x]] + q[[kind]] * g[[x]])
    }
    fit <- coef(rq(free ~ a + b, tau, d))
    for (x in names(fit)) add(case, "canay", tau, sub("(Intercept)", "const", x, fixed = TRUE), fit[[x]])
  }
}
step <- function(formula, kind, names) {
  fit <- summary(lm(formula, d))$coefficients
  for (x in names) for (what in 1:2)
    add("mediation", paste0(kind, c("", "_se")[what]), 0, x, fit[x, what])
}
step(y ~ a + city + t, "total", "a")
step(m1 ~ a + city + t, "m1", "a")
step(m2 ~ a + city + t, "m2", "a")
step(y ~ a + m1 + city + t, "with_m1", c("a", "m1"))
step(y ~ a + m2 + city + t, "with_m2", c("a", "m2"))
step(y ~ a + m1 + m2 + city + t, "with_all", c("a", "m1", "m2"))
fit <- lm(y ~ a * b + city + t, d); v <- vcov(fit); at <- c(-1, 0, 0.5, 2)
for (z in at) {
  add("moderation", "effect", 0, as.character(z), coef(fit)[["a"]] + z * coef(fit)[["a:b"]])
  add("moderation", "effect_se", 0, as.character(z),
      sqrt(v["a", "a"] + z^2 * v["a:b", "a:b"] + 2 * z * v["a", "a:b"]))
}
write.csv(do.call(rbind, rows), "panel_quantile.csv", row.names = FALSE, quote = FALSE)

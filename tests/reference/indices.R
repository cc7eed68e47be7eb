# Expected values for tests/panel/test_transform.py and tests/indices: quantiles, inequality, rank-size,
# relative prices, and data envelopment analysis with the Malmquist index.
# Software: R 4.2.2; ineq 0.2-13 (its source, sourced from the folder in INEQ); lpSolve 5.6.18.
# Data: made below without random numbers. Each programme of the data envelopment analysis is
# written out and solved alone, with all units of the period as its frontier.
# Conventions: ineq's Theil(parameter = 0) is T and parameter = 1 is L; Gini without the factor
# n / (n - 1); var.coeff divides by n, as ours.
# Run: INEQ=/path/to/ineq/R Rscript indices.R   writes indices_data.csv and indices.csv
library(lpSolve)
source(file.path(Sys.getenv("INEQ"), "ineq.R"))
rows <- list()
add <- function(case, name, value) {
  rows[[length(rows) + 1]] <<- data.frame(case = case, name = name, value = sprintf("%.15g", value))
}

n <- 24; periods <- 3
d <- expand.grid(city = seq_len(n), year = seq_len(periods))
i <- d$city; t <- d$year
frac <- function(x) x - floor(x)
d$labour <- round(2 + 8 * frac(i * 0.754877666 + t * 0.11), 3)
d$capital <- round(1 + 12 * frac(i * 0.569840291 + t * 0.07), 3)
d$energy <- round(3 + 5 * frac(i * 0.331 + t * 0.29), 3)
skill <- 0.5 + 0.5 * frac(i * 0.618033989 + t * 0.37)
d$gdp <- round((1 + 0.08 * t) * skill * d$labour^0.5 * d$capital^0.3 * d$energy^0.3, 3)
d$patents <- round((1 + 0.05 * t) * frac(0.3 + i * 0.414213562 + t * 0.21) * d$labour + 0.1, 3)
for (k in 1:4) d[[paste0("p", k)]] <- round(100 + 10 * frac(i * 0.13 * k + t * 0.717 * k^2), 2)
write.csv(d, "indices_data.csv", row.names = FALSE)

for (p in c(0.01, 0.05, 0.1)) for (type in c(7, 2)) {
  q <- quantile(d$gdp, c(p, 1 - p), type = type, names = FALSE)
  add(paste0("quantile_", type, "_", p), "lower", q[1])
  add(paste0("quantile_", type, "_", p), "upper", q[2])
}

for (year in 1:periods) {
  y <- d$gdp[d$year == year]
  add("theil_t", year, Theil(y, parameter = 0))
  add("theil_l", year, Theil(y, parameter = 1))
  add("gini", year, Gini(y))
  add("cv", year, var.coeff(y))
  for (g in 0:2) {
    own <- sort(y[seq_len(n) %% 3 == g], decreasing = TRUE)
    fit <- lm(log(seq_along(own) - 0.5) ~ log(own))
    add(paste0("zeta_", g), year, -coef(fit)[[2]])
    add(paste0("zeta_r2_", g), year, summary(fit)$r.squared)
    fit <- lm(log(own) ~ log(seq_along(own)))
    add(paste0("q_", g), year, -coef(fit)[[2]])
    add(paste0("q_se_", g), year, summary(fit)$coefficients[2, 2])
  }
}

# relative prices: cities i and i + 1 are neighbours
goods <- paste0("p", 1:4)
for (year in 1:periods) {
  p <- log(as.matrix(d[d$year == year, goods]))
  a <- abs(p[1:(n - 1), ] - p[2:n, ])
  q <- sweep(a, 2, colMeans(a))
  v <- apply(q, 1, var)
  add(paste0("segmentation_", year), 1, v[1])
  for (c in 2:(n - 1)) add(paste0("segmentation_", year), c, mean(v[c(c - 1, c)]))
  add(paste0("segmentation_", year), n, v[n - 1])
}

inputs <- c("labour", "capital", "energy"); outputs <- c("gdp", "patents")
score <- function(x0, y0, X, Y, orientation, vrs) {
  m <- nrow(X)
  if (orientation == "output") {
    con <- rbind(cbind(0, t(X)), cbind(-y0, t(Y)))
    dir <- c(rep("<=", ncol(X)), rep(">=", ncol(Y))); rhs <- c(x0, rep(0, ncol(Y)))
  } else {
    con <- rbind(cbind(-x0, t(X)), cbind(0, t(Y)))
    dir <- c(rep("<=", ncol(X)), rep(">=", ncol(Y))); rhs <- c(rep(0, ncol(X)), y0)
  }
  if (vrs) { con <- rbind(con, c(0, rep(1, m))); dir <- c(dir, "="); rhs <- c(rhs, 1) }
  s <- lp(if (orientation == "output") "max" else "min", c(1, rep(0, m)), con, dir, rhs)
  if (s$status != 0) return(NA)
  if (orientation == "output") 1 / s$objval else s$objval
}
X <- lapply(1:periods, function(y) as.matrix(d[d$year == y, inputs]))
Y <- lapply(1:periods, function(y) as.matrix(d[d$year == y, outputs]))
for (orientation in c("output", "input")) for (vrs in c(FALSE, TRUE)) {
  kind <- paste0(orientation, if (vrs) "_vrs" else "_crs")
  for (year in 1:periods) for (frontier in max(1, year - 1):min(periods, year + 1)) for (c in 1:n) {
    s <- score(X[[year]][c, ], Y[[year]][c, ], X[[frontier]], Y[[frontier]], orientation, vrs)
    add(paste(kind, year, frontier, sep = "_"), c, s)
  }
}
write.csv(do.call(rbind, rows), "indices.csv", row.names = FALSE)

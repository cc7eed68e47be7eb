# Matches, weights and what they achieve in the job-training sample of matching_data.csv (see
# matching_data.py), by base R with all distances at hand, and by Matching 4.10-8. Written to
# matching.csv.
#
#   Rscript tests/reference/matching.R        # R 4.2.2, from the root of the tree
#
# Conventions. Weights are psmatch2's: one for treated men that have a match, for controls the sum of
# their shares. All ties are taken with equal shares (distance.tolerance of Matching set to rounding).
# Without replacement treated men choose by score, the highest first, then by row; of controls that
# are equally near the first row is taken. Calipers are in units of the score. Simple standard errors
# are psmatch2's (Lechner 2001), biases, t, variance ratios, pseudo R2, B and R those of pstest.
# Standard errors of Abadie and Imbens (2006, theorem 7) are computed from their formula; "se_matching"
# is what Matching prints (Var.calc = 1): the same for one match by score, 0.02 per cent off for four,
# 0.6 and 2.4 per cent for Mahalanobis, where it measures distances of units of one group otherwise.
suppressMessages(library(Matching))
d <- read.csv("tests/reference/matching_data.csv")
X <- c("age", "educ", "black", "hispan", "married", "nodegree", "re74", "re75")
f <- reformulate(X, "treat", env = globalenv())
out <- data.frame(case = character(), name = character(), value = numeric())
add <- function(case, name, value) out <<- rbind(out, data.frame(case, name, value))
one <- d$treat == 1
y <- d$re78

fit <- glm(f, binomial, d, control = glm.control(epsilon = 1e-14, maxit = 100))
p <- fitted(fit)
for (i in seq_along(coef(fit))) add("logit", names(coef(fit))[i], coef(fit)[i])
add("logit", "loglik", logLik(fit))
add("logit", "lr", fit$null.deviance - fit$deviance)
for (i in c(1, 50, 185, 186, 400, 614)) add("score", i, p[i])

told <- function(case, w) {  # w: one for treated men that have a match; shares of controls
  w <- as.numeric(w)
  used0 <- !one & w > 0
  n1 <- sum(w[one] > 0)
  att <- mean(y[one & w > 0]) - sum(w[!one] * y[!one]) / sum(w[!one])
  simple <- sqrt(var(y[one & w > 0]) / n1 + var(y[used0]) * sum(w[used0]^2) / n1^2)
  add(case, "att", att)
  add(case, "simple", simple)
  add(case, "n_treated", n1)
  add(case, "n_controls", sum(used0))
  add(case, "sum_of_squares", sum(w[!one]^2))
  add(case, "checksum", sum(w * seq_along(w)))
  # pstest, both: importance weights count rows
  for (v in c("age", "re74")) {
    x <- d[[v]]
    unit <- sqrt((var(x[one]) + var(x[!one])) / 2)
    m1 <- weighted.mean(x[one], w[one]); m0 <- weighted.mean(x[!one], w[!one])
    v1 <- sum(w[one] * (x[one] - m1)^2) / (sum(w[one]) - 1)
    v0 <- sum(w[!one] * (x[!one] - m0)^2) / (sum(w[!one]) - 1)
    N <- sum(w)
    s2 <- (sum(w[one] * (x[one] - m1)^2) + sum(w[!one] * (x[!one] - m0)^2)) / (N - 2)
    t <- (m1 - m0) / sqrt(s2 * (1 / sum(w[one]) + 1 / sum(w[!one])))
    add(case, paste0("bias_", v), 100 * (m1 - m0) / unit)
    add(case, paste0("t_", v), t)
    add(case, paste0("ratio_", v), v1 / v0)
  }
  used <- d[w > 0, ]
  used$count <- w[w > 0]
  again <- suppressWarnings(glm(f, binomial("probit"), used, weights = count,
                                control = glm.control(epsilon = 1e-14, maxit = 100)))
  index <- as.numeric(cbind(1, as.matrix(d[X])) %*% ifelse(is.na(coef(again)), 0, coef(again)))
  ll <- function(q) sum(w * ifelse(one, log(q), log(1 - q)))
  full <- ll(pnorm(index)); null <- ll(rep(sum(w[one]) / sum(w), length(w)))
  m1 <- weighted.mean(index[one], w[one]); m0 <- weighted.mean(index[!one], w[!one])
  v1 <- sum(w[one] * (index[one] - m1)^2) / (sum(w[one]) - 1)
  v0 <- sum(w[!one] * (index[!one] - m0)^2) / (sum(w[!one]) - 1)
  add(case, "pseudo_rsquared", 1 - full / null)
  add(case, "lr_chi2", 2 * (full - null))
  add(case, "rubin_b", 100 * abs(m1 - m0) / sqrt((v1 + v0) / 2))
  add(case, "rubin_r", v1 / v0)
}
shares_of <- function(m) {  # of a Matching result
  w <- numeric(nrow(d))
  w[unique(m$index.treated)] <- 1
  s <- tapply(m$weights, m$index.control, sum)
  w[as.integer(names(s))] <- s
  w
}
spread <- function(K) {
  w <- numeric(nrow(d))
  w[one] <- as.numeric(rowSums(K) > 0)
  K <- K / pmax(rowSums(K), 1e-300)
  w[!one] <- colSums(K)
  w
}
abadie_imbens <- function(W, places) {  # W: shares, a row for each treated man
  D <- as.matrix(dist(places[!one, , drop = FALSE]))
  diag(D) <- Inf
  s <- sapply(seq_len(sum(!one)), function(i) {
    j <- which(D[i, ] <= min(D[i, ]) + 1e-12)
    length(j) / (length(j) + 1) * (y[!one][i] - mean(y[!one][j]))^2
  })
  left <- y[one] - W %*% y[!one]
  K <- colSums(W)
  sqrt(sum((left - mean(left))^2) + sum((K^2 - colSums(W^2)) * s)) / sum(one)
}
even <- function(D, k) {  # shares of the k nearest and of their ties
  A <- t(apply(D, 1, function(g) as.numeric(g <= sort(g)[k] + 1e-12)))
  A / rowSums(A)
}
once <- function(k, caliper = Inf) {
  free <- !one
  pairs <- NULL
  for (r in seq_len(k)) for (i in which(one)[order(-round(p[one], 12))]) {
    g <- abs(p - p[i]); g[!free] <- Inf
    if (min(g) > caliper) next
    j <- which(g <= min(g) + 1e-12)[1]
    free[j] <- FALSE
    pairs <- rbind(pairs, c(i, j))
  }
  n <- table(pairs[, 1])
  w <- numeric(nrow(d))
  w[as.integer(names(n))] <- 1
  w[pairs[, 2]] <- 1 / as.numeric(n[as.character(pairs[, 1])])
  w
}

told("before", rep(1, nrow(d)))
for (k in c(1, 4)) {
  m <- Match(Y = y, Tr = d$treat, X = p, M = k, ties = TRUE, distance.tolerance = 1e-20,
             Var.calc = 1, version = "standard")
  case <- paste0("nearest", k)
  told(case, shares_of(m))
  add(case, "est", m$est); add(case, "se_matching", m$se)
  D <- abs(outer(p[one], p[!one], "-"))
  add(case, "abadie_imbens", abadie_imbens(even(D, k), as.matrix(p)))
}
# k nearest within a caliper, by all distances
gap <- abs(outer(p[one], p[!one], "-"))
limited <- function(k, caliper) {
  reach <- pmin(apply(gap, 1, function(g) sort(g)[k]), caliper)
  spread((gap <= reach + 1e-12) * 1)
}
told("caliper4", limited(4, 0.01))
told("once1", once(1))
told("once2", once(2))
told("once_caliper", once(1, 0.02))
# Mahalanobis with the covariance within both groups; Matching standardises columns beforehand
x <- as.matrix(d[X])
S <- ((sum(one) - 1) * cov(x[one, ]) + (sum(!one) - 1) * cov(x[!one, ])) / (nrow(d) - 2)
unit <- diag(apply(x, 2, sd))
root <- chol(solve(S))
D <- as.matrix(dist(x %*% t(root)))[one, !one]
for (k in c(1, 3)) {
  m <- Match(Y = y, Tr = d$treat, X = x, M = k, ties = TRUE, distance.tolerance = 1e-10,
             Weight = 3, Weight.matrix = unit %*% solve(S) %*% unit, Var.calc = 1,
             version = "standard")
  case <- paste0("mahalanobis", k)
  told(case, shares_of(m))
  add(case, "est", m$est); add(case, "se_matching", m$se)
  add(case, "abadie_imbens", abadie_imbens(even(D, k), x %*% t(root)))
}
# without replacement: the closest pair that is left, by all distances at hand
w <- as.numeric(one)
for (i in seq_len(sum(one))) {
  best <- which(D <= min(D) + 1e-11, arr.ind = TRUE)
  best <- best[order(best[, 1], best[, 2]), , drop = FALSE][1, ]
  w[which(!one)[best[2]]] <- 1
  D[best[1], ] <- Inf; D[, best[2]] <- Inf
}
told("mahalanobis_once", w)

kernels <- list(epanechnikov = function(u) pmax(1 - u^2, 0), gaussian = dnorm,
                biweight = function(u) pmax(1 - u^2, 0)^2,
                uniform = function(u) as.numeric(u <= 1))
for (name in names(kernels)) {
  K <- kernels[[name]](gap / 0.06); dim(K) <- dim(gap)
  told(paste0("kernel_", name), spread(K))
}
told("radius", spread((gap <= 0.01) * 1))

# Entropy balancing: the dual by optim, means and then squares of all but 0/1 columns
balance <- function(Z, target) {
  Z <- scale(sweep(Z, 2, target), center = FALSE, scale = apply(Z, 2, sd))
  o <- nlm(function(l) { e <- drop(Z %*% l); max(e) + log(sum(exp(e - max(e)))) },
           numeric(ncol(Z)), gradtol = 1e-12, steptol = 1e-14, iterlim = 10000)
  e <- drop(Z %*% o$estimate); e <- exp(e - max(e)); e / sum(e)
}
w <- as.numeric(one); w[!one] <- balance(x[!one, ], colMeans(x[one, ])) * sum(one)
told("entropy1", w)
many <- c("age", "educ", "re74", "re75")
z <- cbind(x, sweep(x[, many], 2, colMeans(x[one, many]))^2)
w <- as.numeric(one); w[!one] <- balance(z[!one, ], colMeans(z[one, ])) * sum(one)
told("entropy2", w)

header <- "# Base R and Matching on the job-training sample; made by matching.R."
writeLines(header, "tests/reference/matching.csv")
out$value <- sprintf("%.15g", out$value)
suppressWarnings(write.table(out, "tests/reference/matching.csv", append = TRUE, sep = ",",
                             row.names = FALSE, quote = FALSE))

# Random effects of entities, periods and both, by four estimators of the variances, by plm and base R.
# Software: R 4.2.2, plm 2.6.2. Run: Rscript random_components.R
#   writes random_components.csv and produc_data.csv (Produc of plm: 48 states, 17 years)
# Data: Grunfeld ("grunfeld") and the same without each seventh row ("dropped"); Produc ("produc");
#   fixed_effects_data.csv ("unbalanced").
# Conventions: plm's defaults. Balanced: "swar" divides by its degrees of freedom, "walhus" and "amemiya"
#   have no correction for the slopes. Unbalanced: exact expectations. Negative variances are set to zero.
# plm's errors of an unbalanced two-way model lack the standard deviation of the errors (vcov is the
#   inverse of X'X without it: 0.536 for 29.9 on "dropped"); they are made here from the dense covariance
#   matrix, s2 (X' V^-1 X)^-1 with V the covariance over the error variance and s2 = r' V^-1 r / (n - k),
#   as plm has them for every other model.
# plm's "nerlove" of an unbalanced two-way model takes period means for period effects, which is exact for
#   balanced panels only: made here from lm with dummies, with plm's weights.
# "thetas": shares of means taken off, of the first entity and period and of all (balanced panels).
# "arellano": vcovHC clustered by entity, HC0, balanced panels only. "hausman": phtest of fixed effects.
suppressMessages(library(plm))
options(digits = 15)
out <- NULL
add <- function(data, effects, method, what, name, value)
  out <<- rbind(out, data.frame(data, effects, method, what,
    name = sub("(Intercept)", "const", name, fixed = TRUE), value = sprintf("%.15g", as.numeric(value))))
data("Grunfeld", package = "plm"); data("Produc", package = "plm")
P <- Produc[c("state", "year", "gsp", "pcap", "pc", "emp", "unemp")]
write.csv(P, "produc_data.csv", row.names = FALSE, quote = FALSE)
U <- read.csv("fixed_effects_data.csv"); U$y <- U$y - 5e6
P[c("gsp", "pcap", "pc", "emp")] <- log(P[c("gsp", "pcap", "pc", "emp")])
panels <- list(
  grunfeld = list(d = Grunfeld, f = inv ~ value + capital, index = c("firm", "year")),
  dropped = list(d = Grunfeld[seq_len(nrow(Grunfeld)) %% 7 != 0, ], f = inv ~ value + capital,
    index = c("firm", "year")),
  produc = list(d = P, f = gsp ~ pcap + pc + emp + unemp, index = c("state", "year")),
  unbalanced = list(d = U, f = y ~ x1 + x2 + policy, index = c("city", "year"))
)
dense <- function(p, s) {
  D <- lapply(p$index, function(k) model.matrix(reformulate(sprintf("0 + factor(%s)", k)), p$d))
  V <- diag(nrow(p$d)) + tcrossprod(D[[1]]) * s[["id"]] / s[["idios"]] +
    tcrossprod(D[[2]]) * s[["time"]] / s[["idios"]]
  X <- model.matrix(p$f, p$d); y <- model.response(model.frame(p$f, p$d))
  A <- solve(V, X); b <- solve(crossprod(X, A), crossprod(A, y))
  r <- y - X %*% b
  list(b = drop(b), V = solve(crossprod(X, A)) * drop(crossprod(r, solve(V, r))) / (nrow(X) - ncol(X)))
}
nerlove <- function(p) {
  m <- lm(update(p$f, reformulate(c(".", sprintf("factor(%s)", p$index)))), p$d)
  of <- function(k) {
    b <- coef(m); b <- b[startsWith(names(b), sprintf("factor(%s)", k))]
    levels <- sort(unique(p$d[[k]]))
    a <- c(0, b)[match(p$d[[k]], levels)]
    G <- length(levels)
    mean((a - mean(a))^2) * G / (G - 1)
  }
  c(idios = mean(resid(m)^2), id = of(p$index[1]), time = of(p$index[2]))
}
for (name in names(panels)) {
  p <- panels[[name]]
  P <- pdata.frame(p$d, index = p$index)
  balanced <- is.pbalanced(P)
  for (effects in c("individual", "time", "twoways")) for (method in c("swar", "walhus", "amemiya", "nerlove")) {
    m <- plm(p$f, P, model = "random", effect = effects, random.method = method)
    s <- ercomp(m)$sigma2; b <- coef(m); V <- vcov(m)
    if (effects == "twoways" && !balanced) {
      if (method == "nerlove") s <- nerlove(p)
      by_hand <- dense(p, s); V <- by_hand$V
      if (method != "nerlove") stopifnot(max(abs(by_hand$b / b - 1)) < 1e-9)
      b <- by_hand$b
    }
    add(name, effects, method, "sigma2", names(s), s)
    add(name, effects, method, "params", names(b), b)
    add(name, effects, method, "errors", rownames(V), sqrt(diag(V)))
    if (balanced) {
      t <- unlist(ercomp(m)$theta)
      add(name, effects, method, "thetas", c("id", "time", "total")[seq_along(t)], t)
      V <- vcovHC(m, method = "arellano", type = "HC0", cluster = "group")
      add(name, effects, method, "arellano", rownames(V), sqrt(diag(V)))
      h <- phtest(plm(p$f, P, model = "within", effect = effects), m)
      if (!(name == "grunfeld" && effects != "individual"))
        add(name, effects, method, "hausman", c("statistic", "df"), c(h$statistic, h$parameter))
    }
  }
}
write.csv(out, "random_components.csv", row.names = FALSE, quote = FALSE)

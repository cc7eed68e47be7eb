# The constant of fixed-effects regressions and R-squared as xtreg, fe has it, by plm and base R.
# Software: R 4.2.2, plm 2.6.2. Run: Rscript within_constant.R   writes within_constant.csv
# Data: Grunfeld of plm (10 firms, 20 years, "balanced"); fixed_effects_data.csv (129 rows of 20 cities,
#   one seen once, "unbalanced").
# "constant": within_intercept of plm, the mean of y less that of x times the slopes, with its error
#   under equal variances ("iid") and clustered by entity without a small-sample factor ("arellano").
# R-squared: what is left after entity (or period) means over what was there; squared correlations of
#   x b and the dummies of all other effects with y, of entity means ("between") and of all rows
#   ("overall"). Coefficients of dummies are from lm, for which any base category does.
suppressMessages(library(plm))
options(digits = 15)
out <- NULL
add <- function(data, effects, what, name, value)
  out <<- rbind(out, data.frame(data, effects, what, name, value = sprintf("%.15g", as.numeric(value))))
data("Grunfeld", package = "plm")
U <- read.csv("fixed_effects_data.csv")
U$y <- U$y - 5e6
panels <- list(
  balanced = list(d = Grunfeld, f = inv ~ value + capital, index = c("firm", "year")),
  unbalanced = list(d = U, f = y ~ x1 + x2 + policy, index = c("city", "year"))
)
for (name in names(panels)) {
  p <- panels[[name]]
  P <- pdata.frame(p$d, index = p$index)
  y <- p$d[[as.character(p$f)[2]]]
  for (effects in c("individual", "time", "twoways")) {
    m <- plm(p$f, P, model = "within", effect = effects)
    plain <- within_intercept(m)
    hc <- function(x) vcovHC(x, method = "arellano", type = "HC0", cluster = "group")
    add(name, effects, "constant", c("estimate", "iid", "arellano"),
      c(plain, attr(plain, "se"), attr(within_intercept(m, vcov = hc), "se")))
    own <- p$d[[p$index[if (effects == "time") 2 else 1]]]
    kinds <- switch(effects, individual = p$index[1], time = p$index[2], twoways = p$index)
    full <- lm(update(p$f, reformulate(c(".", sprintf("factor(%s)", rev(kinds))))), p$d)
    e <- resid(full)
    add(name, effects, "r2", "within", 1 - sum(e^2) / sum((y - ave(y, own))^2))
    b <- coef(full)
    removed <- grepl(sprintf("factor(%s)", p$index[if (effects == "time") 2 else 1]), names(b), fixed = TRUE)
    X <- model.matrix(full)
    kept <- !removed & !is.na(b)
    xb <- drop(X[, kept] %*% b[kept])
    add(name, effects, "r2", "between", cor(tapply(xb, own, mean), tapply(y, own, mean))^2)
    add(name, effects, "r2", "overall", cor(xb, y)^2)
  }
}
write.csv(out, "within_constant.csv", row.names = FALSE, quote = FALSE)

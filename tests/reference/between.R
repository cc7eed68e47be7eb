# Regressions of entity means, by plm.
# Software: R 4.2.2, plm 2.6.2. Run: Rscript between.R   writes between.csv
# Data: Grunfeld of plm ("grunfeld"), fixed_effects_data.csv ("unbalanced") with z, which is fixed for a city.
# "hc1": the sandwich of White times n / (n - k), by hand.
suppressMessages(library(plm))
options(digits = 15)
out <- NULL
add <- function(data, what, name, value)
  out <<- rbind(out, data.frame(data, what, name = sub("(Intercept)", "const", name, fixed = TRUE),
    value = sprintf("%.15g", as.numeric(value))))
data("Grunfeld", package = "plm")
U <- read.csv("fixed_effects_data.csv"); U$y <- U$y - 5e6
U$z <- (match(U$city, sort(unique(U$city))) %% 4) + 0.5
panels <- list(
  grunfeld = list(d = Grunfeld, f = inv ~ value + capital, index = c("firm", "year")),
  unbalanced = list(d = U, f = y ~ x1 + x2 + policy + z, index = c("city", "year"))
)
for (name in names(panels)) {
  p <- panels[[name]]
  m <- plm(p$f, pdata.frame(p$d, index = p$index), model = "between")
  add(name, "params", names(coef(m)), coef(m))
  add(name, "errors", names(coef(m)), sqrt(diag(vcov(m))))
  add(name, "resid", names(resid(m)), resid(m))
  add(name, "r2", "between", summary(m)$r.squared[["rsq"]])
  X <- model.matrix(m); e <- as.numeric(resid(m)); B <- solve(crossprod(X))
  V <- B %*% crossprod(X * e) %*% B * nrow(X) / (nrow(X) - ncol(X))
  add(name, "hc1", names(coef(m)), sqrt(diag(V)))
}
write.csv(out, "between.csv", row.names = FALSE, quote = FALSE)

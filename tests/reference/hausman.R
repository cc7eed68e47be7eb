# Hausman tests without spatial terms, on Grunfeld's data (10 firms, 20 years).
# Software: R 4.2.2, plm 2.6.2, nlme. Data: Grunfeld of plm (inv, value, capital).
# Run: Rscript hausman.R   writes hausman_data.csv (the data) and hausman.csv
# "phtest": plm's phtest of the within and the Swamy-Arora random-effects fit, with the estimates and
#   covariances that it is made of.
# "ml": random effects by maximum likelihood (nlme::lme, method = "ML"; its covariance of the fixed
#   part is the inverse information, without degrees of freedom). "within" there is the covariance of
#   the within estimator with SSE / (N (T - 1)), and "classical" the statistic of the two.
# "means": the same with the firms' means added; "mundlak" their Wald statistic.
suppressMessages({library(plm); library(nlme)})
data("Grunfeld", package = "plm")
out <- NULL
add <- function(test, quantity, name, value)
  out <<- rbind(out, data.frame(test, quantity, name, value = sprintf("%.14g", value)))
square <- function(test, quantity, V)
  for (a in rownames(V)) for (b in colnames(V)) add(test, quantity, paste(a, b), V[a, b])
f <- inv ~ value + capital
slopes <- c("value", "capital")
within <- plm(f, Grunfeld, model = "within")
random <- plm(f, Grunfeld, model = "random")
found <- phtest(within, random)
add("phtest", "statistic", "", found$statistic)
add("phtest", "pvalue", "", found$p.value)
add("phtest", "fe", slopes, coef(within)[slopes])
add("phtest", "re", slopes, coef(random)[slopes])
square("phtest", "V_fe", vcov(within)[slopes, slopes])
square("phtest", "V_re", vcov(random)[slopes, slopes])

Grunfeld$value_mean <- ave(Grunfeld$value, Grunfeld$firm)
Grunfeld$capital_mean <- ave(Grunfeld$capital, Grunfeld$firm)
control <- lmeControl(opt = "nlminb", tolerance = 1e-12, msTol = 1e-14, niterEM = 100,
                      maxIter = 500, msMaxIter = 500)
ml <- lme(f, random = ~ 1 | firm, data = Grunfeld, method = "ML", control = control)
add("ml", "loglik", "", as.numeric(logLik(ml)))
add("ml", "re", slopes, fixef(ml)[slopes])
square("ml", "V_re", vcov(ml)[slopes, slopes])
n <- nrow(Grunfeld); firms <- length(unique(Grunfeld$firm))
V <- vcov(within)[slopes, slopes] * df.residual(within) / (n - firms)
square("ml", "V_fe", V)
d <- coef(within)[slopes] - fixef(ml)[slopes]
add("ml", "classical", "", d %*% solve(V - vcov(ml)[slopes, slopes], d))
means <- c("value_mean", "capital_mean")
augmented <- lme(inv ~ value + capital + value_mean + capital_mean, random = ~ 1 | firm,
                 data = Grunfeld, method = "ML", control = control)
add("means", "loglik", "", as.numeric(logLik(augmented)))
add("means", "params", means, fixef(augmented)[means])
p <- fixef(augmented)[means]
add("means", "mundlak", "", p %*% solve(vcov(augmented)[means, means], p))
write.csv(Grunfeld[c("firm", "year", "inv", "value", "capital")], "hausman_data.csv",
          row.names = FALSE, quote = FALSE)
path <- file("hausman.csv", "w")
writeLines(sprintf("# hausman.R: plm %s, nlme %s, %s", packageVersion("plm"),
                   packageVersion("nlme"), R.version.string), path)
write.csv(out, path, row.names = FALSE, quote = FALSE)
close(path)

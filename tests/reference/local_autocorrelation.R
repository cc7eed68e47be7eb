# Local Moran's I, local Geary's c, local G and G*, and the global G by spdep, on Columbus crime.
# Software: R 4.2.2, spdep 1.2.7. Data: autocorrelation_columbus.csv and autocorrelation_links.csv of
# this folder (made by autocorrelation.R from spData's columbus, Anselin 1988, table 12.1).
# Run in this folder: Rscript local_autocorrelation.R
#   writes local_autocorrelation.csv (by weights, statistic and id) and global_g.csv.
# Conventions: localmoran divides by the variance with divisor n; ours, GeoDa's and esda's has n - 1, so
# that I here is n / (n - 1) times ours. localmoran(conditional = TRUE) has the moments of Sokal, Oden
# and Thomson 1998. localG returns z alone. "g_star" has the unit itself as a neighbour with weight one
# (binary weights). globalG.test with B1correct = TRUE has the erratum of Getis and Ord 1992.
suppressMessages(library(spdep))
crime <- read.csv("autocorrelation_columbus.csv")$CRIME
links <- read.csv("autocorrelation_links.csv")
fmt <- function(v) sprintf("%.15g", v)
rows <- list(); globals <- list()
for (name in c("queen_W", "queen_B", "knn4_B", "knn4_decay")) {
  own <- links[links$weights == name, ]
  M <- matrix(0, 49, 49); M[cbind(own$i, own$j)] <- own$w
  lw <- mat2listw(M)
  moran <- localmoran(crime, lw, conditional = TRUE)
  add <- function(statistic, value, expected = NA, variance = NA, z = NA)
    data.frame(weights = name, statistic = statistic, id = 1:49, value = fmt(value),
      expected = fmt(expected), variance = fmt(variance), z = fmt(z))
  rows[[length(rows) + 1]] <- add("I", moran[, 1], moran[, 2], moran[, 3], moran[, 4])
  rows[[length(rows) + 1]] <- add("c", localC(crime, lw))
  rows[[length(rows) + 1]] <- add("g", NA, z = as.numeric(localG(crime, lw)))
  if (name %in% c("queen_B", "knn4_B")) {
    S <- M; diag(S) <- 1
    star <- mat2listw(S)
    attr(star$neighbours, "self.included") <- TRUE
    rows[[length(rows) + 1]] <- add("g_star", NA, z = as.numeric(localG(crime, star)))
  }
  found <- globalG.test(crime, lw, alternative = "two.sided", B1correct = TRUE)
  globals[[length(globals) + 1]] <- data.frame(weights = name, G = fmt(found$estimate[[1]]),
    expected = fmt(found$estimate[[2]]), variance = fmt(found$estimate[[3]]),
    z = fmt(found$statistic), pvalue = fmt(found$p.value))
}
write.csv(do.call(rbind, rows), "local_autocorrelation.csv", row.names = FALSE, quote = FALSE)
write.csv(do.call(rbind, globals), "global_g.csv", row.names = FALSE, quote = FALSE)

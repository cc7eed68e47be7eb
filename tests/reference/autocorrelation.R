# Moran's I and Geary's C by spdep, on the Columbus crime data and weights that are not symmetric.
# Software: R 4.2.2, spdep 1.2.7, spData. Data: columbus of spData (Anselin 1988, Spatial Econometrics,
# table 12.1; 49 neighbourhoods), CRIME; coordinates X, Y of the same table.
# Run: Rscript autocorrelation.R
#   writes autocorrelation_columbus.csv (id, CRIME, X, Y), autocorrelation_links.csv (weights, i, j, w)
#   and autocorrelation.csv (what spdep found).
# Conventions: spdep's z of Geary's C is (1 - C) / sd, positive for positive autocorrelation; ours is
# (C - 1) / sd. "islands": queen without the links of neighbourhoods 1 and 20, adjust.n = FALSE, so
# that units without neighbours count in n. "greater" is positive autocorrelation for both statistics.
suppressMessages({library(spdep); library(spData)})
columbus <- sf::st_read(system.file("shapes/columbus.shp", package = "spData"), quiet = TRUE)
fmt <- function(v) sprintf("%.15g", v)
write.csv(data.frame(id = 1:49, CRIME = fmt(columbus$CRIME), X = fmt(columbus$X), Y = fmt(columbus$Y)),
  "autocorrelation_columbus.csv", row.names = FALSE, quote = FALSE)
queen <- poly2nb(columbus)
rook <- poly2nb(columbus, queen = FALSE)
near <- knn2nb(knearneigh(cbind(columbus$X, columbus$Y), k = 4))
gone <- lapply(queen, function(v) setdiff(v, c(1L, 20L)))
gone[[1]] <- 0L
gone[[20]] <- 0L
gone <- lapply(gone, function(v) if (length(v)) as.integer(v) else 0L)
class(gone) <- "nb"
attr(gone, "region.id") <- as.character(1:49)
decay <- lapply(seq_along(near), function(i) {
  1 / sqrt((columbus$X[i] - columbus$X[near[[i]]])^2 + (columbus$Y[i] - columbus$Y[near[[i]]])^2)
})
lists <- list(
  queen_W = nb2listw(queen), queen_B = nb2listw(queen, style = "B"),
  rook_W = nb2listw(rook), rook_B = nb2listw(rook, style = "B"),
  knn4_B = nb2listw(near, style = "B"), knn4_W = nb2listw(near),
  knn4_decay = nb2listw(near, glist = decay, style = "B"),
  islands_W = nb2listw(gone, zero.policy = TRUE), islands_B = nb2listw(gone, style = "B", zero.policy = TRUE)
)
links <- do.call(rbind, lapply(names(lists), function(name) {
  l <- lists[[name]]
  do.call(rbind, lapply(1:49, function(i) {
    if (l$neighbours[[i]][1] == 0) return(NULL)
    data.frame(weights = name, i = i, j = l$neighbours[[i]], w = fmt(l$weights[[i]]))
  }))
}))
write.csv(links, "autocorrelation_links.csv", row.names = FALSE, quote = FALSE)
rows <- list()
for (name in names(lists)) for (rand in c(TRUE, FALSE)) for (alternative in c("two.sided", "greater", "less")) {
  for (statistic in c("I", "C")) {
    test <- if (statistic == "I") moran.test else geary.test
    found <- test(columbus$CRIME, lists[[name]], randomisation = rand, alternative = alternative,
      zero.policy = TRUE, adjust.n = FALSE)
    rows[[length(rows) + 1]] <- data.frame(weights = name,
      assumption = if (rand) "randomisation" else "normality",
      alternative = c(two.sided = "two-sided", greater = "greater", less = "less")[[alternative]],
      statistic = statistic, value = fmt(found$estimate[[1]]), expected = fmt(found$estimate[[2]]),
      variance = fmt(found$estimate[[3]]), z = fmt(found$statistic), pvalue = fmt(found$p.value))
  }
}
write.csv(do.call(rbind, rows), "autocorrelation.csv", row.names = FALSE, quote = FALSE)

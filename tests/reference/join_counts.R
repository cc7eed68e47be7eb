# Join counts and Moran's I of a 0/1 map by spdep: makes join_counts.csv.
# R 4.2.2, spdep 1.2.7; a 7 x 7 lattice with queen contiguity, members as below, weights binary ("B")
# and row-standardised ("W"). BB of spdep is 1/2 sum_ij w_ij y_i y_j; expectation and variance are
# those without replacement, which the relabellings have.
suppressPackageStartupMessages(library(spdep))
nb <- cell2nb(7, 7, type = "queen")
members <- c(1, 2, 8, 9, 10, 17, 24, 30, 31, 45)
y <- rep(0, 49); y[members] <- 1
rows <- list()
for (style in c("B", "W")) {
  listw <- nb2listw(nb, style = style)
  jc <- joincount.test(factor(y), listw)[[2]]$estimate
  rows[[style]] <- data.frame(style = style, joins = jc[[1]], expected = jc[[2]],
                              variance = jc[[3]],
                              moran = moran(y, listw, 49, Szero(listw))$I)
}
file <- file("join_counts.csv", "w")
writeLines("# by join_counts.R", file)
write.csv(format(do.call(rbind, rows), digits = 15), file, row.names = FALSE, quote = FALSE)
close(file)

# Expected values for tests/indices: entropy weights and principal components of R's USArrests.
# Software: base R only (R 4.2.2); data: datasets::USArrests (50 US states, 1973).
# Conventions: entropy weights by the printed formulas (p from min-max values plus a shift, which
# does not enter the score); prcomp on the correlation matrix (divisor n - 1), signs of rotation
# are prcomp's own, so tests compare up to sign; KMO from the inverse correlation matrix (Kaiser),
# Bartlett's sphericity as -(n - 1 - (2k + 5)/6) ln|R|. "year" splits the states into two halves.
# Run: Rscript usarrests_indices.R   writes usarrests.csv, usarrests_entropy.csv, usarrests_pca.csv
d <- USArrests
year <- rep(c(1, 2), each = 25)
write.csv(data.frame(state = rownames(d), year = year, d), "usarrests.csv", row.names = FALSE)

sign <- c(Murder = -1, Assault = -1, UrbanPop = 1, Rape = -1)
entropy <- function(d, shift) {
  z <- sapply(names(d), function(v) {
    x <- sign[v] * d[[v]]
    (x - min(x)) / (max(x) - min(x))
  })
  p <- apply(z + shift, 2, function(x) x / sum(x))
  h <- ifelse(p > 0, p * log(ifelse(p > 0, p, 1)), 0)
  e <- -colSums(h) / log(nrow(d))
  w <- (1 - e) / sum(1 - e)
  list(e = e, w = w, score = drop(z %*% w), z = z)
}
rows <- list()
add <- function(case, name, value) {
  rows[[length(rows) + 1]] <<- data.frame(case = case, name = name, value = sprintf("%.15g", value))
}
for (shift in c(0, 1e-4)) {
  r <- entropy(d, shift)
  case <- paste0("pooled_", format(shift, scientific = FALSE))
  add(paste0(case, "_entropy"), names(d), r$e)
  add(paste0(case, "_weight"), names(d), r$w)
  add(paste0(case, "_score"), rownames(d), r$score)
}
r <- entropy(d, 0)
crime <- c("Murder", "Assault", "Rape")  # sub-index of a group: its indicators alone
add("pooled_0_crime", rownames(d), drop(r$z[, crime] %*% (r$w[crime] / sum(r$w[crime]))))
for (y in 1:2) {
  r <- entropy(d[year == y, ], 0)
  add(paste0("period_", y, "_weight"), names(d), r$w)
  add(paste0("period_", y, "_score"), rownames(d)[year == y], r$score)
}
write.csv(do.call(rbind, rows), "usarrests_entropy.csv", row.names = FALSE, quote = FALSE)

rows <- list()
pc <- prcomp(d, scale. = TRUE)
for (k in 1:4) {
  add(paste0("rotation_", k), names(d), pc$rotation[, k])
  add(paste0("x_", k), rownames(d), pc$x[, k])
}
add("eigenvalue", paste0("pc", 1:4), pc$sdev^2)
R <- cor(d)
Q <- solve(R)
S <- diag(1 / sqrt(diag(Q)))
A2 <- (S %*% Q %*% S)^2
diag(A2) <- 0
R2 <- R^2
diag(R2) <- 0
add("kmo", c("overall", names(d)), c(sum(R2) / (sum(R2) + sum(A2)), colSums(R2) / (colSums(R2) + colSums(A2))))
n <- nrow(d)
k <- ncol(d)
chi2 <- -(n - 1 - (2 * k + 5) / 6) * log(det(R))
df <- k * (k - 1) / 2
add("bartlett", c("statistic", "df", "pvalue"), c(chi2, df, pchisq(chi2, df, lower.tail = FALSE)))
write.csv(do.call(rbind, rows), "usarrests_pca.csv", row.names = FALSE, quote = FALSE)

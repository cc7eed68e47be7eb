# LM tests of one cross-section: spdep's lm.LMtests on Columbus crime (49 areas).
# Run: Rscript lagrange_columbus.R   (reads autocorrelation_links.csv, columbus_data.csv; writes
# lagrange_columbus.csv)
# Conventions: s2 = e'e / n. "lags" has W INC and W HOVAL among the regressors of the null.
# SARMA is LM error plus robust LM lag.
suppressPackageStartupMessages(library(spdep))
links <- read.csv("autocorrelation_links.csv")
columbus <- read.csv("columbus_data.csv")
out <- NULL
for (kind in c("queen_W", "queen_B", "knn4_W", "knn4_decay", "islands_W")) {
  W <- matrix(0, 49, 49)
  part <- links[links$weights == kind, ]
  W[cbind(part$i, part$j)] <- part$w
  lw <- suppressWarnings(mat2listw(W))
  columbus$W_INC <- as.numeric(W %*% columbus$INC)
  columbus$W_HOVAL <- as.numeric(W %*% columbus$HOVAL)
  nulls <- list(plain = CRIME ~ INC + HOVAL, lags = CRIME ~ INC + HOVAL + W_INC + W_HOVAL)
  for (null in names(nulls)) {
    found <- suppressWarnings(lm.LMtests(lm(nulls[[null]], columbus), lw, zero.policy = TRUE,
      test = c("LMlag", "LMerr", "RLMlag", "RLMerr", "SARMA")))
    for (test in names(found))
      out <- rbind(out, data.frame(weights = kind, null, test,
        statistic = sprintf("%.14g", found[[test]]$statistic), df = found[[test]]$parameter,
        pvalue = sprintf("%.14g", found[[test]]$p.value)))
  }
}
path <- file("lagrange_columbus.csv", "w")
writeLines(sprintf("# lagrange_columbus.R: spdep %s, %s", packageVersion("spdep"),
                   R.version.string), path)
write.csv(out, path, row.names = FALSE, quote = FALSE)
close(path)

# Synthetic difference-in-differences by its authors' R code, on the simulated data beside this.
#
# Software: R 4.2.2; R/synthdid.R, solver.R, vcov.R and utils.R of github.com/synth-inference/synthdid
# (version 0.0.9, BSD), sourced, as the package is on no registry. Their folder is the argument:
#
#     Rscript tests/reference/synthdid.R path/to/R
#
# Data: spatial_sdid_data.csv (see spatial_sdid.py). Frank-Wolfe steps run until a step gains less than
# 1e-20 (min.decrease is a root), without sparsification, at most 300,000: the default of 1e-5 times
# the noise stops sooner, 1e-3 of the estimate away. Even so weights have five digits.
#
# The published values of the two public examples, beside those of the exact weights here, are in
# docs/differences.md: the same code with the same tighter steps comes to the latter.
folder <- commandArgs(trailingOnly = TRUE)[1]
for (f in c("synthdid", "solver", "vcov", "utils")) source(file.path(folder, paste0(f, ".R")))
data <- read.csv("tests/reference/spatial_sdid_data.csv")
s <- panel.matrices(data[, c("unit", "period", "y", "did")])
e <- synthdid_estimate(s$Y, s$N0, s$T0, min.decrease = 1e-10, max.iter = 3e5, sparsify = NULL)
weights <- attr(e, "weights")
found <- c(att = c(e), jackknife = sqrt(c(vcov(e, method = "jackknife"))),
           zeta = attr(e, "opts")$zeta.omega,
           setNames(weights$lambda, paste0("period_", colnames(s$Y)[1:s$T0])),
           setNames(weights$omega, paste0("unit_", rownames(s$Y)[1:s$N0])))
out <- data.frame(name = names(found), value = signif(found, 12))
write.csv(out, "tests/reference/synthdid.csv", row.names = FALSE, quote = FALSE)

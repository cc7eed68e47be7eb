# MacKinnon's (1996) p-values of the Dickey-Fuller t, and Fisher tests made of them.
# Run: Rscript unit_root_t.R   (writes unit_root_t.csv, unit_root_fisher.csv, unit_root_value.csv)
# punitroot of urca, N = Inf: his simulated quantiles, of 0.0001 to 0.9999, interpolated and beyond
# extrapolated; differences from the law itself reach 1.6e-4.
# purtest of plm with dfcor=TRUE, one lag, on Grunfeld's value (unit_root_value.csv).
suppressMessages({library(plm); library(urca)})
head_of <- sprintf("# unit_root_t.R: plm %s, urca %s, %s", packageVersion("plm"),
                   packageVersion("urca"), R.version.string)
write_to <- function(table, name) {
  path <- file(name, "w")
  writeLines(head_of, path)
  write.csv(table, path, row.names = FALSE, quote = FALSE)
  close(path)
}
t <- seq(-6, 4, by = 0.125)
p <- function(trend) sprintf("%.10g", punitroot(t, N = Inf, trend = trend, statistic = "t"))
write_to(data.frame(t, none = p("nc"), constant = p("c"), trend = p("ct")), "unit_root_t.csv")

data("Grunfeld", package = "plm")
value <- Grunfeld[c("firm", "year", "value")]
value$value <- sprintf("%.15g", value$value)
write_to(value, "unit_root_value.csv")
y <- pdata.frame(Grunfeld, index = c("firm", "year"))$value
out <- NULL
for (exo in c("none", "intercept", "trend"))
  for (test in c("madwu", "Pm", "invnormal", "logit")) {
    s <- purtest(y, test = test, exo = exo, lags = 1, dfcor = TRUE, p.approx = "MacKinnon1996")$statistic
    out <- rbind(out, data.frame(exo, test, statistic = sprintf("%.12g", s$statistic),
                                 pvalue = sprintf("%.12g", s$p.value)))
  }
write_to(out, "unit_root_fisher.csv")

# Cross-section dependence of residuals: plm's pcdtest on Grunfeld's data (10 firms, 20 years).
# Run: Rscript dependence.R   (writes dependence_residuals.csv and dependence.csv)
# Residuals of inv ~ value + capital: "own", one regression for each firm; "entity" and "twoway",
# within; "gaps", those of "own" without 26 rows, so that pairs have 11 to 19 years in common.
# Conventions: correlations over the years both firms have, in deviations from their means there;
# CD = sqrt(2 / (N (N - 1))) sum sqrt(T_ij) r_ij. The bias-corrected form is for within residuals.
suppressMessages(library(plm))
data("Grunfeld", package = "plm")
panel <- pdata.frame(Grunfeld, index = c("firm", "year"))
frame <- Grunfeld[, c("firm", "year")]
own <- unlist(lapply(split(Grunfeld, Grunfeld$firm),
                     function(part) resid(lm(inv ~ value + capital, part))), use.names = FALSE)
within <- function(effect)
  as.numeric(resid(plm(inv ~ value + capital, panel, model = "within", effect = effect)))
residuals <- list(own = own, entity = within("individual"), twoway = within("twoways"))
rows <- lapply(names(residuals), function(kind) cbind(kind, frame, resid = residuals[[kind]]))
gone <- (frame$firm == 1 & frame$year < 1941) | (frame$firm == 2 & frame$year > 1951) |
  (frame$firm %in% 3:7 & frame$year %in% c(1938, 1946, 1950)) |
  (frame$firm == 9 & frame$year == 1944) | (frame$firm == 10 & frame$year == 1935)
rows$gaps <- cbind(kind = "gaps", frame, resid = own)[!gone, ]
out <- NULL
for (part in rows) {
  kind <- part$kind[1]
  part$resid <- as.numeric(sprintf("%.15g", part$resid))
  values <- pdata.frame(part[, -1], index = c("firm", "year"))$resid
  for (test in c("cd", "lm", "sclm", "bcsclm", "rho", "absrho")) {
    found <- pcdtest(values, test = test)
    df <- if (is.null(found$parameter)) 0 else found$parameter
    p <- if (is.null(found$p.value)) NA else found$p.value
    out <- rbind(out, data.frame(kind, test, statistic = sprintf("%.14g", found$statistic), df,
                                 pvalue = sprintf("%.14g", p)))
  }
}
data <- do.call(rbind, rows)
data$resid <- sprintf("%.15g", data$resid)
write.csv(data, "dependence_residuals.csv", row.names = FALSE, quote = FALSE)
path <- file("dependence.csv", "w")
writeLines(sprintf("# dependence.R: plm %s, %s", packageVersion("plm"), R.version.string), path)
write.csv(out, path, row.names = FALSE, quote = FALSE)
close(path)

# Two-way fixed effects on the bundled castle panel (48 contiguous states), by two other programs.
# Software: R 4.2.2, base lm with dummies, and plm with sandwich-type errors clustered by state.
# Convention of the error: vcovHC(type = "sss", cluster = "group") of plm, that is the factor
# G/(G-1) (n-1)/(n-k) with k = slopes only (plm counts neither state nor year effects).
# Run: Rscript castle_twoway.R   reads ../../shapefiles/us_states/castle.csv, writes castle_twoway.csv
suppressMessages(library(plm))
d <- read.csv("../../shapefiles/us_states/castle.csv")
controls <- c("unemployrt", "poverty", "l_income", "l_police", "l_prisoner")
rows <- list()
for (case in c("alone", "controls")) {
  x <- if (case == "alone") "post" else c("post", controls)
  base <- lm(reformulate(c(x, "factor(state)", "factor(year)"), "l_homicide"), d)
  fit <- plm(reformulate(x, "l_homicide"), d, index = c("state", "year"), effect = "twoways")
  se <- sqrt(diag(vcovHC(fit, type = "sss", cluster = "group")))
  stopifnot(all(abs(coef(base)[x] - coef(fit)[x]) < 1e-10))
  rows[[case]] <- data.frame(
    case = case, name = x, coef = sprintf("%.12g", coef(base)[x]), se = sprintf("%.12g", se[x])
  )
}
write.csv(do.call(rbind, rows), "castle_twoway.csv", row.names = FALSE, quote = FALSE)

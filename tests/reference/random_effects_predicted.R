# Predicted random effects of states by plm: Produc (48 states, 17 years), whole and with rows
# dropped.
# Software: R 4.2.2, plm. Data: as random_components.R (produc_data.csv, grunfeld_data.csv).
# Run: Rscript random_effects_predicted.R   writes random_effects_predicted.csv
suppressPackageStartupMessages(library(plm))
data("Produc", package = "plm")
f <- log(gsp) ~ log(pcap) + log(pc) + log(emp) + unemp
dropped <- Produc[-c(3, 20, 21, 150, 400:405, 816), ]
out <- NULL
for (panel in c("produc", "dropped")) {
  frame <- if (panel == "produc") Produc else dropped
  u <- ranef(plm(f, frame, model = "random", index = c("state", "year")))
  out <- rbind(out, data.frame(panel, label = names(u), value = sprintf("%.14g", u)))
}
path <- file("random_effects_predicted.csv", "w")
writeLines(sprintf("# random_effects_predicted.R: plm %s, %s", packageVersion("plm"),
                   R.version.string), path)
write.csv(out, path, row.names = FALSE, quote = FALSE)
close(path)

# Random effects inside and outside a spatial error, by splm, on Produc.
# Software: R 4.2.2, splm 1.6-5, plm 2.6.2, spdep 1.2, spData 2.2. Run: Rscript produc_random_errors.R
#   writes produc_random_errors.csv and produc_links.csv (queen contiguity of spData's us_states, 48 states)
# Data: produc_data.csv (random_components.R), logs of gsp, pcap, pc and emp.
# Conventions: spml(model = "random"): phi is the variance of the random effects over that of the errors,
#   splm's "rho" is the spatial error (ours lambda), "lambda" the spatial lag (ours rho). "errors" are those
#   of the coefficients without a lag; with one, splm takes the other parameters as known. Its search stops
#   at about 1e-5, so that numbers agree to that.
suppressMessages({library(plm); library(spdep); library(sf); library(splm)})
options(digits = 15)
P <- read.csv("produc_data.csv")
P[c("gsp", "pcap", "pc", "emp")] <- log(P[c("gsp", "pcap", "pc", "emp")])
S <- spData::us_states
S$state <- toupper(gsub(" ", "_", S$NAME))
S$state[S$state == "TENNESSEE"] <- "TENNESSE"  # as Produc has it
S <- S[S$state %in% P$state, ]
S <- S[order(S$state), ]
stopifnot(identical(S$state, sort(unique(P$state))))
nb <- poly2nb(S)
links <- do.call(rbind, lapply(seq_along(nb), function(i) data.frame(state = S$state[i], neighbour = S$state[nb[[i]]])))
write.csv(links, "produc_links.csv", row.names = FALSE, quote = FALSE)
W <- nb2listw(nb, style = "W")
f <- gsp ~ pcap + pc + emp + unemp
out <- NULL
add <- function(form, lag, what, name, value)
  out <<- rbind(out, data.frame(form, lag, what, name = sub("(Intercept)", "const", name, fixed = TRUE),
    value = sprintf("%.15g", as.numeric(value))))
for (form in c("b", "kkp")) for (lag in c(FALSE, TRUE)) {
  m <- spml(f, data = P, index = c("state", "year"), listw = W, model = "random", spatial.error = form,
    lag = lag)
  add(form, lag, "params", rownames(summary(m)$CoefTable), summary(m)$CoefTable[, 1])
  if (!lag) add(form, lag, "errors", rownames(summary(m)$CoefTable), summary(m)$CoefTable[, 2])
  add(form, lag, "components", c("phi", "lambda"), m$errcomp[c("phi", "rho")])
  if (lag) add(form, lag, "components", "rho", m$arcoef)
  add(form, lag, "loglik", "", m$logLik)
}
write.csv(out, "produc_random_errors.csv", row.names = FALSE, quote = FALSE)

# Instrumental variables for one cross-section: spatialreg on Columbus crime (49 areas).
# Run: Rscript spatial_iv_columbus.R   (reads nothing; writes spatial_iv_columbus.csv and
#      spatial_iv_columbus_data.csv, which has DISCBD and OPEN beside columbus_data.csv)
# Models: stsls (spatial lag by 2SLS, W2X = TRUE, homoskedastic and HC0), gstsls (SARAR by GS2SLS)
# and GMerrorsar (spatial error by moments, then FGLS).
# Conventions: stsls and gstsls divide SSE by n - k, we by the observations that fixed effects leave
# (here n): "std_error" below is theirs times sqrt((n - k) / n), k slopes with rho. HC0 is as ours.
# gstsls regresses (I - lambda W) y on filtered regressors with H = [filtered X, WX, W2X].
# nlminb finds lambda as nearly as its tolerance allows; the criterion at its stop is kept ("value").
suppressPackageStartupMessages({library(spdep); library(spatialreg)})
data(columbus, package = "spData")
lw <- nb2listw(col.gal.nb, style = "W")
out <- NULL
add <- function(model, quantity, name, value)
  out <<- rbind(out, data.frame(model, quantity, name, value = sprintf("%.14g", value)))
ours <- function(names) sub("^(Rho|Rho_Wy)$", "rho", sub("[(]Intercept[)]", "const", names))
f <- CRIME ~ INC + HOVAL
n <- nrow(columbus)
tight <- list(rel.tol = 1e-15, x.tol = 1e-15, abs.tol = 0, iter.max = 5000, eval.max = 5000)

fit <- stsls(f, columbus, lw)
scale <- sqrt((n - length(fit$coefficients)) / n)
add("stsls", "params", ours(names(fit$coefficients)), fit$coefficients)
add("stsls", "std_error", ours(names(fit$coefficients)), sqrt(diag(fit$var)) * scale)
add("stsls", "sigma2", "", fit$sse / n)
fit <- stsls(f, columbus, lw, robust = TRUE, HC = "HC0")
add("stsls", "robust", ours(names(fit$coefficients)), sqrt(diag(fit$var)))

fit <- gstsls(f, columbus, lw, control = tight)
add("gstsls", "params", ours(names(fit$coefficients)), fit$coefficients)
add("gstsls", "std_error", ours(names(fit$coefficients)), fit$rest.se * scale)
add("gstsls", "lambda", c("lambda", "sigma2", "value"), c(fit$lambda, fit$GMs2, fit$optres$objective))

fit <- GMerrorsar(f, columbus, lw, control = tight, legacy = TRUE)
add("GMerrorsar", "params", ours(names(fit$coefficients)), fit$coefficients)
add("GMerrorsar", "lambda", c("lambda", "sigma2", "value"),
    c(fit$lambda, fit$GMs2, fit$optres$objective))

path <- file("spatial_iv_columbus.csv", "w")
writeLines(sprintf("# spatial_iv_columbus.R: spatialreg %s, spdep %s, %s",
                   packageVersion("spatialreg"), packageVersion("spdep"), R.version.string), path)
write.csv(out, path, row.names = FALSE, quote = FALSE)
close(path)
path <- file("spatial_iv_columbus_data.csv", "w")
writeLines("# spatial_iv_columbus.R: more columns of the areas of columbus_data.csv, in its order", path)
write.csv(data.frame(area = seq_len(n), columbus[c("DISCBD", "OPEN")]),
          path, row.names = FALSE, quote = FALSE)
close(path)

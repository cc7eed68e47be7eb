# Panel unit root tests: plm's purtest, and Levin-Lin-Chu written out in base R.
# Run: Rscript unit_roots.R   (writes unit_roots_data.csv, unit_roots_tables.csv, unit_roots.csv)
# Data of plm: "grunfeld" investment (10 firms, 20 years), "cigar" log sales (46 states, 30 years),
# "cut" the same with states that begin or end in other years, "emplUK" log employment (140 firms,
# 7 to 9 years, own first years).
# purtest: p-values of MacKinnon (1994); its Levin-Lin-Chu reads the adjustments at T and rounds the
# bandwidth, and its dfcor=FALSE (default) divides error variances by rows. Its z-tbar takes the
# moments of a constant with a trend too, and is left out there.
# "base": Levin-Lin-Chu (2002) from the paper's formulas: adjustments at T - mean(p) - 1, bandwidth
# int(3.21 T^(1/3)), differences less nothing (centre none), their mean or their trend.
suppressMessages(library(plm))
data("Grunfeld", package = "plm")
data("Cigar", package = "plm")
data("EmplUK", package = "plm")
cut <- Cigar[!(Cigar$state %% 3 == 0 & Cigar$year < 68) & !(Cigar$state %% 5 == 0 & Cigar$year > 87), ]
part <- function(data, entity, time, value)
  data.frame(data, entity, time, value = as.numeric(sprintf("%.15g", value)))
sets <- list(
  grunfeld = part("grunfeld", Grunfeld$firm, Grunfeld$year, Grunfeld$inv),
  cigar = part("cigar", Cigar$state, Cigar$year, log(Cigar$sales)),
  cut = part("cut", cut$state, cut$year, log(cut$sales)),
  emplUK = part("emplUK", EmplUK$firm, EmplUK$year, log(EmplUK$emp)))
series <- lapply(sets, function(s) split(s$value, s$entity))

purtest_of <- function(x, ...) {
  # purtest takes unbalanced panels as a pseries only
  frame <- data.frame(id = rep(seq_along(x), lengths(x)), time = sequence(lengths(x)), y = unlist(x))
  y <- pdata.frame(frame, index = c("id", "time"))$y
  suppressWarnings(purtest(y, p.approx = "MacKinnon1994", ...))
}
out <- NULL
add <- function(source, data, test, exo, lags, dfcor, name, statistic, df, pvalue)
  out <<- rbind(out, data.frame(source, data, test, exo, lags, dfcor, name,
    statistic = sprintf("%.14g", statistic), df, pvalue = sprintf("%.14g", pvalue)))
for (data in names(series)) {
  x <- series[[data]]
  pmax <- c(grunfeld = 4, cigar = 5, cut = 5, emplUK = 1)[[data]]
  lag_kinds <- if (data == "emplUK") list(0, "AIC") else list(0, 1, 2, 3, "SIC", "AIC", "Hall")
  for (exo in c("none", "intercept", "trend")) for (lags in lag_kinds) for (dfcor in c(FALSE, TRUE)) {
    if (data == "emplUK" && exo == "trend") next
    one <- function(test, name, ...) {
      r <- purtest_of(x, test = test, exo = exo, lags = lags, pmax = pmax, dfcor = dfcor, ...)
      s <- r$statistic
      add("plm", data, test, exo, lags, dfcor, name, s$statistic,
          if (is.null(s$parameter)) 0 else s$parameter, s$p.value)
      r
    }
    one("madwu", "p"); one("Pm", "pm"); one("invnormal", "z"); r <- one("logit", "l")
    if (dfcor) {  # what the selection chose, and the entities' t
      chosen <- sapply(r$idres, function(e) e$lags)
      t <- sapply(r$idres, function(e) e$trho)
      add("plm", data, "adf", exo, lags, dfcor, "lags", sum(chosen * seq_along(chosen)), 0, NA)
      add("plm", data, "adf", exo, lags, dfcor, "t", sum(t * seq_along(t)), 0, NA)
    }
    if (!dfcor && data %in% c("grunfeld", "cigar")) one("levinlin", "t*")
    if (exo != "none" && data != "emplUK") one("ips", "w-tbar", ips.stat = "Wtbar")
    if (exo == "intercept" && identical(lags, 0)) one("ips", "z-tbar", ips.stat = "Ztbar")
    if (exo != "none" && identical(lags, 0) && data %in% c("grunfeld", "cigar"))
      one("ips", "tbar", ips.stat = "tbar")
    if (exo != "none" && identical(lags, 0) && data %in% c("grunfeld", "cigar"))
      for (own in c(TRUE, FALSE))
        one("hadri", if (own) "own-variance" else "common-variance", Hcons = own)
  }
}

ns <- asNamespace("plm")
adj <- get("adj.levinlin", ns)
wide <- get("adj.ips.wtbar", ns)
critical <- get("critval.ips.tbar", ns)
llc <- function(x, p, exo, centre) {
  Time <- length(x[[1]]); n <- length(x); K <- floor(3.21 * Time^(1 / 3))
  parts <- lapply(x, function(y) {
    dy <- diff(y); s <- (p + 1):(Time - 1)  # numbers of differences
    det <- switch(exo, none = NULL, intercept = rep(1, length(s)), trend = cbind(1, s))
    lagged <- if (p > 0) sapply(seq_len(p), function(j) dy[s - j])
    z <- cbind(det, lagged)
    res <- function(v) if (is.null(z)) v else resid(lm(v ~ z - 1))
    e <- res(dy[s]); v <- res(y[s])
    s2 <- mean(resid(lm(e ~ v - 1))^2)
    d <- switch(centre, none = dy, constant = dy - mean(dy), trend = resid(lm(dy ~ seq_along(dy))))
    g <- sapply(0:K, function(L) sum(d[(1 + L):(Time - 1)] * d[1:(Time - 1 - L)]) / (Time - 1))
    lr <- g[1] + 2 * sum((1 - (1:K) / (K + 1)) * g[-1])
    list(e = e / sqrt(s2), v = v / sqrt(s2), ratio = sqrt(lr / s2))
  })
  e <- unlist(lapply(parts, `[[`, "e")); v <- unlist(lapply(parts, `[[`, "v"))
  d <- sum(e * v) / sum(v^2); s2 <- mean((e - d * v)^2); se <- sqrt(s2 / sum(v^2))
  Tt <- Time - p - 1
  m <- approx(as.numeric(rownames(adj)), adj[, "mu", exo], Tt, rule = 2)$y
  s <- approx(as.numeric(rownames(adj)), adj[, "sigma", exo], Tt, rule = 2)$y
  (d / se - n * Tt * mean(sapply(parts, `[[`, "ratio")) / s2 * se * m) / s
}
for (data in c("grunfeld", "cigar")) for (exo in c("none", "intercept", "trend")) for (p in 0:2)
  for (centre in c("none", "constant", "trend")) {
    stat <- llc(series[[data]], p, exo, centre)
    add("base", data, "levinlin", exo, p, FALSE, centre, stat, 0, pnorm(stat))
  }

head_of <- sprintf("# unit_roots.R: plm %s, %s", packageVersion("plm"), R.version.string)
write_to <- function(table, name) {
  path <- file(name, "w")
  writeLines(head_of, path)
  write.csv(table, path, row.names = FALSE, quote = FALSE)
  close(path)
}
write_to(out, "unit_roots.csv")
data <- do.call(rbind, sets)
data$value <- sprintf("%.15g", data$value)
write_to(data, "unit_roots_data.csv")
long <- function(table, name) {
  cells <- as.data.frame.table(table, stringsAsFactors = FALSE)
  data.frame(table = name, key = do.call(paste, c(cells[-ncol(cells)], sep = "|")), value = cells$Freq)
}
exact <- rbind(t = get("adj.ips.zbar.means", ns), t = get("adj.ips.zbar.vars", ns),
               tilde = get("adj.ips.zbarL.means", ns), tilde = get("adj.ips.zbarL.vars", ns))
dimnames(exact) <- list(c("t|mean", "t|var", "tilde|mean", "tilde|var"), get("adj.ips.zbar.time", ns))
write_to(rbind(long(adj, "llc"), long(wide, "ips"), long(critical, "critical"), long(exact, "exact")),
         "unit_roots_tables.csv")

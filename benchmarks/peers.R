# One R program on one panel, timed: Rscript peers.R PROGRAM FOLDER REPEATS LONGEST CLOCK.
# Reads what _cases.py wrote and prints a line of JSON for each thing measured, like _peers.py.
arguments <- commandArgs(TRUE)
program <- arguments[1]
folder <- arguments[2]
repeats <- as.integer(arguments[3])
longest <- as.numeric(arguments[4])
clock <- function() if (arguments[5] == "cpu") sum(proc.time()[1:2]) else proc.time()[["elapsed"]]
suppressPackageStartupMessages({
  library(Matrix)
  library(spdep)
  library(spatialreg)
  library(program, character.only = TRUE)
})

numbers <- function(file, what, size) {
  path <- file.path(folder, file)
  readBin(path, what, n = file.size(path) / size, size = size, endian = "little")
}
shape <- readLines(file.path(folder, "shape.json"), warn = FALSE)
read_shape <- function(name) as.integer(sub(paste0('.*"', name, '": ([0-9]+).*'), "\\1", shape))
n <- read_shape("n_entities")
n_periods <- read_shape("n_periods")
k <- read_shape("k")
columns <- matrix(numbers("panel.f8", "double", 8), ncol = k + 1)
colnames(columns) <- c("y", paste0("x", seq_len(k)))
W <- sparseMatrix(
  j = numbers("indices.i4", "integer", 4), p = numbers("indptr.i4", "integer", 4),
  x = numbers("weights.f8", "double", 8), dims = c(n, n), index1 = FALSE
)
panel <- data.frame(
  entity = rep(seq_len(n), each = n_periods), time = rep(seq_len(n_periods), n), columns
)

vector <- function(values) {
  values <- sprintf("%.17g", as.numeric(values))
  values[!is.finite(as.numeric(values))] <- "null"
  paste0("[", paste(values, collapse = ", "), "]")
}
say <- function(...) {
  fields <- list(...)
  cat("{", paste0('"', names(fields), '": ', fields, collapse = ", "), "}\n", sep = "")
  flush(stdout())
}
quoted <- function(text) paste0('"', gsub("[\"\\\\\n]", " ", text), '"')
megabytes <- function(field) {
  if (!file.exists("/proc/self/status")) return("null")
  line <- grep(field, readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}

# The lags of x are columns by hand, lagged before anything is demeaned.
splm_build <- function() {
  lags <- columns[, -1, drop = FALSE]
  for (t in seq_len(n_periods)) {
    at <- panel$time == t
    lags[at, ] <- as.matrix(W %*% columns[at, -1, drop = FALSE])
  }
  colnames(lags) <- paste0("W", colnames(lags))
  data <- cbind(panel, lags)
  formula <- reformulate(names(data)[-(1:3)], "y")
  list(data = data, formula = formula, W = mat2listw(W, style = "W"))
}
# Two-way effects, W times demeaned y; LeeYu = TRUE has the wrong sign and scale (issue "findings").
splm_fit <- function(m) {
  spml(m$formula, m$data, index = c("entity", "time"), listw = m$W, model = "within",
       effect = "twoways", lag = TRUE, spatial.error = "none")
}
splm_estimates <- function(fit) {
  slopes <- fit$coefficients[names(fit$coefficients) != "lambda"]
  list(beta = slopes[seq_len(k)], theta = slopes[k + seq_len(k)],
       rho = fit$coefficients[["lambda"]])
}
splm_effects <- function(m, fit) impacts(fit, listw = m$W, time = n_periods)
splm_averages <- function(found) {
  res <- if (is.null(found$res)) found else found$res
  list(direct = res$direct[seq_len(k)], total = res$total[seq_len(k)])
}

# Two-way effects, W times demeaned y less its bias: the default.
SDPDmod_build <- function() {
  list(data = panel, formula = reformulate(colnames(columns)[-1], "y"), W = as.matrix(W))
}
SDPDmod_fit <- function(m) {
  SDPDm(m$formula, m$data, W = m$W, index = c("entity", "time"), model = "sdm",
        effect = "twoways", LYtrans = TRUE)
}
SDPDmod_estimates <- function(fit) {
  list(beta = fit$coefficients[seq_len(k)], theta = fit$coefficients[k + seq_len(k)],
       rho = fit$rho)
}
SDPDmod_effects <- function(m, fit) impactsSDPDm(fit)
SDPDmod_averages <- function(found) {
  list(direct = found$DIRECT.tab[, 1], total = found$TOTAL.tab[, 1])
}

timed <- function(call) {
  times <- numeric()
  for (i in seq_len(repeats + 1)) {
    start <- clock()
    value <- call()
    times <- c(times, clock() - start)
    if (i == 1 && times > longest) return(list(times = times, value = value))
  }
  list(times = times[-1], value = value)
}

own <- function(what) get(paste(program, what, sep = "_"))
try(suppressWarnings(cat("5", file = "/proc/self/clear_refs")), silent = TRUE)
say(phase = quoted("start"), megabytes = megabytes("VmRSS"))
sink(stderr())
say_out <- function(...) {
  sink()
  say(...)
  sink(stderr())
}
tryCatch(suppressWarnings({
  model <- own("build")()
  fit <- timed(function() own("fit")(model))
  found <- own("estimates")(fit$value)
  say_out(phase = quoted("fit"), times = vector(fit$times), beta = vector(found$beta),
          theta = vector(found$theta), rho = sprintf("%.17g", as.numeric(found$rho)))
  effects <- timed(function() own("effects")(model, fit$value))
  found <- own("averages")(effects$value)
  say_out(phase = quoted("effects"), times = vector(effects$times),
          direct = vector(found$direct), total = vector(found$total))
  all <- timed(function() {
    model <- own("build")()
    own("effects")(model, own("fit")(model))
  })
  say_out(phase = quoted("all"), times = vector(all$times))
}), error = function(e) say_out(phase = quoted("error"), error = quoted(conditionMessage(e))))
sink()
say(phase = quoted("peak"), megabytes = megabytes("VmHWM"))

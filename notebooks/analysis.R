# The summary of a run in base R: best, worst, mean, median and standard deviation of every cell, made anew from trials.csv
# and checked against summary.csv. Needs no package.
#
#     Rscript notebooks/analysis.R RUN               # the table on standard output, as CSV
#     Rscript notebooks/analysis.R RUN figure.pdf    # and throughput against workers as a picture
#
# RUN is the directory of a run, or that of an experiment which holds exactly one run. In the picture each mode has a line, and
# a line of its own for each combination of the other settings that vary, such as the server.
#
# Exits with 1 if a number is not that of summary.csv.

arguments <- commandArgs(trailingOnly = TRUE)
if (!length(arguments) %in% 1:2) stop("usage: Rscript analysis.R RUN [FIGURE.pdf]", call. = FALSE)
run <- arguments[1]
if (!file.exists(file.path(run, "trials.csv"))) {
  runs <- dirname(Sys.glob(file.path(run, "*", "trials.csv")))
  if (length(runs) != 1) {
    below <- if (length(runs) == 0) "no run" else paste(c("several runs; name one:", runs), collapse = "\n  ")
    stop("there is no trials.csv in ", run, ", and below it ", below, call. = FALSE)
  }
  run <- runs
}

read <- function(table) read.csv(file.path(run, table), na.strings = "", encoding = "UTF-8")

trials <- read("trials.csv")
good <- trials[!is.na(trials$status) & trials$status == "ok", ]
if (nrow(good) == 0) stop("no trial ended well: there is nothing to say about speed", call. = FALSE)

# In the order in which the cells first appear.
throughput <- split(good$ops_per_s, factor(good$cell, unique(good$cell)))
first <- good[match(names(throughput), good$cell), ]
of_each <- function(statistic) unname(vapply(throughput, statistic, numeric(1)))
cells <- data.frame(
  cell = names(throughput),
  mode = first$mode,
  workers_asked = first$workers_asked,
  n = of_each(length),
  best_ops_per_s = of_each(max),
  worst_ops_per_s = of_each(min),
  mean_ops_per_s = of_each(mean),
  median_ops_per_s = of_each(median),
  stdev_ops_per_s = of_each(sd)
)
cells$cv <- cells$stdev_ops_per_s / cells$mean_ops_per_s
# 17 digits bring every number back as it was.
text <- cells
text[-(1:4)] <- lapply(cells[-(1:4)], function(x) ifelse(is.na(x), NA, sprintf("%.17g", x)))
write.csv(text, stdout(), row.names = FALSE, na = "", quote = 1:2)

if (length(arguments) == 2) {
  pdf(arguments[2], width = 8, height = 5)
  settings <- c(
    "server", "server_args", "hosts", "placement", "workload", "value_bytes", "pipeline", "rate", "keys", "reads",
    "distribution", "commands", "weights", "expire_s", "structure", "acknowledge", "producers", "publishers", "channels",
    "backlog", "mode_options", "mode_env", "body", "results", "processes"
  )
  varying <- Filter(function(name) length(unique(first[[name]])) > 1, intersect(settings, names(first)))
  value <- function(name) ifelse(is.na(first[[name]]), "", paste0(" ", name, "=", first[[name]]))
  cells$series <- Reduce(paste0, lapply(varying, value), cells$mode)
  all_series <- unique(cells$series)
  colours <- setNames(
    rep_len(palette.colors(palette = "Okabe-Ito")[c(6, 7, 4, 8, 2, 3, 1)], length(all_series)), all_series
  )
  plot(good$workers_asked, good$ops_per_s,
    log = if (length(unique(good$workers_asked)) > 1) "x" else "", ylim = c(0, max(good$ops_per_s)),
    pch = 20, cex = 0.5, col = colours[cells$series[match(good$cell, cells$cell)]], xlab = "workers", ylab = "operations/s"
  )
  for (series in all_series) {
    mine <- cells[cells$series == series, ]
    mine <- mine[order(mine$workers_asked), ]
    lines(mine$workers_asked, mine$median_ops_per_s, type = "o", pch = 20, col = colours[series])
  }
  cells$series <- NULL
  legend("topleft", legend = all_series, col = colours, lty = 1, cex = 0.7, bty = "n")
  invisible(dev.off())
}

summary <- read("summary.csv")
summary <- summary[summary$n > 0, ]
theirs <- summary[match(cells$cell, summary$cell), ]
if (!setequal(cells$cell, summary$cell)) stop("summary.csv has other cells", call. = FALSE)
for (column in names(cells)[-(1:3)]) {
  ours <- cells[[column]]
  known <- theirs[[column]]
  apart <- abs(ours - known) > 1e-9 * abs(known)
  if (!identical(is.na(ours), is.na(known)) || any(apart, na.rm = TRUE)) {
    stop(column, " is not that of summary.csv", call. = FALSE)
  }
}
message(nrow(cells), " cells and ", nrow(good), " trials: the numbers are those of summary.csv")

# The summary of a run in base R: best, worst, mean, median and standard deviation of every cell, made anew from trials.csv
# and checked against summary.csv. Needs no package.
#
#     Rscript notebooks/analysis.R RUN               # the table on standard output, as CSV
#     Rscript notebooks/analysis.R RUN figure.pdf    # and throughput against workers as a picture
#
# Exits with 1 if a number is not that of summary.csv.

arguments <- commandArgs(trailingOnly = TRUE)
if (!length(arguments) %in% 1:2) stop("usage: Rscript analysis.R RUN [FIGURE.pdf]", call. = FALSE)
run <- arguments[1]

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
  modes <- unique(cells$mode)
  colours <- setNames(rep_len(palette.colors(palette = "Okabe-Ito")[c(6, 7, 4, 8, 2, 3, 1)], length(modes)), modes)
  plot(good$workers_asked, good$ops_per_s,
    log = if (length(unique(good$workers_asked)) > 1) "x" else "", ylim = c(0, max(good$ops_per_s)),
    pch = 20, cex = 0.5, col = colours[good$mode], xlab = "workers", ylab = "operations/s"
  )
  for (mode in modes) {
    mine <- cells[cells$mode == mode, ]
    mine <- mine[order(mine$workers_asked), ]
    lines(mine$workers_asked, mine$median_ops_per_s, type = "o", pch = 20, col = colours[mode])
  }
  legend("topleft", legend = modes, col = colours, lty = 1, cex = 0.7, bty = "n")
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

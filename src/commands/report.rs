//! `orchestrate report`: a page, figures or Markdown from the results of any number of runs.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use atomic_write_file::AtomicWriteFile;
use rayon::prelude::*;

use crate::cli::ReportArgs;
use crate::commands::{Exit, Failure, console};
use crate::report::model::{Figure, Report, Section};
use crate::report::svg::article;
use crate::report::{self, html, markdown};
use crate::results::read::{self, ReadError};
use crate::results::sidecar_files::sidecar_files;

/// The page's name in the directory of a run.
pub(super) const REPORT: &str = "report.html";

pub(super) fn report(args: &ReportArgs) -> Result<Exit, Failure> {
    let (report, tables) = built(args)?;
    let mut out = console::styled_stdout();
    if args.markdown {
        write!(out, "{}", markdown::markdown(&report))?;
    }
    let page = args.output.clone().unwrap_or_else(|| place(&args.results, &tables));
    if !args.markdown || args.output.is_some() {
        write_page(&report, &page)?;
        // A report that was asked for as text stays alone on standard output.
        if !args.markdown {
            writeln!(out, "{}", page.display())?;
        }
    }
    if let Some(directory) = &args.figures {
        let directory = directory.clone().unwrap_or_else(|| page.with_file_name("figures"));
        let written = write_figures(&report, &directory)?;
        if !args.markdown {
            let formats = if cfg!(feature = "png") {
                "each as SVG and PNG"
            } else {
                "as SVG alone: this build lacks the cargo feature `png`"
            };
            writeln!(out, "{}: {written} figures, {formats}", directory.display())?;
        }
    }
    Ok(Exit::Complete)
}

/// The report, and the tables that it was made from.
fn built(args: &ReportArgs) -> Result<(Report, Vec<PathBuf>), Failure> {
    let unreadable = |error| Failure::Unavailable(explained(error, args));
    let tables = read::tables(&args.results).map_err(unreadable)?;
    let samples = read::samples(&args.results).map_err(unreadable)?;
    let sidecars: Vec<_> = tables.par_iter().map(|table| sidecar_files(table)).collect();
    Ok((report::build(&samples, &sidecars), tables))
}

/// A path without results may be one that was meant for the figures: `--figures` takes its value with `=`.
fn explained(error: ReadError, args: &ReportArgs) -> anyhow::Error {
    let hint = match &error {
        ReadError::Io { path, .. } | ReadError::NoTable { path } if args.figures == Some(None) => {
            Some(format!("{error}; if the figures are to go there: --figures={}", path.display()))
        }
        _ => None,
    };
    hint.map_or_else(|| error.into(), anyhow::Error::msg)
}

/// In the directory of the run if there is one, here otherwise. A run is named itself or by the directory that it alone is in.
fn place(results: &[PathBuf], tables: &[PathBuf]) -> PathBuf {
    match (results, tables) {
        ([named], [table]) if named.is_dir() => table.with_file_name(REPORT),
        _ => PathBuf::from(REPORT),
    }
}

pub(super) fn write_page(report: &Report, path: &Path) -> anyhow::Result<()> {
    write_whole(path, html::html(report).as_bytes())
}

fn write_figures(report: &Report, directory: &Path) -> anyhow::Result<usize> {
    fs::create_dir_all(directory).with_context(|| format!("failed to create {}", directory.display()))?;
    let figures: Vec<(&Figure, &Section)> = report
        .sections
        .iter()
        .flat_map(|section| section.figures().map(move |figure| (figure, section)))
        .collect();
    figures.par_iter().try_for_each(|(figure, section)| write_figure(figure, section, directory))?;
    Ok(figures.len())
}

fn write_figure(figure: &Figure, section: &Section, directory: &Path) -> anyhow::Result<()> {
    let svg = article(figure, &section.glance.key, &section.footer);
    let name = figure.id.strip_prefix("e-").unwrap_or(&figure.id);
    write_whole(&directory.join(format!("{name}.svg")), svg.as_bytes())?;
    #[cfg(feature = "png")]
    {
        let picture = report::png::png(&svg).with_context(|| format!("failed to draw {name}.png"))?;
        write_whole(&directory.join(format!("{name}.png")), &picture)?;
    }
    Ok(())
}

/// Writes a file in one piece.
pub(super) fn write_whole(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = AtomicWriteFile::open(path)?;
        file.write_all(contents)?;
        file.commit()
    };
    write().with_context(|| format!("failed to write {}", path.display()))
}

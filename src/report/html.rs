//! A report as one page that opens without a network: it may run its own script and style and load nothing.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::report::draw::{Form, escape, panel, swatch};
use crate::report::markdown::capital;
use crate::report::model::{DataTable, Figure, Kind, Report, Section};
use crate::report::palette::{DARK, LIGHT};

const SCRIPT: &str = include_str!("page/page.js");
const STYLE: &str = include_str!("page/page.css");

/// The page.
#[must_use]
pub fn html(report: &Report) -> String {
    let style = format!("{STYLE}{}", colours());
    let title = escape(&report.title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light \
         dark\">\n<meta name=\"generator\" content=\"orchestrate {}\">\n<link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n\
         <style>{style}</style></head>\n<body><header><h1>{title}</h1><p>{}</p>",
        hash(&style),
        hash(SCRIPT),
        env!("CARGO_PKG_VERSION"),
        escape(&report.made_of),
    );
    navigation(&mut out, report);
    out.push_str("</header>\n<main>");
    for section in &report.sections {
        write_section(&mut out, section);
    }
    if report.sections.is_empty() {
        out.push_str("<section><h2>Nothing to show</h2><p>The tables hold no trial: nothing is drawn and nothing is said.</p></section>");
    }
    out.push_str("<section id=\"environment\"><h2>Machines and software</h2>");
    for data in &report.environment {
        table(&mut out, data, true);
    }
    if report.environment.is_empty() {
        out.push_str("<p>Nothing is known of them.</p>");
    }
    out.push_str("</section>");
    if !report.remarks.is_empty() {
        out.push_str("<section id=\"files\"><h2>About the files</h2><ul>");
        for remark in &report.remarks {
            let _ = write!(out, "<li>{}</li>", escape(remark));
        }
        out.push_str("</ul></section>");
    }
    let _ = write!(
        out,
        "</main>\n<footer><p>Made by orchestrate {}. The unit is the trial: an observation is one execution, however many \
         operations it did.</p></footer>\n<div id=\"tip\" role=\"status\" hidden></div>\n<script>{SCRIPT}</script></body></html>\n",
        env!("CARGO_PKG_VERSION")
    );
    out
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

/// The colours of series, which dark pages have others of.
fn colours() -> String {
    let rules = |colours: &[&str]| {
        let rule = |(i, colour): (usize, &&str)| format!(".c{i}{{--c:{colour}}}");
        colours.iter().enumerate().map(rule).collect::<String>()
    };
    format!("{}@media screen and (prefers-color-scheme:dark){{{}}}", rules(&LIGHT), rules(&DARK))
}

fn navigation(out: &mut String, report: &Report) {
    out.push_str("<nav aria-label=\"Contents\"><ul>");
    for section in &report.sections {
        let _ = write!(out, "<li><a href=\"#{}\">{}</a></li>", section.id, escape(&section.experiment));
    }
    out.push_str("<li><a href=\"#environment\">Machines and software</a></li>");
    if !report.remarks.is_empty() {
        out.push_str("<li><a href=\"#files\">About the files</a></li>");
    }
    out.push_str("</ul></nav>");
}

fn write_section(out: &mut String, section: &Section) {
    let _ = write!(out, "<section id=\"{}\"><h2>{}</h2>", section.id, escape(&section.experiment));
    match &section.question {
        Some(question) => {
            let _ = write!(out, "<p class=\"question\">{}</p>", escape(question));
        }
        None => out.push_str("<p class=\"quiet\">The files do not say what was asked.</p>"),
    }
    out.push_str("<div class=\"answer\"><h3>Answer</h3>");
    for finding in &section.answer.findings {
        let _ = write!(out, "<p>{}</p>", escape(&capital(finding)));
    }
    let _ = write!(
        out,
        "<details><summary>How this was judged</summary><p>{}</p></details></div>",
        escape(&section.answer.rule)
    );
    for data in section.answer.peaks.iter().chain(&section.answer.latencies).chain(&section.answer.beside) {
        table(out, data, true);
    }
    if !section.everywhere.is_empty() {
        let _ = write!(out, "<p class=\"quiet\">In all cells: {}.</p>", escape(&section.everywhere));
    }
    for figure in &section.figures {
        write_figure(out, figure);
    }
    if !section.not_drawn.is_empty() {
        out.push_str("<h3>Not drawn</h3><ul>");
        for reason in &section.not_drawn {
            let _ = write!(out, "<li>{}</li>", escape(reason));
        }
        out.push_str("</ul>");
    }
    let _ = write!(out, "<h3>Table</h3>");
    table(out, &section.table, true);
    out.push_str("<h3>To mind</h3>");
    if section.notes.is_empty() {
        out.push_str("<p>No flag, no failure, nothing in two groups.</p>");
    } else {
        out.push_str("<dl>");
        for note in &section.notes {
            let _ = write!(out, "<dt>{}</dt><dd>{}", escape(&note.word), escape(&note.meaning));
            if !note.cells.is_empty() {
                let _ = write!(out, " <span class=\"quiet\">{}</span>", escape(&note.cells));
            }
            out.push_str("</dd>");
        }
        out.push_str("</dl>");
    }
    out.push_str("</section>\n");
}

fn write_figure(out: &mut String, figure: &Figure) {
    let title = escape(&figure.title);
    let _ = write!(
        out,
        "<figure id=\"{}\" aria-labelledby=\"{0}-title\"><h3 id=\"{0}-title\">{title}</h3>",
        figure.id
    );
    out.push_str("<div class=\"tools\" hidden>");
    for (which, name, axis) in [("x", "horizontal", &figure.x), ("y", "vertical", &figure.y)] {
        if axis.log.is_some() && (which == "x" || figure.kind == Kind::Curves) {
            let pressed = axis.scale == crate::report::scale::Scale::Log;
            let _ = write!(
                out,
                "<button type=\"button\" data-axis=\"{which}\" aria-pressed=\"{pressed}\">Logarithmic {name} axis</button>"
            );
        }
    }
    out.push_str("</div>");
    let single = figure.panels.len() == 1 || figure.kind == Kind::Strips;
    let _ = write!(out, "<div class=\"panels{}\">", if single { " single" } else { "" });
    for part in &figure.panels {
        out.push_str("<div class=\"panel\">");
        if !part.title.is_empty() {
            let _ = write!(out, "<h4>{}</h4>", escape(&part.title));
        }
        if figure.kind == Kind::Curves && part.series.len() > 1 {
            out.push_str("<ul class=\"legend\">");
            for series in &part.series {
                let _ = write!(
                    out,
                    "<li><button type=\"button\" aria-pressed=\"true\" data-toggles=\"{}\">{}{}</button></li>",
                    series.look,
                    swatch(series.look),
                    escape(&series.name)
                );
            }
            out.push_str("</ul>");
        }
        if single {
            out.push_str(&panel(figure, part, Form::Wide));
        }
        out.push_str(&panel(figure, part, Form::Narrow));
        out.push_str("</div>");
    }
    let _ = write!(
        out,
        "</div><figcaption>{}</figcaption><details><summary>{title} as a table</summary>",
        escape(&figure.caption)
    );
    table(out, &figure.table, false);
    out.push_str("</details></figure>");
}

fn table(out: &mut String, data: &DataTable, with_caption: bool) {
    // A group and no region: a page of many runs would have dozens of landmarks of the same name.
    let caption = escape(&data.caption);
    let _ =
        write!(out, "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"{caption}\"><table>");
    if with_caption {
        let _ = write!(out, "<caption>{caption}</caption>");
    }
    out.push_str("<thead><tr>");
    for (name, number) in &data.columns {
        let _ = write!(
            out,
            "<th scope=\"col\"{}>{}</th>",
            if *number { " class=\"n\"" } else { "" },
            escape(name)
        );
    }
    out.push_str("</tr></thead><tbody>");
    for row in &data.rows {
        out.push_str("<tr>");
        for (field, (_, number)) in row.iter().zip(&data.columns) {
            let _ = write!(out, "<td{}>{}</td>", if *number { " class=\"n\"" } else { "" }, escape(field));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
}

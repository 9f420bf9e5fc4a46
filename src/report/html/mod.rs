//! A report as one page that opens without a network: it may run its own script and style, but loads nothing. Without the
//! script it still says everything.

mod pictures;
mod tables;

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::report::heat::SHADES;
use crate::report::model::{Details, Report, Section, Sentence, Trust};
use crate::report::palette::{dark, light};
use crate::report::svg::{Form, escape, picture};
use crate::report::words::code_spans;

const SCRIPT: &str = include_str!("../page/page.js");
const STYLE: &str = include_str!("../page/page.css");

/// The page.
#[must_use]
pub fn html(report: &Report) -> String {
    let style = format!("{STYLE}{}", colours());
    let title = escape(&title(report));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light \
         dark\">\n<meta name=\"generator\" content=\"orchestrate {}\">\n<link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n\
         <style>{style}</style></head>\n<body>",
        hash(&style),
        hash(SCRIPT),
        env!("CARGO_PKG_VERSION"),
    );
    match report.sections.as_slice() {
        [only] => {
            out.push_str("<main>");
            section(&mut out, only, Level { own: 1, suffix: "" }, report);
        }
        several => {
            let _ = write!(
                out,
                "<header class=\"mast\"><h1>{title}</h1><p>{}</p></header>",
                escape(&report.made_of)
            );
            answers(&mut out, several);
            out.push_str("<main>");
            for one in several {
                let suffix = format!(": {}", one.experiment);
                section(&mut out, one, Level { own: 2, suffix: &suffix }, report);
            }
            if several.is_empty() {
                out.push_str("<p>The tables hold no trial: nothing is drawn and nothing is said.</p>");
            }
            out.push_str("<section id=\"sources\"><h2>Sources</h2>");
            sources(&mut out, report, 3);
            out.push_str("</section>");
        }
    }
    let _ = write!(
        out,
        "</main>\n<footer class=\"quiet\"><p>{}. Made by orchestrate {}. The unit is the trial: an observation is one execution, \
         however many operations it did.</p></footer>\n<div id=\"tip\" role=\"status\" hidden></div>\n<script>{SCRIPT}</script>\
         </body></html>\n",
        escape(&report.made_of),
        env!("CARGO_PKG_VERSION")
    );
    out
}

/// How deep the heading of a section is, and what distinguishes its headings from those of other sections.
#[derive(Clone, Copy)]
struct Level<'a> {
    own: u8,
    suffix: &'a str,
}

fn title(report: &Report) -> String {
    match report.sections.as_slice() {
        [] => "No trials".to_owned(),
        [only] => only.question.clone().unwrap_or_else(|| only.experiment.clone()),
        several => format!("{} experiments", several.len()),
    }
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

/// The colours of looks, with others for dark pages, and what is dimmed while one of them is highlighted.
fn colours() -> String {
    fn rules(colours: impl Iterator<Item = &'static str>) -> String {
        colours.enumerate().map(|(look, colour)| format!(".c{look}{{--c:{colour}}}")).collect()
    }
    let dim = |look: usize| format!("body[data-hl=\"{look}\"] [data-s]:not([data-s=\"{look}\"])");
    let dimmed: Vec<String> = (0..light().count()).map(dim).collect();
    let shade = |at: usize| {
        let share = 4 + at * 4;
        format!(".h{at}{{background:color-mix(in srgb,var(--link) {share}%,var(--paper))}}")
    };
    let shades: String = (0..SHADES).map(shade).collect();
    format!(
        "{shades}{}@media screen and (prefers-color-scheme:dark){{{}}}{}{{opacity:.14}}",
        rules(light()),
        rules(dark()),
        dimmed.join(",")
    )
}

/// For several experiments: what each was to find out, and what was found.
fn answers(out: &mut String, sections: &[Section]) {
    if sections.is_empty() {
        return;
    }
    out.push_str("<nav aria-label=\"Experiments\"><ul class=\"answers\">");
    for section in sections {
        let asked = section.question.as_ref().unwrap_or(&section.experiment);
        let first = section.answer.sentences.first().map(Sentence::text).unwrap_or_default();
        let _ = write!(
            out,
            "<li><a href=\"#{}\">{}</a> <span class=\"quiet\">{}</span></li>",
            section.id,
            escape(asked),
            escape(&first)
        );
    }
    out.push_str("</ul></nav>");
}

fn section(out: &mut String, section: &Section, level: Level<'_>, report: &Report) {
    let _ = write!(out, "<section id=\"{}\"><header class=\"mast\">", section.id);
    if section.question.is_some() {
        let _ = write!(
            out,
            "<p class=\"kicker\">{} <span>experiment report</span></p>",
            escape(&section.experiment)
        );
    }
    let asked = section.question.as_ref().unwrap_or(&section.experiment);
    let _ = write!(out, "<h{0}>{1}</h{0}>", level.own, words(asked));
    answer(out, &section.answer.sentences);
    out.push_str("</header>");
    trust(out, &section.trust, level, &section.id);
    out.push_str("<dl class=\"facts\">");
    for (word, said) in &section.facts {
        let _ = write!(out, "<div><dt>{}</dt><dd>{}</dd></div>", escape(word), words(said));
    }
    out.push_str("</dl>");
    if level.own == 1 {
        out.push_str(
            "<nav aria-label=\"Contents\"><a href=\"#glance\">At a glance</a><a href=\"#ranking\">Ranking</a><a \
             href=\"#details\">Details</a><a href=\"#figures\">Figures for an article</a></nav>",
        );
    }
    pictures::glance(out, section, level);
    tables::rankings(out, section, level);
    details(out, section, level, report);
    out.push_str("</section>\n");
}

/// Several sentences with bold beginnings become a list; otherwise it is running text.
fn answer(out: &mut String, sentences: &[Sentence]) {
    if sentences.iter().filter(|sentence| !sentence.lead.is_empty()).count() > 1 {
        out.push_str("<ul class=\"answer\">");
        for sentence in sentences {
            let _ = write!(out, "<li>{}</li>", marked_up(sentence));
        }
        out.push_str("</ul>");
    } else {
        let text: Vec<String> = sentences.iter().map(marked_up).collect();
        let _ = write!(out, "<p class=\"answer\">{}</p>", text.join(" "));
    }
}

fn marked_up(sentence: &Sentence) -> String {
    if sentence.lead.is_empty() {
        return words(&sentence.rest);
    }
    let whole = sentence.text();
    let rest = whole.strip_prefix(&sentence.lead).unwrap_or_default();
    format!("<b>{}</b>{}", words(&sentence.lead), words(rest))
}

/// Escaped text in which what stands between backticks is code, and a word with a hyphen, such as `redis-py`, is broken only if it
/// is wider than a line.
fn words(text: &str) -> String {
    let one = |word: &str| {
        let said = escape(word);
        if word.contains('-') { format!("<span class=\"w\">{said}</span>") } else { said }
    };
    let part = |part: (&str, bool)| match part {
        (code, true) => format!("<code>{}</code>", escape(code)),
        (text, false) => text.split(' ').map(one).collect::<Vec<_>>().join(" "),
    };
    code_spans(text).map(part).collect()
}

fn trust(out: &mut String, trust: &Trust, level: Level<'_>, id: &str) {
    if trust.points.is_empty() {
        let _ = write!(out, "<p class=\"quiet\">{}</p>", words(&trust.otherwise));
        return;
    }
    let _ = write!(
        out,
        "<section class=\"doubts\" aria-labelledby=\"{id}-trust\"><div><h{0} id=\"{id}-trust\">How far to trust this{1}</h{0}><ul>",
        level.own + 1,
        escape(level.suffix)
    );
    for point in &trust.points {
        let _ = write!(out, "<li>{}</li>", marked_up(point));
    }
    out.push_str("</ul></div>");
    if let Some(order) = &trust.order {
        let _ = write!(
            out,
            "<figure><figcaption>{}, {}. {}</figcaption>{}</figure>",
            escape(&order.title),
            escape(&order.unit),
            escape(&order.caption),
            order.panels.iter().map(|panel| picture(order, panel, Form::Narrow)).collect::<String>()
        );
    }
    out.push_str("</section>");
}

/// The beginning of something that is folded away.
fn fold(out: &mut String, level: Level<'_>, (title, more): (&str, &str), is_open: bool) {
    let _ = write!(
        out,
        "<details{}><summary><h{h}>{}{}</h{h}> <span class=\"quiet\">{}</span></summary>",
        if is_open { " open" } else { "" },
        escape(title),
        escape(level.suffix),
        escape(more),
        h = level.own + 2,
    );
}

fn details(out: &mut String, section: &Section, level: Level<'_>, report: &Report) {
    let anchor = if level.own == 1 { " id=\"details\"" } else { "" };
    let _ = write!(
        out,
        "<section{anchor} class=\"folds\"><h{0}>Details{1}</h{0}>",
        level.own + 1,
        escape(level.suffix)
    );
    let Details { heat, latency, costs, beside, differs, drift, rule, notes, everywhere } = &section.details;
    let is_one = section.cells.rows.len() == 1;
    let cells = crate::report::numbers::count(section.cells.rows.len(), "cell");
    fold(out, level, ("All cells, every trial", &cells), is_one);
    tables::cells(out, &section.cells);
    out.push_str("</details>");
    if !heat.is_empty() {
        fold(out, level, ("Heat map", "all series at all places"), false);
        heat.iter().for_each(|heat| tables::heat(out, heat));
        out.push_str("</details>");
    }
    if let Some(figure) = latency {
        fold(out, level, ("Distribution of latency", "percentiles of the best cell of each series"), is_one);
        pictures::figure(out, figure, "full");
        let _ = write!(out, "<p class=\"quiet\">{}</p></details>", escape(&figure.caption));
    }
    if let Some(table) = beside {
        fold(out, level, ("Side by side", "the same cells in different groups"), false);
        tables::data(out, table);
        out.push_str("</details>");
    }
    if let Some(table) = costs {
        fold(out, level, ("What an operation costs", "CPU time, memory, traffic"), false);
        tables::data(out, table);
        out.push_str("</details>");
    }
    if let Some(table) = differs {
        fold(out, level, ("What clients do differently", "not like for like"), false);
        tables::data(out, table);
        out.push_str("</details>");
    }
    let how_many = crate::report::numbers::count(notes.len(), "kind");
    fold(out, level, ("Warnings, and how results were judged", &how_many), false);
    let _ = write!(out, "<p>{}</p>", words(rule));
    if !everywhere.is_empty() {
        let _ = write!(out, "<p class=\"quiet\">In all cells: {}.</p>", escape(everywhere));
    }
    if !notes.is_empty() {
        out.push_str("<dl class=\"notes\">");
        for note in notes {
            let _ = write!(out, "<dt>{}</dt><dd>{}", escape(&note.word), words(&note.meaning));
            if !note.cells.is_empty() {
                let _ = write!(out, " <span class=\"quiet\">{}</span>", words(&note.cells));
            }
            out.push_str("</dd>");
        }
        out.push_str("</dl>");
    }
    out.push_str("</details>");
    if let Some(figure) = drift {
        fold(out, level, ("Drift", "throughput against the position in the plan"), is_one);
        pictures::figure(out, figure, "full");
        let _ = write!(out, "<p class=\"quiet\">{}</p></details>", escape(&figure.caption));
    }
    if level.own == 1 {
        sources(out, report, 3);
        out.push_str(
            "<details id=\"figures\"><summary><h3>Figures for an article</h3> <span class=\"quiet\">SVG and PNG, white, each with a \
             line that says where it comes from</span></summary><p><code>orchestrate report RUN --figures</code> writes each \
             picture of this page as SVG and as PNG. Each explains its own band and dots, and ends with this line:</p>",
        );
        let _ = write!(out, "<p class=\"quiet\">{}</p></details>", escape(&section.footer));
    }
    out.push_str("</section>");
}

/// Machines, software, runs, and what is odd about the files.
fn sources(out: &mut String, report: &Report, heading: u8) {
    let _ = write!(
        out,
        "<details id=\"environment\"><summary><h{heading}>Machines and software</h{heading}></summary>"
    );
    for table in &report.environment {
        tables::data(out, table);
    }
    if report.environment.is_empty() {
        out.push_str("<p>Nothing is known of them.</p>");
    }
    out.push_str("</details>");
    if !report.remarks.is_empty() {
        let _ = write!(
            out,
            "<details id=\"files\" open><summary><h{heading}>About the files</h{heading}></summary><ul>"
        );
        for remark in &report.remarks {
            let _ = write!(out, "<li>{}</li>", escape(remark));
        }
        out.push_str("</ul></details>");
    }
}

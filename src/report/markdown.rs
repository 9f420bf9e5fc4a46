//! A report for a README: questions, answers, tables, what to mind. Nothing of a CSV becomes markup.

use crate::report::model::{DataTable, Report};

/// The report as Markdown.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut text = String::new();
    for section in &report.sections {
        text += &format!("## {}\n\n", plain(&section.experiment));
        if let Some(question) = &section.question {
            text += &format!("> {}\n\n", plain(question));
        }
        for finding in &section.answer.findings {
            text += &format!("**{}**\n\n", plain(&capital(finding)));
        }
        text += &table(&section.table);
        text += &format!("\n{}\n\n", plain(&section.table.caption));
        for beside in section.answer.latencies.iter().chain(&section.answer.beside) {
            text += &format!("{}\n{}\n\n", table(beside), plain(&beside.caption));
        }
        if !section.everywhere.is_empty() {
            text += &format!("In all rows: {}.\n\n", plain(&section.everywhere));
        }
        for note in &section.notes {
            text += &format!("- *{}*: {} {}\n", plain(&note.word), plain(&note.meaning), plain(&note.cells));
        }
        if !section.notes.is_empty() {
            text.push('\n');
        }
    }
    for remark in &report.remarks {
        text += &format!("- {}\n", plain(remark));
    }
    text
}

/// With a capital letter in front, as a sentence begins; names of modes keep theirs.
#[must_use]
pub(super) fn capital(sentence: &str) -> String {
    for beginning in ["no ", "the "] {
        if sentence.starts_with(beginning) {
            return sentence[..1].to_uppercase() + &sentence[1..];
        }
    }
    sentence.to_owned()
}

fn table(table: &DataTable) -> String {
    let line = |fields: Vec<String>| format!("| {} |\n", fields.join(" | "));
    let mut text = line(table.columns.iter().map(|column| plain(&column.0)).collect());
    text +=
        &line(table.columns.iter().map(|column| if column.1 { "---:" } else { "---" }.to_owned()).collect());
    for row in &table.rows {
        text += &line(row.iter().map(|field| plain(field)).collect());
    }
    text
}

/// Text in which nothing is markup.
fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => {
                safe.push('\\');
                safe.push(c);
            }
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

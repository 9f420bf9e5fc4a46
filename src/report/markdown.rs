//! A report for a README: question, answer, doubts, rankings, all cells. No text from a CSV is interpreted as markup.

use crate::report::model::{
    CellsTable, DataTable, Lane, MEASURES, Note, Ranking, Report, Section, Sentence, Warning,
};
use crate::report::words::code_spans;

/// The report as Markdown.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut text = String::new();
    for section in &report.sections {
        write_section(&mut text, section, report.sections.len() > 1);
    }
    for remark in &report.remarks {
        text += &format!("- {}\n", plain(remark));
    }
    text
}

fn write_section(text: &mut String, section: &Section, several: bool) {
    let asked = section.question.as_ref().unwrap_or(&section.experiment);
    *text += &format!("## {}\n\n", plain(asked));
    let leads = section.answer.sentences.iter().filter(|sentence| !sentence.lead.is_empty()).count();
    let sentences: Vec<String> = section.answer.sentences.iter().map(sentence).collect();
    *text += &if leads > 1 { points(&sentences) } else { format!("{}\n\n", sentences.join(" ")) };
    if section.trust.points.is_empty() {
        *text += &format!("{}\n\n", plain(&section.trust.otherwise));
    } else {
        *text += "How far to trust this:\n\n";
        *text += &points(&section.trust.points.iter().map(sentence).collect::<Vec<_>>());
    }
    for (word, said) in &section.facts {
        *text += &format!("{}: {}  \n", plain(word), plain(said));
    }
    text.push('\n');
    for one in &section.rankings {
        if section.rankings.len() > 1 {
            *text += &format!("### {}\n\n{}\n\n", plain(&one.title), plain(&one.finding));
        }
        *text += &ranking(one);
        *text += &format!("\n{}\n\n", plain(&one.caption));
    }
    if let Some(beside) = &section.details.beside {
        *text += &format!("{}\n{}\n\n", data(beside), plain(&beside.caption));
    }
    let name = if several { format!("All cells: {}", section.experiment) } else { "All cells".to_owned() };
    *text += &format!("### {}\n\n", plain(&name));
    *text += &cells(&section.cells, &section.details.notes);
    if !section.details.everywhere.is_empty() {
        *text += &format!("\nIn all cells: {}.\n", plain(&section.details.everywhere));
    }
    *text += &format!("\n{}\n\n", plain(&section.footer));
}

/// The table of all cells with what its warnings mean: what `export --markdown` prints.
#[must_use]
pub fn cells(cells: &CellsTable, notes: &[Note]) -> String {
    let has_warnings = cells.rows.iter().any(|row| !row.warnings.is_empty());
    let mut columns: Vec<(&str, bool)> =
        cells.columns.iter().map(|column| (column.name.as_str(), column.number)).collect();
    columns.extend(has_warnings.then_some(("Warnings", false)));
    let rows = cells.rows.iter().map(|row| {
        let mut fields = row.fields.clone();
        let warnings: Vec<String> = row.warnings.iter().map(Warning::text).collect();
        fields.extend(has_warnings.then(|| warnings.join("; ")));
        fields
    });
    let mut text = table(&columns, rows);
    text += &format!("\n{}.\n", plain(&cells.caption));
    if !notes.is_empty() {
        text.push('\n');
    }
    for note in notes {
        text +=
            format!("- *{}*: {} {}", plain(&note.word), prose(&note.meaning), plain(&note.cells)).trim_end();
        text.push('\n');
    }
    text
}

/// A row for each cell that the page shows.
fn ranking(ranking: &Ranking) -> String {
    let lanes: Vec<&Lane> =
        ranking.groups.iter().flat_map(|group| &group.rows).flat_map(|row| &row.lanes).collect();
    let measures: Vec<usize> =
        (0..MEASURES.len()).filter(|at| lanes.iter().any(|lane| lane.measures[*at] != "–")).collect();
    let mut columns = vec![("Place", true), ("Series", false)];
    columns.extend((!ranking.at.is_empty()).then_some((ranking.at.as_str(), true)));
    columns.extend([
        (ranking.result.as_str(), true),
        ("95% CI", true),
        ("Ratio to the first", true),
        ("95% CI", true),
    ]);
    columns.extend(measures.iter().map(|at| (MEASURES[*at], true)));
    columns.push(("Warnings", false));
    let rows = ranking.groups.iter().flat_map(|group| &group.rows).flat_map(|row| {
        let measures = &measures;
        row.lanes.iter().map(move |lane| {
            let mut fields = vec![row.place.clone(), row.name.clone()];
            fields.extend((!ranking.at.is_empty()).then(|| lane.at.clone()));
            fields
                .extend([&lane.median, &lane.interval, &lane.ratio, &lane.ratio_interval].map(Clone::clone));
            fields.extend(measures.iter().map(|at| lane.measures[*at].clone()));
            fields.push(lane.warnings.join("; "));
            fields
        })
    });
    table(&columns, rows)
}

fn data(data: &DataTable) -> String {
    let columns: Vec<(&str, bool)> =
        data.columns.iter().map(|(name, number)| (name.as_str(), *number)).collect();
    table(&columns, data.rows.iter().cloned())
}

fn table(columns: &[(&str, bool)], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |fields: Vec<String>| format!("| {} |\n", fields.join(" | "));
    let mut text = line(columns.iter().map(|column| plain(column.0)).collect());
    text += &line(columns.iter().map(|column| if column.1 { "---:" } else { "---" }.to_owned()).collect());
    for row in rows {
        text += &line(row.iter().map(|field| plain(field)).collect());
    }
    text
}

fn points(points: &[String]) -> String {
    points.iter().map(|point| format!("- {point}\n")).collect::<String>() + "\n"
}

fn sentence(sentence: &Sentence) -> String {
    if sentence.lead.is_empty() {
        return prose(&sentence.rest);
    }
    let (whole, lead) = (prose(&sentence.text()), prose(&sentence.lead));
    format!("**{lead}**{}", whole.strip_prefix(&lead).unwrap_or_default())
}

/// Text whose only markup is code between backticks, in which nothing else is markup.
fn prose(text: &str) -> String {
    let part = |part: (&str, bool)| match part {
        (code, true) if !code.is_empty() && !code.contains(char::is_control) => format!("`{code}`"),
        (code, true) => plain(&format!("`{code}`")),
        (text, false) => plain(text),
    };
    code_spans(text).map(part).collect()
}

/// Text with all markup escaped.
pub(super) fn plain(text: &str) -> String {
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

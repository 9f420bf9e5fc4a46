//! What is shown at the end of a run: the answer, the table of its cells, what the warnings mean. Fits the width of the
//! terminal, and shows only the best cells if there are more than a reader takes in.

use comfy_table::{
    Cell, CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle, Width,
};

use crate::report::model::{CellsRow, CellsTable, Note, Section};
use crate::report::numbers::count;

/// With more rows than this, not all are shown.
const ROWS: usize = 40;

/// Then only this many of the first are.
const HEAD: usize = 20;

/// In the order in which printers use them.
const MARKS: [&str; 6] = ["†", "‡", "§", "¶", "‖", "#"];

/// The answer and the table, for a terminal of this width; no colours.
#[must_use]
pub fn text(section: &Section, width: usize) -> String {
    let mut text = String::new();
    for sentence in &section.answer.sentences {
        text += &wrapped(&sentence.text(), "", width);
    }
    let doubts = section.trust.points.iter().take(3);
    for point in doubts.filter(|point| !point.lead.is_empty()) {
        text += &wrapped(&format!("! {}", point.text()), "  ", width);
    }
    text.push('\n');
    text + &table(&section.cells, &section.details.notes, width)
}

/// The table with its notes.
#[must_use]
pub fn table(cells: &CellsTable, notes: &[Note], width: usize) -> String {
    let is_whole = cells.rows.len() <= ROWS;
    let shown: Vec<&CellsRow> = if is_whole {
        cells.rows.iter().collect()
    } else {
        cells.best_first.iter().take(HEAD).map(|at| &cells.rows[*at]).collect()
    };
    let marked: Vec<(&Note, String)> = notes
        .iter()
        .filter(|note| shown.iter().any(|row| row.warnings.iter().any(|warning| warning.word == note.word)))
        .enumerate()
        .map(|(at, note)| (note, MARKS[at % MARKS.len()].repeat(1 + at / MARKS.len())))
        .collect();
    let marks = |row: &CellsRow| {
        let own =
            marked.iter().filter(|(note, _)| row.warnings.iter().any(|warning| warning.word == note.word));
        let mut marks: Vec<&str> = own.map(|(_, mark)| mark.as_str()).collect();
        marks.dedup();
        marks.join(" ")
    };
    let mut spare: Vec<u8> = cells.columns.iter().map(|column| column.spare).collect();
    spare.sort_unstable();
    spare.dedup();
    // From all columns down to those that are never left out; a long mode name is cut last of all.
    let mut text = String::new();
    for most in spare.iter().rev() {
        text = drawn(cells, &shown, *most, &marks, usize::MAX);
        if fits(&text, width) {
            break;
        }
    }
    let mut longest = 40;
    while !fits(&text, width) && longest > 8 {
        longest -= 2;
        text = drawn(cells, &shown, 0, &marks, longest);
    }
    text.push('\n');
    if !is_whole {
        text += &wrapped(
            &format!(
                "The best {HEAD} of {}; the rest is in summary.csv and report.html.",
                count(cells.rows.len(), "cell")
            ),
            "",
            width,
        );
    }
    text += &wrapped(&format!("{}.", cells.caption), "", width);
    for (note, mark) in &marked {
        let line = format!("{mark} {}: {}", note.word, note.meaning);
        text += &wrapped(&line, "  ", width);
    }
    for note in notes.iter().filter(|note| note.is_of_run) {
        text += &wrapped(&format!("{}: {} {}", note.word, note.meaning, note.cells), "  ", width);
    }
    text
}

/// Makes a table as narrow as a terminal of this width, if there is one and as far as it can be done without breaking a word:
/// the columns of `texts`, by their headings, wrap at spaces, and no other column wraps.
pub fn fit(table: &mut Table, width: Option<u16>, texts: &[&str]) {
    let Some(width) = width else { return };
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    let headings: Vec<String> =
        table.header().into_iter().flat_map(|row| row.cell_iter()).map(Cell::content).collect();
    let longest_word = |at: usize| {
        let fields = table.row_iter().filter_map(|row| row.cell_iter().nth(at)).map(Cell::content);
        let all = fields.chain([headings[at].clone()]);
        all.flat_map(|text| text.split(' ').map(|word| word.chars().count()).collect::<Vec<_>>()).max()
    };
    let constraints: Vec<ColumnConstraint> = headings
        .iter()
        .enumerate()
        .map(|(at, heading)| match longest_word(at).and_then(|longest| u16::try_from(longest).ok()) {
            // With the space on either side.
            Some(longest) if texts.contains(&heading.as_str()) => {
                ColumnConstraint::LowerBoundary(Width::Fixed(longest.saturating_add(2)))
            }
            _ => ColumnConstraint::ContentWidth,
        })
        .collect();
    for (column, constraint) in table.column_iter_mut().zip(constraints) {
        column.set_constraint(constraint);
    }
}

fn fits(text: &str, width: usize) -> bool {
    text.lines().all(|line| line.chars().count() <= width)
}

/// The rows, with only those columns whose number in the order of omission is at most `most`.
fn drawn(
    cells: &CellsTable,
    rows: &[&CellsRow],
    most: u8,
    marks: &dyn Fn(&CellsRow) -> String,
    longest: usize,
) -> String {
    let kept: Vec<usize> = (0..cells.columns.len()).filter(|at| cells.columns[*at].spare <= most).collect();
    let has_marks = rows.iter().any(|row| !marks(row).is_empty());
    let rule = LineStyle::none().fill('─').junction('─');
    let mut table = Table::new();
    let mut header: Vec<&str> = kept.iter().map(|at| cells.columns[*at].name.as_str()).collect();
    header.extend(has_marks.then_some(""));
    table
        .load_style(TableStyle::new().header_separator(rule))
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header);
    for row in rows {
        let mut fields: Vec<String> = kept.iter().map(|at| shortened(&row.fields[*at], longest)).collect();
        fields.extend(has_marks.then(|| marks(row)));
        table.add_row(fields);
    }
    for (at, drawn) in kept.iter().zip(table.column_iter_mut()) {
        drawn.set_padding((0, 1)).set_cell_alignment(if cells.columns[*at].number {
            CellAlignment::Right
        } else {
            CellAlignment::Left
        });
    }
    let text = table.trim_fmt();
    text + "\n"
}

/// Without its middle: names that begin alike differ at their ends.
fn shortened(field: &str, longest: usize) -> String {
    let length = field.chars().count();
    if length <= longest {
        return field.to_owned();
    }
    let end = longest / 3;
    let beginning = longest.saturating_sub(end + 1);
    field.chars().take(beginning).chain(['…']).chain(field.chars().skip(length - end)).collect()
}

/// Text in lines of at most this width, continuation lines indented; ends with a line feed.
fn wrapped(text: &str, indent: &str, width: usize) -> String {
    let (mut lines, mut line) = (String::new(), String::new());
    for word in text.split_whitespace() {
        let is_full = line.chars().count() + 1 + word.chars().count() > width;
        if is_full && !line.trim().is_empty() {
            lines += line.trim_end();
            lines.push('\n');
            indent.clone_into(&mut line);
        } else if !line.trim().is_empty() {
            line.push(' ');
        }
        line += word;
    }
    lines + line.trim_end() + "\n"
}

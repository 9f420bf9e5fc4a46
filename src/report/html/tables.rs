//! The tables of the page. On a narrow screen a row of a ranking is a card, which is why roles are written out.

use std::fmt::Write;

use super::{Level, words};
use crate::report::model::{CellsTable, DataTable, Group, Heat, Lane, MEASURES, RankRow, Ranking, Section};
use crate::report::numbers::count;
use crate::report::svg::{escape, strip, strip_axis};

/// Shown in place of a missing number.
const NONE: &str = "–";

/// Rows of a ranking that are not folded away, at most.
const ROWS: usize = 30;

/// A ranking for each group of cells.
pub(super) fn rankings(out: &mut String, section: &Section, level: Level<'_>) {
    let anchor = if level.own == 1 { " id=\"ranking\"" } else { "" };
    let rows: usize =
        section.rankings.iter().flat_map(|ranking| &ranking.groups).map(|group| group.rows.len()).sum();
    let title = if section.cells.rows.len() == 1 { "Result" } else { "Ranking" };
    let _ = write!(out, "<section{anchor}><h{0}>{title}{1}</h{0}>", level.own + 1, escape(level.suffix));
    for (place, ranking) in section.rankings.iter().enumerate() {
        if section.rankings.len() > 1 {
            let _ = write!(
                out,
                "<h{0}>{1}{2}</h{0}><p>{3}</p>",
                level.own + 2,
                words(&ranking.title),
                escape(level.suffix),
                words(&ranking.finding)
            );
        }
        // The first one has the caption for all that are read in the same way.
        let is_new = place == 0 || section.rankings[place - 1].caption != ranking.caption;
        one(out, ranking, is_new, rows);
    }
    out.push_str("</section>");
}

/// One ranking: the first rows, and the others behind a fold.
fn one(out: &mut String, ranking: &Ranking, has_caption: bool, all: usize) {
    let most = if all > ROWS { ROWS } else { usize::MAX };
    let (mut first, mut rest, mut seen) = (Vec::new(), Vec::new(), 0);
    for group in &ranking.groups {
        if seen < most {
            first.push(group);
        } else {
            rest.push(group);
        }
        seen += group.rows.len();
    }
    if has_caption {
        let _ = write!(out, "<p class=\"quiet\">{}</p>", escape(&ranking.caption));
    }
    table(out, ranking, &first);
    if !rest.is_empty() {
        let rows = rest.iter().map(|group| group.rows.len()).sum();
        let _ = write!(out, "<details><summary>{} more</summary>", count(rows, "row"));
        table(out, ranking, &rest);
        out.push_str("</details>");
    }
}

/// Which columns are worth showing.
struct Shown {
    at: bool,
    ratio: bool,
    measures: Vec<usize>,
    warnings: bool,
    /// Whether rows have a line for each of two cells, where intervals stand in a column of their own.
    two: bool,
}

impl Shown {
    fn of(groups: &[&Group], ranking: &Ranking) -> Self {
        let lanes: Vec<&Lane> =
            groups.iter().flat_map(|group| &group.rows).flat_map(|row| &row.lanes).collect();
        Self {
            at: !ranking.at.is_empty(),
            ratio: lanes.len() > 1,
            measures: (0..MEASURES.len())
                .filter(|at| lanes.iter().any(|lane| lane.measures[*at] != NONE))
                .collect(),
            warnings: lanes.iter().any(|lane| !lane.warnings.is_empty()),
            two: groups.iter().flat_map(|group| &group.rows).any(|row| row.lanes.len() > 1),
        }
    }

    fn columns(&self) -> usize {
        let optional = [self.at, self.ratio, self.warnings, self.two];
        3 + optional.into_iter().filter(|is_shown| *is_shown).count() + self.measures.len()
    }
}

fn table(out: &mut String, ranking: &Ranking, groups: &[&Group]) {
    let shown = Shown::of(groups, ranking);
    let label =
        if ranking.title.is_empty() { "Ranking".to_owned() } else { format!("Ranking: {}", ranking.title) };
    let _ = write!(
        out,
        "<table class=\"rank\" role=\"table\" aria-label=\"{}\"><thead role=\"rowgroup\"><tr role=\"row\">",
        escape(&label)
    );
    let mut head = |class: &str, words: &str, more: &str| {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let _ = write!(out, "<th role=\"columnheader\" scope=\"col\"{class}>{}{more}</th>", escape(words));
    };
    head("", "series", "");
    if shown.at {
        head("n", &ranking.at, "");
    }
    head("pic", &format!("each trial, {}", ranking.axis.words()), &strip_axis(&ranking.axis));
    let ci = if shown.two { "" } else { "<small>95% CI</small>" };
    head("n", &ranking.result, ci);
    if shown.two {
        head("n", "95% CI", "");
    }
    if shown.ratio {
        head("n", "ratio to the first", ci);
    }
    for at in &shown.measures {
        head("n", MEASURES[*at], "");
    }
    if shown.warnings {
        head("", "warnings", "");
    }
    out.push_str("</tr></thead>");
    for group in groups {
        out.push_str("<tbody role=\"rowgroup\">");
        if !group.heading.is_empty() {
            let _ = write!(
                out,
                "<tr class=\"group\" role=\"row\"><th colspan=\"{}\" scope=\"rowgroup\" role=\"rowheader\">{}</th></tr>",
                shown.columns(),
                escape(&group.heading)
            );
        }
        for row in &group.rows {
            self::row(out, row, ranking, &shown);
        }
        out.push_str("</tbody>");
    }
    out.push_str("</table>");
}

fn row(out: &mut String, row: &RankRow, ranking: &Ranking, shown: &Shown) {
    let keys = row.lanes.iter().find(|lane| lane.is_best).map(|lane| &lane.keys);
    let keys: Vec<String> = keys
        .into_iter()
        .flatten()
        .map(|key| key.map_or_else(String::new, |key| format!("{key:.4}")))
        .collect();
    let _ = write!(
        out,
        "<tr class=\"s c{0}\" data-s=\"{0}\" data-keys=\"{1}\" role=\"row\"><th scope=\"row\" role=\"rowheader\" class=\"name\"><span \
         class=\"place\">{2}</span><b>{3}</b><small>{4}</small></th>",
        row.look,
        keys.join(" "),
        escape(&row.place),
        words(&row.name),
        words(&row.about)
    );
    let small =
        |text: &str| if text.is_empty() { String::new() } else { format!("<small>{}</small>", escape(text)) };
    if shown.at {
        fields(out, row, ("n at", ranking.at.as_str()), &|lane| escape(&lane.at) + &small(&lane.tied));
    }
    let lanes: Vec<(&[f64], _)> = row.lanes.iter().map(|lane| (lane.dots.as_slice(), lane.mark)).collect();
    let picture = strip(&ranking.axis, &lanes, row.look);
    let _ = write!(out, "<td role=\"cell\" class=\"pic\">{picture}</td>");
    fields(out, row, ("n result", ranking.result.as_str()), &|lane| {
        let median = escape(&lane.median);
        let median = if lane.is_best { format!("<b>{median}</b>") } else { median };
        if shown.two { median } else { median + &small(&lane.interval) }
    });
    if shown.two {
        fields(out, row, ("n ci", "95% CI"), &|lane| escape(&lane.interval));
    }
    if shown.ratio {
        fields(out, row, ("n", "ratio to the first"), &|lane| {
            escape(&lane.ratio) + &if shown.two { String::new() } else { small(&lane.ratio_interval) }
        });
    }
    for at in &shown.measures {
        fields(out, row, ("n", MEASURES[*at]), &|lane| escape(&lane.measures[*at]));
    }
    if shown.warnings {
        let _ = write!(out, "<td role=\"cell\" class=\"warn\" data-l=\"warnings\">{}</td>", warnings(row));
    }
    out.push_str("</tr>");
}

/// A field with a line for each cell of the row. An empty line would have no height, and the others would no longer stand
/// beside their cells.
fn fields(out: &mut String, row: &RankRow, (class, label): (&str, &str), of: &dyn Fn(&Lane) -> String) {
    let line = |lane: &Lane| {
        let class = if row.lanes.len() > 1 && lane.is_best { " class=\"best\"" } else { "" };
        let words = of(lane);
        format!("<span{class}>{}</span>", if words.is_empty() { NONE } else { &words })
    };
    let lines: String = row.lanes.iter().map(line).collect();
    let _ = write!(out, "<td role=\"cell\" class=\"{class}\" data-l=\"{}\">{lines}</td>", escape(label));
}

/// The warnings of a row; with two cells, each warning is given once, with the places it applies to.
fn warnings(row: &RankRow) -> String {
    let mut said: Vec<(&str, Vec<String>)> = Vec::new();
    for lane in &row.lanes {
        for warning in &lane.warnings {
            let (word, trials) = warning.split_once(": ").unwrap_or((warning, ""));
            let told = match (trials, row.lanes.len() > 1) {
                (trials, false) => trials.to_owned(),
                ("", true) => format!("at {}", lane.at),
                (trials, true) => format!("{trials} at {}", lane.at),
            };
            match said.iter_mut().find(|(known, _)| *known == word) {
                Some((_, places)) => places.push(told),
                None => said.push((word, vec![told])),
            }
        }
    }
    let chip = |(word, places): &(&str, Vec<String>)| {
        let is_everywhere = row.lanes.len() > 1
            && places.len() == row.lanes.len()
            && places.iter().all(|place| place.starts_with("at "));
        let places = if is_everywhere { String::new() } else { places.join(", ") };
        let more = if places.is_empty() { String::new() } else { format!(": {places}") };
        format!("<span class=\"chip\">{}</span>", escape(&format!("{word}{more}")))
    };
    said.iter().map(chip).collect()
}

/// Every cell with its trials.
pub(super) fn cells(out: &mut String, cells: &CellsTable) {
    let caption = format!("{}. Trials: {}.", cells.caption, cells.axis.words());
    scrolled(out, &caption, "All cells", "<table class=\"all\">");
    out.push_str("<thead><tr>");
    for column in &cells.columns {
        let class = if column.number { " class=\"n\"" } else { "" };
        let _ = write!(out, "<th scope=\"col\"{class}>{}</th>", escape(&column.name));
    }
    let _ = write!(
        out,
        "<th scope=\"col\" class=\"pic\">trials{}</th><th scope=\"col\">warnings</th></tr></thead><tbody>",
        strip_axis(&cells.axis)
    );
    for row in &cells.rows {
        let _ = write!(out, "<tr class=\"c{0}\" data-s=\"{0}\">", row.look);
        for (field, column) in row.fields.iter().zip(&cells.columns) {
            let class = if column.number { " class=\"n\"" } else { "" };
            let _ = write!(out, "<td{class}>{}</td>", words(field));
        }
        let words: Vec<String> = row.warnings.iter().map(crate::report::model::Warning::text).collect();
        let _ = write!(
            out,
            "<td class=\"pic\">{}</td><td class=\"warn\">{}</td></tr>",
            strip(&cells.axis, &[(&row.dots, row.mark)], row.look),
            escape(&words.join("; "))
        );
    }
    out.push_str("</tbody></table></div>");
}

/// All series at all places, shaded.
pub(super) fn heat(out: &mut String, heat: &Heat) {
    let title = if heat.title.is_empty() { String::new() } else { format!("{}: ", heat.title) };
    let caption = format!("{title}{}", heat.caption);
    scrolled(out, &caption, &caption, "<table>");
    out.push_str("<thead><tr><th scope=\"col\">series</th>");
    for column in &heat.columns {
        let _ = write!(out, "<th scope=\"col\" class=\"n\">{}</th>", escape(column));
    }
    out.push_str("</tr></thead><tbody>");
    for row in &heat.rows {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", words(&row.name));
        for field in &row.fields {
            let _ = match field {
                Some((number, shade)) => write!(out, "<td class=\"n h{shade}\">{}</td>", escape(number)),
                None => write!(out, "<td class=\"n\">–</td>"),
            };
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
}

/// Any other table.
pub(super) fn data(out: &mut String, data: &DataTable) {
    scrolled(out, &data.caption, &data.caption, "<table>");
    out.push_str("<thead><tr>");
    for (name, number) in &data.columns {
        let class = if *number { " class=\"n\"" } else { "" };
        let _ = write!(out, "<th scope=\"col\"{class}>{}</th>", escape(name));
    }
    out.push_str("</tr></thead><tbody>");
    for row in &data.rows {
        out.push_str("<tr>");
        for (field, (_, number)) in row.iter().zip(&data.columns) {
            let class = if *number { " class=\"n\"" } else { "" };
            let _ = write!(out, "<td{class}>{}</td>", words(field));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
}

/// The beginning of a table that scrolls sideways where it is wider than the page. The caption stands above it: within the
/// table it would be as wide as that, and so be cut off with it, or wrap early where the table is narrow.
fn scrolled(out: &mut String, caption: &str, label: &str, table: &str) {
    // A group rather than a region: a page of many runs would have dozens of landmarks of the same name.
    let _ = write!(
        out,
        "<p class=\"caption\">{}</p><div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"{}\">{table}",
        words(caption),
        escape(label)
    );
}

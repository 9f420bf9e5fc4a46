//! Figures as SVG: panels for the page, whole figures for articles. Every text goes through [`escape`].

use std::fmt::Write;

use crate::report::model::{Figure, Kind, Mark, Panel, Series};
use crate::report::palette::{DASHES, LIGHT, SHAPES};
use crate::report::scale::{Axis, Scale};

/// What text is set in; an article's reader may have none of the first ones.
const FONTS: &str = "Roboto, 'Helvetica Neue', Arial, sans-serif";
const INK: &str = "#333333";
const GRID: &str = "#e3e3e3";
const ROW: f64 = 19.0;

/// Where a picture goes, which decides its size and what it carries along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A column of the page, or a phone.
    Narrow,
    /// The whole width of the page.
    Wide,
}

/// Text that is safe between tags and in attributes. Characters that XML forbids become U+FFFD.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\t' | '\n' | '\r' => safe.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// A panel for the page: it can be walked through with the keyboard, and has the ticks of both scales in it.
#[must_use]
pub fn panel(figure: &Figure, panel: &Panel, form: Form) -> String {
    let frame = Frame::of(figure, panel, form);
    let name = if panel.title.is_empty() {
        figure.title.clone()
    } else {
        format!("{}: {}", figure.title, panel.title)
    };
    let class = if form == Form::Wide { "wide" } else { "narrow" };
    let mut out = format!(
        "<svg class=\"plot {class}\" role=\"group\" aria-label=\"{}\" data-x-label=\"{}\" data-y-label=\"{}\" viewBox=\"0 0 \
         {} {}\"{}{}>",
        escape(&name),
        escape(&figure.x.label),
        escape(&figure.y.label),
        round(frame.width),
        round(frame.height),
        scale_attributes('x', &figure.x, frame.left, frame.right),
        if figure.kind == Kind::Curves {
            scale_attributes('y', &figure.y, frame.bottom, frame.top)
        } else {
            String::new()
        },
    );
    plot(&mut out, figure, panel, &frame, true);
    out.push_str("</svg>");
    out
}

/// The whole figure with its title, legends and all panels, for an article: light, without anything interactive.
#[must_use]
pub fn article(figure: &Figure) -> String {
    let form =
        if figure.panels.len() == 1 || figure.kind == Kind::Strips { Form::Wide } else { Form::Narrow };
    let across = match (form, figure.panels.len()) {
        (Form::Wide, _) => 1,
        (Form::Narrow, n) if n <= 4 => 2,
        _ => 3,
    };
    let frames: Vec<Frame> = figure.panels.iter().map(|panel| Frame::of(figure, panel, form)).collect();
    let cell_width = frames.first().map_or(100.0, |frame| frame.width) + 10.0;
    let width = cell_width * across as f64;
    let (mut body, mut top) = (String::new(), 44.0);
    for (panels, frames) in figure.panels.chunks(across).zip(frames.chunks(across)) {
        let has_title = panels.iter().any(|panel| !panel.title.is_empty());
        let below_title = if has_title { top + 20.0 } else { top };
        let left_of = |column: usize| cell_width * column as f64;
        // Panels in a row stand on one line, however long their legends are.
        let mut below_legends = below_title;
        for (column, panel) in panels.iter().enumerate() {
            let left = left_of(column) + 12.0;
            text(
                &mut body,
                left,
                top + 12.0,
                "start",
                12.5,
                &shortened(&panel.title, cell_width - 30.0, 12.5),
            );
            if figure.kind == Kind::Curves && panel.series.len() > 1 {
                let end = legend(&mut body, panel, left, below_title, cell_width - 20.0);
                below_legends = below_legends.max(end);
            }
        }
        let mut tallest: f64 = 0.0;
        for (column, (panel, frame)) in panels.iter().zip(frames).enumerate() {
            let _ = write!(
                body,
                "<g transform=\"translate({} {})\">",
                round(left_of(column)),
                round(below_legends)
            );
            plot(&mut body, figure, panel, frame, false);
            body.push_str("</g>");
            tallest = tallest.max(below_legends + frame.height - top);
        }
        top += tallest + 12.0;
    }
    let mut head = String::new();
    text(&mut head, 12.0, 26.0, "start", 17.0, &figure.title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" font-family=\"{FONTS}\" \
         role=\"img\"><title>{}</title><desc>{}</desc><rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>{head}{body}</svg>\n",
        escape(&figure.title),
        escape(&figure.caption),
        w = round(width),
        h = round(top),
    )
}

/// A legend's swatch: line and mark of a look.
#[must_use]
pub fn swatch(look: usize) -> String {
    format!(
        "<svg class=\"swatch\" aria-hidden=\"true\" viewBox=\"0 0 28 12\" width=\"28\" height=\"12\"><g class=\"c{look}\" \
         stroke=\"{c}\" fill=\"{c}\"><path d=\"M1 6H27\" fill=\"none\" stroke-width=\"2\"{}/><path d=\"{}\" stroke=\"none\" \
         transform=\"translate(14 6)\"/></g></svg>",
        dashes(look),
        SHAPES[look],
        c = LIGHT[look],
    )
}

struct Frame {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Frame {
    fn of(figure: &Figure, panel: &Panel, form: Form) -> Self {
        let (width, height) = if form == Form::Wide { (800.0, 440.0) } else { (400.0, 300.0) };
        match figure.kind {
            Kind::Curves => {
                Self { width, height, left: 58.0, right: width - 14.0, top: 12.0, bottom: height - 46.0 }
            }
            Kind::Strips => {
                let widest = panel.rows.iter().map(|row| text_width(row, 11.5)).fold(0.0, f64::max);
                let left = (widest + 18.0).min(width * 0.42);
                let bottom = 8.0 + ROW * panel.rows.len() as f64;
                Self { width, height: bottom + 46.0, left, right: width - 18.0, top: 8.0, bottom }
            }
        }
    }

    fn x(&self, axis: &Axis, value: f64) -> f64 {
        self.left + axis.fraction(value) * (self.right - self.left)
    }

    fn y(&self, figure: &Figure, value: f64) -> f64 {
        match figure.kind {
            Kind::Curves => self.bottom + figure.y.fraction(value) * (self.top - self.bottom),
            Kind::Strips => self.top + ROW * (value + 0.5),
        }
    }
}

fn plot(out: &mut String, figure: &Figure, panel: &Panel, frame: &Frame, page: bool) {
    axes(out, figure, panel, frame, page);
    for series in &panel.series {
        let (look, colour) = (series.look, LIGHT[series.look]);
        let name = if page { format!(" data-name=\"{}\"", escape(&series.name)) } else { String::new() };
        let _ = write!(
            out,
            "<g class=\"series c{look}\" data-series=\"{look}\"{name} stroke=\"{colour}\" fill=\"{colour}\">"
        );
        dots(out, figure, series, frame, page);
        for piece in series.pieces.iter().filter(|piece| !piece.is_empty()) {
            match figure.kind {
                Kind::Curves => curve(out, figure, look, piece, frame, page),
                Kind::Strips => bars(out, figure, piece, frame, page),
            }
        }
        for mark in series.pieces.iter().flatten() {
            marker(out, figure, look, mark, frame, page);
        }
        out.push_str("</g>");
    }
}

fn axes(out: &mut String, figure: &Figure, panel: &Panel, frame: &Frame, page: bool) {
    out.push_str(if page { "<g class=\"axes\" aria-hidden=\"true\">" } else { "<g>" });
    let wide = frame.width > 500.0;
    let others = [Some(figure.x.clone()), page.then(|| figure.x.switched()).flatten()];
    for (i, axis) in others.into_iter().flatten().enumerate() {
        ticks_begin(out, 'x', &axis, i > 0, page);
        for (value, label) in axis.ticks(if wide { 10 } else { 6 }) {
            let x = round(frame.x(&axis, value));
            let _ = write!(
                out,
                "<path d=\"M{x} {}V{}\" stroke=\"{GRID}\" class=\"grid\"/>",
                round(frame.top),
                round(frame.bottom)
            );
            text(out, frame.x(&axis, value), frame.bottom + 16.0, "middle", 11.5, &label);
        }
        out.push_str("</g>");
    }
    if figure.kind == Kind::Curves {
        let others = [Some(figure.y.clone()), page.then(|| figure.y.switched()).flatten()];
        for (i, axis) in others.into_iter().flatten().enumerate() {
            ticks_begin(out, 'y', &axis, i > 0, page);
            for (value, label) in axis.ticks(if wide { 9 } else { 7 }) {
                let y = frame.bottom + axis.fraction(value) * (frame.top - frame.bottom);
                let _ = write!(
                    out,
                    "<path d=\"M{} {}H{}\" stroke=\"{GRID}\" class=\"grid\"/>",
                    round(frame.left),
                    round(y),
                    round(frame.right)
                );
                text(out, frame.left - 7.0, y + 4.0, "end", 11.5, &label);
            }
            out.push_str("</g>");
        }
        let _ = write!(
            out,
            "<g transform=\"translate(13 {}) rotate(-90)\">",
            round(f64::midpoint(frame.top, frame.bottom))
        );
        text(out, 0.0, 0.0, "middle", 12.0, &figure.y.label);
        out.push_str("</g>");
    } else {
        for (i, row) in panel.rows.iter().enumerate() {
            let y = frame.top + ROW * (i as f64 + 0.5);
            let _ = write!(
                out,
                "<path d=\"M{} {y}H{}\" stroke=\"{GRID}\" class=\"grid\"/>",
                round(frame.left),
                round(frame.right),
                y = round(y)
            );
            text(out, frame.left - 8.0, y + 4.0, "end", 11.5, &shortened(row, frame.left - 12.0, 11.5));
        }
    }
    let _ = write!(
        out,
        "<path d=\"M{} {}H{}\" stroke=\"#888888\" class=\"base\"/>",
        round(frame.left),
        round(frame.bottom),
        round(frame.right)
    );
    text(out, f64::midpoint(frame.left, frame.right), frame.bottom + 36.0, "middle", 12.0, &figure.x.label);
    out.push_str("</g>");
}

fn ticks_begin(out: &mut String, which: char, axis: &Axis, hidden: bool, page: bool) {
    let name = if axis.scale == Scale::Log { "log" } else { "lin" };
    match (page, hidden) {
        (false, _) => out.push_str("<g>"),
        (true, false) => {
            let _ = write!(out, "<g data-ticks=\"{which}-{name}\">");
        }
        (true, true) => {
            let _ = write!(out, "<g data-ticks=\"{which}-{name}\" display=\"none\">");
        }
    }
}

/// What the page's script needs to place things anew on the other scale.
fn scale_attributes(which: char, axis: &Axis, from: f64, to: f64) -> String {
    let Some(log) = axis.log else {
        return format!(
            " data-{which}=\"lin\" data-{which}-lin=\"{} {}\" data-{which}-px=\"{} {}\"",
            axis.linear.0,
            axis.linear.1,
            round(from),
            round(to)
        );
    };
    let now = if axis.scale == Scale::Log { "log" } else { "lin" };
    format!(
        " data-{which}=\"{now}\" data-{which}-lin=\"{} {}\" data-{which}-log=\"{} {}\" data-{which}-px=\"{} {}\"",
        axis.linear.0,
        axis.linear.1,
        log.0,
        log.1,
        round(from),
        round(to)
    )
}

fn dots(out: &mut String, figure: &Figure, series: &Series, frame: &Frame, page: bool) {
    let (mut path, mut data) = (String::new(), String::new());
    for &(x, y) in series.dots.iter().filter(|dot| dot.0.is_finite() && dot.1.is_finite()) {
        let _ = write!(path, "M{} {}h0", round(frame.x(&figure.x, x)), round(frame.y(figure, y)));
        let _ = write!(data, "{} {} ", short(x), short(y));
    }
    if path.is_empty() {
        return;
    }
    let data = if page { format!(" data-dots=\"{}\"", data.trim_end()) } else { String::new() };
    let _ = write!(
        out,
        "<path class=\"dots\" d=\"{path}\"{data} fill=\"none\" stroke-width=\"4\" stroke-linecap=\"round\" stroke-opacity=\"0.4\"/>"
    );
}

fn curve(out: &mut String, figure: &Figure, look: usize, piece: &[Mark], frame: &Frame, page: bool) {
    let place = |x: f64, y: f64| format!("{} {}", round(frame.x(&figure.x, x)), round(frame.y(figure, y)));
    for part in piece.split(|mark| mark.interval.is_none()).filter(|part| !part.is_empty()) {
        let mut data = String::new();
        let mut corners: Vec<String> = Vec::new();
        for mark in part {
            if let Some((low, high)) = mark.interval {
                let _ = write!(data, "{} {} {} ", short(mark.x), short(low), short(high));
                corners.push(place(mark.x, high));
            }
        }
        corners.extend(part.iter().rev().filter_map(|mark| Some(place(mark.x, mark.interval?.0))));
        let data = if page { format!(" data-band=\"{}\"", data.trim_end()) } else { String::new() };
        // A band of one place has no width: its outline shows it.
        let outline =
            if part.len() == 1 { "stroke-width=\"3\" stroke-opacity=\"0.35\"" } else { "stroke=\"none\"" };
        let _ = write!(
            out,
            "<path class=\"band\" d=\"M{}Z\"{data} fill-opacity=\"0.16\" {outline}/>",
            corners.join("L")
        );
    }
    let line: Vec<String> = piece.iter().map(|mark| place(mark.x, mark.y)).collect();
    let data: Vec<String> = piece.iter().map(|mark| format!("{} {}", short(mark.x), short(mark.y))).collect();
    let data = if page { format!(" data-line=\"{}\"", data.join(" ")) } else { String::new() };
    let _ = write!(
        out,
        "<path class=\"line\" d=\"M{}\"{data} fill=\"none\" stroke-width=\"2\" stroke-linejoin=\"round\"{}/>",
        line.join("L"),
        dashes(look)
    );
}

/// The intervals of strips.
fn bars(out: &mut String, figure: &Figure, piece: &[Mark], frame: &Frame, page: bool) {
    for mark in piece {
        let Some((low, high)) = mark.interval else { continue };
        let data = if page {
            format!(" data-bar=\"{} {} {}\"", short(low), short(high), short(mark.y))
        } else {
            String::new()
        };
        let y = round(frame.y(figure, mark.y));
        let (from, to) = (round(frame.x(&figure.x, low)), round(frame.x(&figure.x, high)));
        let _ = write!(
            out,
            "<path class=\"bar\" d=\"M{from} {y}H{to}\"{data} stroke-width=\"7\" stroke-opacity=\"0.35\"/>"
        );
    }
}

fn marker(out: &mut String, figure: &Figure, look: usize, mark: &Mark, frame: &Frame, page: bool) {
    if !(mark.x.is_finite() && mark.y.is_finite()) {
        return;
    }
    let place = format!("{} {}", round(frame.x(&figure.x, mark.x)), round(frame.y(figure, mark.y)));
    let shape = SHAPES[look];
    if page {
        let _ = write!(
            out,
            "<path class=\"mark\" role=\"img\" aria-label=\"{}\" data-mark=\"{} {}\" d=\"{shape}\" stroke=\"none\" transform=\"translate({place})\"/>",
            escape(&mark.says),
            short(mark.x),
            short(mark.y)
        );
    } else {
        let _ = write!(out, "<path d=\"{shape}\" stroke=\"none\" transform=\"translate({place})\"/>");
    }
}

fn legend(out: &mut String, panel: &Panel, left: f64, top: f64, width: f64) -> f64 {
    let (mut x, mut y) = (left, top);
    for series in &panel.series {
        let wide = 34.0 + text_width(&series.name, 12.0) + 14.0;
        if x > left && x + wide > left + width {
            x = left;
            y += 18.0;
        }
        let (colour, shape) = (LIGHT[series.look], SHAPES[series.look]);
        let middle = y + 8.0;
        let _ = write!(
            out,
            "<path d=\"M{} {m}h26\" stroke=\"{colour}\" stroke-width=\"2\"{}/><path d=\"{shape}\" fill=\"{colour}\" transform=\"translate({} {m})\"/>",
            round(x),
            dashes(series.look),
            round(x + 13.0),
            m = round(middle),
        );
        text(out, x + 32.0, middle + 4.0, "start", 12.0, &shortened(&series.name, width - 40.0, 12.0));
        x += wide;
    }
    y + 20.0
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, size: f64, words: &str) {
    let _ = write!(
        out,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\" font-size=\"{size}\" fill=\"{INK}\">{}</text>",
        round(x),
        round(y),
        escape(words)
    );
}

fn dashes(look: usize) -> String {
    if DASHES[look].is_empty() { String::new() } else { format!(" stroke-dasharray=\"{}\"", DASHES[look]) }
}

/// About how wide a text is; fonts differ.
fn text_width(text: &str, size: f64) -> f64 {
    let of = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | '\'' | '|' | ' ' => 0.27,
        'm' | 'w' | 'M' | 'W' | '@' => 0.87,
        c if c.is_ascii_uppercase() => 0.66,
        c if c.is_ascii() => 0.56,
        '·' => 0.3,
        _ => 1.0,
    };
    text.chars().map(of).sum::<f64>() * size
}

fn shortened(text: &str, width: f64, size: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    let mut short = text.to_owned();
    while !short.is_empty() && text_width(&short, size) + size > width {
        short.pop();
    }
    short + "…"
}

/// A tenth of a pixel is enough.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Five significant digits are enough to place a mark and to read it.
fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let power = 10_f64.powi(4 - value.abs().log10().floor() as i32);
    if power.is_finite() && power > 0.0 {
        ((value * power).round() / power).to_string()
    } else {
        value.to_string()
    }
}

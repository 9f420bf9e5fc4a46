//! A complete figure for an article: on white, with title, unit, an explanation of band and dots, and the source of the
//! numbers at its foot. Uses attributes instead of a style sheet, so that the file stands alone.

use std::fmt::Write;

use super::frame::Frame;
use super::text::{FONTS, escape, round, shortened, text, width, wrapped};
use super::{Dress, Form, plot};
use crate::report::model::{Figure, Key, Kind};
use crate::report::palette::{colour, dashes, shape};

/// The figure as SVG. `key` says which colour belongs to which series, where the picture itself does not; `footer` says
/// where the numbers come from.
#[must_use]
pub fn article(figure: &Figure, key: &[Key], footer: &str) -> String {
    let is_single = figure.panels.len() == 1;
    let form = if is_single { Form::Wide } else { Form::Narrow };
    let across = match figure.panels.len() {
        1 => 1,
        2 | 4 => 2,
        _ => 3,
    };
    let frames: Vec<Frame> = figure.panels.iter().map(|panel| Frame::of(figure, panel, form)).collect();
    let cell = frames.first().map_or(372.0, |frame| frame.width) + 14.0;
    let page = (cell * across as f64 + 12.0).max(480.0);
    let mut body = String::new();
    text(&mut body, (12.0, 26.0), "start", 17.0, &figure.title, Dress::Alone, "");
    let mut top = 46.0;
    text(&mut body, (12.0, top), "start", 12.0, &capital(&figure.unit), Dress::Alone, "");
    for line in wrapped(&figure.caption, page - 24.0, 11.0) {
        top += 15.0;
        text(&mut body, (12.0, top), "start", 11.0, &line, Dress::Alone, "");
    }
    top += 14.0;
    if figure.kind == Kind::Strips && key.len() > 1 {
        top = legend(&mut body, key, top, page - 24.0);
    }
    for (panels, frames) in figure.panels.chunks(across).zip(frames.chunks(across)) {
        if panels.iter().any(|panel| !panel.title.is_empty()) {
            for (column, panel) in panels.iter().enumerate() {
                let title = shortened(&panel.title, cell - 20.0, 12.5);
                text(
                    &mut body,
                    (12.0 + cell * column as f64, top + 12.0),
                    "start",
                    12.5,
                    &title,
                    Dress::Alone,
                    "",
                );
            }
            top += 20.0;
        }
        let mut tallest: f64 = 0.0;
        for (column, (panel, frame)) in panels.iter().zip(frames).enumerate() {
            let _ = write!(
                body,
                "<g transform=\"translate({} {})\">",
                round(12.0 + cell * column as f64),
                round(top)
            );
            plot(&mut body, figure, panel, frame, Dress::Alone);
            body.push_str("</g>");
            tallest = tallest.max(frame.height);
        }
        top += tallest + 10.0;
    }
    for line in wrapped(footer, page - 24.0, 10.5) {
        top += 14.0;
        text(&mut body, (12.0, top), "start", 10.5, &line, Dress::Alone, "");
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" font-family=\"{FONTS}\" \
         role=\"img\"><title>{}</title><desc>{} {}</desc><rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>{body}</svg>\n",
        escape(&figure.title),
        escape(&figure.caption),
        escape(footer),
        w = round(page),
        h = round(top + 12.0),
    )
}

fn legend(out: &mut String, key: &[Key], top: f64, room: f64) -> f64 {
    let (mut x, mut y) = (12.0, top);
    for Key { name, look } in key {
        let long = 38.0 + width(name, 12.0) + 14.0;
        if x > 12.0 && x + long > room {
            x = 12.0;
            y += 18.0;
        }
        let paint = colour(*look);
        let dashes = dashes(*look);
        let dashes =
            if dashes.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dashes}\"") };
        let middle = round(y + 2.0);
        let _ = write!(
            out,
            "<path d=\"M{} {middle}h26\" stroke=\"{paint}\" stroke-width=\"2\"{dashes}/><path d=\"{}\" fill=\"{paint}\" \
             transform=\"translate({} {middle})\"/>",
            round(x),
            shape(*look),
            round(x + 13.0),
        );
        text(out, (x + 32.0, middle + 4.0), "start", 12.0, name, Dress::Alone, "");
        x += long;
    }
    y + 14.0
}

fn capital(unit: &str) -> String {
    let mut letters = unit.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

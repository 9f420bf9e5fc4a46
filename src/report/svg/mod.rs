//! Figures as SVG: pictures for the page, whole figures for articles. Every text goes through [`escape`].

mod article;
mod axes;
mod frame;
mod labels;
mod strip;
mod text;

use std::fmt::Write;

pub use self::article::article;
use self::frame::Frame;
pub use self::strip::{strip, strip_axis};
pub use self::text::escape;
use self::text::{round, shortened, text};
use crate::report::model::{Figure, Kind, Mark, Panel, Series};
use crate::report::palette::{INK, colour, dashes, shape};

/// Where a picture goes, which decides its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Two columns of the page.
    Wide,
    /// A column of the page, or a phone.
    Narrow,
}

/// Whether a picture is styled by the page's style sheet or by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dress {
    /// Classes only; it can be pointed at and navigated with the keyboard.
    Page,
    /// Attributes only: it stands alone.
    Alone,
}

impl Dress {
    /// The class on a page, or these attributes.
    fn or(self, class: &str, attributes: &str) -> String {
        match self {
            Self::Page => format!(" class=\"{class}\""),
            Self::Alone => format!(" {attributes}"),
        }
    }
}

/// A picture for the page. It is a group of marks, each of which has a text that describes it.
#[must_use]
pub fn picture(figure: &Figure, panel: &Panel, form: Form) -> String {
    let frame = Frame::of(figure, panel, form);
    let name = if panel.title.is_empty() {
        figure.title.clone()
    } else {
        format!("{}: {}", figure.title, panel.title)
    };
    let class = if form == Form::Wide { "wide" } else { "narrow" };
    let mut out = format!(
        "<svg class=\"plot {class}\" role=\"group\" aria-label=\"{}\" viewBox=\"0 0 {} {}\">",
        escape(&name),
        round(frame.width),
        round(frame.height),
    );
    plot(&mut out, figure, panel, &frame, Dress::Page);
    out.push_str("</svg>");
    out
}

/// The mark and the line of a look, for a key.
#[must_use]
pub fn swatch(look: usize) -> String {
    format!(
        "<svg class=\"swatch s c{look}\" aria-hidden=\"true\" viewBox=\"0 0 26 12\" width=\"26\" height=\"12\"><path class=\"ln\" \
         d=\"M1 6H25\"/><path d=\"{}\" transform=\"translate(13 6)\"/></svg>",
        shape(look),
    )
}

/// Axes, series and the names of lines.
fn plot(out: &mut String, figure: &Figure, panel: &Panel, frame: &Frame, dress: Dress) {
    axes::axes(out, figure, frame, dress);
    for series in &panel.series {
        let look = series.look;
        let paint = colour(look);
        let dressed = match dress {
            Dress::Page => format!(" class=\"s c{look}\" data-s=\"{look}\""),
            Dress::Alone => format!(" stroke=\"{paint}\" fill=\"{paint}\""),
        };
        let _ = write!(out, "<g{dressed}>");
        dots(out, figure, series, frame, dress);
        for piece in series.pieces.iter().filter(|piece| !piece.is_empty()) {
            match figure.kind {
                Kind::Curves => curve(out, figure, look, piece, frame, dress),
                Kind::Strips => bars(out, figure, piece, frame, dress),
            }
        }
        for mark in series.pieces.iter().flatten() {
            marker(out, figure, series, mark, frame, dress);
        }
        out.push_str("</g>");
    }
    if figure.kind == Kind::Curves {
        labels::labels(out, figure, panel, frame, dress);
    } else {
        strip_names(out, figure, panel, frame, dress);
    }
}

fn dots(out: &mut String, figure: &Figure, series: &Series, frame: &Frame, dress: Dress) {
    let finite = series.dots.iter().filter(|dot| dot.0.is_finite() && dot.1.is_finite());
    let places = finite.map(|&(x, y)| (round(frame.x(&figure.x, x)), round(frame.y(figure, y))));
    if series.hollow && figure.kind == Kind::Curves {
        for (x, y) in places {
            let dressed = dress.or("o", "fill=\"#ffffff\" stroke-width=\"1\"");
            let _ = write!(out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"2.4\"{dressed}/>");
        }
        return;
    }
    let path: String = places.map(|(x, y)| format!("M{x} {y}h0")).collect();
    if path.is_empty() {
        return;
    }
    let dressed =
        dress.or("d", "fill=\"none\" stroke-width=\"3.4\" stroke-linecap=\"round\" stroke-opacity=\"0.4\"");
    let _ = write!(out, "<path d=\"{path}\"{dressed}/>");
}

fn curve(out: &mut String, figure: &Figure, look: usize, piece: &[Mark], frame: &Frame, dress: Dress) {
    let place = |x: f64, y: f64| format!("{} {}", round(frame.x(&figure.x, x)), round(frame.y(figure, y)));
    for part in piece.split(|mark| mark.interval.is_none()).filter(|part| !part.is_empty()) {
        if let [only] = part
            && let Some((low, high)) = only.interval
        {
            // A band with only one place has no width.
            let dressed = dress.or("bar", "fill=\"none\" stroke-width=\"5\" stroke-opacity=\"0.25\"");
            let _ = write!(out, "<path d=\"M{}L{}\"{dressed}/>", place(only.x, low), place(only.x, high));
            continue;
        }
        let mut corners: Vec<String> =
            part.iter().filter_map(|mark| Some(place(mark.x, mark.interval?.1))).collect();
        corners.extend(part.iter().rev().filter_map(|mark| Some(place(mark.x, mark.interval?.0))));
        let dressed = dress.or("band", "fill-opacity=\"0.14\" stroke=\"none\"");
        let _ = write!(out, "<path d=\"M{}Z\"{dressed}/>", corners.join("L"));
    }
    let line: Vec<String> = piece.iter().map(|mark| place(mark.x, mark.y)).collect();
    // On a page, names stand next to their lines; an article may be printed in grey.
    let dashes = if dress == Dress::Page { "" } else { dashes(look) };
    let dashes = if dashes.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dashes}\"") };
    let dressed = dress.or("ln", "fill=\"none\" stroke-width=\"1.8\" stroke-linejoin=\"round\"");
    let _ = write!(out, "<path d=\"M{}\"{dressed}{dashes}/>", line.join("L"));
}

/// The intervals of strips.
fn bars(out: &mut String, figure: &Figure, piece: &[Mark], frame: &Frame, dress: Dress) {
    for mark in piece {
        let Some((low, high)) = mark.interval else { continue };
        let y = round(frame.y(figure, mark.y));
        let (from, to) = (round(frame.x(&figure.x, low)), round(frame.x(&figure.x, high)));
        let dressed = dress.or("bar", "fill=\"none\" stroke-width=\"5\" stroke-opacity=\"0.3\"");
        let _ = write!(out, "<path d=\"M{from} {y}H{to}\"{dressed}/>");
    }
}

fn marker(out: &mut String, figure: &Figure, series: &Series, mark: &Mark, frame: &Frame, dress: Dress) {
    // The second end of a bar adds nothing to the first.
    if !(mark.x.is_finite() && mark.y.is_finite()) || mark.says.is_empty() {
        return;
    }
    let place = format!("{} {}", round(frame.x(&figure.x, mark.x)), round(frame.y(figure, mark.y)));
    let shape = shape(series.look);
    let class = match (series.hollow, series.look == INK) {
        (true, _) => "m o",
        (_, true) => "m i",
        _ => "m",
    };
    match dress {
        Dress::Page => {
            let _ = write!(
                out,
                "<path class=\"{class}\" role=\"img\" aria-label=\"{}\" d=\"{shape}\" transform=\"translate({place})\"/>",
                escape(&mark.says),
            );
        }
        Dress::Alone if series.look == INK => {}
        Dress::Alone => {
            let dressed =
                if series.hollow { "fill=\"#ffffff\" stroke-width=\"1.4\"" } else { "stroke=\"none\"" };
            let _ =
                write!(out, "<path d=\"{shape}\" {dressed} transform=\"translate({place}) scale(0.85)\"/>");
        }
    }
}

/// Names next to the marks of strips.
fn strip_names(out: &mut String, figure: &Figure, panel: &Panel, frame: &Frame, dress: Dress) {
    for series in &panel.series {
        for mark in series.pieces.iter().flatten().filter(|mark| !mark.name.is_empty()) {
            let x = frame.x(&figure.x, mark.x);
            // Above both lanes of the row.
            let y = frame.y(figure, mark.y.floor() - 0.22);
            let half = text::width(&mark.name, 10.0) / 2.0;
            let at = x.clamp(frame.left + half, (frame.width - half).max(frame.left + half));
            let name = shortened(&mark.name, frame.width - frame.left, 10.0);
            text(out, (at, y), "middle", 10.0, &name, dress, "tick");
        }
    }
}

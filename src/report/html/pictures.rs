//! The pictures of the page that are meant to be seen at a glance, with one key for all of them.

use std::fmt::Write;

use super::{Level, words};
use crate::report::model::{Figure, Kind, Section};
use crate::report::svg::{Form, escape, picture, swatch};

/// Pictures side by side below one key.
pub(super) fn glance(out: &mut String, section: &Section, level: Level<'_>) {
    let anchor = if level.own == 1 { " id=\"glance\"" } else { "" };
    let glance = &section.glance;
    let _ = write!(out, "<section{anchor}><h{0}>At a glance{1}</h{0}>", level.own + 1, escape(level.suffix));
    if glance.key.len() > 1 {
        out.push_str("<ul class=\"key\">");
        for key in &glance.key {
            let _ = write!(out, "<li data-k=\"{}\">{}{}</li>", key.look, swatch(key.look), escape(&key.name));
        }
        out.push_str("</ul>");
    }
    if !glance.figures.is_empty() {
        let _ = write!(
            out,
            "<p class=\"quiet\">{}<span class=\"scripted\" hidden> Point at a name or a picture to read it; with the keyboard, tab \
             to it and use the arrow keys.</span></p>",
            escape(&glance.hint)
        );
    }
    let has_hero = glance.figures.len() > 2 && is_single_curves(&glance.figures[0]);
    let _ = write!(out, "<div class=\"pictures{}\">", if has_hero { " with-hero" } else { "" });
    for (place, one) in glance.figures.iter().enumerate() {
        let class = match (one.panels.len(), place == 0 && has_hero) {
            (1, true) => "hero",
            (1, false) => "",
            _ => "full",
        };
        figure(out, one, class);
    }
    if let Some(ratios) = &glance.ratios {
        figure(out, ratios, "full");
    }
    out.push_str("</div>");
    if !glance.more.is_empty() {
        let names: Vec<String> = glance.more.iter().map(|figure| figure.title.clone()).collect();
        let _ = write!(
            out,
            "<details><summary>More pictures <span class=\"quiet\">{}</span></summary><div class=\"pictures\">",
            escape(&names.join(", "))
        );
        for one in &glance.more {
            figure(out, one, if one.panels.len() == 1 { "" } else { "full" });
        }
        out.push_str("</div></details>");
    }
    for reason in &glance.not_drawn {
        let _ = write!(out, "<p class=\"quiet\">{}</p>", escape(reason));
    }
    let _ = write!(out, "<p class=\"foot quiet\">{}</p></section>", words(&section.footer));
}

fn is_single_curves(figure: &Figure) -> bool {
    figure.kind == Kind::Curves && figure.panels.len() == 1
}

/// A figure with its title and unit. A hero is drawn twice, so that its text is not shrunk on a phone.
pub(super) fn figure(out: &mut String, figure: &Figure, class: &str) {
    let _ = write!(
        out,
        "<figure class=\"panel {class}\" id=\"{}\"><figcaption><b>{}</b> <span class=\"quiet\">{}</span></figcaption>",
        figure.id,
        escape(&figure.title),
        escape(&figure.unit)
    );
    match figure.panels.as_slice() {
        [only] => {
            let is_wide = class == "hero" || class == "full" && figure.kind == Kind::Curves;
            if is_wide {
                out.push_str(&picture(figure, only, Form::Wide));
            }
            let narrow = picture(figure, only, Form::Narrow);
            out.push_str(&if is_wide { narrow } else { narrow.replacen("plot narrow", "plot", 1) });
        }
        several => {
            out.push_str("<div class=\"pictures\">");
            for panel in several {
                let narrow = picture(figure, panel, Form::Narrow).replacen("plot narrow", "plot", 1);
                let _ = write!(
                    out,
                    "<div class=\"panel\"><p class=\"facet\">{}</p>{narrow}</div>",
                    words(&panel.title)
                );
            }
            out.push_str("</div>");
        }
    }
    out.push_str("</figure>");
}

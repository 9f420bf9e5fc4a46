//! How series are told apart: by colour, by the shape of their marks and by the dashes of their lines, so that none of
//! them has to be told by its colour alone.

/// Series in one picture; more of them are spread over several.
pub const LOOKS: usize = 8;

/// On white. The first three are of Okabe and Ito, "Color Universal Design" (2008); the others were chosen to stay apart
/// from them for people with protanopia and deuteranopia.
pub const LIGHT: [&str; LOOKS] =
    ["#0072b2", "#d55e00", "#009e73", "#8b1a89", "#6b4a00", "#2a2a2a", "#d6478f", "#3a3acf"];

/// On a dark page, in the same order.
pub const DARK: [&str; LOOKS] =
    ["#5ab4f0", "#ff8a3d", "#2fcb9c", "#d58bea", "#e8c53a", "#e6e6e6", "#ff8fc0", "#9aa5ff"];

/// Dashes of the lines.
pub const DASHES: [&str; LOOKS] = ["", "7 3", "2 3", "9 3 2 3", "", "7 3", "2 3", "9 3 2 3"];

/// Marks as SVG paths around the origin.
pub const SHAPES: [&str; LOOKS] = [
    "M4 0A4 4 0 1 1-4 0A4 4 0 1 1 4 0Z",
    "M-3.5-3.5H3.5V3.5H-3.5Z",
    "M0-4.6L4.3 3.3H-4.3Z",
    "M0-5L5 0L0 5L-5 0Z",
    "M0 4.6L4.3-3.3H-4.3Z",
    "M-1.5-4.5H1.5V-1.5H4.5V1.5H1.5V4.5H-1.5V1.5H-4.5V-1.5H-1.5Z",
    "M0-5L1.5-1.5L5 0L1.5 1.5L0 5L-1.5 1.5L-5 0L-1.5-1.5Z",
    "M-4.5-2H4.5V2H-4.5Z",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    /// WCAG 2.2, 1.4.11: graphics need 3 to 1 against what is beside them.
    #[test]
    fn every_colour_stands_out_against_its_page() {
        for (colours, page) in [(LIGHT, "#ffffff"), (DARK, "#14171a")] {
            for colour in colours {
                let (a, b) = (luminance(colour), luminance(page));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 3.0, "{colour} on {page}: {contrast}");
            }
        }
    }
}

//! How series are told apart: by colour, by the shape of their marks and by the dashes of their lines, so that colour alone
//! is never needed.

/// Series in one picture; more of them are spread over several.
pub const LOOKS: usize = 8;

/// The look of anything without a colour of its own.
pub const GREY: usize = LOOKS;

/// The look of anything that concerns all series.
pub const INK: usize = LOOKS + 1;

/// The look of warnings; never used without words.
pub const WARNING: usize = LOOKS + 2;

/// The looks that are not of series, on white.
const OTHERS_LIGHT: [&str; 3] = ["#767b80", "#1b1f23", "#a33b00"];

/// The same on a dark page.
const OTHERS_DARK: [&str; 3] = ["#8a9096", "#e8eaed", "#ffa869"];

/// All looks on white.
pub fn light() -> impl Iterator<Item = &'static str> {
    LIGHT.into_iter().chain(OTHERS_LIGHT)
}

/// All looks on a dark page.
pub fn dark() -> impl Iterator<Item = &'static str> {
    DARK.into_iter().chain(OTHERS_DARK)
}

/// The colour of a look on white.
#[must_use]
pub fn colour(look: usize) -> &'static str {
    light().nth(look).unwrap_or(OTHERS_LIGHT[0])
}

/// The mark of a look, as an SVG path around the origin.
#[must_use]
pub fn shape(look: usize) -> &'static str {
    SHAPES.get(look).copied().unwrap_or(SHAPES[0])
}

/// The dashes of the lines of a look; empty for none.
#[must_use]
pub fn dashes(look: usize) -> &'static str {
    DASHES.get(look).copied().unwrap_or_default()
}

/// On white. Blue and vermilion are from Okabe and Ito, "Color Universal Design" (2008); the others were searched for at a
/// given hue, so that any two are as far apart as possible for every kind of colour blindness.
pub const LIGHT: [&str; LOOKS] =
    ["#0072b2", "#d55e00", "#155933", "#6c0a61", "#5f4c05", "#2a2a2a", "#b35580", "#6928e0"];

/// On a dark page, in the same order.
pub const DARK: [&str; LOOKS] =
    ["#a4cdff", "#f9bb03", "#53ff8f", "#b95bff", "#c67028", "#e6e6e6", "#fb2e75", "#6d80bd"];

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

    /// Red, green and blue as linear light, from 0 to 1.
    fn linear(colour: &str) -> [f64; 3] {
        [1, 3, 5].map(|at| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        })
    }

    fn times(matrix: [[f64; 3]; 3], colour: [f64; 3]) -> [f64; 3] {
        matrix.map(|row| row.iter().zip(colour).map(|(factor, value)| factor * value).sum())
    }

    fn luminance(colour: &str) -> f64 {
        times([[0.2126, 0.7152, 0.0722]; 3], linear(colour))[0]
    }

    /// CIE L*a*b* under daylight (D65), in which equal distances look equally different.
    fn lab(light: [f64; 3]) -> [f64; 3] {
        let to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]];
        let [x, y, z] = times(to_xyz, light);
        let f = |t: f64| if t > 0.008856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
        let (x, y, z) = (f(x / 0.95047), f(y), f(z / 1.08883));
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    /// Complete protanopia, deuteranopia and tritanopia (Machado, Oliveira and Fernandes, 2009), and normal vision.
    const VISIONS: [(&str, [[f64; 3]; 3]); 4] = [
        (
            "protanopia",
            [
                [0.152286, 1.052583, -0.204868],
                [0.114503, 0.786281, 0.099216],
                [-0.003882, -0.048116, 1.051998],
            ],
        ),
        (
            "deuteranopia",
            [
                [0.367322, 0.860646, -0.227968],
                [0.280085, 0.672501, 0.047413],
                [-0.011820, 0.042940, 0.968881],
            ],
        ),
        (
            "tritanopia",
            [
                [1.255528, -0.076749, -0.178779],
                [-0.078411, 0.930809, 0.147602],
                [0.004733, 0.691367, 0.303900],
            ],
        ),
        ("any colour", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    ];

    /// Looks also differ in shape and dashes, but nobody should have to rely on these.
    #[test]
    fn whoever_is_colour_blind_tells_the_colours_apart() {
        for colours in [LIGHT, DARK] {
            for (vision, matrix) in VISIONS {
                let seen =
                    colours.map(|colour| lab(times(matrix, linear(colour)).map(|v| v.clamp(0.0, 1.0))));
                for (i, a) in seen.iter().enumerate() {
                    for (j, b) in seen.iter().enumerate().take(i) {
                        let apart = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                        assert!(apart > 19.0, "{} and {} with {vision}: {apart}", colours[i], colours[j]);
                    }
                }
            }
        }
    }

    /// WCAG 2.2, 1.4.11: graphics need a contrast of 3 to 1 against what is next to them.
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

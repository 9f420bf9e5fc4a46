//! A figure's SVG as PNG, with a font of its own: the same picture on every machine. Touches no file.

use std::sync::Arc;

use resvg::{tiny_skia, usvg};

/// Roboto, reduced to Latin, Greek and the signs that reports use; `font/README.md` states its licence.
const REGULAR: &[u8] = include_bytes!("font/Roboto-Regular.ttf");

/// Pixels for each pixel of the SVG: enough for print.
const ZOOM: f32 = 2.0;

/// Why a picture could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PngError {
    /// The SVG is not valid.
    #[error("failed to read the figure's SVG: {0}")]
    Svg(#[from] usvg::Error),
    /// The size is not possible.
    #[error("failed to make a picture of {0} by {1} pixels")]
    Size(u32, u32),
    /// The picture could not be encoded.
    #[error("failed to encode the picture: {0}")]
    Encode(String),
}

/// The picture, at twice the size that the SVG gives.
///
/// # Errors
/// When the SVG cannot be drawn.
pub fn png(svg: &str) -> Result<Vec<u8>, PngError> {
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_font_data(REGULAR.to_vec());
    let options =
        usvg::Options { fontdb: Arc::new(fonts), font_family: "Roboto".to_owned(), ..Default::default() };
    let tree = usvg::Tree::from_str(svg, &options)?;
    let size = tree.size();
    let (width, height) = ((size.width() * ZOOM).ceil() as u32, (size.height() * ZOOM).ceil() as u32);
    let mut picture = tiny_skia::Pixmap::new(width, height).ok_or(PngError::Size(width, height))?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(ZOOM, ZOOM), &mut picture.as_mut());
    picture.encode_png().map_err(|error| PngError::Encode(error.to_string()))
}

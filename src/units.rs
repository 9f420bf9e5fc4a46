//! Quantities with their unit in the type: parsing and display. Never reads a clock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A span of time in whole nanoseconds; on the wire and in the journal a plain number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// A whole number of milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// A whole number of seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000_000_000)
    }

    /// In seconds.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// In microseconds.
    #[must_use]
    pub fn as_micros_f64(self) -> f64 {
        self.0 as f64 / 1e3
    }

    /// As the standard library's duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

impl From<Duration> for Nanos {
    /// Saturates at 584 years.
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Nanos {
    /// The friendly form that [`FromStr`] reads: `1m 30s`, `500ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signed = jiff::SignedDuration::try_from(self.duration()).map_err(|_| fmt::Error)?;
        write!(f, "{signed:#}")
    }
}

impl FromStr for Nanos {
    type Err = String;

    /// Reads `500ms`, `10s`, `1m 30s`, `2h`.
    ///
    /// # Errors
    /// A sentence that says what a duration looks like, if `text` is not one, is negative, or has a comma in a number.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        without_comma(text)?;
        let signed: jiff::SignedDuration = text
            .trim()
            .parse()
            .map_err(|_| format!("`{text}` is not a duration such as \"500ms\", \"10s\" or \"1m 30s\""))?;
        Duration::try_from(signed).map(Self::from).map_err(|_| format!("`{text}` is a negative duration"))
    }
}

/// Refuses a quantity with a comma after a digit: in some countries it separates thousands, in others decimals, and one reading
/// is a thousand times the other.
///
/// # Errors
/// A sentence that says how to write either.
pub fn without_comma(text: &str) -> Result<(), String> {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let bytes = text.as_bytes();
    let inside = |&at: &usize| is_digit(bytes[..at].last()) && is_digit(bytes.get(at + 1));
    let commas: Vec<usize> = text.match_indices(',').map(|(at, _)| at).filter(inside).collect();
    let Some(&first) = commas.first() else { return Ok(()) };
    let plain: String = text.char_indices().filter(|(at, _)| !commas.contains(at)).map(|(_, c)| c).collect();
    if commas.len() > 1 {
        return Err(format!("`{text}` has commas in a number: write \"{plain}\""));
    }
    let (whole, decimals) = (&text[..first], &text[first + 1..]);
    Err(format!("`{text}` has a comma in a number: write \"{plain}\" or \"{whole}.{decimals}\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_duration_is_written_as_people_write_it() {
        let shown = |text: &str| text.parse::<Nanos>().map(|time| time.to_string());
        assert_eq!(shown("500ms"), Ok("500ms".to_owned()));
        assert_eq!(shown("90s"), Ok("1m 30s".to_owned()));
        assert_eq!(shown(" 1h30m "), Ok("1h 30m".to_owned()));
        assert_eq!(shown("0s"), Ok("0s".to_owned()));
        assert_eq!(shown("1.5s"), Ok("1s 500ms".to_owned()));
        assert_eq!(shown("1us 1ns"), Ok("1µs 1ns".to_owned()));
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for text in ["", "10", "s", "ten seconds", "5 parsecs"] {
            let why = text.parse::<Nanos>().expect_err("no duration");
            assert_eq!(why, format!("`{text}` is not a duration such as \"500ms\", \"10s\" or \"1m 30s\""));
        }
        assert_eq!("-1s".parse::<Nanos>(), Err("`-1s` is a negative duration".to_owned()));
    }

    #[test]
    fn a_comma_in_a_number_is_refused_with_both_of_its_readings() {
        let why = |text: &str| text.parse::<Nanos>().expect_err("ambiguous");
        assert_eq!(why("1,500ms"), "`1,500ms` has a comma in a number: write \"1500ms\" or \"1.500ms\"");
        assert_eq!(why("1m 0,5s"), "`1m 0,5s` has a comma in a number: write \"1m 05s\" or \"1m 0.5s\"");
        assert_eq!(why("1,500,000us"), "`1,500,000us` has commas in a number: write \"1500000us\"");
        assert_eq!(why("PT1,5S"), "`PT1,5S` has a comma in a number: write \"PT15S\" or \"PT1.5S\"");
        assert_eq!("1h, 30m".parse(), Ok(Nanos::from_secs(5400)));
    }

    proptest! {
        #[test]
        fn every_duration_is_read_as_it_is_written(nanos in any::<u64>(), shift in 0u32..64) {
            let time = Nanos(nanos >> shift);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }
    }
}

//! Numbers formatted for readers: groups of three digits, and no more digits than are meaningful. Never for machines.

/// Numbers from here on have an exponent: hundreds of digits are of no use.
const ENDLESS: f64 = 1e18;

/// Three digits or more, never more than two after the decimal point: no trial repeats another to the hundredth.
#[must_use]
fn ungrouped(value: f64) -> String {
    if value.abs() >= ENDLESS {
        return format!("{value:.2e}");
    }
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

/// With commas between thousands, and at least three significant digits below a hundred.
#[must_use]
pub fn grouped(value: f64) -> String {
    let text = ungrouped(value);
    let (whole, rest) =
        text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("−", digits));
    let mut grouped = String::from(sign);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if let Some(rest) = rest {
        grouped.push('.');
        grouped.push_str(rest);
    }
    grouped
}

/// For the ticks of an axis: `50k`, `1.5M`, `0.2`.
#[must_use]
pub fn short(value: f64) -> String {
    if value.abs() >= ENDLESS || value != 0.0 && value.abs() < 0.0005 {
        return format!("{value:.0e}").replace('-', "−");
    }
    let (scaled, suffix) = match value.abs() {
        size if size >= 1e9 => (value / 1e9, "G"),
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let rounded = (scaled * 1000.0).round() / 1000.0;
    format!("{rounded}{suffix}").replace('-', "−")
}

/// A ratio, with as many digits as are meaningful.
#[must_use]
pub fn times(ratio: f64) -> String {
    match ratio {
        ratio if ratio >= 99.95 => format!("{ratio:.0}"),
        ratio if ratio >= 1.995 => format!("{ratio:.1}"),
        ratio => format!("{ratio:.2}"),
    }
}

/// A share as a percentage with one decimal and a real minus sign; never −0.0%.
#[must_use]
pub fn percent(share: f64) -> String {
    let tenths = (share * 1e3).round();
    let minus = if tenths < 0.0 { "−" } else { "" };
    format!("{minus}{:.1}%", tenths.abs() / 10.0)
}

/// `1 trial`, `2 trials`.
#[must_use]
pub fn count(number: usize, what: &str) -> String {
    counted(number, what, &format!("{what}s"))
}

/// The same for a word with an irregular plural.
#[must_use]
pub fn counted(number: usize, one: &str, many: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{} {many}", grouped(number as f64).replace(".00", "").replace(".0", ""))
    }
}

/// `a, b and c`; after `most` of them, how many more there are.
#[must_use]
pub fn list(items: &[String], most: usize) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        _ if items.len() > most => format!("{} and {} more", items[..most].join(", "), items.len() - most),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups_of_three() {
        let of = |values: &[f64]| values.iter().map(|value| grouped(*value)).collect::<Vec<_>>().join(" ");
        assert_eq!(of(&[1_234_567.8, 999.6, 12.34, 0.5, -1234.0]), "1,234,568 1,000 12.3 0.50 −1,234");
        assert_eq!([short(50_000.0), short(1.5e6), short(0.2)], ["50k", "1.5M", "0.2"]);
        assert_eq!(count(1, "trial") + &count(1200, "cell") + &count(7, "run"), "1 trial1,200 cells7 runs");
    }
}

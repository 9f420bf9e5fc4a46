//! Many questions asked at once: p-values raised so that one wrong yes among all of them stays improbable.

/// The p-values of a family, each adjusted by the method of Holm (1979): if those below 5% count as differences, the
/// probability that one or more of them is false is at most 5%, however the tests depend on each other. In the order given.
#[must_use]
pub fn adjust(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        largest = largest.max(p_values[index] * (p_values.len() - rank) as f64).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers are printed by `tests/python/rank_reference.py --holm`, with statsmodels.
    #[test]
    fn the_adjusted_values_are_those_of_statsmodels() {
        let references = include_str!("../../tests/python/holm_reference.json");
        let references: Vec<serde_json::Value> = serde_json::from_str(references).unwrap();
        for reference in references {
            let numbers = |key: &str| -> Vec<f64> {
                reference[key].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
            };
            for (ours, theirs) in adjust(&numbers("p")).into_iter().zip(numbers("holm")) {
                assert!((ours - theirs).abs() < 1e-12, "{ours} {theirs} in {reference}");
            }
        }
    }

    #[test]
    fn a_family_of_one_is_as_it_was_and_an_empty_one_is_empty() {
        assert_eq!(adjust(&[0.03]), [0.03]);
        assert_eq!(adjust(&[]), [0.0; 0]);
    }
}

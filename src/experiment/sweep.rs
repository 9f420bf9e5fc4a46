//! Whole numbers as levels of a factor: one, a list, or a sweep from one to another. Every sweep is bounded, so that a
//! typo costs no memory.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use super::spanned::At;

/// No axis has more levels than this.
pub(super) const MOST_LEVELS: u64 = 1_000;

/// A whole number, a list of them, or a sweep.
#[derive(Clone, Debug)]
pub(super) enum Numbers {
    One(u64),
    List(Vec<At<u64>>),
    Sweep(Sweep),
}

/// Numbers from one to another: so many points, or in steps.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Sweep {
    /// The first level.
    pub(super) from: At<u64>,
    /// The last level; always among the levels.
    pub(super) to: At<u64>,
    /// How many levels; fewer if some of them round to the same number.
    pub(super) points: Option<At<u64>>,
    /// Or: the distance between levels.
    pub(super) step: Option<At<u64>>,
    /// How points are spaced; "linear" if absent.
    pub(super) scale: Option<At<Scale>>,
}

/// How the points of a sweep are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Scale {
    /// Equal distances.
    Linear,
    /// Equal ratios.
    Log,
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumbersVisitor;

        impl<'de> Visitor<'de> for NumbersVisitor {
            type Value = Numbers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a whole number, a list of them, or a sweep such as { from = 1, to = 200, points = 12 }",
                )
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Numbers, E> {
                match u64::try_from(value) {
                    Ok(value) => Ok(Numbers::One(value)),
                    Err(_) => {
                        Err(E::invalid_value(Unexpected::Signed(value), &"a whole number, not negative"))
                    }
                }
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Numbers, E> {
                Ok(Numbers::One(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Numbers, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Numbers::List)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Numbers, A::Error> {
                Sweep::deserialize(MapAccessDeserializer::new(map)).map(Numbers::Sweep)
            }
        }

        deserializer.deserialize_any(NumbersVisitor)
    }
}

impl JsonSchema for Numbers {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Numbers".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let number = generator.subschema_for::<u64>();
        let sweep = generator.subschema_for::<Sweep>();
        json_schema!({
            "anyOf": [number, { "type": "array", "items": number, "minItems": 1, "uniqueItems": true }, sweep]
        })
    }
}

impl Numbers {
    /// Every number with its place; `whole` is that of all of this.
    pub(super) fn items(&self, whole: &Range<usize>) -> Result<Vec<At<u64>>, SweepError> {
        let place = |value| At { value, span: whole.clone() };
        match self {
            Self::One(value) => Ok(vec![place(*value)]),
            Self::List(list) => Ok(list.clone()),
            Self::Sweep(sweep) => Ok(sweep.levels()?.into_iter().map(place).collect()),
        }
    }
}

/// Why a sweep has no levels.
#[derive(Clone, Debug)]
pub(super) struct SweepError {
    /// Where; `None` is the whole sweep.
    pub(super) span: Option<Range<usize>>,
    pub(super) message: String,
    pub(super) help: Option<&'static str>,
}

impl Sweep {
    /// The levels from `from` to `to`, both included, rounded, each once.
    fn levels(&self) -> Result<Vec<u64>, SweepError> {
        let (from, to) = (self.from.value, self.to.value);
        if from > to {
            return Err(SweepError {
                span: None,
                message: format!("this sweep runs backwards, from {from} to {to}"),
                help: Some("the order of trials is a matter of `run.order`; write the smaller number first"),
            });
        }
        let mut levels = match (&self.points, &self.step) {
            (Some(points), None) => self.points(points)?,
            (None, Some(step)) => self.steps(step)?,
            (Some(_), Some(step)) => {
                return Err(wrong(&step.span, "a sweep has `points` or `step`, not both".to_owned()));
            }
            (None, None) => {
                return Err(SweepError {
                    span: None,
                    message: "a sweep needs `points` or `step`".to_owned(),
                    help: Some("such as { from = 1, to = 200, points = 12, scale = \"log\" }"),
                });
            }
        };
        levels.dedup();
        Ok(levels)
    }

    fn points(&self, points: &At<u64>) -> Result<Vec<u64>, SweepError> {
        let (from, to) = (self.from.value, self.to.value);
        let logarithmic = self.scale.as_ref().is_some_and(|scale| scale.value == Scale::Log);
        if !(2..=MOST_LEVELS).contains(&points.value) {
            return Err(wrong(&points.span, format!("a sweep has from 2 to {MOST_LEVELS} points")));
        }
        if logarithmic && from == 0 {
            return Err(wrong(&self.from.span, "a logarithmic sweep cannot begin at 0".to_owned()));
        }
        let last = points.value - 1;
        let level = |i: u64| {
            let share = i as f64 / last as f64;
            let (first, end) = (from as f64, to as f64);
            let value =
                if logarithmic { first * (end / first).powf(share) } else { first + (end - first) * share };
            // The ends are exact even where a double is not.
            if i == 0 {
                from
            } else if i == last {
                to
            } else {
                (value.round() as u64).clamp(from, to)
            }
        };
        Ok((0..=last).map(level).collect())
    }

    fn steps(&self, step: &At<u64>) -> Result<Vec<u64>, SweepError> {
        let (from, to) = (self.from.value, self.to.value);
        if let Some(scale) = &self.scale {
            return Err(wrong(&scale.span, "`scale` spaces `points`; a `step` is always linear".to_owned()));
        }
        if step.value == 0 {
            return Err(wrong(&step.span, "a step of 0 leads nowhere".to_owned()));
        }
        if (to - from) / step.value >= MOST_LEVELS {
            return Err(wrong(&step.span, format!("this sweep has more than {MOST_LEVELS} levels")));
        }
        Ok((0..=(to - from) / step.value).map(|i| from + i * step.value).chain([to]).collect())
    }
}

fn wrong(span: &Range<usize>, message: String) -> SweepError {
    SweepError { span: Some(span.clone()), message, help: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<T>(value: T) -> At<T> {
        At { value, span: 0..0 }
    }

    fn points(from: u64, to: u64, points: u64, scale: Scale) -> Vec<u64> {
        let (from, to, points, scale) = (at(from), at(to), Some(at(points)), Some(at(scale)));
        Sweep { from, to, points, step: None, scale }.levels().expect("a good sweep")
    }

    fn steps(from: u64, to: u64, step: u64) -> Result<Vec<u64>, SweepError> {
        Sweep { from: at(from), to: at(to), points: None, step: Some(at(step)), scale: None }.levels()
    }

    #[test]
    fn a_log_sweep_has_equal_ratios() {
        assert_eq!(points(1, 64, 7, Scale::Log), [1, 2, 4, 8, 16, 32, 64]);
    }

    #[test]
    fn points_that_round_to_the_same_number_are_one_level() {
        assert_eq!(points(1, 200, 12, Scale::Log), [1, 2, 3, 4, 7, 11, 18, 29, 47, 76, 124, 200]);
        assert_eq!(points(1, 3, 9, Scale::Linear), [1, 2, 3]);
    }

    #[test]
    fn both_ends_of_a_sweep_are_levels() {
        assert_eq!(points(3, 10, 3, Scale::Linear), [3, 7, 10]);
        assert_eq!(steps(1, 10, 4).expect("a good sweep"), [1, 5, 9, 10]);
        assert_eq!(steps(0, 8, 4).expect("a good sweep"), [0, 4, 8]);
        assert_eq!(points(5, 5, 2, Scale::Log), [5]);
        let ends = points(u64::MAX - 9, u64::MAX, 2, Scale::Linear);
        assert_eq!(ends, [u64::MAX - 9, u64::MAX]);
    }

    #[test]
    fn a_sweep_is_never_huge() {
        assert!(steps(0, u64::MAX, 1).is_err());
        assert_eq!(steps(1, 1_000, 1).expect("a thousand levels").len(), 1_000);
        assert!(steps(1, 1_001, 1).is_err());
    }
}

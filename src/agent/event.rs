//! A line that a driver printed, as an event of the protocol. If it is not one, the author of the driver is told why, in terms
//! of the protocol and not of the library that parses it.

use serde_json::Value;

use crate::host::secrets::{self, excerpt};
use crate::protocol::{DriverEvent, Untrusted};
use crate::untrusted::{NAME, SENTENCE};

/// The event, or what is wrong with the line, worded to follow "printed". Texts of the driver are cut to their limits and
/// cleared of what they must not contain.
pub(super) fn event(line: &str) -> Result<DriverEvent, String> {
    match serde_json::from_str::<DriverEvent>(line) {
        Ok(mut event) => {
            event.fit(&mut secrets::fit);
            Ok(event)
        }
        Err(error) => Err(format!("{}: {}", explained(line, &error), excerpt(line, SENTENCE))),
    }
}

fn explained(line: &str, error: &serde_json::Error) -> String {
    match serde_json::from_str(line) {
        Ok(Value::Object(fields)) => match fields.get("event") {
            Some(Value::String(name)) => format!(
                "a malformed event `{}` ({})",
                excerpt(name, NAME),
                excerpt(&error.to_string(), SENTENCE)
            ),
            Some(_) => "an object whose `event` is not a string".to_owned(),
            None => "an object without `event`".to_owned(),
        },
        _ => "a line that is not an event of the protocol (standard output belongs to the protocol, all other text to standard error)"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_not_an_event_is_explained_in_the_words_of_the_protocol() {
        let said = |line| event(line).unwrap_err();
        let stray = "a line that is not an event of the protocol (standard output belongs to the protocol, all other text to \
                     standard error)";
        assert_eq!(said("connected"), format!("{stray}: connected"));
        assert_eq!(said("42"), format!("{stray}: 42"));
        assert_eq!(said("{\"done\":1}"), "an object without `event`: {\"done\":1}");
        assert!(said("{\"event\":\"progress\"}").starts_with("a malformed event `progress` (missing field"));
    }
}

//! Arguments of commands with placeholders: `{key}`, `{value}`, `{index}`, `{worker}` and `{random:N}`.

/// One argument, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(pub(crate) Vec<Part>);

/// A part of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Literal text.
    Text(String),
    /// The key of the operation, which no other operation has.
    Key,
    /// As many bytes as the workload says, or the decimal index.
    Value,
    /// The decimal index of the operation within its worker.
    Index,
    /// The number of the worker.
    Worker,
    /// A random whole number from 0 to below this one.
    Random(u64),
}

/// The arguments of a command: all words but the first.
pub(crate) fn arguments(command: &[String]) -> &[String] {
    command.get(1..).unwrap_or_default()
}

impl Template {
    /// Parses an argument. A doubled brace stands for itself.
    ///
    /// # Errors
    /// What is wrong with a placeholder, as a sentence.
    pub(crate) fn parse(argument: &str) -> Result<Self, String> {
        let (mut parts, mut text) = (Vec::new(), String::new());
        let mut rest = argument;
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                text.push_str(brace);
                rest = after;
                continue;
            }
            let end = after.find('}').filter(|_| brace == "{");
            let end = end.ok_or_else(|| format!("the braces of `{argument}` do not stand in pairs"))?;
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(Part::named(&after[..end])?);
            rest = &after[end + 1..];
        }
        text.push_str(rest);
        if !text.is_empty() || parts.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Self(parts))
    }

    /// The fewest bytes that it can expand to, with values of this size.
    pub(crate) fn least_bytes(&self, value: u64) -> u64 {
        let bytes = self.0.iter().map(|part| match part {
            Part::Text(text) => text.len() as u64,
            Part::Value => value,
            Part::Key | Part::Index | Part::Worker | Part::Random(_) => 1,
        });
        bytes.sum()
    }
}

impl Part {
    fn named(name: &str) -> Result<Self, String> {
        match name {
            "key" => Ok(Self::Key),
            "value" => Ok(Self::Value),
            "index" => Ok(Self::Index),
            "worker" => Ok(Self::Worker),
            _ => match name.strip_prefix("random:").map(str::parse) {
                Some(Ok(below @ 1..)) => Ok(Self::Random(below)),
                _ => Err(format!(
                    "unknown placeholder `{{{name}}}`: the placeholders are {{key}}, {{value}}, {{index}}, {{worker}} and \
                     {{random:N}}; a brace is written twice"
                )),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_text_and_placeholders() {
        let parts = |argument| Template::parse(argument).unwrap().0;
        let text = |text: &str| Part::Text(text.to_owned());
        assert_eq!(parts("field"), [text("field")]);
        assert_eq!(parts(""), [text("")]);
        assert_eq!(parts("{key}"), [Part::Key]);
        assert_eq!(
            parts("user:{random:100}:{index}"),
            [text("user:"), Part::Random(100), text(":"), Part::Index]
        );
        assert_eq!(parts("{{{worker}}}"), [text("{"), Part::Worker, text("}")]);
    }

    #[test]
    fn a_placeholder_that_there_is_not_is_refused() {
        for argument in ["{kye}", "{random:0}", "{random:x}", "{}"] {
            assert!(Template::parse(argument).unwrap_err().contains("unknown placeholder"), "{argument}");
        }
        for argument in ["{key", "key}", "a{b"] {
            assert!(Template::parse(argument).unwrap_err().contains("do not stand in pairs"), "{argument}");
        }
    }
}

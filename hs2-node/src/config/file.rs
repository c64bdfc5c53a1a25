//! The two forms of a settings file.

use super::ConfigError;

/// A setting as it stands in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) line: u32,
    pub(super) key: String,
    pub(super) value: String,
}

pub(super) fn entries(text: &str) -> Result<Vec<Entry>, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('<') {
        xml(text.trim_start(), leading_lines(text))
    } else {
        properties(text)
    }
}

fn leading_lines(text: &str) -> u32 {
    let blank = text.len() - text.trim_start().len();
    let lines = text.get(..blank).unwrap_or_default().matches('\n').count();
    u32::try_from(lines).unwrap_or(u32::MAX)
}

/// `key = value` or `key: value`; quotes around the value are optional; `#` begins a comment at the start of a line
/// or behind a quoted value.
fn properties(text: &str) -> Result<Vec<Entry>, ConfigError> {
    let mut entries = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim();
        if content.is_empty() || content.starts_with(['#', '!']) {
            continue;
        }
        let problem = |problem: &str| ConfigError::Line {
            line,
            problem: problem.to_owned(),
        };
        let (key, value) = content
            .split_once(['=', ':'])
            .ok_or_else(|| problem("expected `key = value`"))?;
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(problem("expected `key = value`"));
        }
        let value = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let inner = value.get(1..).unwrap_or_default();
                let (inner, rest) = inner
                    .split_once(quote)
                    .ok_or_else(|| problem("the quote is not closed"))?;
                let rest = rest.trim();
                if !rest.is_empty() && !rest.starts_with('#') {
                    return Err(problem("something follows the closing quote"));
                }
                inner
            }
            _ => value,
        };
        entries.push(Entry {
            line,
            key: key.to_owned(),
            value: value.to_owned(),
        });
    }
    Ok(entries)
}

/// Hive's `<configuration><property><name/><value/></property></configuration>`.
fn xml(text: &str, skipped: u32) -> Result<Vec<Entry>, ConfigError> {
    let document = roxmltree::Document::parse(text).map_err(|error| {
        let line = error.pos().row.saturating_add(skipped);
        ConfigError::Line {
            line,
            problem: format!("this is no XML: {error}"),
        }
    })?;
    let line = |node: roxmltree::Node<'_, '_>| {
        document
            .text_pos_at(node.range().start)
            .row
            .saturating_add(skipped)
    };
    let root = document.root_element();
    if !root.has_tag_name("configuration") {
        let problem = format!(
            "expected <configuration>, found <{}>",
            root.tag_name().name()
        );
        return Err(ConfigError::Line {
            line: line(root),
            problem,
        });
    }
    let mut entries = Vec::new();
    for property in root.children().filter(|node| node.has_tag_name("property")) {
        let child = |name: &str| property.children().find(|node| node.has_tag_name(name));
        let key = child("name")
            .and_then(|node| node.text())
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let Some(key) = key else {
            return Err(ConfigError::Line {
                line: line(property),
                problem: "the property has no <name>".to_owned(),
            });
        };
        let value = child("value")
            .and_then(|node| node.text())
            .unwrap_or_default()
            .trim();
        entries.push(Entry {
            line: line(property),
            key: key.to_owned(),
            value: value.to_owned(),
        });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        entries(text).unwrap_err().to_string()
    }

    #[test]
    fn lines() {
        let text = "# a\n! b\n\na.b = c=d\n x :\t1 \nq = ' # '  # quoted\ne =\n";
        let found: Vec<_> = entries(text)
            .unwrap()
            .into_iter()
            .map(|e| (e.line, e.key, e.value))
            .collect();
        let expected = [
            (4, "a.b", "c=d"),
            (5, "x", "1"),
            (6, "q", " # "),
            (7, "e", ""),
        ];
        assert_eq!(
            found,
            expected.map(|(line, key, value)| (line, key.to_owned(), value.to_owned()))
        );
        assert_eq!(error("a = 1\nb c = 2"), "line 2: expected `key = value`");
        assert_eq!(error("a = \"1"), "line 1: the quote is not closed");
        assert_eq!(
            error("a = \"1\" 2"),
            "line 1: something follows the closing quote"
        );
    }

    #[test]
    fn xml_errors_have_lines() {
        assert!(
            error("\n\n<configuration>\n<property></configuration>")
                .starts_with("line 4: this is no XML: ")
        );
        assert_eq!(
            error("<properties/>"),
            "line 1: expected <configuration>, found <properties>"
        );
        assert_eq!(
            error("<configuration>\n <property><value>1</value></property></configuration>"),
            "line 2: the property has no <name>"
        );
        let nothing = entries("\n<configuration/>").unwrap();
        assert_eq!(nothing, []);
    }
}

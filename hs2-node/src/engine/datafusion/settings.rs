//! A session's settings and variables, and the commands on them: `SET`, `SET -v`, `SET k`, `SET k=v`, `RESET`. They are
//! read from the text itself, as in Hive: a value may be anything.

use std::collections::BTreeMap;

use super::error;
use crate::engine::EngineError;

/// Settings that this engine reads, with Hive's names and what they are unless set.
const DEFAULTS: [(&str, &str); 6] = [
    (GROUP_BY_POSITION, "false"),
    ("hive.orderby.position.alias", "true"),
    ("hive.execution.engine", "datafusion"),
    ("hive.strict.checks.type.safety", "true"),
    (UNIQUE_NAMES, "true"),
    (SUBSTITUTE, "true"),
];

/// Whether `GROUP BY 1` means the first column.
pub(crate) const GROUP_BY_POSITION: &str = "hive.groupby.position.alias";
/// Whether the columns of `*` carry their table's name.
pub(crate) const UNIQUE_NAMES: &str = "hive.resultset.use.unique.column.names";
/// Whether `${x}` is replaced.
pub(crate) const SUBSTITUTE: &str = "hive.variable.substitute";
/// How much a session's settings may hold, in bytes.
const SETTINGS_BYTES_MAX: usize = 1 << 20;

/// Settings and variables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) conf: BTreeMap<String, String>,
    pub(crate) vars: BTreeMap<String, String>,
}

/// A command on settings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// `SET`: what was set. `SET -v`: every setting.
    List { all: bool },
    /// `SET k`.
    Show(String),
    /// `SET k=v`.
    Assign(String, String),
    /// `RESET` or `RESET k`.
    Reset(Option<String>),
}

impl Settings {
    /// Whether a setting is on.
    pub(crate) fn is_on(&self, key: &str) -> bool {
        let default = DEFAULTS
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| *value);
        self.conf
            .get(key)
            .map(String::as_str)
            .or(default)
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// The settings with those of one statement over them.
    pub(crate) fn overlaid(&self, overlay: &BTreeMap<String, String>) -> Self {
        let mut settings = self.clone();
        settings
            .conf
            .extend(overlay.iter().map(|(k, v)| (k.clone(), v.clone())));
        settings
    }

    /// `SET k=v`, where `hivevar:` names a variable and `hiveconf:` a setting.
    ///
    /// # Errors
    /// A space that cannot be set, or more than a session may hold.
    pub(crate) fn assign(&mut self, key: &str, value: &str) -> Result<(), EngineError> {
        let held: usize = self
            .conf
            .iter()
            .chain(&self.vars)
            .map(|(k, v)| k.len() + v.len())
            .sum();
        if held + key.len() + value.len() > SETTINGS_BYTES_MAX {
            return Err(error::execution(format!(
                "a session's settings are limited to {SETTINGS_BYTES_MAX} bytes"
            )));
        }
        if key.starts_with("env:") || key.starts_with("system:") || key.starts_with("metaconf:") {
            return Err(error::unsupported(
                None,
                format!("SET {key} is not supported: set hiveconf: or hivevar: names"),
            ));
        }
        if let Some(name) = key.strip_prefix("hivevar:") {
            self.vars.insert(name.to_owned(), value.to_owned());
        } else {
            let name = key.strip_prefix("hiveconf:").unwrap_or(key);
            self.conf.insert(name.to_owned(), value.to_owned());
        }
        Ok(())
    }

    /// The rows of `SET k`.
    pub(crate) fn show(&self, key: &str) -> String {
        let value = if let Some(name) = key.strip_prefix("hivevar:") {
            self.vars.get(name).map(String::as_str)
        } else {
            let name = key.strip_prefix("hiveconf:").unwrap_or(key);
            let default = DEFAULTS
                .iter()
                .find(|(default, _)| *default == name)
                .map(|(_, value)| *value);
            self.conf.get(name).map(String::as_str).or(default)
        };
        value.map_or_else(
            || format!("{key} is undefined"),
            |value| format!("{key}={value}"),
        )
    }

    /// The rows of `SET` and `SET -v`.
    pub(crate) fn list(&self, all: bool) -> Vec<String> {
        let mut rows: BTreeMap<String, &str> = BTreeMap::new();
        if all {
            rows.extend(DEFAULTS.iter().map(|(k, v)| ((*k).to_owned(), *v)));
        }
        rows.extend(self.conf.iter().map(|(k, v)| (k.clone(), v.as_str())));
        rows.extend(
            self.vars
                .iter()
                .map(|(k, v)| (format!("hivevar:{k}"), v.as_str())),
        );
        rows.into_iter().map(|(k, v)| format!("{k}={v}")).collect()
    }
}

/// The command that `text` is, if it is one.
///
/// # Errors
/// A command of Hive's shell that this engine has not (`ADD JAR`, `DFS`, …).
pub(crate) fn command(text: &str) -> Result<Option<Command>, EngineError> {
    let text = without_comments(text);
    let text = text.trim_end().trim_end_matches(';').trim_end();
    let word = text
        .split(|c: char| c.is_whitespace())
        .next()
        .unwrap_or_default();
    let rest = text[word.len()..].trim();
    let second = rest
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase();
    match (word.to_ascii_uppercase().as_str(), second.as_str()) {
        ("SET", "ROLE" | "AUTOCOMMIT") => Err(error::unsupported(
            None,
            format!("SET {second} is not supported"),
        )),
        ("SET", _) => Ok(Some(match rest.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Command::Assign(key.trim().to_owned(), value.trim().to_owned())
            }
            Some(_) => return Err(error::semantic(40000, "SET needs a name before =")),
            None if rest.is_empty() => Command::List { all: false },
            None if rest == "-v" => Command::List { all: true },
            None => Command::Show(rest.to_owned()),
        })),
        ("RESET", _) => Ok(Some(Command::Reset(
            (!rest.is_empty()).then(|| rest.trim_start_matches("-d").trim().to_owned()),
        ))),
        ("ADD" | "LIST" | "DELETE", "JAR" | "JARS" | "FILE" | "FILES" | "ARCHIVE" | "ARCHIVES") => {
            Err(error::unsupported(
                None,
                format!(
                    "{} {second} is not supported: this server runs no Java",
                    word.to_ascii_uppercase()
                ),
            ))
        }
        ("DFS" | "COMPILE" | "RELOAD" | "CRYPTO", _) => Err(error::unsupported(
            None,
            format!("{} is not supported", word.to_ascii_uppercase()),
        )),
        _ => Ok(None),
    }
}

/// The text behind the comments and spaces at its start.
fn without_comments(text: &str) -> &str {
    let mut text = text.trim_start();
    loop {
        let rest = if text.starts_with("--") {
            text.split_once('\n').map_or("", |(_, rest)| rest)
        } else if text.starts_with("/*") {
            match text.split_once("*/") {
                Some((_, rest)) => rest,
                None => return text,
            }
        } else {
            return text;
        };
        text = rest.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_from_the_text() {
        let command = |text: &str| command(text).expect("reads");
        assert_eq!(command("SET"), Some(Command::List { all: false }));
        assert_eq!(command(" set -v ; "), Some(Command::List { all: true }));
        assert_eq!(
            command("-- hi\n/* x */ set a.b"),
            Some(Command::Show("a.b".to_owned()))
        );
        assert_eq!(
            command("SET a = 'it''s; = x'"),
            Some(Command::Assign("a".to_owned(), "'it''s; = x'".to_owned()))
        );
        assert_eq!(
            command("set a="),
            Some(Command::Assign("a".to_owned(), String::new()))
        );
        assert_eq!(command("RESET"), Some(Command::Reset(None)));
        assert_eq!(command("select 1"), None);
        assert_eq!(command("settings"), None);
    }

    #[test]
    fn shell_commands_are_refused() {
        for text in [
            "add jar /x.jar",
            "LIST FILES",
            "dfs -ls /",
            "set role admin",
            "delete jar x",
        ] {
            assert_eq!(command(text).expect_err(text).sqlstate, "0A000");
        }
    }

    #[test]
    fn variables_and_settings_are_two_spaces() {
        let mut settings = Settings::default();
        settings.assign("hivevar:x", "1").expect("sets");
        settings.assign("hiveconf:a", "2").expect("sets");
        settings.assign("b", "3").expect("sets");
        assert_eq!(settings.show("hivevar:x"), "hivevar:x=1");
        assert_eq!(settings.show("a"), "a=2");
        assert_eq!(settings.show("x"), "x is undefined");
        assert_eq!(settings.list(false), ["a=2", "b=3", "hivevar:x=1"]);
        assert!(
            settings
                .list(true)
                .contains(&"hive.variable.substitute=true".to_owned())
        );
        assert!(settings.assign("env:PATH", "x").is_err());
    }
}

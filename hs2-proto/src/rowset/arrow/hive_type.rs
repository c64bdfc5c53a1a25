//! Hive's own words for a type, as a field's metadata carries them.

use super::HIVE_TYPE;
use arrow_schema::Field;

/// A type in Hive's words: its name in lower case, and the numbers in brackets behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HiveType {
    pub(crate) name: String,
    pub(crate) parameters: Vec<i32>,
}

impl HiveType {
    /// The entry [`HIVE_TYPE`] of a field's metadata, if it has one.
    pub(crate) fn of(field: &Field) -> Option<Self> {
        field
            .metadata()
            .get(HIVE_TYPE)
            .map(|text| Self::parse(text))
    }

    /// Never fails: words that mean nothing to Hive are a name that nobody knows.
    fn parse(text: &str) -> Self {
        let (name, rest) = text.split_at(text.find(['(', '<']).unwrap_or(text.len()));
        let name = name
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase();
        let parameters = rest
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(')'))
            .map(|(inner, _)| {
                inner
                    .split(',')
                    .map_while(|n| n.trim().parse().ok())
                    .collect()
            })
            .unwrap_or_default();
        Self { name, parameters }
    }

    /// The length of `char(n)`.
    pub(crate) fn char_length(&self) -> Option<usize> {
        let length = self.parameters.first().filter(|_| self.name == "char")?;
        usize::try_from(*length).ok()
    }

    pub(crate) fn is_timestamp_ltz(&self) -> bool {
        matches!(
            self.name.as_str(),
            "timestamp with local time zone" | "timestamplocaltz"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_parameters() {
        let decimal = HiveType::parse(" DECIMAL ( 10 , 2 )");
        assert_eq!(
            (decimal.name.as_str(), decimal.parameters.as_slice()),
            ("decimal", &[10, 2][..])
        );
        assert_eq!(HiveType::parse("char(10)").char_length(), Some(10));
        assert_eq!(HiveType::parse("varchar(10)").char_length(), None);
        assert_eq!(HiveType::parse("map<string,decimal(3,1)>").name, "map");
        assert!(HiveType::parse("Timestamp  with local time zone").is_timestamp_ltz());
        assert_eq!(HiveType::parse("char(").char_length(), None);
    }
}

//! Cuts text into statements at its semicolons.

/// Where in a statement the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Statement,
    /// A literal or a quoted name, up to this sign.
    Quotes(char),
    LineComment,
    BlockComment,
}

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// A statement has ended.
    Statement(String),
    /// `quit`, `exit`, `!quit` or `!q`, on a line of its own between statements.
    Quit,
    /// `!help`.
    Help,
}

/// Gathers text until a statement ends. Semicolons in literals, names and comments end none; a backslash in a literal
/// takes the next character along, as in Hive.
#[derive(Debug)]
pub(super) struct Statements {
    text: String,
    inside: Inside,
    /// Something else than blanks and comments has come.
    begun: bool,
}

impl Statements {
    pub(super) const fn new() -> Self {
        Self {
            text: String::new(),
            inside: Inside::Statement,
            begun: false,
        }
    }

    /// Takes a line, without its end, and gives what it asks for.
    pub(super) fn line(&mut self, line: &str) -> Vec<Input> {
        if self.is_empty() && self.inside == Inside::Statement {
            match line.trim().trim_end_matches(';').trim_end() {
                "quit" | "exit" | "!quit" | "!exit" | "!q" => return vec![Input::Quit],
                "help" | "!help" | "!h" | "?" => return vec![Input::Help],
                _ => {}
            }
        }
        let ended = self.push(&format!("{line}\n"));
        ended.into_iter().map(Input::Statement).collect()
    }

    /// Takes more text and gives the statements that it ends, without their semicolons.
    pub(super) fn push(&mut self, text: &str) -> Vec<String> {
        let mut ended = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if self.inside == Inside::Statement && c == ';' {
                ended.extend(self.take());
                continue;
            }
            self.text.push(c);
            let next = chars.peek().copied();
            match (self.inside, c) {
                (Inside::Statement, '-') if next == Some('-') => self.inside = Inside::LineComment,
                (Inside::Statement, '/') if next == Some('*') => {
                    self.text.extend(chars.next());
                    self.inside = Inside::BlockComment;
                }
                (Inside::Statement, '\'' | '"' | '`') => {
                    (self.inside, self.begun) = (Inside::Quotes(c), true)
                }
                (Inside::Statement, c) => self.begun |= !c.is_whitespace(),
                (Inside::Quotes('\'' | '"'), '\\') => self.text.extend(chars.next()),
                (Inside::Quotes(end), c) if c == end => self.inside = Inside::Statement,
                (Inside::LineComment, '\n') => self.inside = Inside::Statement,
                (Inside::BlockComment, '*') if next == Some('/') => {
                    self.text.extend(chars.next());
                    self.inside = Inside::Statement;
                }
                _ => {}
            }
        }
        ended
    }

    /// What has come since the last semicolon, if it is a statement.
    pub(super) fn take(&mut self) -> Option<String> {
        let text = std::mem::take(&mut self.text);
        self.inside = Inside::Statement;
        std::mem::take(&mut self.begun).then(|| text.trim().to_owned())
    }

    /// True when nothing but blanks and comments has come since the last semicolon.
    pub(super) const fn is_empty(&self) -> bool {
        !self.begun
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<String> {
        let mut statements = Statements::new();
        let mut all = statements.push(text);
        all.extend(statements.take());
        all
    }

    #[test]
    fn semicolons_count_only_between_statements() {
        assert_eq!(cut("select 1; select 2 ;\n;"), ["select 1", "select 2"]);
        assert_eq!(
            cut(r#"select 'a;\';b', "c;", `d;e`; x"#),
            [r#"select 'a;\';b', "c;", `d;e`"#, "x"]
        );
        assert_eq!(cut("-- no; statement\n/* nor; this */ ;"), [""; 0]);
        assert_eq!(
            cut("select 1 -- one;\n + 2; -- end"),
            ["select 1 -- one;\n + 2"]
        );
        assert_eq!(
            cut("select `a\\`; b"),
            ["select `a\\`", "b"],
            "a name has no escapes"
        );
        assert_eq!(cut("select 'never closed; x"), ["select 'never closed; x"]);
    }

    #[test]
    fn words_of_the_shell_count_only_between_statements() {
        let mut statements = Statements::new();
        assert_eq!(statements.line(" quit; "), [Input::Quit]);
        assert_eq!(statements.line("!help"), [Input::Help]);
        assert_eq!(statements.line("select"), []);
        assert_eq!(statements.line("exit"), []);
        let expected = Input::Statement("select\nexit\n1".to_owned());
        assert_eq!(statements.line("1;"), [expected]);
        assert_eq!(statements.line("/* a comment"), []);
        assert_eq!(statements.line("quit"), []);
        assert_eq!(statements.line("*/"), []);
        assert_eq!(statements.line("exit"), [Input::Quit]);
    }

    #[test]
    fn a_statement_may_come_in_pieces() {
        let mut statements = Statements::new();
        assert_eq!(statements.push("select '1;\n"), [""; 0]);
        assert!(!statements.is_empty());
        assert_eq!(statements.push("2'; select"), ["select '1;\n2'"]);
        assert_eq!(statements.take(), Some("select".to_owned()));
        assert!(statements.is_empty());
    }
}

//! Hive's lexer: text to the tokens that sqlparser's parser reads.
//!
//! sqlparser's own tokenizer never sees the text. Its dialects lack Hive's backslash escapes, and a literal that it
//! ends too early is an injection (`'it\'s'` is what JDBC's `setString` sends). Here a string literal becomes one token
//! that holds its value, so nothing in a value can be read as SQL. Rules: `HiveLexer.g` for what a token is,
//! `BaseSemanticAnalyzer.unescapeSQLString` for what a literal means.

use datafusion::sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

use super::variables::SourceText;
use crate::engine::EngineError;
use crate::engine::datafusion::error;

/// How many operators may chain. A chain nests as deep as it is long in the parser's tree, and planning it takes time
/// with the square of its length.
const CHAIN_MAX: usize = 2_000;
/// How many dots one name may have: the parser takes time with the square of them.
const DOTS_MAX: usize = 200;
/// Words that chain as operators do.
const CHAINING: [&str; 13] = [
    "AND",
    "OR",
    "IS",
    "IN",
    "LIKE",
    "RLIKE",
    "REGEXP",
    "BETWEEN",
    "DIV",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "MINUS",
];

/// The tokens of `source`, each with its place in the text that was sent. Comments and white space leave nothing.
///
/// # Errors
/// A character that starts no token, or a literal, identifier or comment without its end.
pub(crate) fn tokenize(source: &SourceText) -> Result<Vec<TokenWithSpan>, EngineError> {
    let mut lexer = Lexer {
        source,
        text: &source.text,
        at: 0,
        tokens: Vec::new(),
        chain: Chain::default(),
    };
    while lexer.at < lexer.text.len() {
        lexer.token()?;
        if lexer.chain.highest > CHAIN_MAX {
            let at = source.location(lexer.at);
            let what = format!(
                "more than {CHAIN_MAX} operators in a chain are not supported: use an IN list or a table"
            );
            return Err(error::unsupported(Some(at), what));
        }
        if lexer.chain.dots > DOTS_MAX {
            let at = source.location(lexer.at);
            let what = format!("more than {DOTS_MAX} names in a chain are not supported");
            return Err(error::unsupported(Some(at), what));
        }
    }
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    source: &'a SourceText,
    text: &'a str,
    at: usize,
    tokens: Vec<TokenWithSpan>,
    chain: Chain,
}

impl Lexer<'_> {
    /// Reads one token, comment or run of white space.
    fn token(&mut self) -> Result<(), EngineError> {
        let start = self.at;
        let rest = &self.text[start..];
        let Some(first) = rest.chars().next() else {
            return Ok(());
        };
        match first {
            c if c.is_whitespace() || c == '\u{feff}' => self.at += c.len_utf8(),
            '-' if rest.starts_with("--") => self.at += rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => self.block_comment()?,
            '\'' | '"' => self.string(first)?,
            '`' => self.quoted_identifier()?,
            '0'..='9' => self.number_or_word(),
            'a'..='z' | 'A'..='Z' | '_' => {
                self.at += word_length(rest);
                let word = &self.text[start..self.at];
                self.push(Token::make_word(word, None), start);
            }
            _ => self.operator(first, rest)?,
        }
        Ok(())
    }

    /// `/* … */`, which nests in Hive. A hint (`/*+ … */`) is a comment here: it never changes an answer.
    fn block_comment(&mut self) -> Result<(), EngineError> {
        let start = self.at;
        let mut depth = 0_usize;
        while self.at < self.text.len() {
            let rest = &self.text.as_bytes()[self.at..];
            if rest.starts_with(b"/*") {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with(b"*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return Ok(());
                }
            } else {
                self.at += 1;
            }
        }
        Err(error::parse(
            self.source.location(start),
            "the comment that starts here has no end",
        ))
    }

    /// A string literal; literals that follow each other are one.
    fn string(&mut self, quote: char) -> Result<(), EngineError> {
        let start = self.at;
        let (value, length) = unescape(&self.text[start..], quote).ok_or_else(|| {
            error::parse(
                self.source.location(start),
                "character '<EOF>' not supported here: the string that starts here has no end",
            )
        })?;
        self.at += length;
        if let Some(TokenWithSpan {
            token: Token::SingleQuotedString(before),
            span,
        }) = self.tokens.last_mut()
        {
            before.push_str(&value);
            span.end = self.source.location(self.at);
            return Ok(());
        }
        self.push(Token::SingleQuotedString(value), start);
        Ok(())
    }

    /// `` `name` ``, where a doubled backquote stands for one.
    fn quoted_identifier(&mut self) -> Result<(), EngineError> {
        let start = self.at;
        let mut name = String::new();
        let mut chars = self.text[start + 1..].char_indices().peekable();
        while let Some((i, c)) = chars.next() {
            if c != '`' {
                name.push(c);
            } else if chars.next_if(|&(_, next)| next == '`').is_some() {
                name.push('`');
            } else {
                if name.is_empty() {
                    break;
                }
                self.at = start + 1 + i + 1;
                self.push(Token::make_word(&name, Some('`')), start);
                return Ok(());
            }
        }
        Err(error::parse(
            self.source.location(start),
            "the quoted name that starts here is empty or has no end",
        ))
    }

    /// A number, a number with a type (`10L`, `1.5BD`), or a name that starts with a digit.
    fn number_or_word(&mut self) {
        let start = self.at;
        let rest = &self.text[start..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let mut length = digits;
        let bytes = rest.as_bytes();
        if bytes.get(length) == Some(&b'.') {
            length += 1 + bytes[length + 1..]
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .count();
        }
        let exponent = exponent_length(&bytes[length..]);
        let number = length + exponent;
        let suffix = bytes[number..]
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
            .count();
        let (text, suffix_text) = (&rest[..number], &rest[number..number + suffix]);
        let whole = length == digits && exponent == 0;
        let typed = match (suffix_text.to_ascii_uppercase().as_str(), whole) {
            ("", _) => None,
            ("L", true) => Some("BIGINT"),
            ("S", true) => Some("SMALLINT"),
            ("Y", true) => Some("TINYINT"),
            ("D", _) => Some("DOUBLE"),
            ("B" | "BD", _) if exponent == 0 => Some("DECIMAL"),
            _ => {
                // `1day` and `2024_q1` are names in Hive.
                self.at += digits
                    + bytes[digits..]
                        .iter()
                        .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
                        .count();
                let word = &self.text[start..self.at];
                if self.at == start + digits {
                    self.push(Token::Number(word.to_owned(), false), start);
                } else {
                    self.push(Token::make_word(word, None), start);
                }
                return;
            }
        };
        let text = text.to_owned();
        self.at += number + suffix;
        let Some(type_name) = typed else {
            self.push(Token::Number(text, false), start);
            return;
        };
        // `10L` means `CAST(10 AS BIGINT)`.
        for token in [Token::make_word("CAST", None), Token::LParen] {
            self.push(token, start);
        }
        match type_name {
            "DOUBLE" => self.push(Token::SingleQuotedString(text.clone()), start),
            _ => self.push(Token::Number(text.clone(), false), start),
        }
        for token in [
            Token::make_word("AS", None),
            Token::make_word(type_name, None),
        ] {
            self.push(token, start);
        }
        if type_name == "DECIMAL" {
            let scale = text
                .split_once('.')
                .map_or(0, |(_, fraction)| fraction.len());
            let precision = (text.len() - usize::from(text.contains('.'))).max(1);
            for token in [
                Token::LParen,
                Token::Number(precision.to_string(), false),
                Token::Comma,
                Token::Number(scale.to_string(), false),
                Token::RParen,
            ] {
                self.push(token, start);
            }
        }
        self.push(Token::RParen, start);
    }

    fn operator(&mut self, first: char, rest: &str) -> Result<(), EngineError> {
        const LONG: [(&str, Token); 7] = [
            ("<=>", Token::Spaceship),
            ("<=", Token::LtEq),
            ("<>", Token::Neq),
            (">=", Token::GtEq),
            ("==", Token::DoubleEq),
            ("!=", Token::Neq),
            ("||", Token::StringConcat),
        ];
        let start = self.at;
        let (token, length) =
            if let Some((text, token)) = LONG.iter().find(|(text, _)| rest.starts_with(text)) {
                (token.clone(), text.len())
            } else {
                let token = match first {
                    '=' => Token::Eq,
                    '<' => Token::Lt,
                    '>' => Token::Gt,
                    '+' => Token::Plus,
                    '-' => Token::Minus,
                    '*' => Token::Mul,
                    '/' => Token::Div,
                    '%' => Token::Mod,
                    '|' => Token::Pipe,
                    '&' => Token::Ampersand,
                    '^' => Token::Caret,
                    '~' => Token::Tilde,
                    '(' => Token::LParen,
                    ')' => Token::RParen,
                    '[' => Token::LBracket,
                    ']' => Token::RBracket,
                    ',' => Token::Comma,
                    ';' => Token::SemiColon,
                    ':' => Token::Colon,
                    '.' => Token::Period,
                    other => {
                        return Err(error::parse(
                            self.source.location(start),
                            format!("character '{}' not supported here", other.escape_debug()),
                        ));
                    }
                };
                (token, 1)
            };
        self.at += length;
        self.push(token, start);
        Ok(())
    }

    fn push(&mut self, token: Token, start: usize) {
        self.chain.count(&token);
        let span = Span::new(
            self.source.location(start),
            self.source.location(self.at.max(start)),
        );
        self.tokens.push(TokenWithSpan::new(token, span));
    }
}

/// An upper bound of how deep the parser's tree nests by operators: those of the list item read now, and the most of
/// any item before it, for each open bracket.
#[derive(Default)]
struct Chain {
    open: Vec<(usize, usize)>,
    current: usize,
    longest: usize,
    highest: usize,
    /// The dots of the name read now.
    dots: usize,
}

impl Chain {
    fn count(&mut self, token: &Token) {
        match token {
            Token::Period => self.dots += 1,
            Token::Word(_) => {}
            _ => self.dots = 0,
        }
        match token {
            Token::LParen | Token::LBracket => {
                self.open.push((self.current, self.longest));
                (self.current, self.longest) = (0, 0);
            }
            Token::RParen | Token::RBracket => {
                let inner = self.current.max(self.longest);
                let (outer, longest) = self.open.pop().unwrap_or_default();
                (self.current, self.longest) = (outer + inner, longest);
            }
            Token::Comma => {
                self.longest = self.longest.max(self.current);
                self.current = 0;
            }
            Token::Word(word) => {
                let chains = word.quote_style.is_none()
                    && CHAINING
                        .iter()
                        .any(|chaining| word.value.eq_ignore_ascii_case(chaining));
                self.current += usize::from(chains);
            }
            Token::Number(..) | Token::SingleQuotedString(_) | Token::Period | Token::SemiColon => {
            }
            _ => self.current += 1,
        }
        self.highest = self.highest.max(self.current).max(self.longest);
    }
}

/// The value of the literal that `text` starts with, and the literal's length with its quotes; `None` without an end.
pub(crate) fn unescape(text: &str, quote: char) -> Option<(String, usize)> {
    let body = &text[1..];
    let end = literal_end(body, quote)?;
    let inner = &body[..end];
    let mut value = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(slash) = rest.find('\\') {
        value.push_str(&rest[..slash]);
        rest = &rest[slash + 1..];
        if let Some(length) = unicode_escape(rest, &mut value) {
            rest = &rest[length..];
            continue;
        }
        if let Some(c) = octal_escape(rest) {
            value.push(c);
            rest = &rest[3..];
            continue;
        }
        let Some(c) = rest.chars().next() else { break };
        match c {
            '0' => value.push('\0'),
            'b' => value.push('\u{8}'),
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            'Z' => value.push('\u{1a}'),
            // For LIKE, which reads the backslash itself.
            '%' => value.push_str("\\%"),
            '_' => value.push_str("\\_"),
            other => value.push(other),
        }
        rest = &rest[c.len_utf8()..];
    }
    value.push_str(rest);
    Some((value, 1 + end + 1))
}

/// Where the closing quote stands in `body`: a backslash takes the character behind it along.
fn literal_end(body: &str, quote: char) -> Option<usize> {
    let mut chars = body.char_indices();
    while let Some((i, c)) = chars.next() {
        if c == '\\' {
            chars.next()?;
        } else if c == quote {
            return Some(i);
        }
    }
    None
}

/// `u` and four hex digits behind a backslash: pushes the character and says how long the escape is. Two halves of a surrogate pair
/// are one character, and a half alone is `?`, as Java writes it in UTF-8.
fn unicode_escape(rest: &str, value: &mut String) -> Option<usize> {
    let unit = utf16_unit(rest)?;
    if let Some(c) = char::from_u32(unit) {
        value.push(c);
        return Some(5);
    }
    let low = rest[5..]
        .strip_prefix('\\')
        .and_then(utf16_unit)
        .filter(|low| (0xdc00..0xe000).contains(low));
    if let Some(low) = low.filter(|_| unit < 0xdc00) {
        let code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        value.push(char::from_u32(code).unwrap_or('?'));
        return Some(11);
    }
    value.push('?');
    Some(5)
}

fn utf16_unit(rest: &str) -> Option<u32> {
    let digits = rest.strip_prefix('u')?.get(..4)?;
    digits
        .bytes()
        .all(|b| b.is_ascii_hexdigit())
        .then(|| u32::from_str_radix(digits, 16).ok())?
}

/// `ooo` behind a backslash, from `000` to `177`.
fn octal_escape(rest: &str) -> Option<char> {
    let digits = rest.as_bytes().get(..3)?;
    (matches!(digits[0], b'0' | b'1') && digits[1..].iter().all(|d| matches!(d, b'0'..=b'7')))
        .then(|| char::from((digits[0] - b'0') * 64 + (digits[1] - b'0') * 8 + (digits[2] - b'0')))
}

/// The length of `e+10` and its like, or 0.
fn exponent_length(bytes: &[u8]) -> usize {
    if !matches!(bytes.first(), Some(b'e' | b'E')) {
        return 0;
    }
    let sign = usize::from(matches!(bytes.get(1), Some(b'+' | b'-')));
    let digits = bytes[1 + sign..]
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .count();
    if digits == 0 { 0 } else { 1 + sign + digits }
}

fn word_length(text: &str) -> usize {
    text.bytes()
        .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
        .count()
}

/// The place of the first unquoted or backquoted word `name` among `tokens`, letter case aside.
pub(crate) fn find_word(tokens: &[TokenWithSpan], name: &str) -> Option<Location> {
    tokens
        .iter()
        .find(|t| matches!(&t.token, Token::Word(word) if word.value.eq_ignore_ascii_case(name)))
        .map(|t| t.span.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(sql: &str) -> Vec<Token> {
        tokenize(&SourceText::plain(sql))
            .expect("tokens")
            .into_iter()
            .map(|t| t.token)
            .collect()
    }

    fn literal(sql: &str) -> String {
        match tokens(sql).as_slice() {
            [Token::SingleQuotedString(value)] => value.clone(),
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn escapes_are_hives() {
        for (sql, value) in [
            (r"'it\'s'", "it's"),
            (r"'\' OR 1=1 -- '", "' OR 1=1 -- "),
            (r"'\'\''", "''"),
            (r#"'\"'"#, "\""),
            (r#""it's \"so\"""#, "it's \"so\""),
            (r"'\\'", "\\"),
            (r"'a\\' 'b'", "a\\b"),
            (r"'\n\t\r\0\b\Z'", "\n\t\r\0\u{8}\u{1a}"),
            (r"'\%\_%_'", r"\%\_%_"),
            (r"'\q\é'", "qé"),
            (r"'\u00e9\u4e2d'", "é中"),
            (r"'\ud83d\ude00'", "😀"),
            (r"'\ud83dx\ude00'", "?x?"),
            (r"'\u12g4'", "u12g4"),
            (r"'\101\000\177'", "A\0\u{7f}"),
            (r"'\277'", "277"),
            ("'it''s'", "its"),
            ("'a'  -- c\n /* d */ \"b\"", "ab"),
            ("'-- no comment /* '", "-- no comment /* "),
            ("'`'", "`"),
            ("''", ""),
        ] {
            assert_eq!(literal(sql), value, "{sql}");
        }
    }

    #[test]
    fn what_has_no_end_is_an_error_at_its_start() {
        for (sql, column) in [
            ("select 'abc", 7),
            (r"select 'abc\'", 7),
            ("a /* b", 2),
            ("a `b", 2),
            ("a ``", 2),
        ] {
            let error = tokenize(&SourceText::plain(sql)).expect_err(sql);
            assert!(
                error.message.contains(&format!("line 1:{column} ")),
                "{sql}: {}",
                error.message
            );
        }
    }

    #[test]
    fn comments_leave_nothing_and_nest() {
        assert_eq!(tokens("a--x'\nb/* ' /* \" */ ` */c/*+ hint */").len(), 3);
        assert_eq!(tokens("-- only").len(), 0);
    }

    #[test]
    fn numbers_and_words() {
        let text = |sql: &str| {
            tokens(sql)
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(text("1 1.5 1. 1e5 1.0E+3 2E-1"), "1 1.5 1. 1e5 1.0E+3 2E-1");
        assert_eq!(text("10L"), "CAST ( 10 AS BIGINT )");
        assert_eq!(text("1.5BD"), "CAST ( 1.5 AS DECIMAL ( 2 , 1 ) )");
        assert_eq!(text("2d"), "CAST ( '2' AS DOUBLE )");
        assert_eq!(text("2024_q1 1day 1e5x"), "2024_q1 1day 1e5x");
        assert_eq!(text("a.b<=>c>=d"), "a . b <=> c >= d");
        assert_eq!(text("array<array<int>>"), "array < array < int > >");
        assert_eq!(text("`a``b`"), "`a`b`");
    }

    #[test]
    fn a_chain_of_operators_is_bounded() {
        let reads = |sql: &str| tokenize(&SourceText::plain(sql)).is_ok();
        let many = CHAIN_MAX + 1;
        for long in [
            format!("select 1{}", " + 1".repeat(many)),
            format!("select {}1{}", "(".repeat(many), " + 1)".repeat(many)),
            format!("select f(1{}, 2)", " or f(1, 2)".repeat(many)),
            format!("select 1{}", " union select 1".repeat(many)),
            format!("select a{}", " is null".repeat(many)),
            format!("select a{}", ".b".repeat(DOTS_MAX + 1)),
        ] {
            assert!(!reads(&long), "{}", &long[..40]);
        }
        assert!(reads(&format!(
            "insert into t values (-1 + 1, 2){}",
            ", (-1 + 1, f(1 - 1))".repeat(many)
        )));
        assert!(reads(&format!("select a in (1{})", ", -1".repeat(many))));
    }

    /// Hive's rules in the slowest and plainest form: one character at a time.
    fn naive(inner: &[char]) -> String {
        let mut out: Vec<u16> = Vec::new();
        let push = |out: &mut Vec<u16>, c: char| out.extend(c.encode_utf16(&mut [0; 2]).iter());
        let mut i = 0;
        while i < inner.len() {
            if inner[i] != '\\' {
                push(&mut out, inner[i]);
                i += 1;
                continue;
            }
            let ahead: String = inner[i + 1..].iter().take(5).collect();
            let chars: Vec<char> = ahead.chars().collect();
            if chars.len() == 5 && chars[0] == 'u' && chars[1..].iter().all(char::is_ascii_hexdigit)
            {
                out.push(u16::from_str_radix(&ahead[1..], 16).expect("hex"));
                i += 6;
            } else if chars.len() >= 3
                && ('0'..='1').contains(&chars[0])
                && chars[1..3].iter().all(|c| ('0'..='7').contains(c))
            {
                out.push(u16::from_str_radix(&ahead[..3], 8).expect("octal"));
                i += 4;
            } else {
                match chars[0] {
                    '0' => out.push(0),
                    'b' => out.push(8),
                    'n' => out.push(10),
                    'r' => out.push(13),
                    't' => out.push(9),
                    'Z' => out.push(26),
                    '%' => out.extend("\\%".encode_utf16()),
                    '_' => out.extend("\\_".encode_utf16()),
                    c => push(&mut out, c),
                }
                i += 2;
            }
        }
        char::decode_utf16(out).map(|c| c.unwrap_or('?')).collect()
    }

    #[test]
    fn literals_equal_the_naive_model_and_never_leak() {
        let alphabet: Vec<char> = r#"\\\\'"`-*/ ;aunr01%_Z7d8cé😀"#.chars().collect();
        let mut random = fastrand::Rng::with_seed(7);
        for round in 0..50_000 {
            let quote = if random.bool() { '\'' } else { '"' };
            // A body that closes nowhere: quotes of its own kind are escaped, and it does not end in half an escape.
            let mut inner = Vec::new();
            for _ in 0..random.usize(0..16) {
                let c = alphabet[random.usize(0..alphabet.len())];
                if c == '\\' {
                    inner.push('\\');
                    inner.push(alphabet[random.usize(0..alphabet.len())]);
                } else if c != quote {
                    inner.push(c);
                }
            }
            let body: String = inner.iter().collect();
            let sql = format!("x {quote}{body}{quote}, y");
            let read = tokens(&sql);
            assert_eq!(read.len(), 4, "round {round}: {sql}");
            // Surrogates joined from two separate escapes and lone ones are both covered by the model's decoding.
            assert_eq!(
                read[1],
                Token::SingleQuotedString(naive(&inner)),
                "round {round}: {sql}"
            );
        }
    }

    #[test]
    fn what_jdbc_binds_arrives_as_it_was() {
        let mut random = fastrand::Rng::with_seed(11);
        let alphabet: Vec<char> = "'\" -;/*`aé\n".chars().collect();
        for _ in 0..20_000 {
            let value: String = (0..random.usize(0..12))
                .map(|_| alphabet[random.usize(0..alphabet.len())])
                .collect();
            let sql = format!("'{}'", value.replace('\'', "\\'"));
            assert_eq!(literal(&sql), value, "{sql}");
        }
    }
}

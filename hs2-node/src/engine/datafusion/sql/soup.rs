//! Statements that nobody meant: random tokens and torn texts go through lexer, parser and rewriter, which answer or say
//! what is wrong, and never panic.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::cursor::Cursor;
use super::lexer;
use super::rewrite::{self, Context};
use super::statement::{self, Statement};
use super::variables::SourceText;
use crate::engine::EngineError;
use crate::engine::datafusion::settings;

/// Everything that a statement goes through before DataFusion sees it.
fn read(text: &str) -> Result<(), EngineError> {
    settings::command(text)?;
    let vars = BTreeMap::from([("x".to_owned(), "'${y}'".to_owned())]);
    let source = SourceText::substitute(text, &BTreeMap::new(), &vars)?;
    let mut cursor = Cursor::new(lexer::tokenize(&source)?, source.end());
    let statement = statement::parse(&mut cursor, &source.text)?;
    let context = Context {
        database: "default".to_owned(),
        user: "me".to_owned(),
        now_us: 0,
        group_by_position: false,
    };
    match statement {
        Statement::Query(query) | Statement::Explain(query) => {
            rewrite::query(*query, &context).map(drop)
        }
        _ => Ok(()),
    }
}

/// On a thread with the stack that the engine's have.
fn on_its_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(64 << 20)
        .spawn(work)
        .expect("a thread")
        .join()
        .expect("no panic");
}

const WORDS: [&str; 96] = [
    "select",
    "from",
    "where",
    "group by",
    "order by",
    "sort by",
    "cluster by",
    "distribute by",
    "having",
    "limit",
    "t",
    "a",
    "`b c`",
    "t.a",
    "*",
    "1",
    "1.5",
    "1e3",
    "10L",
    "'x'",
    "\"y\"",
    "NULL",
    "true",
    "(",
    ")",
    "(",
    ")",
    ",",
    ",",
    ".",
    "[",
    "]",
    "+",
    "-",
    "/",
    "%",
    "=",
    "<>",
    "<=>",
    "<",
    "||",
    "&",
    "^",
    "~",
    "and",
    "or",
    "not",
    "is null",
    "in",
    "between",
    "like",
    "rlike",
    "case",
    "when",
    "then",
    "else",
    "end",
    "cast",
    "as",
    "int",
    "array<int>",
    "map(",
    "array(",
    "struct(",
    "explode(",
    "lateral view",
    "outer",
    "join",
    "left",
    "on",
    "union all",
    "intersect",
    "with",
    "interval",
    "'1' day",
    "over",
    "partition by",
    "rows between",
    "unbounded preceding",
    "window w as",
    "grouping sets",
    "rollup(",
    "with cube",
    "exists",
    "distinct",
    "insert into",
    "values",
    "create table",
    "create external table",
    "row format delimited",
    "stored as",
    "alter table",
    "describe",
    "show tables",
    "explain",
    ";",
];

#[test]
fn random_statements_never_panic() {
    on_its_stack(|| {
        let mut random = fastrand::Rng::with_seed(5);
        let mut accepted = 0;
        for _ in 0..30_000 {
            let mut words: Vec<&str> = Vec::new();
            if random.bool() {
                words.push("select");
            }
            for _ in 0..random.usize(1..24) {
                words.push(WORDS[random.usize(0..WORDS.len())]);
            }
            accepted += usize::from(read(&words.join(" ")).is_ok());
        }
        assert!(accepted > 100, "only {accepted} were statements");
    });
}

#[test]
fn torn_statements_never_panic() {
    on_its_stack(|| {
        let whole = [
            "SELECT a, count(DISTINCT b) OVER (PARTITION BY c ORDER BY d DESC ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) x FROM t LATERAL VIEW \
             OUTER explode(map('k', array(1, 2.5))) e AS k, v WHERE `é中` RLIKE '\\\\d+' AND d + INTERVAL '1-2' YEAR TO MONTH > date '2024-01-01'",
            "CREATE EXTERNAL TABLE IF NOT EXISTS d.t (a MAP<STRING,STRUCT<x:INT>> COMMENT 'c', b DECIMAL(10,2)) ROW FORMAT DELIMITED FIELDS \
             TERMINATED BY '\\t' STORED AS TEXTFILE LOCATION '/x' TBLPROPERTIES ('k'='v')",
            "INSERT OVERWRITE TABLE t (a, b) VALUES (1, 'it\\'s'), (-2, \"x\" /* c /* d */ */) -- e\n",
            "WITH q AS (SELECT 1 a UNION ALL SELECT 2) SELECT CASE WHEN a IN (1, 2) THEN '${x}' ELSE ${hivevar:x} END FROM q GROUP BY a WITH ROLLUP",
        ];
        let mut random = fastrand::Rng::with_seed(9);
        for text in whole {
            for (at, _) in text.char_indices() {
                let _ = read(&text[..at]);
                let _ = read(&text[at..]);
            }
            let chars: Vec<char> = text.chars().collect();
            for _ in 0..2_000 {
                let mut torn = chars.clone();
                for _ in 0..random.usize(1..4) {
                    let at = random.usize(0..torn.len());
                    match random.u8(0..3) {
                        0 => drop(torn.remove(at)),
                        1 => torn.insert(
                            at,
                            ['\0', '\'', '"', '`', '(', '\\', '\u{feff}', '$', '{']
                                [random.usize(0..9)],
                        ),
                        _ => {
                            let other = random.usize(0..torn.len());
                            torn.swap(at, other);
                        }
                    }
                }
                let _ = read(&torn.into_iter().collect::<String>());
            }
        }
    });
}

#[test]
fn long_and_deep_statements_answer_soon() {
    on_its_stack(|| {
        let mib = 1 << 20;
        let deep = |open: &str, inner: &str, close: &str, times: usize| {
            format!(
                "select {}{inner}{}",
                open.repeat(times),
                close.repeat(times)
            )
        };
        let numbers: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
        for (name, text) in [
            ("brackets", deep("(", "1", ")", 20_000)),
            ("calls", deep("upper(", "a", ")", 20_000)),
            ("cases", deep("case when a then ", "1", " end", 10_000)),
            ("subqueries", deep("(select ", "1", ")", 10_000)),
            ("not", deep("not ", "a", "", 20_000)),
            ("minus", deep("- ", "1", "", 20_000)),
            ("arrays", deep("array(", "1", ")", 10_000)),
            ("index", format!("select a{}", "[1]".repeat(20_000))),
            ("fields", format!("select a{}", ".b".repeat(20_000))),
            (
                "lists",
                format!("select a in ({}) from t", numbers.join(",")),
            ),
            ("text", format!("select '{}'", "é".repeat(mib / 2))),
            ("digits", format!("select {}", "9".repeat(mib))),
            ("spaces", " ".repeat(mib)),
            (
                "columns",
                format!("select {} from t", vec!["a"; 10_000].join(",")),
            ),
            ("quotes", "'".repeat(mib + 1)),
            ("comment", "/*".repeat(mib / 2)),
            (
                "joins",
                format!("select 1 from t {}", "join t ".repeat(5_000)),
            ),
            (
                "views",
                format!(
                    "select 1 from t {}",
                    "lateral view explode(a) b as c ".repeat(5_000)
                ),
            ),
            (
                "types",
                format!(
                    "create table t (a {}int{})",
                    "array<".repeat(10_000),
                    ">".repeat(10_000)
                ),
            ),
            (
                "whens",
                format!("select case {} end", "when a then b ".repeat(20_000)),
            ),
            (
                "coalesce",
                format!("select coalesce({})", vec!["a"; 9_000].join(",")),
            ),
            ("nul", "select \0".to_owned()),
            (
                "windows",
                format!(
                    "select {} from t window w as (order by '{}')",
                    vec!["sum(a) over w"; 5_000].join(","),
                    "a".repeat(mib)
                ),
            ),
            (
                "window of itself",
                "select sum(a) over w from t window w as (order by sum(a) over w)".to_owned(),
            ),
            (
                "grouping ids",
                format!(
                    "select {} from t group by '{}' with cube",
                    vec!["grouping__id"; 5_000].join(","),
                    "a".repeat(mib)
                ),
            ),
            ("grouping keys", {
                let keys: Vec<String> = (0..20_000).map(|n| format!("a{n}")).collect();
                format!("select 1 from t group by {} with rollup", keys.join(","))
            }),
            (
                "operands",
                format!(
                    "select case '{}' {} end",
                    "a".repeat(mib),
                    "when b then c ".repeat(1_000)
                ),
            ),
        ] {
            let started = Instant::now();
            if let Err(e) = read(&text) {
                assert!(matches!(e.sqlstate, "42000" | "0A000"), "{name}: {e:?}");
                assert!(
                    e.message.len() < 4_000,
                    "{name}: a message of {} bytes",
                    e.message.len()
                );
            }
            eprintln!("{name}: {:?}", started.elapsed());
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "{name} took {:?}",
                started.elapsed()
            );
        }
    });
}

/// Each of these has its operand more than once when rewritten.
#[test]
fn nested_copies_are_refused() {
    on_its_stack(|| {
        for (open, close) in [
            ("nullif(", ", a)"),
            ("if(b, 'x', upper(", "))"),
            ("coalesce('x', upper(", "))"),
            ("case ", " when 1 then b when 2 then b end"),
            ("case when b then 'x' else upper(", ") end"),
            ("greatest(", ", a)"),
            ("avg(", ")"),
            ("count(", ", a)"),
            ("(", " between 1 and 2)"),
            ("cast(", " like any ('a', b, 'c') as string)"),
            ("sum(1) over (partition by avg(1) over (order by ", "))"),
        ] {
            let nested = |times: usize| {
                let (open, close) = (open.repeat(times), close.repeat(times));
                read(&format!("select {open}a{close} from t"))
            };
            assert!(nested(4).is_ok(), "{open}: {:?}", nested(4));
            let started = Instant::now();
            let error = nested(25).expect_err(open);
            assert_eq!(error.sqlstate, "0A000", "{open}: {}", error.message);
            assert!(
                error.message.contains("too complex"),
                "{open}: {}",
                error.message
            );
            assert!(started.elapsed() < Duration::from_secs(5), "{open}");
        }
    });
}

//! Functions by Hive's Language Manual.

use super::*;

/// Each expression and its value.
async fn values(cases: &[(&str, &str)]) {
    let (node, _folder) = node().await;
    for (expression, value) in cases {
        assert_eq!(node.value(expression).await, *value, "{expression}");
    }
}

/// Each expression and its type.
async fn types(cases: &[(&str, &str)]) {
    let (node, _folder) = node().await;
    for (expression, hive) in cases {
        assert_eq!(
            node.columns(&format!("SELECT {expression} x")).await,
            [format!("x {hive}")],
            "{expression}"
        );
    }
}

#[tokio::test]
async fn regular_expressions() {
    values(&[
        ("'foobar' rlike 'o+b'", "true"),
        ("'foobar' regexp '^bar'", "false"),
        ("'foobar' not rlike '^bar'", "true"),
        ("NULL rlike 'a'", "NULL"),
        ("'a' rlike ''", "false"),
        ("regexp('abc', 'B')", "false"),
        ("regexp_replace('foobar', 'oo|ar', '')", "fb"),
        (
            "regexp_replace('2024-05-06', '(\\\\d+)-(\\\\d+)', '$2/$1')",
            "05/2024-06",
        ),
        ("regexp_replace('aab', 'a*', 'X')", "XXbX"),
        ("regexp_extract('foothebar', 'foo(.*?)(bar)', 1)", "the"),
        ("regexp_extract('foothebar', 'foo(.*?)(bar)', 2)", "bar"),
        ("regexp_extract('foothebar', 'foo(.*?)(bar)')", "the"),
        (
            "regexp_extract('foothebar', 'foo(.*?)(bar)', 0)",
            "foothebar",
        ),
        ("regexp_extract('x', '(y)', 1)", ""),
        ("size(split('a1b22c', '[0-9]+'))", "3"),
        ("split('a|b', '\\\\|')[1]", "b"),
        ("size(split('abc', ''))", "4"),
        ("size(split('a,,', ','))", "3"),
        ("'a%c' like concat('a', '\\\\%', 'c')", "true"),
        ("'abc' like concat('a', '_', 'c')", "true"),
        ("'abc' like any ('x%', '%c')", "true"),
    ])
    .await;
}

#[tokio::test]
async fn dates_and_times() {
    values(&[
        ("from_unixtime(0)", "1970-01-01 00:00:00"),
        ("from_unixtime(1714978629, 'yyyy/MM/dd HH')", "2024/05/06 06"),
        ("unix_timestamp('2024-05-06 07:08:09')", "1714979289"),
        ("unix_timestamp('2024-05-06')", "NULL"),
        ("unix_timestamp('06.05.2024', 'dd.MM.yyyy')", "1714953600"),
        ("unix_timestamp('12 AM', 'hh a')", "0"),
        ("unix_timestamp('24', 'HH')", "NULL"),
        ("unix_timestamp(timestamp '1970-01-01 00:01:00')", "60"),
        ("unix_timestamp(date '1970-01-02')", "86400"),
        ("unix_timestamp() > 1700000000", "true"),
        ("date_format('2015-04-08', 'EEEE d MMM yyyy')", "Wednesday 8 Apr 2015"),
        ("date_format(date '2015-04-08', 'y')", "2015"),
        ("hour('2009-07-30 12:58:59')", "12"),
        ("minute('12:58:59')", "58"),
        ("second(timestamp '2009-07-30 12:58:59')", "59"),
        ("hour(date '2009-07-30')", "0"),
        ("hour('x')", "NULL"),
        ("add_months('2009-08-31', 1)", "2009-09-30"),
        ("add_months('2009-02-28', 12)", "2010-02-28"),
        ("last_day('2024-02-01')", "2024-02-29"),
        ("next_day('2015-01-14', 'TU')", "2015-01-20"),
        ("next_day('2015-01-14', 'x')", "NULL"),
        ("trunc('2015-03-17', 'MM')", "2015-03-01"),
        ("trunc('2015-03-17', 'YEAR')", "2015-01-01"),
        ("months_between('1997-02-28 10:30:00', '1996-10-30')", "3.94959677"),
        ("months_between('2024-03-31', '2024-02-29')", "1.0"),
        ("date('2024-05-06 01:02:03')", "2024-05-06"),
        ("date '2024-01-31' + interval '1' month", "2024-02-29"),
        ("date '2024-02-29' - interval '1' year", "2023-02-28"),
        ("date '2024-01-31' + interval '1-2' year to month", "2025-03-31"),
        ("cast(date '2024-02-28' + interval 2 days as string)", "2024-03-01 00:00:00"),
        ("cast(timestamp '2024-02-28 23:00:00' + interval '1 1:00:00.5' day to second as string)", "2024-03-01 00:00:00.5"),
        ("cast(interval '1' hour + timestamp '2024-01-01 00:00:00' as string)", "2024-01-01 01:00:00"),
        ("cast(timestamp '2024-01-01 00:00:00' - interval (30 + 30) minute as string)", "2023-12-31 23:00:00"),
        ("NULL + interval '1' day", "NULL"),
        ("date '2024-01-31' + interval '178956970-7' year to month", "NULL"),
        ("date '2024-01-31' + interval (9223372036854775807L) month", "NULL"),
    ])
    .await;
    types(&[
        ("from_unixtime(0)", "string"),
        ("unix_timestamp()", "bigint"),
        ("unix_timestamp('x')", "bigint"),
        ("add_months('2009-08-31', 1)", "string"),
        ("last_day('2024-02-01')", "string"),
        ("months_between('1997-02-28', '1996-10-30')", "double"),
        ("date_add('2024-01-01', 1)", "date"),
        ("date '2024-01-31' + interval '1' month", "date"),
        ("date '2024-01-31' + interval '1' day", "timestamp"),
        ("hour('1:2:3')", "int"),
    ])
    .await;
}

#[tokio::test]
async fn collections() {
    values(&[
        ("map('a', 1, 'b', 2)['b']", "2"),
        ("map('a', 1)['x']", "NULL"),
        ("map('a', 1, 'a', 2)['a']", "2"),
        ("map(1, 'x')[1]", "x"),
        ("size(map('a', 1, 'b', 2))", "2"),
        ("map_keys(map('a', 1, 'b', 2))", "[a, b]"),
        ("map_values(map('a', 1, 'b', 2))", "[1, 2]"),
        ("array(1, 2.5)[0]", "1.0"),
        ("array(1, 'x')[0]", "1"),
        ("array_contains(array(1, 2), 2)", "true"),
        ("array_contains(array(1, 2), 3)", "false"),
        ("array_contains(array(1, 2), NULL)", "false"),
        ("sort_array(array(3, 1, NULL, 2))", "[NULL, 1, 2, 3]"),
        ("sort_array(array('b', 'a'))", "[a, b]"),
        ("struct(1, 'x').col2", "x"),
        ("str_to_map('a:1,b:2')['b']", "2"),
        ("str_to_map('a=1&b', '&', '=')['b']", "NULL"),
        (
            "get_json_object('{\"a\":{\"b\":[1,\"x\"]}}', '$.a.b[1]')",
            "x",
        ),
        (
            "get_json_object('{\"a\":{\"c\":1,\"b\":2}}', '$.a')",
            "{\"c\":1,\"b\":2}",
        ),
        ("get_json_object('nonsense', '$.a')", "NULL"),
    ])
    .await;
    types(&[
        ("map('a', 1)", "map<string,int>"),
        ("map('a', 1, 'b', 2.5)", "map<string,decimal(11,1)>"),
        ("array(1, 2L)", "array<bigint>"),
        ("struct(1, 'x')", "struct<col1:int,col2:string>"),
        ("map_keys(map('a', 1))", "array<string>"),
        ("split('a', 'b')", "array<string>"),
        ("str_to_map('a:1')", "map<string,string>"),
    ])
    .await;
}

#[tokio::test]
async fn numbers() {
    values(&[
        ("bround(2.5)", "2"),
        ("bround(25, -1)", "20"),
        ("bround(35, -1)", "40"),
        ("bround(cast(2.5 as double))", "2.0"),
        ("bround(1, -2147483648)", "0"),
        ("round(cast(-0.4 as double))", "0.0"),
        ("round(12345.67, -2)", "12300"),
        ("round(12345.67, -40)", "0"),
        ("round(cast(1.5 as decimal(38,1)), -38)", "0"),
        ("hash(cast('a' as binary))", "128"),
        ("hash(cast('' as binary))", "1"),
        ("bround(8.25, 1)", "8.2"),
        ("conv('ff', 16, 10)", "255"),
        ("conv(10, 10, 2)", "1010"),
        ("hex(255)", "FF"),
        ("hex('ab')", "6162"),
        ("bin(5)", "101"),
        ("factorial(5)", "120"),
        ("sign(-2)", "-1.0"),
        ("negative(3)", "-3"),
        ("positive(3)", "3"),
        ("format_number(1234567.891, 2)", "1,234,567.89"),
        ("hash('a')", "97"),
        ("hash(1, 'a')", "128"),
        ("hash(4294967296L)", "1"),
        ("md5('ABC')", "902fbdd2b1df0c4f70b4a5d23525e932"),
        ("sha1('ABC')", "3c01bdbb26f358bab27f267924aa2c9a03fcfdb8"),
        ("sha('ABC')", "3c01bdbb26f358bab27f267924aa2c9a03fcfdb8"),
        (
            "sha2('ABC', 256)",
            "b5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df78",
        ),
        ("crc32('ABC')", "2743272264"),
        ("base64(cast('abc' as binary))", "YWJj"),
        ("cast(unbase64('YWJj') as string)", "abc"),
        ("cast(unhex('4D7953514C') as string)", "MySQL"),
        ("soundex('Miller')", "M460"),
        ("length(uuid())", "36"),
        ("substring_index('www.apache.org', '.', 2)", "www.apache"),
        ("substring_index('www.apache.org', '.', -1)", "org"),
        ("find_in_set('ab', 'abc,b,ab,c,def')", "3"),
        ("find_in_set('x', 'abc')", "0"),
        ("octet_length('é')", "2"),
        ("levenshtein('kitten', 'sitting')", "3"),
        ("round(pi(), 4)", "3.1416"),
        ("rand() < 1", "true"),
        ("degrees(pi())", "180.0"),
    ])
    .await;
}

#[tokio::test]
async fn aggregates() {
    let (node, _folder) = node().await;
    node.run("CREATE TABLE t (k STRING, n INT, m INT)").await;
    node.run(
        "INSERT INTO t VALUES ('a', 1, 1), ('a', 2, NULL), ('a', 2, 3), ('b', 4, 4), ('b', 4, 4)",
    )
    .await;
    for (sql, rows) in [
        ("SELECT count(DISTINCT k, n) FROM t", &["3"][..]),
        ("SELECT count(DISTINCT k, m), count(n, m) FROM t", &["3|4"]),
        (
            "SELECT percentile(n, 0.5), percentile(n, 0.25) FROM t",
            &["2.0|2.0"],
        ),
        ("SELECT percentile_approx(n, 0.5) FROM t", &["2.0"]),
        (
            "SELECT k, sort_array(collect_set(n)) FROM t GROUP BY k ORDER BY k",
            &["a|[1, 2]", "b|[4]"],
        ),
        ("SELECT stddev_samp(n) FROM t WHERE k = 'b'", &["0.0"]),
        ("SELECT corr(n, n) FROM t", &["1.0"]),
    ] {
        assert_eq!(node.rows(sql).await, rows, "{sql}");
    }
}

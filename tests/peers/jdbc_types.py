"""Every type of Hive, as its JDBC driver 2.3.9 shows it when HiveServer2 tells it what Hive tells.

`TYPES` is the table: what DatabaseMetaData.getColumns says of a column of the type, what ResultSetMetaData says, and
values with the object and the text that the driver makes of each.
"""

from dataclasses import dataclass, field

import jdbc_driver as driver

TABLE = "every_type"
# Integer.MAX_VALUE.
MAX = 2147483647


@dataclass
class Type:
    """One type. `java_type`, `word`, `size`, `digits` and `radix` are GetColumns', the rest is ResultSetMetaData's."""

    declared: str
    java_type: int
    word: str
    size: int
    digits: int
    radix: int
    # ResultSetMetaData: type, type name, class, precision, scale, display size.
    sql_type: int
    name: str
    java_class: str
    precision: int
    scale: int
    display: int
    # SQL text of a value, its object and its text; NULL is added for each.
    values: list = field(default_factory=list)
    case_sensitive: bool = False


def number(declared, java_type, digits10, scale, java_class, display, values, sql_type=None):
    word = declared.upper()
    return Type(
        declared, java_type, word, digits10, scale, 10, sql_type or java_type, declared,
        f"java.lang.{java_class}", digits10, scale, display, values,
    )


TYPES = [
    Type("boolean", 16, "BOOLEAN", None, 0, None, 16, "boolean", "java.lang.Boolean", 1, 0, 1,
         [("true", True, "true"), ("false", False, "false")]),
    number("tinyint", -6, 3, 0, "Byte", 4, [("127Y", 127, "127"), ("cast(-128 as tinyint)", -128, "-128")]),
    number("smallint", 5, 5, 0, "Short", 6, [("32767S", 32767, "32767"), ("cast(-32768 as smallint)", -32768, "-32768")]),
    number("int", 4, 10, 0, "Integer", 11,
           [("2147483647", 2147483647, "2147483647"), ("cast(-2147483648 as int)", -2147483648, "-2147483648")]),
    number("bigint", -5, 19, 0, "Long", 20,
           [("9223372036854775807L", 9223372036854775807, "9223372036854775807"), ("0L", 0, "0")]),
    # Hive sends the double of the float's text.
    number("float", 6, 7, 7, "Float", 24, [("cast('0.1' as float)", 0.1, "0.1"), ("cast('1e20' as float)", 1e20, "1.0E20")]),
    number("double", 8, 15, 15, "Double", 25,
           [("cast('0.1' as double)", 0.1, "0.1"), ("1e300", 1e300, "1.0E300"), ("cast('-Infinity' as double)", float("-inf"), "-Infinity")]),
    Type("decimal(38,10)", 3, "DECIMAL", 38, 10, 10, 3, "decimal", "java.math.BigInteger", 38, 10, 40,
         [("cast('1.5' as decimal(38,10))", "1.5000000000", "1.5000000000"),
          ("cast('-9999999999999999999999999999.9999999999' as decimal(38,10))",
           "-9999999999999999999999999999.9999999999", "-9999999999999999999999999999.9999999999")]),
    Type("decimal(5,0)", 3, "DECIMAL", 5, 0, 10, 3, "decimal", "java.math.BigInteger", 5, 0, 7,
         [("cast(99999 as decimal(5,0))", "99999", "99999")]),
    Type("string", 12, "STRING", MAX, None, None, 12, "string", "java.lang.String", MAX, 0, MAX,
         [("'řádek 行 🐎 it\\'s'", "řádek 行 🐎 it's", "řádek 行 🐎 it's"), ("''", "", "")], case_sensitive=True),
    Type("varchar(20)", 12, "VARCHAR", 20, None, None, 12, "varchar", "java.lang.String", 20, 0, 20,
         [("cast('0123456789012345678901' as varchar(20))", "01234567890123456789", "01234567890123456789"),
          ("cast('a ' as varchar(20))", "a ", "a ")]),
    Type("char(5)", 1, "CHAR", 5, None, None, 1, "char", "java.lang.String", 5, 0, 5,
         [("cast('ab' as char(5))", "ab   ", "ab   "), ("cast('abcdefg' as char(5))", "abcde", "abcde")]),
    Type("binary", -2, "BINARY", MAX, None, None, -2, "binary", "[B", MAX, 0, MAX,
         [("cast('a\\0b' as binary)", b"a\0b", "a\0b"), ("cast('' as binary)", b"", "")]),
    Type("date", 91, "DATE", 10, None, None, 91, "date", "java.sql.Date", 10, 0, 10,
         [("cast('2024-02-29' as date)", "2024-02-29", "2024-02-29"), ("cast('0001-01-01' as date)", "0001-01-01", "0001-01-01")]),
    # Timestamp.toString has a fraction in any case; the text on the wire has not.
    Type("timestamp", 93, "TIMESTAMP", 29, 9, None, 93, "timestamp", "java.sql.Timestamp", 29, 9, 29,
         [("cast('2024-02-29 13:14:15' as timestamp)", "2024-02-29 13:14:15.0", "2024-02-29 13:14:15.0"),
          ("cast('1969-12-31 23:59:59.999999' as timestamp)", "1969-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999")]),
    # Drivers before Hive 3 do not know it: they are told that it is a string.
    Type("timestamp with local time zone", 1111, "TIMESTAMP WITH LOCAL TIME ZONE", 31, None, None,
         12, "string", "java.lang.String", MAX, 0, MAX,
         [("cast('2024-02-29 13:14:15 +01:00' as timestamp with local time zone)",
           "2024-02-29 12:14:15.0 UTC", "2024-02-29 12:14:15.0 UTC")], case_sensitive=True),
    Type("array<int>", 2003, "array<int>", None, None, None, 2003, "array", "java.lang.String", MAX, 0, MAX,
         [("array(1, null, 3)", "[1,null,3]", "[1,null,3]")]),
    Type("struct<a:int,b:array<struct<c:string,d:decimal(5,2)>>>", 2002,
         "struct<a:int,b:array<struct<c:string,d:decimal(5,2)>>>", None, None, None,
         2002, "struct", "java.lang.String", MAX, 0, MAX,
         [("named_struct('a', 1, 'b', array(named_struct('c', 'x', 'd', cast(1.5 as decimal(5,2)))))",
           '{"a":1,"b":[{"c":"x","d":1.5}]}', '{"a":1,"b":[{"c":"x","d":1.5}]}')]),
]

# Types that no table has: as results only.
RESULTS = [
    Type("void", 0, "VOID", None, None, None, 0, "void", "null", 0, 0, 4, [("null", None, None)]),
]


def column(index):
    return f"c{index:02}"


def create(execute):
    """Makes the table, a row for each value of the longest list, and one of NULLs; `execute` runs a statement."""
    declared = ", ".join(
        f"{column(i)} {t.declared}" + (f" COMMENT 'a {t.declared}'" if i % 2 else "") for i, t in enumerate(TYPES)
    )
    execute(f"DROP TABLE IF EXISTS {TABLE}")
    execute(f"CREATE TABLE {TABLE} ({declared})")
    depth = max(len(t.values) for t in TYPES)
    for row in range(depth):
        # What has fewer values begins anew.
        cells = ", ".join(t.values[row % len(t.values)][0] for t in TYPES)
        execute(f"INSERT INTO {TABLE} SELECT {cells}")
    execute(f"INSERT INTO {TABLE} SELECT " + ", ".join("null" for _ in TYPES))
    return depth


# The order in which `ordered` gives the rows.
ORDER = "ORDER BY c06 IS NULL, c06 DESC"


def ordered(depth):
    """The numbers of the rows as ORDER brings them, and None for the row of NULLs."""
    double = next(t for t in TYPES if t.declared == "double")
    return sorted(range(depth), key=lambda row: -double.values[row % len(double.values)][1]) + [None]


def result_set_metadata(d, meta, i, kind, label):
    facts = {
        "name": str(meta.getColumnName(i)),
        "label": str(meta.getColumnLabel(i)),
        "type": meta.getColumnType(i),
        "type name": str(meta.getColumnTypeName(i)),
        "precision": meta.getPrecision(i),
        "scale": meta.getScale(i),
        "display size": meta.getColumnDisplaySize(i),
        "nullable": meta.isNullable(i),
        "class": str(meta.getColumnClassName(i)),
        "case sensitive": bool(meta.isCaseSensitive(i)),
        "auto increment": bool(meta.isAutoIncrement(i)),
        "currency": bool(meta.isCurrency(i)),
    }
    expected = {
        "name": label,
        "label": label,
        "type": kind.sql_type,
        "type name": kind.name,
        "precision": kind.precision,
        "scale": kind.scale,
        "display size": kind.display,
        # columnNullable.
        "nullable": 1,
        "class": kind.java_class,
        "case sensitive": kind.case_sensitive,
        "auto increment": False,
        "currency": False,
    }
    for fact, value in expected.items():
        d.equal(f"{kind.declared}: {fact}", facts[fact], value)


def values(d, result, names, kinds, depth):
    for row in ordered(depth):
        d.true(f"row {row}", result.next())
        for i, kind in enumerate(kinds):
            null = row is None
            value = (None, None, None) if null else kind.values[row % len(kind.values)]
            d.equal(f"{kind.declared}: object", driver.plain(result.getObject(i + 1)), value[1])
            d.equal(f"{kind.declared}: text", driver.plain(result.getString(names[i])), value[2])
            d.equal(f"{kind.declared}: null", bool(result.wasNull()), null or value[1] is None)
    d.true("the end", not result.next())


def against_hive(d):
    """Compares the table with the classes that Hive's own server answers GetColumns from."""
    from org.apache.hive.service.cli import TypeDescriptor

    d.begin("types: the table of this file beside Hive's classes")
    for t in TYPES:
        # Hive 2.3 does not have it.
        if t.declared == "timestamp with local time zone":
            continue
        hive = TypeDescriptor(t.declared)
        found = [hive.getType().toJavaSQLType(), str(hive.getTypeName()), driver.plain(hive.getColumnSize()),
                 driver.plain(hive.getDecimalDigits()), driver.plain(hive.getType().getNumPrecRadix())]
        d.equal(t.declared, [t.java_type, t.word, t.size, t.digits, t.radix], found)


def check(d, connection):
    against_hive(d)
    d.begin("types: a table of every type")
    depth = create(lambda sql: driver.execute(connection, sql))
    statement = connection.createStatement()
    result = statement.executeQuery(f"SELECT * FROM {TABLE}")
    meta = result.getMetaData()
    d.equal("columns", meta.getColumnCount(), len(TYPES))
    names = [f"{TABLE}.{column(i)}" for i in range(len(TYPES))]
    for i, kind in enumerate(TYPES):
        result_set_metadata(d, meta, i + 1, kind, names[i])
    # Rows of several files come in no order of theirs.
    result.close()
    order = ", ".join(column(i) for i in range(len(TYPES)))
    result = statement.executeQuery(f"SELECT {order} FROM {TABLE} {ORDER}")
    values(d, result, [column(i) for i in range(len(TYPES))], TYPES, depth)
    result.close()

    d.begin("types: literals and casts")
    for kind in TYPES + RESULTS:
        cells = ", ".join(f"{text} AS v{i}" for i, (text, _, _) in enumerate(kind.values))
        result = statement.executeQuery(f"SELECT {cells}")
        meta = result.getMetaData()
        for i, (text, value, shown) in enumerate(kind.values):
            # A literal is as wide as its text; a cast is what it says.
            result_set_metadata(d, meta, i + 1, kind, f"v{i}")
        d.true(f"{kind.declared}: a row", result.next())
        for i, (text, value, shown) in enumerate(kind.values):
            d.equal(f"{text}: object", driver.plain(result.getObject(i + 1)), value)
            d.equal(f"{text}: text", driver.plain(result.getString(i + 1)), shown)
        result.close()
    statement.close()

"""Each DatabaseMetaData method that reaches the server, as Hive answers it."""

import jdbc_driver as driver
import jdbc_types

S, I, J, B, T = "string", "int", "smallint", "boolean", "tinyint"

# Names and types of each result's columns.
SHAPES = {
    "getCatalogs": [("TABLE_CAT", S)],
    "getSchemas": [("TABLE_SCHEM", S), ("TABLE_CATALOG", S)],
    "getTables": [
        (name, S)
        for name in (
            "TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE", "REMARKS", "TYPE_CAT", "TYPE_SCHEM",
            "TYPE_NAME", "SELF_REFERENCING_COL_NAME", "REF_GENERATION",
        )
    ],
    "getTableTypes": [("TABLE_TYPE", S)],
    "getColumns": [
        ("TABLE_CAT", S), ("TABLE_SCHEM", S), ("TABLE_NAME", S), ("COLUMN_NAME", S), ("DATA_TYPE", I),
        ("TYPE_NAME", S), ("COLUMN_SIZE", I), ("BUFFER_LENGTH", T), ("DECIMAL_DIGITS", I), ("NUM_PREC_RADIX", I),
        ("NULLABLE", I), ("REMARKS", S), ("COLUMN_DEF", S), ("SQL_DATA_TYPE", I), ("SQL_DATETIME_SUB", I),
        ("CHAR_OCTET_LENGTH", I), ("ORDINAL_POSITION", I), ("IS_NULLABLE", S), ("SCOPE_CATALOG", S),
        ("SCOPE_SCHEMA", S), ("SCOPE_TABLE", S), ("SOURCE_DATA_TYPE", J), ("IS_AUTO_INCREMENT", S),
    ],
    "getFunctions": [
        ("FUNCTION_CAT", S), ("FUNCTION_SCHEM", S), ("FUNCTION_NAME", S), ("REMARKS", S), ("FUNCTION_TYPE", I),
        ("SPECIFIC_NAME", S),
    ],
    "getTypeInfo": [
        ("TYPE_NAME", S), ("DATA_TYPE", I), ("PRECISION", I), ("LITERAL_PREFIX", S), ("LITERAL_SUFFIX", S),
        ("CREATE_PARAMS", S), ("NULLABLE", J), ("CASE_SENSITIVE", B), ("SEARCHABLE", J), ("UNSIGNED_ATTRIBUTE", B),
        ("FIXED_PREC_SCALE", B), ("AUTO_INCREMENT", B), ("LOCAL_TYPE_NAME", S), ("MINIMUM_SCALE", J),
        ("MAXIMUM_SCALE", J), ("SQL_DATA_TYPE", I), ("SQL_DATETIME_SUB", I), ("NUM_PREC_RADIX", I),
    ],
    "getPrimaryKeys": [
        ("TABLE_CAT", S), ("TABLE_SCHEM", S), ("TABLE_NAME", S), ("COLUMN_NAME", S), ("KEY_SEQ", I), ("PK_NAME", S),
    ],
    "getCrossReference": [
        ("PKTABLE_CAT", S), ("PKTABLE_SCHEM", S), ("PKTABLE_NAME", S), ("PKCOLUMN_NAME", S), ("FKTABLE_CAT", S),
        ("FKTABLE_SCHEM", S), ("FKTABLE_NAME", S), ("FKCOLUMN_NAME", S), ("KEQ_SEQ", I), ("UPDATE_RULE", I),
        ("DELETE_RULE", I), ("FK_NAME", S), ("PK_NAME", S), ("DEFERRABILITY", I),
    ],
}


def shaped(d, method, result):
    """Compares the columns of a method's result, and gives its rows."""
    names, types = zip(*SHAPES[method])
    d.equal(f"{method}: columns", driver.columns(result), list(names))
    d.equal(f"{method}: column types", driver.types(result), list(types))
    return driver.rows(result)


def type_info():
    """Hive's own rows, out of the class that its server makes them of, and the one type that Hive 3 added."""
    from org.apache.hadoop.hive.serde2.thrift import Type

    def row(t, name=None, java_type=None):
        return [
            name or str(t.getName()), java_type or t.toJavaSQLType(), driver.plain(t.getMaxPrecision()), None, None,
            None, driver.plain(t.getNullable()), bool(t.isCaseSensitive()), driver.plain(t.getSearchable()),
            bool(t.isUnsignedAttribute()), bool(t.isFixedPrecScale()), bool(t.isAutoIncrement()), None,
            driver.plain(t.getMinimumScale()), driver.plain(t.getMaximumScale()), None, None,
            driver.plain(t.getNumPrecRadix()),
        ]

    rows = [row(t) for t in Type.values()]
    place = 1 + [r[0] for r in rows].index("TIMESTAMP")
    rows.insert(place, row(Type.TIMESTAMP_TYPE, "TIMESTAMP WITH LOCAL TIME ZONE", 1111))
    return rows


def check(d, connection):
    meta = connection.getMetaData()
    d.begin("metadata: what the server says of itself")
    d.equal("getDatabaseProductName", str(meta.getDatabaseProductName()), "Apache Hive")
    version = str(meta.getDatabaseProductVersion())
    major, minor = version.split(".")[:2]
    d.equal("getDatabaseMajorVersion", str(meta.getDatabaseMajorVersion()), major)
    d.equal("getDatabaseMinorVersion", str(meta.getDatabaseMinorVersion()), minor)
    d.true("isValid", connection.isValid(5))
    d.equal("getTypeInfo", shaped(d, "getTypeInfo", meta.getTypeInfo()), type_info())
    d.equal("getTableTypes", sorted(row[0] for row in shaped(d, "getTableTypes", meta.getTableTypes())),
            ["MATERIALIZED_VIEW", "TABLE", "VIEW"])
    d.equal("getCatalogs", shaped(d, "getCatalogs", meta.getCatalogs()), [])

    d.begin("metadata: databases and tables")
    driver.execute(
        connection,
        "CREATE DATABASE IF NOT EXISTS jdbc_meta",
        "CREATE TABLE jdbc_meta.a_b (x int COMMENT 'an x', y decimal) COMMENT 'it\\'s'",
        "CREATE TABLE jdbc_meta.axb (x int)",
        "CREATE VIEW jdbc_meta.v AS SELECT x FROM jdbc_meta.axb",
    )
    d.equal("getSchemas", [row for row in shaped(d, "getSchemas", meta.getSchemas()) if row[0] != "default"],
            [["jdbc_meta", ""]])
    # The driver reads an empty text as "no pattern" for a table, and as a pattern for a database.
    for pattern, found in [("JDBC%", ["jdbc_meta"]), ("jdbc\\_meta", ["jdbc_meta"]), ("jdbc_m.*", ["jdbc_meta"]),
                           ("nothing", []), ("%", ["default", "jdbc_meta"]), ("default|jdbc_*", ["default", "jdbc_meta"])]:
        d.equal(f"getSchemas({pattern})", [row[0] for row in driver.rows(meta.getSchemas(None, pattern))], found)

    def table(name, kind, remarks):
        return ["", "jdbc_meta", name, kind, remarks] + [None] * 5

    all_three = [table("a_b", "TABLE", "it's"), table("axb", "TABLE", None), table("v", "VIEW", None)]
    d.equal("getTables", shaped(d, "getTables", meta.getTables(None, "jdbc_meta", "%", None)), all_three)
    names = lambda *arguments: [row[2] for row in driver.rows(meta.getTables(*arguments))]
    for pattern, found in [("A\\_B", ["a_b"]), ("a_b", ["a_b", "axb"]), ("a%", ["a_b", "axb"]), ("", ["a_b", "axb", "v"]),
                           (None, ["a_b", "axb", "v"]), (".*", ["a_b", "axb", "v"]), ("v|axb", ["axb", "v"]), ("b", [])]:
        d.equal(f"getTables({pattern})", names("", "jdbc_meta", pattern, None), found)
    for kinds, found in [(["TABLE"], ["a_b", "axb"]), (["view"], ["v"]), (["TABLE", "VIEW"], ["a_b", "axb", "v"]),
                         (["MATERIALIZED_VIEW"], []), (["INDEX"], [])]:
        d.equal(f"getTables of {kinds}", names(None, "jdbc_meta", "%", kinds), found)

    d.begin("metadata: columns")

    def row(schema, name, position, column, t, remarks):
        return [
            None, schema, name, column, t.java_type, t.word, t.size, None, t.digits, t.radix, 1, remarks,
            None, None, None, None, position, "YES", None, None, None, None, "NO",
        ]

    expected = [
        row("default", jdbc_types.TABLE, i + 1, jdbc_types.column(i), t, f"a {t.declared}" if i % 2 else None)
        for i, t in enumerate(jdbc_types.TYPES)
    ]
    found = shaped(d, "getColumns", meta.getColumns(None, "default", jdbc_types.TABLE, "%"))
    d.equal("columns of every type", len(found), len(expected))
    for actual, wanted in zip(found, expected):
        d.equal(f"getColumns: {wanted[5]}", actual, wanted)
    columns = lambda *arguments: [(r[2], r[3]) for r in driver.rows(meta.getColumns(*arguments))]
    all_of_them = [("a_b", "x"), ("a_b", "y"), ("axb", "x"), ("v", "x")]
    for arguments, found in [(("", "jdbc_meta", "%", "%"), all_of_them), (("", "JDBC_META", None, None), all_of_them),
                             ((None, None, "a\\_b", "Y"), [("a_b", "y")]), ((None, "jdbc_meta", "a%", "x"), [("a_b", "x"), ("axb", "x")]),
                             ((None, "jdbc_meta", "none", "%"), [])]:
        d.equal(f"getColumns{arguments}", columns(*arguments), found)

    d.begin("metadata: keys and functions")
    d.equal("getPrimaryKeys", shaped(d, "getPrimaryKeys", meta.getPrimaryKeys(None, "jdbc_meta", "a_b")), [])
    d.equal("getPrimaryKeys without a database", driver.rows(meta.getPrimaryKeys(None, None, "a_b")), [])
    d.equal("getCrossReference", shaped(d, "getCrossReference",
                                        meta.getCrossReference(None, "jdbc_meta", "a_b", None, "jdbc_meta", "axb")), [])
    functions = shaped(d, "getFunctions", meta.getFunctions(None, None, "%"))
    by_name = {r[2]: r for r in functions}
    d.equal("getFunctions: sorted, each once", [r[2] for r in functions], sorted(by_name))
    for name in ("upper", "count", "row_number", "coalesce", "date_add", "current_database"):
        d.true(f"getFunctions has {name}", name in by_name)
    for r in functions:
        # Every function is offered by the engine; those of Hive 2.3 have the class that Hive names.
        d.equal(f"getFunctions: {r[2]}", r[:2] + [r[3]], [None, None, ""])
        d.true(f"getFunctions: {r[2]}: type and class", r[4] in (1, 2) and r[5])
    d.equal("getFunctions(UPP%)", [r[2] for r in driver.rows(meta.getFunctions("", "", "UPP%"))], ["upper"])
    d.equal("getFunctions in a database", driver.rows(meta.getFunctions(None, "default", "upper")), [])

    d.begin("metadata: what the driver answers itself")
    d.equal("getImportedKeys", driver.rows(meta.getImportedKeys(None, "jdbc_meta", "a_b")), [])
    d.equal("getIndexInfo", driver.rows(meta.getIndexInfo(None, "jdbc_meta", "a_b", False, False)), [])
    d.equal("getProcedures", driver.rows(meta.getProcedures(None, None, "%")), [])
    driver.execute(
        connection, "DROP VIEW jdbc_meta.v", "DROP TABLE jdbc_meta.a_b", "DROP TABLE jdbc_meta.axb", "DROP DATABASE jdbc_meta"
    )


def walk(d, connection):
    """The tree that DBeaver draws, from the top down to a table's columns."""
    d.begin("metadata: a walk through the tree")
    meta = connection.getMetaData()
    meta.getDatabaseProductName(), meta.getDatabaseProductVersion()
    driver.rows(meta.getCatalogs())
    schemas = [r[0] for r in driver.rows(meta.getSchemas())]
    d.true("default is there", "default" in schemas)
    kinds = [r[0] for r in driver.rows(meta.getTableTypes())]
    seen = 0
    for schema in schemas:
        for table in driver.rows(meta.getTables(None, schema, "%", kinds)):
            columns = driver.rows(meta.getColumns(None, schema, table[2], "%"))
            seen += len(columns)
            driver.rows(meta.getPrimaryKeys(None, schema, table[2]))
            driver.rows(meta.getIndexInfo(None, schema, table[2], False, False))
    d.true("columns are there", seen >= len(jdbc_types.TYPES))
    driver.rows(meta.getFunctions(None, None, "%"))

"""Statements, prepared statements, cancellation, limits and errors through Hive's JDBC driver 2.3.9."""

import threading
import time

import jdbc_driver as driver

# A query that would take days, of which the first row comes at once, and one whose first row never comes.
STREAMING = "SELECT id FROM range(1000000000000)"
SILENT = "SELECT count(*) FROM range(1000000000000) WHERE id % 7 = 8"
# A query that takes seconds, over a table made for it, and so tells how far it is.
WATCHED_TABLE = ("CREATE TABLE watched AS SELECT id, lpad(cast(id AS string), 20, '0') AS digits FROM range(400000)")
WATCHED = "SELECT max(sha2(concat(digits, 'x'), 512)) AS m FROM watched GROUP BY id % 2 ORDER BY m"
# Seconds from Statement.cancel to the error in the other thread.
CANCEL_WITHIN = 1.0

# A statement, its SQLSTATE, its number, and a word of its message.
ERRORS = [
    ("SELECT FROM t", "42000", 40000, "ParseException"),
    ("SELEC 1", "42000", 40000, "ParseException"),
    ("SELECT * FROM no_such_table", "42S02", 10001, "no_such_table"),
    ("SELECT no_such_column FROM every_type", "42000", 10004, "no_such_column"),
    ("SELECT * FROM no_such_database.t", "42000", 10072, "no_such_database"),
    ("USE no_such_database", "42000", 10072, "no_such_database"),
    ("UPDATE every_type SET c03 = 1", "0A000", 0, "UPDATE"),
    ("SELECT no_such_function(1)", None, None, "no_such_function"),
]


def failure(work):
    """What `work` raises: SQLSTATE, number and message."""
    from java.sql import SQLException

    try:
        work()
    except SQLException as e:
        return (driver.plain(e.getSQLState()), int(e.getErrorCode()), str(e.getMessage()))
    return None


def check(d, connection, url):
    prepared(d, connection)
    cancel(d, connection)
    limits(d, connection)
    errors(d, connection, url)
    scrolling(d, connection)
    logs(d, connection)
    progress(d, connection)


def prepared(d, connection):
    d.begin("prepared statements")
    from java.math import BigDecimal
    from java.sql import Date, Timestamp, Types

    def one(bind, sql="SELECT ?"):
        statement = connection.prepareStatement(sql)
        bind(statement)
        found = driver.rows(statement.executeQuery())
        statement.close()
        return found[0][0] if len(found) == 1 and len(found[0]) == 1 else found

    for text in ["it's", "' OR 1=1 -- ", "''", "", "'; DROP TABLE t; --", "two\nlines\tand a tab", "řádek 行 🐎",
                 "100% \"quoted\" ${x} $1 ?", "a ? b", "\\", "C:\\new\\table", "\\'"]:
        # The driver leaves backslashes alone, and the server reads them as Hive does: a program doubles them.
        d.equal(f"setString({text!r})", one(lambda s: s.setString(1, text.replace("\\", "\\\\"))), text)
    for name, bind, value in [
        ("setBoolean", lambda s: s.setBoolean(1, True), True),
        ("setByte", lambda s: s.setByte(1, -5), -5),
        ("setShort", lambda s: s.setShort(1, 300), 300),
        ("setInt", lambda s: s.setInt(1, -7), -7),
        ("setLong", lambda s: s.setLong(1, 1 << 40), 1 << 40),
        ("setFloat", lambda s: s.setFloat(1, 1.5), "1.5"),
        ("setDouble", lambda s: s.setDouble(1, 2.25), "2.25"),
        ("setDouble, large", lambda s: s.setDouble(1, 1e30), 1e30),
        ("setBigDecimal", lambda s: s.setBigDecimal(1, BigDecimal("12.50")), "12.5"),
        ("setDate", lambda s: s.setDate(1, Date.valueOf("2024-02-29")), "2024-02-29"),
        ("setTimestamp", lambda s: s.setTimestamp(1, Timestamp.valueOf("2024-02-29 01:02:03.5")), "2024-02-29 01:02:03.5"),
        ("setNull", lambda s: s.setNull(1, Types.VARCHAR), None),
    ]:
        found = one(bind)
        if isinstance(value, str) and found is not None and name != "setDate" and name != "setTimestamp":
            # 1.5 is a decimal literal to Hive; its digits are compared.
            d.equal(name, str(found).rstrip("0"), value)
        else:
            d.equal(name, found, value)
    statement = connection.prepareStatement("SELECT c03 FROM every_type WHERE c03 > ? AND c09 <> ? AND c13 = ?")
    statement.setInt(1, 5)
    statement.setString(2, "it's")
    statement.setDate(3, Date.valueOf("2024-02-29"))
    d.equal("in a WHERE", driver.rows(statement.executeQuery()), [[2147483647]] * 2)
    # Bound again, the statement runs again.
    statement.setInt(1, 2147483647)
    d.equal("bound again", driver.rows(statement.executeQuery()), [])
    statement.close()
    statement = connection.prepareStatement("INSERT INTO prepared SELECT ?, ?")
    driver.execute(connection, "CREATE TABLE IF NOT EXISTS prepared (i int, s string)")
    statement.setInt(1, 1)
    statement.setString(2, "x'y")
    d.equal("executeUpdate", statement.executeUpdate() >= 0, True)
    statement.close()
    d.equal("what was inserted", driver.query(connection, "SELECT * FROM prepared"), [[1, "x'y"]])
    driver.execute(connection, "DROP TABLE prepared")


def cancel(d, connection):
    d.begin("cancel")

    def canceled(sql, wait_for_row):
        statement = connection.createStatement()
        reached, ended = threading.Event(), threading.Event()
        caught, at = [], []

        def run():
            from java.lang import Thread

            Thread.attachAsDaemon()

            def work():
                if not wait_for_row:
                    reached.set()
                result = statement.executeQuery(sql)
                while result.next():
                    reached.set()

            caught.append(failure(work))
            at.append(time.monotonic())
            ended.set()

        thread = threading.Thread(target=run)
        thread.start()
        d.true(f"{sql}: it runs", reached.wait(30))
        if not wait_for_row:
            # The operation exists once its log has a line.
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and not statement.hasMoreLogs():
                time.sleep(0.01)
            while time.monotonic() < deadline and not list(statement.getQueryLog(True, 100)):
                time.sleep(0.01)
        before = time.monotonic()
        statement.cancel()
        d.true(f"{sql}: it ends", ended.wait(30))
        thread.join()
        took = (at or [before + 30])[0] - before
        print(f"cancel: {took * 1000:.0f} ms ({sql})")
        d.true(f"{sql}: it ends within a second, not {took:.2f} s", took < CANCEL_WITHIN)
        d.true(f"{sql}: an error tells it: {caught}", caught and caught[0] is not None)
        statement.close()

    canceled(SILENT, False)
    canceled(STREAMING, True)
    d.equal("the connection lives on", driver.query(connection, "SELECT 1"), [[1]])


def limits(d, connection):
    d.begin("limits")
    statement = connection.createStatement()
    statement.setMaxRows(7)
    d.equal("setMaxRows", len(driver.rows(statement.executeQuery("SELECT id FROM range(100)"))), 7)
    statement.setMaxRows(0)
    for size in (1, 10, 99, 100, 101, 5000):
        statement.setFetchSize(size)
        found = [row[0] for row in driver.rows(statement.executeQuery("SELECT id FROM range(100)"))]
        d.equal(f"setFetchSize({size})", found, list(range(100)))
    d.equal("getFetchSize", statement.getFetchSize(), 5000)
    statement.setQueryTimeout(1)
    d.equal("getQueryTimeout", statement.getQueryTimeout(), 0)
    caught = failure(lambda: driver.rows(statement.executeQuery(SILENT)))
    d.true(f"setQueryTimeout: {caught}", caught is not None and "timed out" in caught[2].lower())
    statement.setQueryTimeout(0)
    d.true("a query has a result set", statement.execute("SELECT 1"))
    d.equal("getUpdateCount of a query", statement.getUpdateCount(), -1)
    d.true("DDL has none", not statement.execute("CREATE TABLE IF NOT EXISTS counted (i int)"))
    statement.execute("INSERT INTO counted VALUES (1), (2)")
    d.true("getUpdateCount of an INSERT", statement.getUpdateCount() in (-1, 0, 2))
    d.true("no more results", not statement.getMoreResults())
    statement.execute("DROP TABLE counted")
    statement.close()


def errors(d, connection, url):
    d.begin("errors")
    for sql, state, number, word in ERRORS:
        statement = connection.createStatement()
        found = failure(lambda: statement.execute(sql))
        d.true(f"{sql}: fails", found is not None)
        if found is not None:
            d.equal(f"{sql}: SQLSTATE", found[0], state or found[0])
            d.equal(f"{sql}: number", found[1], number if number is not None else found[1])
            d.true(f"{sql}: {word} in {found[2]}", word in found[2])
            d.true(f"{sql}: one line", "\n" not in found[2])
        statement.close()
    found = failure(lambda: driver.connect(url.replace("/default", "/no_such_database")))
    d.true(f"no such database in the URL: {found}", found is not None and found[0].strip() == "08S01" and "no_such_database" in found[2])
    closed = driver.connect(url)
    statement = closed.createStatement()
    statement.execute("SELECT 1")
    closed.close()
    found = failure(lambda: statement.execute("SELECT 1"))
    d.true(f"on a closed connection: {found}", found is not None)
    d.equal("the connection lives on", driver.query(connection, "SELECT 2"), [[2]])


def scrolling(d, connection):
    d.begin("scrolling")
    from java.sql import ResultSet

    statement = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_READ_ONLY)
    statement.setFetchSize(10)
    result = statement.executeQuery("SELECT id FROM range(25)")

    def read():
        found = []
        while result.next():
            found.append(int(result.getLong(1)))
        return found

    d.equal("once", read(), list(range(25)))
    result.beforeFirst()
    d.true("isBeforeFirst", result.isBeforeFirst())
    d.equal("again, from the first", read(), list(range(25)))
    result.beforeFirst()
    d.true("next", result.next())
    result.beforeFirst()
    d.equal("from the middle", read(), list(range(25)))
    result.close()
    statement.close()


def logs(d, connection):
    d.begin("logs")
    statement = connection.createStatement()
    statement.execute("SELECT 1")
    lines = [str(line) for line in statement.getQueryLog(False, 1000)]
    d.true(f"getQueryLog: {lines}", any("Compiling command" in line for line in lines))
    d.true("each line has a level", all(line.split(":")[0].strip() in ("INFO", "WARN", "ERROR") for line in lines))
    d.true("it is said again when asked from the start",
           lines == [str(line) for line in statement.getQueryLog(False, 1000)][: len(lines)])
    statement.close()


def progress(d, connection):
    d.begin("progress")
    import jpype
    from org.apache.hive.jdbc.logs import InPlaceUpdateStream

    told = []

    @jpype.JImplements(InPlaceUpdateStream)
    class Stream:
        def __init__(self):
            self.notifier = InPlaceUpdateStream.EventNotifier()

        @jpype.JOverride
        def update(self, response):
            told.append(([str(name) for name in response.getHeaderNames()], float(response.getProgressedPercentage())))

        @jpype.JOverride
        def getEventNotifier(self):
            return self.notifier

    driver.execute(connection, WATCHED_TABLE)
    statement = connection.createStatement()
    statement.setInPlaceUpdateStream(Stream())
    d.equal("the result", len(driver.rows(statement.executeQuery(WATCHED))), 2)
    statement.close()
    driver.execute(connection, "DROP TABLE watched")
    moved(d, told)


def moved(d, told):
    """The columns of the bar are Hive's, and its percentage grew."""
    told = [(headers, share) for headers, share in told if headers]
    d.true("there is progress", told)
    for headers, _ in told[:1]:
        d.equal("headers", headers,
                ["VERTICES", "MODE", "STATUS", "TOTAL", "COMPLETED", "RUNNING", "PENDING", "FAILED", "KILLED"])
    shares = [share for _, share in told]
    d.equal("it goes one way", shares, sorted(shares))
    d.true(f"it moves: {shares}", len(set(shares)) > 1 and all(0 <= share <= 1 for share in shares))

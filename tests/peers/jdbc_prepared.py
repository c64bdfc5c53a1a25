"""jdbc_prepared.py URL VALUES: binds each string of a JSON array through Hive's JDBC driver.

Runs `select ?` with PreparedStatement.setString for every value and prints the JSON array of the strings
that came back. The jars are those of the folder that HS2_TEST_JARS names.
"""

import json
import os
import sys

import jpype
import jpype.imports


def main(url, values):
    jpype.startJVM("-Xmx256m", classpath=[os.path.join(os.environ["HS2_TEST_JARS"], "*")])
    from java.lang import Class
    from java.sql import DriverManager

    Class.forName("org.apache.hive.jdbc.HiveDriver")
    connection = DriverManager.getConnection(url, "tests", "tests")
    got = []
    for value in json.loads(values):
        statement = connection.prepareStatement("select ?")
        statement.setString(1, value)
        rows = statement.executeQuery()
        answers = []
        while rows.next():
            answers.append([str(rows.getString(i + 1)) for i in range(rows.getMetaData().getColumnCount())])
        got.append(answers[0][0] if len(answers) == 1 and len(answers[0]) == 1 else answers)
        rows.close()
        statement.close()
    connection.close()
    print(json.dumps(got, ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])

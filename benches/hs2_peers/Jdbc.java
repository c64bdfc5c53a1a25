import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;

/** Hive JDBC: each line of the input is a round, URL, fetch size, a statement to run before, the query; tabs between. */
public class Jdbc {
    public static void main(String[] arguments) throws Exception {
        Class.forName("org.apache.hive.jdbc.HiveDriver");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split("\t");
            try (Connection connection = DriverManager.getConnection("jdbc:hive2://" + words[0] + "/", "bench", "x");
                    Statement statement = connection.createStatement()) {
                if (!words[2].isEmpty()) {
                    statement.execute(words[2]);
                }
                statement.setFetchSize(Integer.parseInt(words[1]));
                long start = System.nanoTime(), rows = 0, ids = 0, used = 0;
                try (ResultSet result = statement.executeQuery(words[3])) {
                    while (result.next()) {
                        ids += result.getLong(1);
                        used += result.getLong(2) + (long) result.getDouble(3) + result.getString(4).length();
                        rows++;
                    }
                }
                long nanos = System.nanoTime() - start;
                System.out.println("RESULT " + rows + " " + ids + " " + nanos + " " + used);
            } catch (Exception error) {
                System.out.println("FAILED " + error.toString().replace('\n', ' '));
            }
            System.out.flush();
        }
    }
}

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use hs2_client::tcli::{GetInfoType, GetInfoValue};
use hs2_client::{ColumnPattern, Error, ResultStream, TableName, TablePattern};

use crate::Server;

pub(crate) async fn of_a_table(server: &Server) {
    let session = server.session().await;
    for statement in [
        "DROP DATABASE IF EXISTS peer_facts CASCADE",
        "CREATE DATABASE peer_facts",
        "CREATE TABLE peer_facts.typed (id bigint, price decimal(10,2), name string, moment timestamp) STORED AS PARQUET",
    ] {
        let ended = session.execute(statement).await.unwrap().wait().await;
        ended.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    let (name, version) = session.server_version().await.unwrap();
    assert_eq!(name, server.either("Spark SQL", "Apache Hive"));
    assert!(version.starts_with(char::is_numeric), "{version}");
    let name = session.info(GetInfoType::SERVER_NAME).await.unwrap();
    let expected = server.either("Spark SQL", "Hive").to_owned();
    assert_eq!(name, GetInfoValue::String(expected));

    assert_eq!(texts(session.catalogs().await, "TABLE_CAT").await, [""; 0]);
    let schemas = session.schemas(Some(r"peer\_fa%")).await;
    assert_eq!(texts(schemas, "TABLE_SCHEM").await, ["peer_facts"]);
    let all = texts(session.schemas(None).await, "TABLE_SCHEM").await;
    assert!(all.contains(&"default".to_owned()), "{all:?}");

    let some = |text: &str| Some(text.to_owned());
    let mut tables = TablePattern {
        schema: some("peer_facts"),
        table: some("t_ped"),
        types: vec!["TABLE".to_owned()],
        ..Default::default()
    };
    let found = session.tables(&tables).await;
    assert_eq!(texts(found, "TABLE_NAME").await, ["typed"]);
    tables.types = vec!["VIEW".to_owned()];
    let found = session.tables(&tables).await;
    assert_eq!(texts(found, "TABLE_NAME").await, [""; 0]);
    let kinds = texts(session.table_types().await, "TABLE_TYPE").await;
    assert!(kinds.contains(&"TABLE".to_owned()), "{kinds:?}");

    let columns = ColumnPattern {
        schema: some("peer_facts"),
        table: some("typed"),
        ..Default::default()
    };
    let found = session.columns(&columns).await.unwrap();
    let batches = found.collect().await.unwrap();
    assert_eq!(batches[0].num_columns(), 23);
    assert_eq!(
        column(&batches, "COLUMN_NAME"),
        ["id", "price", "name", "moment"]
    );
    // Spark writes the parameters behind the name, Hive does not.
    let decimal = server.either("DECIMAL(10,2)", "DECIMAL");
    assert_eq!(
        column(&batches, "TYPE_NAME"),
        ["BIGINT", decimal, "STRING", "TIMESTAMP"]
    );
    assert_eq!(column(&batches, "DATA_TYPE"), ["-5", "3", "12", "93"]);

    let functions = texts(session.functions("ab_").await, "FUNCTION_NAME").await;
    assert!(functions.contains(&"abs".to_owned()), "{functions:?}");
    let types = texts(session.type_info().await, "TYPE_NAME").await;
    for name in ["BOOLEAN", "DECIMAL", "TIMESTAMP", "BINARY", "ARRAY"] {
        assert!(types.contains(&name.to_owned()), "no {name} in {types:?}");
    }

    let table = TableName {
        schema: some("peer_facts"),
        table: some("typed"),
        ..Default::default()
    };
    let keys = session.primary_keys(&table).await;
    assert_eq!(texts(keys, "PK_NAME").await, [""; 0]);
    match session.cross_reference(&table, &table).await {
        Ok(stream) => assert_eq!(texts(Ok(stream), "FK_NAME").await, [""; 0]),
        // Spark's answer: it has no metastore client that knows foreign keys.
        Err(error) => assert!(
            server.is_spark && matches!(error, Error::Server(_)),
            "{error}"
        ),
    }
    let dropped = session.run("DROP DATABASE peer_facts CASCADE").await;
    dropped.unwrap();
    session.close().await.unwrap();
}

async fn texts(stream: Result<ResultStream, Error>, name: &str) -> Vec<String> {
    let batches = stream.unwrap().collect().await.unwrap();
    column(&batches, name)
}

/// The values of a column in words.
fn column(batches: &[RecordBatch], name: &str) -> Vec<String> {
    let columns = batches.iter().map(|batch| batch.column_by_name(name));
    columns
        .flat_map(|column| {
            let column = column.unwrap_or_else(|| panic!("no column {name}"));
            match column.as_string_opt::<i32>() {
                Some(texts) => texts
                    .iter()
                    .map(|text| text.unwrap_or_default().to_owned())
                    .collect::<Vec<_>>(),
                None => column
                    .as_primitive::<arrow_array::types::Int32Type>()
                    .iter()
                    .map(|number| number.unwrap().to_string())
                    .collect(),
            }
        })
        .collect()
}

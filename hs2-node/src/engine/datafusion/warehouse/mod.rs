//! The warehouse: a folder that holds every database and table, shared by all nodes. Nothing is kept in memory: each
//! statement reads the folder, so that what one node does every other sees with its next statement.
//!
//! ```text
//! <root>/<database>.db/_database.json
//! <root>/<database>.db/<table>/_table.json           columns, kind, where the data is
//! <root>/<database>.db/<table>/<generation>/part-*   data files of a managed table
//! <root>/…/.tmp-*                                    under way, or left by a crash; nobody reads them
//! ```
//!
//! Everything appears by one rename: a table with its folder, a data file with its last byte, a new generation (after
//! `INSERT OVERWRITE` and `TRUNCATE`) with the new `_table.json`. Nobody ever sees a half of it.

pub(crate) mod metadata;
pub(crate) mod provider;
pub(crate) mod text_table;
pub(crate) mod writer;

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::metadata::{DatabaseMeta, TableMeta};
use super::error;
use crate::engine::EngineError;

const DATABASE_FILE: &str = "_database.json";
const TABLE_FILE: &str = "_table.json";
const DATABASE_SUFFIX: &str = ".db";
const TEMPORARY: &str = ".tmp-";
/// What is still temporary after so long was left by a crash.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3600);
/// The longest name of a database or table.
const NAME_LENGTH_MAX: usize = 128;
/// The database that always exists.
pub(crate) const DEFAULT_DATABASE: &str = "default";

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct Warehouse {
    root: PathBuf,
    /// Held from reading a description to writing it anew, by the statements of this node.
    updating: Arc<Mutex<()>>,
}

impl Warehouse {
    /// Opens the folder, makes it if need be, and removes what crashes left behind.
    ///
    /// # Errors
    /// The folder cannot be made or written.
    pub(crate) fn open(root: &Path) -> Result<Self, EngineError> {
        let fail =
            |e: io::Error| error::io(&format!("opening the warehouse {}", root.display()), &e);
        fs::create_dir_all(root).map_err(fail)?;
        let warehouse = Self {
            root: fs::canonicalize(root).map_err(fail)?,
            updating: Arc::default(),
        };
        warehouse.clean(&warehouse.root);
        for database in warehouse.databases()? {
            warehouse.clean(&warehouse.database_path(&database));
            for table in warehouse.tables(&database)? {
                let table = warehouse.table_path(&database, &table);
                warehouse.clean(&table);
                for entry in entries(&table).unwrap_or_default() {
                    warehouse.clean(&table.join(entry));
                }
            }
        }
        if !warehouse.has_database(DEFAULT_DATABASE) {
            let meta = DatabaseMeta {
                comment: Some("Default Hive database".to_owned()),
                ..DatabaseMeta::new("public")
            };
            match warehouse.create_database(DEFAULT_DATABASE, &meta) {
                Ok(_) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(warehouse)
    }

    /// The names of all databases, sorted.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(crate) fn databases(&self) -> Result<Vec<String>, EngineError> {
        let names = entries(&self.root).map_err(|e| error::io("reading the warehouse", &e))?;
        Ok(names
            .into_iter()
            .filter_map(|name| name.strip_suffix(DATABASE_SUFFIX).map(str::to_owned))
            .filter(|name| is_name(name) && self.has_database(name))
            .collect())
    }

    /// Whether a database exists.
    pub(crate) fn has_database(&self, database: &str) -> bool {
        is_name(database) && self.database_path(database).join(DATABASE_FILE).is_file()
    }

    /// A database's description.
    ///
    /// # Errors
    /// There is none of that name.
    pub(crate) fn database(&self, database: &str) -> Result<DatabaseMeta, EngineError> {
        if !self.has_database(database) {
            return Err(error::no_such_database(database));
        }
        read_json(&self.database_path(database).join(DATABASE_FILE))
    }

    /// Makes a database; `false` if it is there already.
    ///
    /// # Errors
    /// The name is none, or the folder cannot be written.
    pub(crate) fn create_database(
        &self,
        database: &str,
        meta: &DatabaseMeta,
    ) -> Result<bool, EngineError> {
        check_name(database)?;
        let fail = |e: io::Error| error::io(&format!("creating database {database}"), &e);
        let staged = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempdir_in(&self.root)
            .map_err(fail)?;
        write_json(&staged.path().join(DATABASE_FILE), meta)?;
        appear(staged, &self.database_path(database)).map_err(fail)
    }

    /// Removes a database. Without `cascade` it must hold no table.
    ///
    /// # Errors
    /// There is none, it is `default`, or it holds tables.
    pub(crate) fn drop_database(&self, database: &str, cascade: bool) -> Result<(), EngineError> {
        if !self.has_database(database) {
            return Err(error::no_such_database(database));
        }
        if database == DEFAULT_DATABASE {
            return Err(error::ddl("Can not drop default database"));
        }
        let full = || {
            error::ddl(format!(
                "Database {database} is not empty. One or more tables exist: drop them, or add CASCADE."
            ))
        };
        if !cascade && !self.tables(database)?.is_empty() {
            return Err(full());
        }
        let path = self.database_path(database);
        let hidden = self
            .vanish(&path)
            .map_err(|e| error::io(&format!("dropping database {database}"), &e))?;
        // A table that came in between is given back.
        if !cascade && !tables_in(&hidden).is_empty() {
            fs::rename(&hidden, &path)
                .map_err(|e| error::io(&format!("dropping database {database}"), &e))?;
            return Err(full());
        }
        remove(&hidden);
        Ok(())
    }

    /// The names of a database's tables and views, sorted.
    ///
    /// # Errors
    /// There is no such database.
    pub(crate) fn tables(&self, database: &str) -> Result<Vec<String>, EngineError> {
        if !self.has_database(database) {
            return Err(error::no_such_database(database));
        }
        Ok(tables_in(&self.database_path(database)))
    }

    /// A table or view, or `None`.
    ///
    /// # Errors
    /// Its description cannot be read.
    pub(crate) fn table(
        &self,
        database: &str,
        table: &str,
    ) -> Result<Option<TableMeta>, EngineError> {
        if !is_name(database) || !is_name(table) {
            return Ok(None);
        }
        let path = self.table_path(database, table).join(TABLE_FILE);
        if !path.is_file() {
            return Ok(None);
        }
        read_json(&path).map(Some)
    }

    /// Begins a table that appears with [`StagedTable::commit`]; its data is written in between.
    ///
    /// # Errors
    /// A name is none, there is no such database, or the folder cannot be written.
    pub(crate) fn stage_table(
        &self,
        database: &str,
        table: &str,
        meta: &TableMeta,
    ) -> Result<StagedTable, EngineError> {
        check_name(table)?;
        if !self.has_database(database) {
            return Err(error::no_such_database(database));
        }
        let fail = |e: io::Error| error::io(&format!("creating table {database}.{table}"), &e);
        let folder = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempdir_in(self.database_path(database))
            .map_err(fail)?;
        write_json(&folder.path().join(TABLE_FILE), meta)?;
        let data = folder.path().join(&meta.generation);
        fs::create_dir(&data).map_err(fail)?;
        Ok(StagedTable {
            folder,
            data,
            target: self.table_path(database, table),
        })
    }

    /// Changes a table's description, all at once, and returns the one before. `change` gets what is written down at this
    /// moment: what another statement has changed meanwhile is kept.
    ///
    /// # Errors
    /// What `change` says, the table is gone, or the folder cannot be written.
    pub(crate) fn update(
        &self,
        database: &str,
        table: &str,
        change: impl FnOnce(&mut TableMeta) -> Result<(), EngineError>,
    ) -> Result<TableMeta, EngineError> {
        let _one_at_a_time = self.updating.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self
            .table(database, table)?
            .ok_or_else(|| error::no_such_table(None, database, table))?;
        let mut new = old.clone();
        change(&mut new)?;
        write_json(&self.table_path(database, table).join(TABLE_FILE), &new)?;
        Ok(old)
    }

    /// Removes a table or view; `false` if there was none. An external table's files stay.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn drop_table(&self, database: &str, table: &str) -> Result<bool, EngineError> {
        if self.table(database, table)?.is_none() {
            return Ok(false);
        }
        match self.vanish(&self.table_path(database, table)) {
            Ok(hidden) => {
                remove(&hidden);
                Ok(true)
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(error::io(&format!("dropping table {database}.{table}"), &e)),
        }
    }

    /// Gives a table another name, in the same database or another.
    ///
    /// # Errors
    /// The new name is taken or none, or the folder cannot be written.
    pub(crate) fn rename_table(
        &self,
        from: (&str, &str),
        to: (&str, &str),
    ) -> Result<(), EngineError> {
        check_name(to.1)?;
        if !self.has_database(to.0) {
            return Err(error::no_such_database(to.0));
        }
        let target = self.table_path(to.0, to.1);
        // A rename replaces an empty folder only, and a table's is never empty.
        if target.exists() {
            return Err(error::ddl(format!(
                "Unable to alter table. new table {}.{} already exists",
                to.0, to.1
            )));
        }
        fs::rename(self.table_path(from.0, from.1), target)
            .map_err(|e| error::io(&format!("renaming table {}.{}", from.0, from.1), &e))
    }

    /// The folder of a managed table's data.
    pub(crate) fn data_path(&self, database: &str, table: &str, meta: &TableMeta) -> PathBuf {
        self.table_path(database, table).join(&meta.generation)
    }

    /// Where a table lives, as `DESCRIBE` shows it.
    pub(crate) fn table_path(&self, database: &str, table: &str) -> PathBuf {
        self.database_path(database).join(table)
    }

    /// Where a database lives, as `DESCRIBE DATABASE` shows it.
    pub(crate) fn database_path(&self, database: &str) -> PathBuf {
        self.root.join(format!("{database}{DATABASE_SUFFIX}"))
    }

    /// Takes a folder out of sight; its new path is nobody's but ours.
    fn vanish(&self, path: &Path) -> io::Result<PathBuf> {
        let hidden = self.root.join(format!("{TEMPORARY}drop-{}", unique()));
        fs::rename(path, &hidden)?;
        Ok(hidden)
    }

    fn clean(&self, folder: &Path) {
        for name in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = name.path();
            let temporary = name.file_name().to_string_lossy().starts_with(TEMPORARY);
            let age = name
                .metadata()
                .and_then(|m| m.modified())
                .ok()
                .and_then(|t| t.elapsed().ok());
            if temporary && age.is_some_and(|age| age > ABANDONED_AFTER) {
                remove(&path);
            }
        }
    }
}

/// A table that nobody sees yet. Dropped without a commit, it leaves nothing.
#[derive(Debug)]
pub(crate) struct StagedTable {
    folder: tempfile::TempDir,
    data: PathBuf,
    target: PathBuf,
}

impl StagedTable {
    /// Where its data files go.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Lets the table appear; `false` if one of that name is there already.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn commit(self) -> Result<bool, EngineError> {
        let target = self.target.clone();
        appear(self.folder, &target)
            .map_err(|e| error::io(&format!("creating {}", target.display()), &e))
    }
}

/// A name that no other process and no other moment makes; later ones sort behind earlier ones.
pub(crate) fn unique() -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos();
    format!("{now:020}-{:016x}", fastrand::u64(..))
}

/// Whether `name` can name a database or table: letters, digits and `_`, in lower case.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_LENGTH_MAX
        && !name.starts_with('_')
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn check_name(name: &str) -> Result<(), EngineError> {
    if is_name(name) {
        return Ok(());
    }
    Err(error::ddl(format!(
        "[{name}]: is not a valid name: letters, digits and _ (not first), at most {NAME_LENGTH_MAX} of them"
    )))
}

/// The names in a folder that are not hidden, sorted.
fn entries(folder: &Path) -> io::Result<Vec<String>> {
    let mut names: Vec<String> = fs::read_dir(folder)?
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with(['.', '_']))
        .collect();
    names.sort();
    Ok(names)
}

fn tables_in(folder: &Path) -> Vec<String> {
    let names = entries(folder).unwrap_or_default();
    names
        .into_iter()
        .filter(|name| is_name(name) && folder.join(name).join(TABLE_FILE).is_file())
        .collect()
}

/// Renames a finished folder to its place; `false` if the place is taken. A rename never replaces a folder that holds
/// something.
fn appear(folder: tempfile::TempDir, target: &Path) -> io::Result<bool> {
    sync(folder.path())?;
    match fs::rename(folder.path(), target) {
        Ok(()) => {
            // Renamed away: there is nothing left to remove.
            let _ = folder.keep();
            if let Some(parent) = target.parent() {
                sync(parent)?;
            }
            Ok(true)
        }
        Err(e)
            if matches!(
                e.kind(),
                ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists
            ) =>
        {
            Ok(false)
        }
        Err(e) => Err(e),
    }
}

/// Makes a folder's entries durable.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn remove(path: &Path) {
    let removed = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    if let Err(e) = removed {
        tracing::warn!(path = %path.display(), error = %e, "a file that nobody reads any more could not be removed");
    }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, EngineError> {
    let text = fs::read(path).map_err(|e| error::io(&format!("reading {}", path.display()), &e))?;
    serde_json::from_slice(&text)
        .map_err(|e| error::execution(format!("{} is damaged: {e}", path.display())))
}

fn write_json<T: serde::Serialize>(path: &Path, value: &T) -> Result<(), EngineError> {
    let fail = |e: io::Error| error::io(&format!("writing {}", path.display()), &e);
    let text = serde_json::to_vec_pretty(value).map_err(|e| error::execution(e.to_string()))?;
    let folder = path.parent().unwrap_or(path);
    let mut file = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .tempfile_in(folder)
        .map_err(fail)?;
    file.write_all(&text).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist(path).map_err(|e| fail(e.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_warehouse() {
        for name in [
            "",
            "..",
            "a/b",
            "a.b",
            ".tmp-x",
            "A",
            "_database",
            "a\0",
            "ä",
            &"a".repeat(129),
        ] {
            assert!(!is_name(name), "{name}");
        }
        for name in ["t", "t_1", "2024_q1"] {
            assert!(is_name(name), "{name}");
        }
    }

    #[test]
    fn a_table_appears_once_and_whole() {
        let folder = tempfile::tempdir().expect("folder");
        let warehouse = Warehouse::open(folder.path()).expect("opens");
        let meta = TableMeta::managed(Vec::new(), "me");
        let first = warehouse
            .stage_table("default", "t", &meta)
            .expect("stages");
        let second = warehouse
            .stage_table("default", "t", &meta)
            .expect("stages");
        assert_eq!(
            warehouse.tables("default").expect("reads"),
            Vec::<String>::new()
        );
        assert!(first.commit().expect("commits"));
        assert!(!second.commit().expect("is refused"));
        assert_eq!(warehouse.tables("default").expect("reads"), ["t"]);
        assert!(warehouse.drop_table("default", "t").expect("drops"));
        assert!(!warehouse.drop_table("default", "t").expect("nothing there"));
        let left: Vec<_> = fs::read_dir(folder.path().join("default.db"))
            .expect("reads")
            .flatten()
            .collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn a_database_with_tables_goes_only_by_cascade() {
        let folder = tempfile::tempdir().expect("folder");
        let warehouse = Warehouse::open(folder.path()).expect("opens");
        assert!(
            warehouse
                .create_database("d", &DatabaseMeta::new("me"))
                .expect("creates")
        );
        assert!(
            !warehouse
                .create_database("d", &DatabaseMeta::new("me"))
                .expect("is there")
        );
        let meta = TableMeta::managed(Vec::new(), "me");
        assert!(
            warehouse
                .stage_table("d", "t", &meta)
                .expect("stages")
                .commit()
                .expect("commits")
        );
        assert_eq!(
            warehouse
                .drop_database("d", false)
                .expect_err("full")
                .sqlstate,
            "08S01"
        );
        warehouse.drop_database("d", true).expect("drops");
        assert_eq!(warehouse.databases().expect("reads"), ["default"]);
        assert!(warehouse.drop_database("default", true).is_err());
    }

    #[test]
    fn what_a_crash_left_is_removed_at_the_next_start() {
        let folder = tempfile::tempdir().expect("folder");
        Warehouse::open(folder.path()).expect("opens");
        let left = folder.path().join("default.db").join(".tmp-old");
        let fresh = folder.path().join("default.db").join(".tmp-new");
        File::create(&fresh).expect("creates");
        let file = File::create(&left).expect("creates");
        file.set_modified(SystemTime::now() - ABANDONED_AFTER * 2)
            .expect("sets its age");
        Warehouse::open(folder.path()).expect("opens again");
        assert!(!left.exists() && fresh.exists());
    }
}

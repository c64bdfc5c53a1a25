//! `hs2-node list`: the servers that are registered.

use clap::ValueEnum;
use comfy_table::{Table, presets};
use discovery::{Instance, Listing};
use serde::Serialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{CliError, Place, say};

/// Lists the servers that are registered in ZooKeeper
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: hs2-node list --zookeeper zk1:2181,zk2:2181 --format json")]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// How to print them
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// An array of objects
    Json,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let (ensemble, namespace) = arguments.place.parse()?;
    let listing = discovery::list(&ensemble, &namespace)
        .await
        .map_err(CliError::failed)?;
    for (path, error) in &listing.unreadable {
        tracing::warn!("{path} cannot be used by clients: {error}");
    }
    match arguments.format {
        Format::Table if listing.instances.is_empty() => {
            say(&format_args!(
                "no server is registered in {} of ZooKeeper at {ensemble}",
                namespace.path()
            ));
        }
        Format::Table => say(&table(&listing)),
        Format::Json => say(&json(&listing)?),
    }
    Ok(())
}

/// The servers as a table, without a frame.
pub(super) fn table(listing: &Listing) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["SERVER", "VERSION", "REGISTERED", "ZNODE"]);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    for instance in &listing.instances {
        let registered = u64::try_from(instance.registered_at_ms)
            .map(Duration::from_millis)
            .unwrap_or_default();
        table.add_row([
            instance.name.endpoint().to_string(),
            instance.name.version().to_owned(),
            ago(now.saturating_sub(registered)),
            instance.path.clone(),
        ]);
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim().to_owned()).collect();
    lines.join("\n")
}

/// A time in its largest unit.
fn ago(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s ago"),
        seconds @ 120..7200 => format!("{} min ago", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

#[derive(Serialize)]
struct Row<'a> {
    path: &'a str,
    host: &'a str,
    port: u16,
    version: &'a str,
    sequence: String,
    data: String,
    session: Option<String>,
    registered_at_ms: i64,
}

fn json(listing: &Listing) -> Result<String, CliError> {
    let row = |instance: &'_ Instance| -> Result<serde_json::Value, CliError> {
        let name = &instance.name;
        let row = Row {
            path: &instance.path,
            host: name.endpoint().host(),
            port: name.endpoint().port(),
            version: name.version(),
            sequence: name.sequence().to_string(),
            data: instance.data.to_text().map_err(CliError::failed)?,
            session: instance.session.map(|session| session.to_string()),
            registered_at_ms: instance.registered_at_ms,
        };
        serde_json::to_value(row).map_err(CliError::failed)
    };
    let rows = listing
        .instances
        .iter()
        .map(row)
        .collect::<Result<Vec<_>, _>>()?;
    serde_json::to_string_pretty(&rows).map_err(CliError::failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_words() {
        let words = |seconds| ago(Duration::from_secs(seconds));
        assert_eq!(
            [words(5), words(150), words(7300), words(200_000)],
            ["5 s ago", "2 min ago", "2 h ago", "2 days ago"]
        );
    }
}

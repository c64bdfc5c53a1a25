//! Taking every instance of a version off the list, as `hive --service hiveserver2 --deregister`.
//!
//! Deleting its znode is an order to an instance: it gets no new clients, finishes with those it
//! has, and stops. Hive deletes whatever contains the text `version=<argument>;`; here the version
//! is compared as a whole.

use std::time::Duration;

use tokio::time::sleep;
use zk_client::{ErrorCode, ZnodeVersion, path};

use crate::ensemble::{Ensemble, Lookup, LookupError};
use crate::instance::InstanceName;
use crate::namespace::Namespace;
use crate::resolve::children;

/// What a deregistration has done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "instances may have survived"]
pub struct Deregistered {
    /// The znodes that are gone, in the order in which they went.
    pub removed: Vec<String>,
    /// Znodes of the version that were there again a moment after: their servers register again
    /// when they are deleted. Stop those servers.
    pub survivors: Vec<String>,
}

/// Why nothing, or not everything, was deregistered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeregisterError {
    /// ZooKeeper could not be asked, or the namespace does not exist.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// No instance has exactly this version.
    #[error(
        "no instance of version {version:?} is registered in {namespace}; {}",
        present_text(present)
    )]
    NoSuchVersion {
        /// What was asked for.
        version: String,
        /// The namespace's path.
        namespace: String,
        /// The versions that are registered, each once, in order.
        present: Vec<String>,
    },
    /// This client may not delete below the namespace. What was deleted before is gone.
    #[error(
        "not allowed to delete {}: the ACL of {namespace} does not give this client DELETE; connect with the credentials of its owner",
        path.escape_debug()
    )]
    NoAuth {
        /// The znode.
        path: String,
        /// The namespace's path: it is the parent's ACL that counts.
        namespace: String,
        /// The znodes that are gone.
        removed: Vec<String>,
    },
}

fn present_text(present: &[String]) -> String {
    if present.is_empty() {
        return "nothing is registered there".to_owned();
    }
    let versions: Vec<_> = present.iter().map(|v| format!("{v:?}")).collect();
    format!("there are {}", versions.join(", "))
}

/// How often instances that register again are deleted again.
const ROUNDS: usize = 3;
/// How long a server gets to register again before the list is read once more.
const SETTLE: Duration = Duration::from_millis(200);

/// Deletes every instance of exactly `version` and no other, then looks again whether they stay
/// away.
///
/// # Errors
/// See [`DeregisterError`]. All of it, errors too, takes little longer than
/// [`Ensemble::with_timeout`].
///
/// # Cancel safety
/// Some of the instances may have been removed; the call may be repeated.
pub async fn deregister(
    ensemble: &Ensemble,
    namespace: &Namespace,
    version: &str,
) -> Result<Deregistered, DeregisterError> {
    let mut lookup = Lookup::open(ensemble)?;
    let mut present = Vec::new();
    let mut found = Vec::new();
    for name in instances(&mut lookup, namespace).await? {
        if name.matches_version(version) {
            found.push(path::join(&namespace.path(), name.as_str()));
        } else {
            present.push(name.version().to_owned());
        }
    }
    if found.is_empty() {
        lookup.close().await;
        present.sort();
        present.dedup();
        return Err(DeregisterError::NoSuchVersion {
            version: version.to_owned(),
            namespace: namespace.path(),
            present,
        });
    }
    let mut removed = Vec::new();
    for _ in 0..ROUNDS {
        for path in found {
            delete(&mut lookup, namespace, &path, &mut removed).await?;
        }
        sleep(SETTLE).await;
        found = instances(&mut lookup, namespace)
            .await?
            .into_iter()
            .filter(|name| name.matches_version(version))
            .map(|name| path::join(&namespace.path(), name.as_str()))
            .collect();
        if found.is_empty() {
            break;
        }
    }
    lookup.close().await;
    removed.retain(|path| !found.contains(path));
    Ok(Deregistered {
        removed,
        survivors: found,
    })
}

async fn delete(
    lookup: &mut Lookup,
    namespace: &Namespace,
    path: &str,
    removed: &mut Vec<String>,
) -> Result<(), DeregisterError> {
    let deleted = lookup
        .ask(path, |client| client.delete(path, ZnodeVersion::ANY))
        .await;
    match deleted {
        Ok(()) => {}
        // It has left by itself, or the answer to the first attempt was lost.
        Err(error) if error.is_no_node() => {}
        Err(error) if error.code() == Some(ErrorCode::NO_AUTH) => {
            return Err(DeregisterError::NoAuth {
                path: path.to_owned(),
                namespace: namespace.path(),
                removed: std::mem::take(removed),
            });
        }
        Err(error) => return Err(error.into()),
    }
    tracing::info!(path, "instance deregistered");
    if !removed.iter().any(|other| other == path) {
        removed.push(path.to_owned());
    }
    Ok(())
}

async fn instances(
    lookup: &mut Lookup,
    namespace: &Namespace,
) -> Result<Vec<InstanceName>, LookupError> {
    // Another server of the ensemble may be behind the one that took the last write.
    let path = namespace.path();
    lookup.ask(&path, |client| client.sync(&path)).await?;
    let children = children(lookup, namespace).await?;
    let names = children.iter().filter_map(|name| name.ok()?.parse().ok());
    let mut names: Vec<InstanceName> = names.collect();
    names.sort();
    Ok(names)
}

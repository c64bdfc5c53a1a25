//! What the parts of a URL mean together.

use super::grammar::{Fault, Pair, Sections};
use super::parameters::{self, known};
use super::{DEFAULT_DATABASE, Discovery, HIVESERVER2_PORT, JdbcUrl, Variables, Warning};
use super::{ZOOKEEPER_PORT, join, warning};
use crate::endpoint::{Endpoint, HostPort};
use crate::error::UrlProblem;
use crate::namespace::Namespace;

/// Reads a URL of bounded length.
pub(super) fn url(text: &str) -> Result<JdbcUrl, Fault> {
    let sections = Sections::of(text)?;
    let hosts = sections.hosts()?;
    let mut warnings = Vec::new();
    let (mut database, session) = sections.path(&mut warnings)?;
    let confs = sections.confs(&mut warnings)?;
    let hive_vars = sections.vars(&mut warnings)?;

    let mut hive_confs = Variables::default();
    let mut moved = Vec::new();
    for pair in confs {
        match parameters::moved_conf(&pair.name) {
            Some(meant) => moved.push(renamed(pair, meant, &mut warnings)),
            None => hive_confs.set(&pair.name, &pair.value),
        }
    }
    let mut session = canonical(session, &mut warnings)?;
    for pair in moved {
        if session.iter().all(|other| other.name != pair.name) {
            session.push(pair);
        }
    }

    let discovery = discovery(&session, &hosts)?;
    warnings.extend(warning::of_discovery(
        &discovery,
        hosts.len(),
        &session,
        &database,
    ));
    let port = match discovery {
        Discovery::None => HIVESERVER2_PORT,
        Discovery::ZooKeeper { .. } => ZOOKEEPER_PORT,
    };
    if database.is_empty() {
        DEFAULT_DATABASE.clone_into(&mut database);
    }
    Ok(JdbcUrl {
        hosts: hosts.into_iter().map(|host| host.or_port(port)).collect(),
        database,
        session_vars: session
            .into_iter()
            .map(|pair| (pair.name, pair.value))
            .collect(),
        hive_confs,
        hive_vars,
        discovery,
        warnings,
    })
}

fn renamed(pair: Pair, meant: &'static str, warnings: &mut Vec<Warning>) -> Pair {
    warnings.push(Warning::Deprecated {
        written: pair.name,
        meant,
    });
    Pair {
        name: meant.to_owned(),
        ..pair
    }
}

/// Gives the driver's parameters the driver's spelling, and lets none be given twice.
fn canonical(pairs: Vec<Pair>, warnings: &mut Vec<Warning>) -> Result<Vec<Pair>, Fault> {
    let mut canonical: Vec<Pair> = Vec::with_capacity(pairs.len());
    for mut pair in pairs {
        if let Some(meant) = parameters::renamed(&pair.name) {
            let written = std::mem::replace(&mut pair.name, meant.to_owned());
            warnings.push(Warning::Deprecated { written, meant });
        } else if let Some(meant) = known(&pair.name).filter(|meant| *meant != pair.name) {
            let written = std::mem::replace(&mut pair.name, meant.to_owned());
            warnings.push(Warning::Spelling { written, meant });
        }
        if canonical.iter().any(|other| other.name == pair.name) {
            return Err(Fault {
                offset: pair.name_at,
                problem: UrlProblem::Repeated(pair.name),
            });
        }
        canonical.push(pair);
    }
    Ok(canonical)
}

fn discovery(session: &[Pair], hosts: &[HostPort]) -> Result<Discovery, Fault> {
    let find = |name| session.iter().find(|pair| pair.name == name);
    let Some(mode) = find("serviceDiscoveryMode") else {
        return Ok(Discovery::None);
    };
    let fault = |problem| Fault {
        offset: mode.value_at,
        problem,
    };
    match mode.value.to_ascii_lowercase().as_str() {
        "none" => return Ok(Discovery::None),
        "zookeeper" => {}
        "zookeeperha" => return Err(fault(UrlProblem::ActivePassive)),
        _ => return Err(fault(UrlProblem::DiscoveryMode)),
    }
    let namespace = match find("zooKeeperNamespace") {
        Some(pair) if !pair.value.is_empty() => pair.value.parse().map_err(|why| Fault {
            offset: pair.value_at,
            problem: UrlProblem::Namespace(why),
        })?,
        _ => Namespace::default(),
    };
    let ensemble: Vec<Endpoint> = hosts
        .iter()
        .map(|host| host.clone().or_port(ZOOKEEPER_PORT))
        .collect();
    Ok(Discovery::ZooKeeper {
        connect_string: join(&ensemble),
        namespace,
        tls: find("zooKeeperSSLEnable").is_some_and(|p| p.value.eq_ignore_ascii_case("true")),
    })
}

//! Passwords of an LDAP directory: a bind as the user says whether the password is right.
//!
//! The names under which to bind, as Hive makes them of a login: of each `userDNPattern` (`uid=%s,ou=people,dc=x`); or
//! `guidKey=user,baseDN` where only a base is given; or `user@Domain` for Active Directory; or the login as it is.
//! With filters, the user's entry is then looked for below the base, by `binddn` where one is set, else as the user.

use async_trait::async_trait;
use ldap3::{Ldap as Connection, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry};
use ldap3::{dn_escape, ldap_escape};
use std::time::Duration;
use tokio::time::timeout;

use super::{AuthenticationError, Authenticator, LoginError};
use crate::config::{Config, LdapConfig};

/// A directory answers so soon, or another one is asked.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// The whole check, all servers and searches.
const PATIENCE: Duration = Duration::from_secs(15);
/// `invalidCredentials`, and what else a directory says about a name that it does not know.
const WRONG: [u32; 4] = [49, 32, 34, 53];

#[derive(Debug)]
pub(super) struct Ldap {
    config: LdapConfig,
}

impl Ldap {
    pub(super) fn new(config: &Config) -> Result<Self, AuthenticationError> {
        let failed = |problem: &str| AuthenticationError {
            method: "LDAP",
            problem: problem.to_owned(),
        };
        let config = config.ldap.clone();
        let mut urls = config.urls().peekable();
        if urls.peek().is_none() {
            return Err(failed(
                "set hive.server2.authentication.ldap.url to ldap://host:389 or ldaps://host:636",
            ));
        }
        if urls.any(|url| !url.starts_with("ldap://") && !url.starts_with("ldaps://")) {
            return Err(failed(
                "hive.server2.authentication.ldap.url: expected ldap://host:389 or ldaps://host:636",
            ));
        }
        drop(urls);
        let filtered = !config.user_filter.is_empty() || !config.group_filter.is_empty();
        if filtered && config.base_dn.is_empty() {
            return Err(failed(
                "user and group filters need hive.server2.authentication.ldap.baseDN",
            ));
        }
        Ok(Self { config })
    }

    async fn connect(&self, url: &str) -> Result<Connection, LdapError> {
        let settings = LdapConnSettings::new().set_conn_timeout(CONNECT_PATIENCE);
        let (connection, ldap) = LdapConnAsync::with_settings(settings, url).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "the connection to the directory ended");
            }
        });
        Ok(ldap)
    }

    async fn check_at(&self, url: &str, user: &str, password: &str) -> Result<(), CheckError> {
        let mut ldap = self.connect(url).await?;
        let mut bound = None;
        for name in self.names(user) {
            if bind(&mut ldap, &name, password).await? {
                bound = Some(name);
                break;
            }
        }
        let Some(name) = bound else {
            return Err(CheckError::Refused("wrong user or password"));
        };
        let admitted = self.filter(&mut ldap, user, &name).await;
        // It is closed in any case.
        let _ = ldap.unbind().await;
        admitted
    }

    /// The names to bind as.
    fn names(&self, user: &str) -> Vec<String> {
        let config = &self.config;
        let escaped = dn_escape(user);
        if !config.user_dn_pattern.is_empty() {
            let patterns = config.user_dn_pattern.split(':');
            return patterns
                .map(|pattern| pattern.replace("%s", &escaped))
                .collect();
        }
        if !config.domain.is_empty() && !user.contains(['@', '\\', '=']) {
            return vec![format!("{user}@{}", config.domain)];
        }
        if !config.base_dn.is_empty() && !user.contains(['@', '=']) {
            return vec![format!("{}={escaped},{}", config.guid_key, config.base_dn)];
        }
        vec![user.to_owned()]
    }

    /// Whether the filters let the user in.
    async fn filter(
        &self,
        ldap: &mut Connection,
        user: &str,
        name: &str,
    ) -> Result<(), CheckError> {
        let config = &self.config;
        let short = short_name(user);
        let mut users = config.user_filter.split(',').map(str::trim);
        if !config.user_filter.is_empty() && !users.any(|one| one == short) {
            return Err(CheckError::Refused("not in the user filter"));
        }
        if config.group_filter.is_empty() {
            return Ok(());
        }
        if !config.bind_dn.is_empty() && !bind(ldap, &config.bind_dn, &config.bind_password).await?
        {
            return Err(CheckError::Directory(
                "hive.server2.authentication.ldap.binddn cannot log in".to_owned(),
            ));
        }
        let entry = self.entry(ldap, short).await?;
        let entry = entry.unwrap_or_else(|| name.to_owned());
        let member =
            |value: &str| format!("({}={})", config.group_membership_key, ldap_escape(value));
        let groups: String = config
            .group_filter
            .split(',')
            .map(|group| format!("(cn={})", ldap_escape(group.trim())))
            .collect();
        let query = format!(
            "(&(objectClass={})(|{groups})(|{}{}))",
            ldap_escape(config.group_class_key.as_str()),
            member(&entry),
            member(short)
        );
        if self.search(ldap, &query).await?.is_empty() {
            return Err(CheckError::Refused(
                "in none of the groups of the group filter",
            ));
        }
        Ok(())
    }

    /// The user's own entry.
    async fn entry(&self, ldap: &mut Connection, user: &str) -> Result<Option<String>, CheckError> {
        let user = ldap_escape(user);
        let query = format!(
            "(|({}={user})(sAMAccountName={user}))",
            self.config.guid_key
        );
        Ok(self.search(ldap, &query).await?.into_iter().next())
    }

    /// The names of the entries that match.
    async fn search(&self, ldap: &mut Connection, query: &str) -> Result<Vec<String>, CheckError> {
        let found = ldap.search(&self.config.base_dn, Scope::Subtree, query, vec!["1.1"]);
        let (entries, _) = found.await?.success()?;
        Ok(entries
            .into_iter()
            .map(|entry| SearchEntry::construct(entry).dn)
            .collect())
    }
}

#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error("{0}")]
    Refused(&'static str),
    #[error("{0}")]
    Directory(String),
    #[error(transparent)]
    Ldap(#[from] LdapError),
}

#[async_trait]
impl Authenticator for Ldap {
    async fn check(&self, user: &str, password: &str) -> Result<(), LoginError> {
        let ask_all = async {
            let mut unavailable = "no server is given".to_owned();
            for url in self.config.urls() {
                match self.check_at(url, user, password).await {
                    Ok(()) => return Ok(()),
                    Err(CheckError::Refused(reason)) => {
                        tracing::debug!(reason, "the directory lets the user not in");
                        return Err(LoginError::Refused);
                    }
                    Err(error) => {
                        tracing::warn!(url, %error, "the directory did not answer");
                        unavailable = format!("{url}: {error}");
                    }
                }
            }
            Err(LoginError::Unavailable(unavailable))
        };
        let checked = timeout(PATIENCE, ask_all).await;
        checked.unwrap_or_else(|_| {
            let text = format!("the directory did not answer within {PATIENCE:?}");
            Err(LoginError::Unavailable(text))
        })
    }
}

/// Whether the directory takes name and password.
async fn bind(ldap: &mut Connection, name: &str, password: &str) -> Result<bool, CheckError> {
    // A directory that accepts and says nothing is given up for the next one.
    let bound = ldap
        .with_timeout(CONNECT_PATIENCE)
        .simple_bind(name, password)
        .await?;
    match bound.rc {
        0 => Ok(true),
        rc if WRONG.contains(&rc) => Ok(false),
        rc => Err(CheckError::Directory(format!(
            "the directory answers a bind with code {rc}: {}",
            bound.text
        ))),
    }
}

/// The login without domain or the rest of a distinguished name.
fn short_name(user: &str) -> &str {
    let user = user.split_once('\\').map_or(user, |(_, user)| user);
    let user = user.split_once('@').map_or(user, |(user, _)| user);
    match user.split_once('=') {
        Some((_, rest)) => rest.split_once(',').map_or(rest, |(first, _)| first),
        None => user,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(config: LdapConfig, user: &str) -> Vec<String> {
        Ldap { config }.names(user)
    }

    #[test]
    fn names_are_made_as_hive_makes_them() {
        let config = Config::default().ldap;
        let base = LdapConfig {
            base_dn: "dc=x".to_owned(),
            ..config.clone()
        };
        let pattern = LdapConfig {
            user_dn_pattern: "uid=%s,ou=a:cn=%s,ou=b".to_owned(),
            ..base.clone()
        };
        let domain = LdapConfig {
            domain: "corp.example".to_owned(),
            ..config.clone()
        };
        assert_eq!(names(config, "scott"), ["scott"]);
        assert_eq!(names(base.clone(), "scott"), ["uid=scott,dc=x"]);
        assert_eq!(
            names(pattern.clone(), "scott"),
            ["uid=scott,ou=a", "cn=scott,ou=b"]
        );
        assert_eq!(names(domain.clone(), "scott"), ["scott@corp.example"]);
        assert_eq!(names(domain, "scott@other"), ["scott@other"]);
        // What a login says cannot leave its place in the name.
        let outside = &names(pattern, "x,ou=admins")[0];
        assert!(!outside.contains("x,ou=admins"), "{outside}");
        assert_eq!(
            ["corp\\scott", "scott@x", "uid=scott,dc=x", "scott"].map(short_name),
            ["scott"; 4]
        );
    }

    #[test]
    fn settings_without_sense_are_said_at_the_start() {
        let error = |text: &str| {
            let mut config = Config::default();
            config.apply_text(text).unwrap();
            Ldap::new(&config).unwrap_err().to_string()
        };
        assert!(error("").contains("set hive.server2.authentication.ldap.url"));
        assert!(
            error("hive.server2.authentication.ldap.url = http://x").contains("expected ldap://")
        );
        let filtered = "hive.server2.authentication.ldap.url = ldap://x\nhive.server2.authentication.ldap.groupFilter = a";
        assert!(error(filtered).contains("baseDN"));
    }

    #[tokio::test]
    async fn a_directory_that_is_not_there_is_no_refusal() {
        let mut config = Config::default();
        config
            .apply_text("hive.server2.authentication.ldap.url = ldap://127.0.0.1:1")
            .unwrap();
        let ldap = Ldap::new(&config).unwrap();
        let checked = ldap.check("scott", "tiger").await;
        assert!(
            matches!(checked, Err(LoginError::Unavailable(_))),
            "{checked:?}"
        );
    }
}

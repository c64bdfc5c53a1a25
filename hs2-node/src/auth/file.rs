//! Passwords in a file: lines of `user:hash` with bcrypt hashes, as `htpasswd -B` writes them.

use async_trait::async_trait;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Semaphore;

use super::{AuthenticationError, Authenticator, CHECKS_MAX, LoginError};
use crate::config::Config;

/// A file of some hundred thousand users.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// What a password of an unknown user is compared with: bcrypt works for it too, at a common cost.
const NOBODYS_HASH: &str = "$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";

/// A password file. It is read anew for every check: whoever is added may log in, whoever is removed may not.
#[derive(Debug)]
pub(super) struct PasswordFile {
    path: PathBuf,
    checks: Arc<Semaphore>,
}

impl PasswordFile {
    /// Makes sure that the file can be used.
    pub(super) fn open(config: &Config) -> Result<Self, AuthenticationError> {
        let failed = |problem: String| AuthenticationError {
            method: "FILE",
            problem,
        };
        let Some(path) = config.password_file.clone() else {
            let problem = "set hive.server2.authentication.file to a file that `htpasswd -B` made";
            return Err(failed(problem.to_owned()));
        };
        let named = |problem| failed(format!("{}: {problem}", path.display()));
        let text = read(&path).map_err(named)?;
        for (number, line) in (1..).zip(text.lines()) {
            if let Some((_, hash)) = entry(line) {
                is_bcrypt(hash).then_some(()).ok_or_else(|| {
                    named(format!(
                        "line {number} has no bcrypt hash: make it with `htpasswd -B`"
                    ))
                })?;
            } else if !line.trim().is_empty() && !line.starts_with('#') {
                return Err(named(format!("line {number} is not `user:hash`")));
            }
        }
        let checks = Arc::new(Semaphore::new(CHECKS_MAX));
        Ok(Self { path, checks })
    }
}

#[async_trait]
impl Authenticator for PasswordFile {
    async fn check(&self, user: &str, password: &str) -> Result<(), LoginError> {
        let (path, user, password) = (self.path.clone(), user.to_owned(), password.to_owned());
        let place = Arc::clone(&self.checks).acquire_owned().await;
        let place = place.map_err(|error| LoginError::Unavailable(error.to_string()))?;
        // The work goes on when the client has gone, and has its place until its end.
        let check = move || {
            let _place = place;
            verify(&path, &user, &password)
        };
        let checked = tokio::task::spawn_blocking(check).await;
        checked.unwrap_or_else(|error| Err(LoginError::Unavailable(error.to_string())))
    }
}

/// Works for as long as the hash's cost says.
fn verify(path: &Path, user: &str, password: &str) -> Result<(), LoginError> {
    let text = read(path)
        .map_err(|problem| LoginError::Unavailable(format!("{}: {problem}", path.display())))?;
    let found = text
        .lines()
        .filter_map(entry)
        .find(|(name, _)| *name == user);
    let hash = found.map_or(NOBODYS_HASH, |(_, hash)| hash);
    // bcrypt reads 72 bytes. A longer password is refused rather than taken by its beginning.
    let right = bcrypt::non_truncating_verify(password, hash).unwrap_or(false);
    if right && found.is_some() {
        Ok(())
    } else {
        Err(LoginError::Refused)
    }
}

fn read(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if size.len() > FILE_BYTES_MAX {
        return Err(format!("it has more than {FILE_BYTES_MAX} bytes"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

/// User and hash of a line, if it has them.
fn entry(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_end();
    let (user, hash) = line.split_once(':')?;
    (!user.is_empty() && !line.starts_with('#')).then_some((user, hash))
}

fn is_bcrypt(hash: &str) -> bool {
    ["$2y$", "$2b$", "$2a$"]
        .iter()
        .any(|version| hash.starts_with(version))
        && hash.parse::<bcrypt::HashParts>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::io::Write;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn config(path: &Path) -> Config {
        Config {
            password_file: Some(path.to_owned()),
            ..Config::default()
        }
    }

    /// Whoever goes leaves the work behind, and the work its place taken.
    #[tokio::test]
    async fn no_more_checks_run_because_clients_go() {
        let hash = bcrypt::hash("tiger", 12).unwrap();
        let file = file(&format!("scott:{hash}\n"));
        let passwords = PasswordFile::open(&config(file.path())).unwrap();
        for _ in 0..CHECKS_MAX {
            let mut check = passwords.check("scott", "lion");
            assert!((&mut check).now_or_never().is_none());
        }
        assert_eq!(passwords.checks.available_permits(), 0);
        let mut check = passwords.check("scott", "tiger");
        assert!((&mut check).now_or_never().is_none());
        assert_eq!(check.await, Ok(()));
    }

    #[tokio::test]
    async fn users_come_and_go_with_their_lines() {
        let hash = |password: &str| bcrypt::hash(password, 4).unwrap();
        let mut file = file(&format!("# users\n\nscott:{}\n", hash("tiger")));
        let passwords = PasswordFile::open(&config(file.path())).unwrap();
        let check = async |user, password| passwords.check(user, password).await;
        assert_eq!(check("scott", "tiger").await, Ok(()));
        assert_eq!(check("scott", "Tiger").await, Err(LoginError::Refused));
        assert_eq!(check("king", "tiger").await, Err(LoginError::Refused));
        assert_eq!(check("# users", "tiger").await, Err(LoginError::Refused));
        let long = "x".repeat(100);
        assert_eq!(check("scott", &long).await, Err(LoginError::Refused));
        writeln!(file, "king:{}", hash("kong")).unwrap();
        assert_eq!(check("king", "kong").await, Ok(()));
        std::fs::write(file.path(), "").unwrap();
        assert_eq!(check("scott", "tiger").await, Err(LoginError::Refused));
        let path = file.path().to_owned();
        drop(file);
        let gone = verify(&path, "scott", "tiger");
        assert!(matches!(gone, Err(LoginError::Unavailable(_))), "{gone:?}");
    }

    #[test]
    fn a_file_that_cannot_be_used_is_said_at_the_start() {
        for (text, said) in [
            ("scott:{SHA}abc=\n", "line 1 has no bcrypt hash"),
            ("scott:$apr1$abc$def\n", "line 1 has no bcrypt hash"),
            ("\nscott\n", "line 2 is not `user:hash`"),
        ] {
            let file = file(text);
            let error = PasswordFile::open(&config(file.path())).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
        let error = PasswordFile::open(&Config::default()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("hive.server2.authentication.file"),
            "{error}"
        );
    }

    #[test]
    fn nobodys_hash_is_one() {
        assert!(is_bcrypt(NOBODYS_HASH));
    }
}

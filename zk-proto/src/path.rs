//! Znode paths: the rules they follow, and the parts they have.

/// The digits that the server appends to a sequential znode's name.
pub const SEQUENCE_DIGITS: usize = 10;

/// Where servers since 3.5 keep their ensemble's configuration.
pub const CONFIG: &str = "/zookeeper/config";

/// A path that no znode can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not a znode path: {reason} (at byte {position})")]
pub struct PathError {
    /// What was given.
    pub path: String,
    /// Byte offset of the fault.
    pub position: usize,
    /// The rule that is broken.
    pub reason: &'static str,
}

/// Checks a path by ZooKeeper's rules (`PathUtils.validatePath`).
///
/// # Errors
/// The path does not start with `/`, ends with one, has an empty, `.` or `..` component, or a character that is not
/// allowed (controls, private use, supplementary planes).
pub fn check(path: &str) -> Result<(), PathError> {
    if is_plain(path.as_bytes()) {
        return Ok(());
    }
    let fail = |position, reason| {
        Err(PathError {
            path: path.to_owned(),
            position,
            reason,
        })
    };
    let Some(rest) = path.strip_prefix('/') else {
        return fail(0, "it must start with `/`");
    };
    if rest.is_empty() {
        return Ok(());
    }
    let mut position = 1;
    for component in rest.split('/') {
        match component {
            "" if position == path.len() => return fail(position - 1, "it must not end with `/`"),
            "" => return fail(position, "a component is empty"),
            "." | ".." => {
                return fail(
                    position,
                    "`.` and `..` are not components: znode paths are absolute",
                );
            }
            _ => {}
        }
        if let Some((at, _)) = component.char_indices().find(|(_, c)| !is_allowed(*c)) {
            return fail(position + at, "a character is not allowed");
        }
        position += component.len() + 1;
    }
    Ok(())
}

/// Whether a path is valid at first sight, as nearly all are: printable ASCII, no component that is empty or starts with
/// a dot.
const fn is_plain(path: &[u8]) -> bool {
    let Some((b'/', mut rest)) = path.split_first() else {
        return false;
    };
    let mut before = b'/';
    while let Some((&byte, behind)) = rest.split_first() {
        let printable = byte >= b' ' && byte <= b'~';
        if !printable || (before == b'/' && (byte == b'/' || byte == b'.')) {
            return false;
        }
        before = byte;
        rest = behind;
    }
    before != b'/'
}

/// Checks the prefix of a sequential znode: a path that is valid once the server has appended its digits, so that
/// `/locks/` is one.
///
/// # Errors
/// As [`check`].
pub fn check_sequential(prefix: &str) -> Result<(), PathError> {
    if prefix.ends_with('/') && prefix.len() > 1 {
        return check(&prefix[..prefix.len() - 1]);
    }
    if prefix == "/" {
        return Ok(());
    }
    check(prefix).or_else(|error| {
        // `/.` and `/..` are components once digits follow.
        if error.path.ends_with("/.") || error.path.ends_with("/..") {
            check(&format!("{prefix}0"))
        } else {
            Err(error)
        }
    })
}

const fn is_allowed(c: char) -> bool {
    !matches!(c as u32, 0..=0x1f | 0x7f..=0x9f | 0xd800..=0xf8ff | 0xfff0..=0x10_ffff)
}

/// The path of the parent: `/a` of `/a/b`, `/` of `/a`; `None` of `/`.
#[must_use]
pub fn parent(path: &str) -> Option<&str> {
    match path.rsplit_once('/')? {
        ("", "") => None,
        ("", _) => Some("/"),
        (parent, _) => Some(parent),
    }
}

/// The last component: `b` of `/a/b`; empty for `/`.
#[must_use]
pub fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The child `name` of `parent`.
#[must_use]
pub fn join(parent: &str, name: &str) -> String {
    format!("{}/{name}", parent.trim_end_matches('/'))
}

/// The number at the end of a sequential znode's name: ten digits, or a minus sign and ten digits once the parent's
/// signed 32-bit counter has overflowed. `None` when the name does not end so.
#[must_use]
pub fn sequence(name: &str) -> Option<i32> {
    let start = name.len().checked_sub(SEQUENCE_DIGITS)?;
    let digits = name.get(start..)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match name.get(..start)?.strip_suffix('-') {
        // `-2147483648` and its successors: only what does not fit without the sign carries one.
        Some(_) => match digits.parse::<i32>() {
            Ok(number) => Some(number),
            Err(_) => format!("-{digits}").parse().ok(),
        },
        None => digits.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_zookeepers_rules() {
        for path in [
            "/",
            "/a",
            "/a/b",
            "/.a",
            "/a..",
            "/...",
            "/serverUri=h:1;version=1;sequence=0000000000",
            "/ä",
        ] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
        for (path, position) in [
            ("", 0),
            ("a", 0),
            ("/a/", 2),
            ("//a", 1),
            ("/a//b", 3),
            ("/.", 1),
            ("/a/..", 3),
            ("/a\0", 2),
            ("/a/\u{7f}", 3),
        ] {
            assert_eq!(
                check(path).map_err(|error| error.position),
                Err(position),
                "{path:?}"
            );
        }
    }

    #[test]
    fn a_sequential_prefix_may_end_where_a_path_may_not() {
        for prefix in ["/", "/locks/", "/locks/n-", "/a/.", "/a/.."] {
            assert_eq!(check_sequential(prefix), Ok(()), "{prefix}");
        }
        for prefix in ["", "x", "/a//", "/../a", "/a\0"] {
            assert!(check_sequential(prefix).is_err(), "{prefix:?}");
        }
    }

    #[test]
    fn parts_of_a_path() {
        assert_eq!(
            (parent("/a/b"), parent("/a"), parent("/")),
            (Some("/a"), Some("/"), None)
        );
        assert_eq!((name("/a/b"), name("/a"), name("/")), ("b", "a", ""));
        assert_eq!(
            (join("/", "a"), join("/a", "b")),
            ("/a".into(), "/a/b".into())
        );
    }

    #[test]
    fn the_sequence_is_at_the_end_and_may_be_negative() {
        assert_eq!(sequence("lock-0000000007"), Some(7));
        assert_eq!(sequence("2147483647"), Some(i32::MAX));
        assert_eq!(sequence("sequence=-2147483648"), Some(i32::MIN));
        assert_eq!(sequence("lock-000000007"), None);
        assert_eq!(sequence("leader"), None);
    }
}

//! The releases of ZooKeeper that the suites run against, and where `tests/prepare` put them.

use crate::settings::setting;

/// A line of releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Release {
    /// 3.4.14: no watches that stay, no TTL, no `create2`. Many companies still run it.
    V3_4,
    /// 3.6.3: the first line with persistent watches.
    V3_6,
    /// 3.8.0, Debian's.
    V3_8,
    /// 3.9.5; the image that `ZK_IMAGE` names, where it names one.
    V3_9,
}

impl Release {
    /// From the oldest to the newest.
    pub const ALL: [Self; 4] = [Self::V3_4, Self::V3_6, Self::V3_8, Self::V3_9];

    /// Such as `3_4`: how settings and variables name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V3_4 => "3_4",
            Self::V3_6 => "3_6",
            Self::V3_8 => "3_8",
            Self::V3_9 => "3_9",
        }
    }

    /// Whether it can be had on this machine. Its tests fail where it cannot.
    #[must_use]
    pub fn is_available(self) -> bool {
        !setting(&self.setting()).starts_with("missing:")
    }

    pub(crate) fn source(self) -> Source {
        Source::read(&self.setting())
    }

    fn setting(self) -> String {
        format!("HS2_TEST_ZOOKEEPER_SOURCE_{}", self.name())
    }
}

/// What a ZooKeeper is started from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// An image that starts ZooKeeper and reads the variables of the official one.
    Image(String),
    /// A classpath, for [`java_image`] or, without one, for this machine's Java; empty for the jars of Debian's packages
    /// there.
    Jars(String),
}

impl Source {
    /// That of the tests that do not mind the release.
    pub(crate) fn any() -> Self {
        Self::read("HS2_TEST_ZOOKEEPER_SOURCE")
    }

    fn read(name: &str) -> Self {
        let value = setting(name);
        match value.split_once(':') {
            Some(("docker", image)) => Self::Image(image.to_owned()),
            Some(("java", classpath)) => Self::Jars(classpath.to_owned()),
            Some(("missing", why)) => panic!("{why}; ./tests/prepare found that"),
            _ => panic!("{name} is {value:?}, not docker:IMAGE or java:CLASSPATH"),
        }
    }
}

/// The image with Java in which any release's jars run; `None` where there are no containers.
pub(crate) fn java_image() -> Option<String> {
    Some(setting("HS2_TEST_JAVA_IMAGE")).filter(|image| !image.is_empty())
}

//! Trying one instance after the other until one works.

use std::collections::HashSet;
use std::fmt::Display;
use std::sync::Arc;

use super::{Failure, Pick, PickError, Picker};
use crate::instance::InstanceName;
use crate::view::member::Slot;

/// The way of one client from instance to instance until one works, each at most once.
///
/// Those that are not set aside come first, then the others: one that has failed a while ago may be back, and is better
/// than none. So it ends, however long each attempt takes, and not before everything was tried.
///
/// ```
/// # use discovery::{Endpoint, Ensemble, InstanceData, Namespace, NewInstance, Registration};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = zk_server::Server::start("127.0.0.1:0", zk_server::ServerOptions::default()).await?;
/// # let servers = server.connect_string();
/// # let endpoint = Endpoint::new("127.0.0.1", 1)?;
/// # let instance = NewInstance { data: InstanceData::HostPort(endpoint.clone()), endpoint, version: "4.0.1".into() };
/// # let registration = Registration::register(&Ensemble::new(&servers)?, &Namespace::default(), &instance).await?;
/// use discovery::{Pick, PickError, Picker, Strategy, View};
/// use tokio::net::TcpStream;
///
/// async fn connect(picker: &mut Picker) -> Result<(TcpStream, Pick), PickError> {
///     let mut walk = picker.walk();
///     loop {
///         let pick = walk.next()?;
///         let endpoint = pick.name().endpoint();
///         match TcpStream::connect((endpoint.host(), endpoint.port())).await {
///             Ok(stream) => {
///                 pick.succeeded();
///                 return Ok((stream, pick)); // Held as long as the session, which it counts.
///             }
///             Err(error) => walk.failed(pick, error),
///         }
///     }
/// }
///
/// let ensemble = Ensemble::new(&servers)?; // "zk1:2181,zk2:2181,zk3:2181"
/// let view = View::open(&ensemble, &Namespace::default()).await?;
/// let error = connect(&mut Picker::new(&view, Strategy::Random)).await.unwrap_err();
/// assert!(error.to_string().contains(" has failed: 127.0.0.1:1: Connection refused"));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Walk<'a> {
    picker: &'a mut Picker,
    tried: HashSet<Arc<InstanceName>>,
    failures: Vec<Failure>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(picker: &'a mut Picker) -> Self {
        Self {
            picker,
            tried: HashSet::new(),
            failures: Vec::new(),
        }
    }

    /// Picks an instance that was not tried yet. Instances that have joined meanwhile are among them. It waits for
    /// nothing.
    ///
    /// # Errors
    /// Nobody is on the list, or all were tried: the error has what [`failed`](Self::failed) was told.
    // No iterator: its end is an error that says what was tried.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Pick, PickError> {
        let is_untried = |slot: &Slot| !self.tried.contains(&slot.member().name);
        let open = self.picker.pick_open(is_untried);
        let Some(pick) = open.or_else(|| self.picker.pick_any(is_untried)) else {
            return Err(self.picker.none(Some(self.failures.clone())));
        };
        self.tried.insert(Arc::clone(&pick.member.name));
        Ok(pick)
    }

    /// The instance did not take the session: it is set aside, and `why` goes into the error if none does.
    pub fn failed(&mut self, pick: Pick, why: impl Display) {
        let record = pick.member.aside.failed(&why.to_string());
        self.failures.push(Failure::new(&pick.member, record));
    }
}

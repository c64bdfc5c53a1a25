//! Four-letter words: questions in plain text, answered in plain text.

use std::collections::BTreeMap;
use std::fmt::Write;

use zk_proto::{OpCode, SessionId};

use super::connection::Connection;
use super::{Core, Now};
use crate::options::millis;

/// What stands behind the number of the release that this server behaves as.
const BUILD: &str = concat!(
    "hs2-embedded, built on zk-server ",
    env!("CARGO_PKG_VERSION")
);

/// Words that real servers know and this one does not answer.
const UNANSWERED: [&[u8; 4]; 9] = [
    b"crst",
    b"dirs",
    b"gtmk",
    b"hash",
    b"srst",
    b"stmk",
    b"wchc",
    b"wchp",
    &[0xff, 0xf4, 0xff, 0xfd],
];

/// Words that it answers.
const ANSWERED: [&[u8; 4]; 10] = [
    b"conf", b"cons", b"dump", b"envi", b"isro", b"mntr", b"ruok", b"srvr", b"stat", b"wchs",
];

impl Core {
    /// The answer to the first four bytes of a connection; `None` where they are no word.
    pub(super) fn answer_word(&self, now: Now, word: [u8; 4]) -> Option<String> {
        let mut out = String::new();
        let is_refused = |word: &[u8; 4]| match &self.options.four_letter_words {
            Some(allowed) => !allowed.iter().any(|allowed| allowed.as_bytes() == word),
            None => false,
        };
        // Writing to a `String` cannot fail.
        let _ = match &word {
            word if UNANSWERED.contains(&word)
                || (ANSWERED.contains(&word) && is_refused(word)) =>
            {
                writeln!(
                    out,
                    "{} is not executed because it is not in the whitelist.",
                    String::from_utf8_lossy(word)
                )
            }
            b"ruok" => out.write_str("imok"),
            b"isro" => out.write_str(if self.read_only { "ro" } else { "rw" }),
            b"srvr" => self.srvr(&mut out),
            b"stat" => self.stat(&mut out),
            b"mntr" => self.mntr(now, &mut out),
            b"cons" => self.cons(now, &mut out),
            b"dump" => self.dump(now, &mut out),
            b"wchs" => self.wchs(&mut out),
            b"conf" => self.conf(&mut out),
            b"envi" => self.envi(&mut out),
            _ => return None,
        };
        Some(out)
    }

    fn version(&self) -> String {
        format!("{}-{BUILD}", self.release.0)
    }

    const fn mode(&self) -> &'static str {
        if self.read_only {
            "read-only"
        } else {
            "standalone"
        }
    }

    fn srvr(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "Zookeeper version: {}", self.version())?;
        self.counters(out)
    }

    fn stat(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "Zookeeper version: {}\nClients:", self.version())?;
        for connection in self.connections.values() {
            let log = &connection.log;
            writeln!(
                out,
                " /{}[{}](queued=0,recved={},sent={})",
                connection.peer,
                u8::from(connection.session.is_some()),
                log.received,
                log.sent
            )?;
        }
        writeln!(out)?;
        self.counters(out)
    }

    /// Requests are answered as they come, so latency is 0 and nothing is outstanding.
    fn counters(&self, out: &mut String) -> std::fmt::Result {
        let (received, sent) = self.packets();
        writeln!(
            out,
            "Latency min/avg/max: 0/{}/0\nReceived: {received}\nSent: {sent}\nConnections: {}\nOutstanding: 0\n\
             Zxid: {}\nMode: {}\nNode count: {}",
            self.release.average_latency(),
            self.connections.len(),
            self.last_zxid,
            self.mode(),
            // The root counts twice, as in the real server's book.
            self.tree.len() + 1
        )
    }

    fn packets(&self) -> (u64, u64) {
        self.connections
            .values()
            .fold((self.received, self.sent), |(received, sent), c| {
                (received + c.log.received, sent + c.log.sent)
            })
    }

    fn mntr(&self, now: Now, out: &mut String) -> std::fmt::Result {
        let (received, sent) = self.packets();
        let uptime_ms = now.monotonic_ms.saturating_sub(self.started_ms);
        writeln!(
            out,
            "zk_version\t{}\nzk_server_state\t{}\nzk_avg_latency\t{}\nzk_min_latency\t0\n\
             zk_max_latency\t0\nzk_packets_received\t{received}\nzk_packets_sent\t{sent}\n\
             zk_num_alive_connections\t{}\nzk_outstanding_requests\t0\nzk_znode_count\t{}\nzk_watch_count\t{}\n\
             zk_ephemerals_count\t{}\nzk_approximate_data_size\t{}\nzk_global_sessions\t{}\nzk_uptime\t{uptime_ms}",
            self.version(),
            self.mode(),
            self.release.average_latency(),
            self.connections.len(),
            self.tree.len() + 1,
            self.watches.data.watches_count() + self.watches.child.watches_count(),
            self.tree.ephemerals_count(),
            self.tree.data_bytes(),
            self.sessions.len(),
        )
    }

    fn cons(&self, now: Now, out: &mut String) -> std::fmt::Result {
        for connection in self.connections.values() {
            self.cons_line(now, connection, out)?;
        }
        writeln!(out)
    }

    fn cons_line(&self, now: Now, connection: &Connection, out: &mut String) -> std::fmt::Result {
        let log = &connection.log;
        write!(
            out,
            " /{}[{}](queued=0,recved={},sent={}",
            connection.peer,
            u8::from(connection.session.is_some()),
            log.received,
            log.sent
        )?;
        if let Some(id) = connection.session
            && let Some(session) = self.sessions.get(id)
        {
            write!(
                out,
                ",sid={id},lop={},est={},to={},lcxid={:#x},lzxid={},lresp={},llat=0,minlat=0,avglat=0,maxlat=0",
                log.last_opcode.map_or("NA", short_name),
                now.monotonic_ms.saturating_sub(log.opened_ms),
                session.timeout_ms,
                log.last_xid.0,
                log.last_zxid,
                log.last_response_ms,
            )?;
        }
        writeln!(out, ")")
    }

    fn dump(&self, now: Now, out: &mut String) -> std::fmt::Result {
        let mut buckets: BTreeMap<u64, Vec<SessionId>> = BTreeMap::new();
        for (deadline_ms, session) in self.sessions.deadlines() {
            buckets.entry(deadline_ms).or_default().push(session);
        }
        writeln!(out, "SessionTracker dump:")?;
        writeln!(
            out,
            "Session Sets ({})/({}):",
            buckets.len(),
            self.sessions.len()
        )?;
        for (deadline_ms, sessions) in buckets {
            let left_ms = deadline_ms.saturating_sub(now.monotonic_ms);
            writeln!(out, "{} expire in {left_ms} ms:", sessions.len())?;
            for session in sessions {
                writeln!(out, "\t{session}")?;
            }
        }
        let owners = self.tree.ephemeral_owners();
        writeln!(
            out,
            "ephemeral nodes dump:\nSessions with Ephemerals ({}):",
            owners.len()
        )?;
        for session in owners {
            writeln!(out, "{session}:")?;
            for path in self.tree.ephemerals(session) {
                writeln!(out, "\t{path}")?;
            }
        }
        writeln!(out, "Connections dump:")?;
        for (id, session) in self.sessions.iter() {
            if let Some(connection) = session.connection.and_then(|c| self.connections.get(&c)) {
                writeln!(out, "\t{id} /{}", connection.peer)?;
            }
        }
        Ok(())
    }

    fn wchs(&self, out: &mut String) -> std::fmt::Result {
        let data = &self.watches.data;
        writeln!(
            out,
            "{} connections watching {} paths\nTotal watches:{}",
            data.connections().count(),
            data.paths_count(),
            data.watches_count()
        )
    }

    fn envi(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "Environment:\nzookeeper.version={}\nos.name={}\nos.arch={}",
            self.version(),
            std::env::consts::OS,
            std::env::consts::ARCH
        )
    }

    fn conf(&self, out: &mut String) -> std::fmt::Result {
        let (min_ms, max_ms) = self.options.session_timeout_limits_ms();
        writeln!(
            out,
            "tickTime={}\nmaxClientCnxns={}\nminSessionTimeout={min_ms}\nmaxSessionTimeout={max_ms}\nserverId=1\n\
             jute.maxbuffer={}\nznode.container.checkIntervalMs={}",
            self.options.tick_ms(),
            self.options.connections_max,
            self.options.frame_bytes_max,
            millis(self.options.container_check_interval),
        )
    }
}

/// The server's own short names of the operations.
const fn short_name(opcode: OpCode) -> &'static str {
    match opcode {
        OpCode::PING => "PING",
        OpCode::CREATE | OpCode::CREATE2 | OpCode::CREATE_CONTAINER | OpCode::CREATE_TTL => "CREA",
        OpCode::DELETE => "DELE",
        OpCode::EXISTS => "EXIS",
        OpCode::GET_DATA => "GETD",
        OpCode::SET_DATA => "SETD",
        OpCode::GET_ACL => "GETA",
        OpCode::SET_ACL => "SETA",
        OpCode::GET_CHILDREN | OpCode::GET_CHILDREN2 => "GETC",
        OpCode::SYNC => "SYNC",
        OpCode::MULTI => "MULT",
        OpCode::MULTI_READ => "MLTR",
        OpCode::CHECK => "CHEC",
        OpCode::RECONFIG => "RECO",
        OpCode::CLOSE_SESSION => "CLOS",
        OpCode::SET_WATCHES => "SETW",
        OpCode::SET_WATCHES2 => "STW2",
        OpCode::ADD_WATCH => "ADDW",
        OpCode::CHECK_WATCHES => "CHKW",
        OpCode::REMOVE_WATCHES => "REMW",
        OpCode::GET_EPHEMERALS => "GETE",
        OpCode::GET_ALL_CHILDREN_NUMBER => "GETACN",
        OpCode::WHO_AM_I => "HOMI",
        _ => "NA",
    }
}

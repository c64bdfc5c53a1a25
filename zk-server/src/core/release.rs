//! What the releases of ZooKeeper do differently, as far as a client can tell.

use zk_proto::OpCode;
use zk_proto::four_letter::ServerVersion;
use zk_proto::record::MultiOp;

/// The release that a server behaves as.
#[derive(Debug, Clone, Copy)]
pub(super) struct Release(pub(super) ServerVersion);

impl Release {
    fn is_from(self, minor: u32, patch: u32) -> bool {
        self.0 >= ServerVersion::new(3, minor, patch)
    }

    /// Whether the opcode existed. Those from before 3.4 are not told apart.
    pub(super) fn knows(self, opcode: OpCode) -> bool {
        match opcode {
            OpCode::CREATE2 | OpCode::RECONFIG | OpCode::CHECK_WATCHES | OpCode::REMOVE_WATCHES => {
                self.is_from(5, 0)
            }
            OpCode::CREATE_CONTAINER => self.is_from(5, 1),
            OpCode::CREATE_TTL => self.is_from(5, 3),
            OpCode::MULTI_READ
            | OpCode::GET_EPHEMERALS
            | OpCode::GET_ALL_CHILDREN_NUMBER
            | OpCode::SET_WATCHES2
            | OpCode::ADD_WATCH => self.is_from(6, 0),
            OpCode::WHO_AM_I => self.is_from(7, 0),
            _ => true,
        }
    }

    /// Whether a multi could have such an operation.
    pub(super) fn knows_in_multi(self, op: &MultiOp<'_>) -> bool {
        match op {
            MultiOp::Create2(_) => self.knows(OpCode::CREATE2),
            MultiOp::CreateContainer(_) => self.knows(OpCode::CREATE_CONTAINER),
            MultiOp::CreateTtl(_) => self.knows(OpCode::CREATE_TTL),
            _ => true,
        }
    }

    /// Whether a notification's header carries the number of the transaction that caused it; -1 before.
    pub(super) fn numbers_notifications(self) -> bool {
        self.is_from(9, 0)
    }

    /// Whether a connection can hold watches of several modes on one path; before, the last one replaced the others.
    pub(super) fn keeps_watch_modes_apart(self) -> bool {
        self.is_from(9, 0)
    }

    /// Whether `create2` in a multi is answered with a stat; before, it was taken for `create`.
    pub(super) fn has_create2_in_multi(self) -> bool {
        self.is_from(9, 0)
    }

    /// Whether `exists` needs READ, and so does being told of an event.
    pub(super) fn guards_existence(self) -> bool {
        self.is_from(9, 2) || (self.is_from(8, 4) && !self.is_from(9, 0))
    }

    /// Whether there is `/zookeeper/config`.
    pub(super) fn has_config(self) -> bool {
        self.is_from(5, 0)
    }

    /// How `srvr` writes an average of zero.
    pub(super) fn average_latency(self) -> &'static str {
        if self.is_from(6, 0) { "0.0" } else { "0" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opcodes_come_with_their_release() {
        let knows =
            |minor, patch, opcode| Release(ServerVersion::new(3, minor, patch)).knows(opcode);
        assert!(knows(4, 14, OpCode::MULTI));
        assert!(!knows(4, 14, OpCode::CREATE2));
        assert!(knows(5, 0, OpCode::CREATE2));
        assert!(!knows(5, 2, OpCode::CREATE_TTL));
        assert!(!knows(5, 9, OpCode::SET_WATCHES2));
        assert!(knows(6, 3, OpCode::ADD_WATCH));
        assert!(!knows(6, 3, OpCode::WHO_AM_I));
        assert!(knows(7, 0, OpCode::WHO_AM_I));
    }

    #[test]
    fn the_guard_of_existence_came_to_two_lines() {
        let guards = |minor, patch| Release(ServerVersion::new(3, minor, patch)).guards_existence();
        assert!(!guards(8, 3));
        assert!(guards(8, 4));
        assert!(!guards(9, 1));
        assert!(guards(9, 2));
    }
}

//! What the releases of ZooKeeper do differently, as far as a client can tell.

use zk_proto::OpCode;
use zk_proto::four_letter::ServerVersion;
use zk_proto::record::MultiOp;

use super::multi::is_read;
use super::write::is_mode_without_ttl;

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
            // Outside of a multi: where it was taken, a check that succeeded was never answered.
            OpCode::CHECK => !self.is_from(9, 3) && (!self.is_from(8, 5) || self.is_from(9, 0)),
            _ => true,
        }
    }

    /// Whether a multi can have such an operation; one that it cannot have breaks the whole. Since 3.9 so does a mode
    /// that does not go with the opcode, where a request alone is told `BadArguments`.
    pub(super) fn takes_in_multi(self, op: &MultiOp<'_>) -> bool {
        let takes_mode = |mode| !self.is_from(9, 0) || is_mode_without_ttl(mode);
        match op {
            MultiOp::Create(r) => takes_mode(r.mode),
            MultiOp::Create2(r) => self.knows(OpCode::CREATE2) && takes_mode(r.mode),
            MultiOp::CreateContainer(r) => {
                self.knows(OpCode::CREATE_CONTAINER) && takes_mode(r.mode)
            }
            MultiOp::CreateTtl(r) => self.knows(OpCode::CREATE_TTL) && r.create.mode.has_ttl(),
            op => !is_read(op),
        }
    }

    /// Whether the operation breaks the whole multi once it is its turn: before 3.9 a time to live that is not there.
    pub(super) fn breaks_multi(self, op: &MultiOp<'_>) -> bool {
        match op {
            MultiOp::Create(r) | MultiOp::Create2(r) | MultiOp::CreateContainer(r) => {
                r.mode.has_ttl() && self.knows(OpCode::CREATE_TTL)
            }
            _ => false,
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

    /// Whether `create2` in a multi is answered with a stat; before, the mode alone told what kind of creation it is.
    pub(super) fn has_create2_in_multi(self) -> bool {
        self.is_from(9, 0)
    }

    /// Whether `exists` needs READ, and so does being told of an event.
    pub(super) fn guards_existence(self) -> bool {
        self.is_from(9, 2) || (self.is_from(8, 4) && !self.is_from(9, 0))
    }

    /// Whether a request takes its transaction before it is read, so that a broken one takes one too: since 3.9 only a
    /// multi does.
    pub(super) fn numbers_before_reading(self, opcode: OpCode) -> bool {
        match opcode {
            OpCode::MULTI => true,
            OpCode::CREATE
            | OpCode::CREATE2
            | OpCode::CREATE_CONTAINER
            | OpCode::CREATE_TTL
            | OpCode::DELETE
            | OpCode::SET_DATA
            | OpCode::SET_ACL
            | OpCode::CHECK => !self.is_from(9, 0),
            _ => false,
        }
    }

    /// Whether quotas can be enforced.
    pub(super) fn has_hard_limits(self) -> bool {
        self.is_from(7, 0)
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
        assert!(knows(8, 4, OpCode::CHECK) && knows(9, 2, OpCode::CHECK));
        assert!(!knows(8, 5, OpCode::CHECK) && !knows(9, 3, OpCode::CHECK));
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

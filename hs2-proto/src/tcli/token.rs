//! Delegation tokens (V7+): a proof that a later login needs no ticket.

use super::handle::SessionHandle;
use super::status::Status;
use crate::thrift::record;

record! {
    /// Asks for a token.
    pub struct GetDelegationTokenReq = "TGetDelegationTokenReq" {
        /// The session.
        1: required session_handle: SessionHandle = "sessionHandle",
        /// For whom.
        2: required owner: String = "owner",
        /// Who may renew it.
        3: required renewer: String = "renewer",
    }
}

record! {
    /// The token.
    pub struct GetDelegationTokenResp = "TGetDelegationTokenResp" {
        /// Whether there is one.
        1: required status: Status = "status",
        /// The token as text; absent in a failure.
        2: optional delegation_token: String = "delegationToken",
    }
}

record! {
    /// Takes a token back.
    pub struct CancelDelegationTokenReq = "TCancelDelegationTokenReq" {
        /// The session.
        1: required session_handle: SessionHandle = "sessionHandle",
        /// The token.
        2: required delegation_token: String = "delegationToken",
    }
}

record! {
    /// Makes a token last longer.
    pub struct RenewDelegationTokenReq = "TRenewDelegationTokenReq" {
        /// The session.
        1: required session_handle: SessionHandle = "sessionHandle",
        /// The token.
        2: required delegation_token: String = "delegationToken",
    }
}

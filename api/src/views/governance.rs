//! Governance: proposals, votes, voting power, delegations and participation.

//! Payloads that make or bind money: `genesis.allocate`, `reward.mint`, `staking.*`.

use schema::chain::Height;
use schema::event::{Allocated, Event, Minted, Role, Staked, Unstaked};

use super::{Fields, Said, TEXT_MAX};
use crate::decode::Misfit;

/// Why an allocation is refused that comes later. It makes no money, so nothing about the chain's money is unknown after it.
pub const LATE_ALLOCATION: &str = "an allocation outside block 0";

pub(super) fn allocate(fields: &Fields<'_>) -> Result<Said, Misfit> {
    if fields.carrier.height != Height::GENESIS {
        return Err(Misfit::new(LATE_ALLOCATION));
    }
    creates_money(fields)?;
    let body = Allocated { address: fields.address("address")?, amount: fields.amount("amount")? };
    let subjects = vec![fields.subject(Role::Owner, &body.address)?];
    Ok(Said::plain(Event::Allocated(body), subjects))
}

pub(super) fn mint(fields: &Fields<'_>) -> Result<Said, Misfit> {
    creates_money(fields)?;
    let body = Minted {
        address: fields.address("address")?,
        amount: fields.amount("amount")?,
        reason: fields.optional_text("reason", TEXT_MAX)?,
        sender: fields.sender(),
    };
    let subjects = vec![fields.subject(Role::Owner, &body.address)?];
    Ok(Said::plain(Event::Minted(body), subjects))
}

/// Only the chain itself makes money, and the transaction that does so moves none.
fn creates_money(fields: &Fields<'_>) -> Result<(), Misfit> {
    if !fields.is_from_origin() {
        return Err(Misfit::new("only the origin account makes money"));
    }
    if fields.carrier.tx.amount.get().get() != 0 {
        return Err(Misfit::new("a transaction that makes money must carry the amount 0"));
    }
    Ok(())
}

pub(super) fn stake(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let body = Staked {
        account: fields.address("account")?,
        amount: fields.amount("amount")?,
        sender: fields.sender(),
        validator: fields.address("validator")?,
    };
    let subjects =
        vec![fields.subject(Role::Account, &body.account)?, fields.subject(Role::Validator, &body.validator)?];
    Ok(Said::plain(Event::Staked(body), subjects))
}

pub(super) fn unstake(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let body = Unstaked {
        account: fields.address("account")?,
        amount: fields.amount("amount")?,
        sender: fields.sender(),
        validator: fields.address("validator")?,
    };
    let subjects =
        vec![fields.subject(Role::Account, &body.account)?, fields.subject(Role::Validator, &body.validator)?];
    Ok(Said::plain(Event::Unstaked(body), subjects))
}

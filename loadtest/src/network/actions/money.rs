//! Allocations, transfers, mints and burns.

use super::super::dice::to_u64;
use super::super::draft::{Draft, From, Order, To};
use super::super::tally::{Defect, Kind, Oddity};
use super::super::wire::json_string;

/// Accounts below this balance start nothing.
pub const WORTH_SPENDING: u64 = 10_000;
/// The account that holds the treasury.
pub const TREASURER: usize = 0;
/// Beyond 2^53, so that readers who lose precision are caught.
const TREASURY: u64 = 900_719_925_474_099_301;
const REASONS: [&str; 4] = ["block reward", "validator reward", "community grant", "Belohnung für Knotenbetrieb"];

/// Accounts with an allocation besides those of the oracles.
fn funded(draft: &Draft<'_>) -> usize {
    draft.cast.plain_accounts().min(512)
}

/// Block 0: the whole supply but later mints.
pub fn genesis(draft: &mut Draft<'_>) {
    let oracles = draft.cast.oracles.iter().map(|oracle| oracle.account);
    for account in (0..funded(draft)).chain(oracles) {
        let amount =
            if account == TREASURER { TREASURY } else { 1_000_000_000_000 + 1_000_000 * draft.dice.below(9_000_000) };
        let spelled = draft.spell(amount);
        let address = &draft.cast.accounts[account].address;
        let data = format!(r#"{{"v":1,"kind":"genesis.allocate","address":"{address}","amount":{spelled}}}"#);
        draft.world.accounts.change(account).balance += amount;
        draft.world.allocated += amount;
        let order = Order {
            kind: Kind::Allocate,
            from: From::Origin,
            to: To::Registry,
            amount: 0,
            data: Some(&data),
            genuine: true,
        };
        draft.send(order);
    }
}

/// An account that can spend.
pub fn rich(draft: &mut Draft<'_>) -> usize {
    for _ in 0..8 {
        let plain = draft.cast.plain_accounts();
        let account = draft.dice.skewed(plain);
        if draft.world.accounts.get(account).balance >= 1_000 * WORTH_SPENDING {
            return account;
        }
    }
    // The treasury outlasts every chain: transfers take a bounded part of it.
    TREASURER
}

fn part_of_balance(draft: &mut Draft<'_>, account: usize) -> u64 {
    let balance = draft.world.accounts.get(account).balance;
    1 + draft.dice.below((balance / 50).min(500_000_000_000))
}

/// A plain transfer, badly signed at the configured rate.
pub fn transfer(draft: &mut Draft<'_>) {
    let from = rich(draft);
    let to = draft.dice.index(draft.cast.plain_accounts());
    let amount = part_of_balance(draft, from);
    let genuine = !draft.dice.per_mille(draft.config.bad_signature_per_mille);
    if !genuine {
        draft.defect(Defect::BadTransactionSignature);
    }
    let (from, to) = (From::Account(from), To::Account(to));
    draft.send(Order { kind: Kind::Transfer, from, to, amount, data: None, genuine });
}

/// A transfer to several recipients, sometimes the same one twice.
pub fn outputs(draft: &mut Draft<'_>) {
    let from = rich(draft);
    let count = 2 + draft.dice.below(4);
    let mut parts = Vec::new();
    for _ in 0..count {
        let to = draft.dice.index(draft.cast.plain_accounts());
        parts.push((to, part_of_balance(draft, from)));
    }
    draft.oddity(Oddity::Outputs);
    let (from, to) = (From::Account(from), To::Several(parts));
    draft.send(Order { kind: Kind::Transfer, from, to, amount: 0, data: None, genuine: true });
}

/// A transfer to the furnace.
pub fn burn(draft: &mut Draft<'_>) {
    let from = rich(draft);
    let amount = 1 + draft.dice.below(1_000_000);
    draft.oddity(Oddity::Burn);
    let from = From::Account(from);
    draft.send(Order { kind: Kind::Transfer, from, to: To::Furnace, amount, data: None, genuine: true });
}

/// A transfer into a stealth output.
pub fn stealth(draft: &mut Draft<'_>) {
    let from = rich(draft);
    let amount = 1 + draft.dice.below(1_000_000);
    draft.oddity(Oddity::Stealth);
    let from = From::Account(from);
    draft.send(Order { kind: Kind::Transfer, from, to: To::Stealth, amount, data: None, genuine: true });
}

/// A reward, the only way the supply grows.
pub fn mint(draft: &mut Draft<'_>) {
    let reason = draft.dice.one_in(2).then(|| (*draft.dice.pick(&REASONS)).to_owned());
    mint_because(draft, reason.as_deref());
}

/// A reward with a given reason.
pub fn mint_because(draft: &mut Draft<'_>, reason: Option<&str>) {
    let account = draft.dice.index(draft.cast.plain_accounts());
    let amount = 1 + draft.dice.below(5_000_000_000);
    let spelled = draft.spell(amount);
    let reason = reason.map_or_else(String::new, |reason| format!(r#","reason":{}"#, json_string(reason)));
    let address = &draft.cast.accounts[account].address;
    let data = format!(r#"{{"v":1,"kind":"reward.mint","address":"{address}","amount":{spelled}{reason}}}"#);
    draft.world.accounts.change(account).balance += amount;
    draft.world.minted += amount;
    draft.act(Kind::Mint, From::Origin, &data);
}

/// Whether it would come too early to say that money was made which a reader may not know of; see
/// [`super::social::stake_too_much`].
pub fn is_too_early_to_make_any(draft: &Draft<'_>) -> bool {
    draft.world.tally.defect(Defect::StakeTooMuch) == 0
}

/// Somebody else tries to mint: nothing is minted.
pub fn mint_by_stranger(draft: &mut Draft<'_>) {
    if is_too_early_to_make_any(draft) {
        return transfer(draft);
    }
    let sender = rich(draft);
    let address = &draft.cast.accounts[sender].address;
    let amount = 1 + draft.dice.below(to_u64(sender) + 1_000_000);
    let data = format!(r#"{{"v":1,"kind":"reward.mint","address":"{address}","amount":{amount}}}"#);
    draft.defect(Defect::MintByStranger);
    // The rule wants amount 0 on a mint; only the sender shall be wrong here.
    let from = From::Account(sender);
    let order = Order { kind: Kind::Mint, from, to: To::Registry, amount: 0, data: Some(&data), genuine: true };
    draft.send(order);
}

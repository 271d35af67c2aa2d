//! What depends on whether all money of a chain is known: what a negative balance means, and whose stake is backed.

use schema::event::{Part, Unrecognized};

use super::{BalanceKey, Balances, SupplyKey};
use crate::decode::payload::LATE_ALLOCATION;
use crate::projections::Moment;
use crate::projections::findings::Findings;

impl Balances {
    /// Whether what was not understood may have moved money, or made some. Only the origin makes money, and an allocation that
    /// comes too late is none.
    pub(super) fn may_concern_money(moment: &Moment<'_>, what: &Unrecognized) -> bool {
        let by_origin = moment.tx_sender.is_some_and(|sender| moment.is_from_origin(sender));
        what.part == Part::Transaction || by_origin && what.reason != LATE_ALLOCATION
    }

    /// Money may have moved or come into being without our knowing: from now on a negative balance is noteworthy and no
    /// longer proof that our arithmetic is wrong.
    pub(super) fn open(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        if self.is_closed(moment.event.source_id) {
            self.edit_supply(moment.event.source_id, |supply| supply.closed = false);
            let detail =
                "money may have moved or been made here that we do not know of: from here on the chain is not closed";
            findings.remark(moment, "supply-not-understood", None, detail);
        }
    }

    pub(super) fn stake(
        &mut self,
        moment: &Moment<'_>,
        account: &str,
        sender: &str,
        delta: i128,
        findings: &mut Findings,
    ) {
        let source = moment.event.source_id;
        let Ok(address) = moment.world.address(source, account) else { return };
        let Some(address_id) = moment.world.address_id(source, &address) else { return };
        let subject = Some(address.to_string());
        if !moment.is_address(sender, address.as_str()) {
            findings.report(moment, "stake-not-own", subject, "somebody else's money was staked or unstaked");
            return;
        }
        let row = self.balances.get(&BalanceKey { source_id: source.0, address_id });
        let (balance, staked) = row.map_or((0, 0), |row| (row.balance, row.staked));
        if staked + delta < 0 {
            findings.report(moment, "unstaked-too-much", subject, format!("{staked} base units were staked"));
            return;
        }
        // Stake is voting power, so it must be backed by money wherever all money was known at the beginning: whoever could
        // undo that by something that nobody understands would have power out of nothing.
        let supply = self.supply.get(&SupplyKey { source_id: source.0 });
        let began_closed = supply.is_some_and(|supply| supply.allocated > 0) && !moment.facts().off_block_state;
        if delta > 0 && began_closed && staked + delta > balance {
            let detail = format!("{balance} base units were held and {staked} of them staked already");
            findings.report(moment, "staked-too-much", subject, detail);
            return;
        }
        self.edit(moment, &address, |row| row.staked += delta);
    }
}

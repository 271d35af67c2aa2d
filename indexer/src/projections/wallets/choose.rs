//! What follows from the claims to wallets: who holds each on its chain, who owns it beyond the chain, and who stands behind.

use std::collections::BTreeSet;

use schema::event::Position;
use schema::store::StoreError;
use sqlx::PgConnection;

use super::{Claim, ClaimKey, ContestedKey, Holder, HolderKey, Owner, OwnerKey, Wallets, holder};

impl Wallets {
    /// The holder of a wallet and the claims that stand behind the holder's, from all claims; and with them the owner.
    fn choose(&mut self, address_id: i64) {
        let first = ClaimKey { address_id, source_id: i32::MIN, claim_position: i64::MIN };
        let last = ClaimKey { address_id, source_id: i32::MAX, claim_position: i64::MAX };
        let claims: Vec<(ClaimKey, Claim)> =
            self.claims.range(first..=last).map(|(key, claim)| (key.clone(), claim.clone())).collect();
        let outcome = holder::of(&claims);
        match outcome.holder {
            Some(holder) => self.holders.set(HolderKey { address_id }, holder),
            None => self.holders.remove(HolderKey { address_id }),
        }
        for (key, _) in &claims {
            let contested = ContestedKey { event_position: key.claim_position };
            match outcome.contested.get(&key.claim_position) {
                Some(row) => self.contested.set(contested, row.clone()),
                None => self.contested.remove(contested),
            }
        }
        self.own(address_id);
    }

    /// Level two: who holds a wallet owns it, unless the chain means somebody else by that identity.
    pub(super) fn own(&mut self, address_id: i64) {
        let holder = self.holders.get(&HolderKey { address_id });
        match holder.filter(|holder| self.recognition.holds(holder.source_id, &holder.identity_id)).cloned() {
            Some(Holder { identity_id, source_id, claim_position }) => {
                self.owners.set(OwnerKey { address_id }, Owner { identity_id, source_id, claim_position });
            }
            None => self.owners.remove(OwnerKey { address_id }),
        }
    }

    /// Chooses again for the wallets of claims that were made, changed or taken away.
    pub(super) fn choose_all(&mut self, touched: &BTreeSet<ClaimKey>) {
        let addresses: BTreeSet<i64> = touched.iter().map(|key| key.address_id).collect();
        for address_id in addresses {
            self.choose(address_id);
        }
        for key in touched {
            // A claim that is gone altogether can no longer be contested.
            if self.claims.get(key).is_none() {
                self.contested.remove(ContestedKey { event_position: key.claim_position });
            }
        }
    }

    /// Ends a unit in what is chosen from the claims.
    pub(super) fn close_derived(&mut self, end: Position) {
        self.holders.close(end);
        self.owners.close(end);
        self.contested.close(end);
    }

    pub(super) async fn write_derived(&mut self, db: &mut PgConnection, before: Position) -> Result<(), StoreError> {
        self.holders.write(db, before).await?;
        self.owners.write(db, before).await?;
        self.contested.write(db, before).await?;
        Ok(())
    }
}

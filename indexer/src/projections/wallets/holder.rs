//! The rule that chooses whose a wallet is on its chain: a pure function of the whole set of claims, so that it gives the same
//! answer whichever of them were retracted in between.

use std::collections::BTreeMap;

use schema::event::Verdict;

use super::{Claim, ClaimKey, Contested, Holder};

/// What the claims to one wallet come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Whose it is.
    pub holder: Option<Holder>,
    /// Claims that do not count because another identity's does, by claim position.
    pub contested: BTreeMap<i64, Contested>,
}

/// Walks through the claims in the order in which they were made and removed. The earliest counting claim holds the wallet; a verified
/// one displaces one that only a trusted source's word supports; whatever loses does not revive.
pub(super) fn of(claims: &[(ClaimKey, Claim)]) -> Outcome {
    let mut steps: Vec<(i64, bool, usize)> = Vec::new();
    for (index, (key, claim)) in claims.iter().enumerate() {
        steps.push((key.claim_position, true, index));
        if let Some(removed) = claim.removed_position {
            steps.push((removed, false, index));
        }
    }
    // A better proof retires the claim before it at its own position: removals come first.
    steps.sort_by_key(|&(position, links, _)| (position, links));
    let mut holder: Option<usize> = None;
    let mut outcome = Outcome::default();
    for (_, links, index) in steps {
        let Some((key, claim)) = claims.get(index) else { continue };
        if !links {
            if holder == Some(index) {
                holder = None;
            }
            continue;
        }
        let incumbent = holder.and_then(|holder| claims.get(holder));
        let displaces = incumbent.is_some_and(|(_, held)| is_verified(claim) && !is_verified(held));
        match incumbent {
            _ if !counts(claim) => {}
            None => holder = Some(index),
            Some((held_key, held)) if displaces => {
                if held.identity_id != claim.identity_id {
                    contest(&mut outcome, held_key, held, claim);
                }
                holder = Some(index);
            }
            Some((_, held)) if held.identity_id == claim.identity_id => {}
            Some((_, held)) => contest(&mut outcome, key, claim, held),
        }
    }
    let winner = holder.and_then(|holder| claims.get(holder));
    for (key, claim) in claims {
        // An unverifiable claim beside the holder's counts nothing and is worth knowing of, whichever came first.
        let beaten = winner.filter(|(_, held)| held.identity_id != claim.identity_id);
        if claim.verdict == Verdict::Unverifiable.code()
            && claim.removed_position.is_none()
            && let Some((_, held)) = beaten
        {
            contest(&mut outcome, key, claim, held);
        }
    }
    outcome.holder = winner.map(|(key, claim)| Holder {
        identity_id: claim.identity_id.clone(),
        source_id: key.source_id,
        claim_position: key.claim_position,
    });
    outcome
}

fn contest(outcome: &mut Outcome, key: &ClaimKey, claim: &Claim, owner: &Claim) {
    let row = Contested {
        event_source_id: key.source_id,
        address_id: key.address_id,
        identity_id: claim.identity_id.clone(),
        owner_identity_id: owner.identity_id.clone(),
        detail: "the wallet belongs to another identity, whose claim counts".to_owned(),
    };
    outcome.contested.insert(key.claim_position, row);
}

fn is_verified(claim: &Claim) -> bool {
    claim.verdict == Verdict::Verified.code()
}

fn counts(claim: &Claim) -> bool {
    is_verified(claim) || (claim.trusted && claim.verdict == Verdict::Unverifiable.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(position: i64, identity: u8, verdict: Verdict, removed: Option<i64>) -> (ClaimKey, Claim) {
        let key = ClaimKey { address_id: 1, source_id: 1, claim_position: position };
        let claim =
            Claim { identity_id: vec![identity], verdict: verdict.code(), trusted: false, removed_position: removed };
        (key, claim)
    }

    fn owner(claims: &[(ClaimKey, Claim)]) -> Option<u8> {
        of(claims).holder.and_then(|holder| holder.identity_id.first().copied())
    }

    #[test]
    fn the_earliest_verified_claim_owns_and_a_later_one_does_not_revive() {
        let claims = [claim(5, b'B', Verdict::Verified, None), claim(7, b'C', Verdict::Verified, None)];
        assert_eq!(owner(&claims), Some(b'B'));
        assert!(of(&claims).contested.contains_key(&7));
        let unlinked = [claim(5, b'B', Verdict::Verified, Some(9)), claim(7, b'C', Verdict::Verified, None)];
        assert_eq!(owner(&unlinked), None, "what lost does not revive");
        let later = [unlinked[0].clone(), unlinked[1].clone(), claim(11, b'C', Verdict::Verified, None)];
        assert_eq!(owner(&later), Some(b'C'), "a new claim counts");
    }

    #[test]
    fn an_unverifiable_claim_counts_nothing_and_is_a_finding() {
        let claims = [claim(3, b'C', Verdict::Unverifiable, None), claim(5, b'B', Verdict::Verified, None)];
        assert_eq!(owner(&claims), Some(b'B'));
        assert!(of(&claims).contested.contains_key(&3));
    }

    #[test]
    fn a_verified_claim_displaces_a_trusted_one_for_good() {
        let mut trusted = claim(3, b'C', Verdict::Unverifiable, None);
        trusted.1.trusted = true;
        assert_eq!(owner(std::slice::from_ref(&trusted)), Some(b'C'));
        assert_eq!(owner(&[trusted.clone(), claim(5, b'B', Verdict::Verified, None)]), Some(b'B'));
        assert_eq!(owner(&[trusted, claim(5, b'B', Verdict::Verified, Some(6))]), None);
    }

    #[test]
    fn a_refuted_claim_is_nothing() {
        assert_eq!(owner(&[claim(1, b'A', Verdict::Refuted, None)]), None);
    }
}

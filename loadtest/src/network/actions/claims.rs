//! Wallets that change hands, and links that nobody can check.

use super::super::dice::{derive_bytes, to_u64, to_usize};
use super::super::draft::{Draft, From};
use super::super::tally::{Defect, Kind, Oddity};
use super::identity::{self, Proof};
use super::{money, numbered, somebody, two_people};

/// The identity that links as many wallets as it may, by proofs that nobody can check. It links nothing else.
const HOARDER: usize = 7;
/// So many wallets an identity may have.
const MAX_LINKS: u64 = 32;
/// Pairs of people looked at to find a wallet that can change hands.
const GUESSES: u32 = 24;

/// Whether an identity is the one that links wallets by the dozen.
pub fn is_hoarder(identity: usize) -> bool {
    identity == HOARDER
}

/// A wallet is unlinked by its owner and linked, with a genuine proof, by another identity, whose it is from then on.
pub fn move_wallet(draft: &mut Draft<'_>) {
    for _ in 0..GUESSES {
        let Some((from, to)) = two_people(draft) else { break };
        let Some((bit, wallet)) = identity::own_wallet(draft, from, true) else { continue };
        // The account that controls the identity stays with it. Who has claimed the wallet before in vain cannot gain it
        // by saying the same again.
        let is_free = bit > 0 && !draft.world.contested.get().contains(&(wallet, to));
        let has_none = draft.world.identities.get(to).adopted.is_none() && !is_hoarder(to);
        let are_idle = !draft.delegated.contains(&from) && !draft.delegated.contains(&to);
        if is_free && has_none && are_idle {
            return hand_over(draft, from, to, (bit, wallet));
        }
    }
    money::transfer(draft);
}

fn hand_over(draft: &mut Draft<'_>, from: usize, to: usize, (bit, wallet): (u32, usize)) {
    let owner = draft.world.identities.change(from);
    owner.links &= !(1 << bit);
    owner.gone |= 1 << bit;
    draft.world.identities.change(to).adopted = Some(wallet);
    for identity in [from, to] {
        draft.restaked.insert(identity);
        draft.world.cover(draft.cast, identity);
    }
    draft.oddity(Oddity::MovedWallet);
    identity::unlink(draft, from, wallet);
    identity::link(draft, to, to, wallet, &Proof::Genuine);
}

/// A link whose proof is of an algorithm for which there is no verifier.
pub fn link_unverifiable(draft: &mut Draft<'_>) {
    let Some(identity) = somebody(draft) else { return money::transfer(draft) };
    let wallet = identity::own_wallet(draft, identity, false);
    let Some((_, wallet)) = wallet.filter(|_| !is_hoarder(identity)) else { return money::transfer(draft) };
    // The lengths of a key and a signature of ML-DSA-44.
    link_by(draft, identity, wallet, ("ml-dsa-44", 1_312, 2_420));
}

/// An identity links one wallet more than it may; the first time it has to link all the others before.
pub fn hoard(draft: &mut Draft<'_>) {
    let excess = draft.world.tally.defect(Defect::TooManyLinks);
    let plain = draft.cast.plain_accounts();
    let last = MAX_LINKS + excess;
    if draft.world.registered <= HOARDER || to_u64(plain) <= last {
        return money::transfer(draft);
    }
    for n in if excess == 0 { 0 } else { last }..last {
        link_by(draft, HOARDER, plain - 1 - to_usize(n), ("ed448", 57, 114));
    }
    draft.defect(Defect::TooManyLinks);
    link_by(draft, HOARDER, plain - 1 - to_usize(last), ("ed448", 57, 114));
}

/// Sends a link with noise for a proof, in the lengths of an algorithm's key and signature.
fn link_by(draft: &mut Draft<'_>, identity: usize, wallet: usize, (alg, key, signature): (&str, usize, usize)) {
    let cast = draft.cast;
    let (id, address) = (&cast.identity_ids[identity], &cast.accounts[wallet].address);
    let data = format!(
        r#"{{"v":1,"kind":"identity.link_wallet","identity_id":"{id}","wallet_address":"{address}","link_type":"cold-storage","proof":{{"alg":"{alg}","public_key":"{}","signature":"{}"}}}}"#,
        noise(draft.config.seed, "strange key", wallet, key),
        noise(draft.config.seed, "strange proof", wallet, signature)
    );
    draft.oddity(Oddity::UnverifiableLink);
    draft.act(Kind::LinkWallet, From::Account(identity), &data);
}

fn noise(seed: u64, label: &str, wallet: usize, len: usize) -> String {
    let parts = (0..to_u64(len.div_ceil(32))).map(|part| derive_bytes(seed, label, &[numbered(wallet), part]));
    let bytes: Vec<u8> = parts.flatten().take(len).collect();
    hex::encode(bytes)
}

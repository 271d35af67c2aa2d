//! Registrations, profiles, keys and wallet links.

use super::super::dice::derive_bytes;
use super::super::draft::{Draft, From};
use super::super::ledger::Visibility;
use super::super::tally::{Defect, Kind};
use super::super::wire::json_string;
use super::super::world::Identity;
use super::{can_pay, claims, fund_next, money, numbered, programme, somebody, two_people};

const FIRST: [&str; 12] =
    ["Ada", "Björn", "Chloé", "Dmitri", "Eun-ji", "Fatima", "Giày", "Hanako 花子", "Íñigo", "Jürgen", "Kwame", "Łucja"];
const LAST: [&str; 10] =
    ["Quartz", "Flint", "Marl", "Obsidian", "Şist", "Travertín", "Gneiss", "Ølandsbrud", "Slate", "Tuff"];
const BIOS: [&str; 5] = [
    "Runs a small BOINC farm on solar power.",
    "Validator since block 12. Questions welcome!",
    "Rechnet nachts für die Klimaforschung. \"Nichts\" dabei \\ alles gut.",
    "宇宙の計算を手伝っています。",
    "proofs, proofs, proofs 🧮",
];
const LINK_TYPES: [&str; 7] = ["main", "primary", "mining", "staking", "trading", "governance", "cold-storage"];

fn display_name(draft: &mut Draft<'_>) -> String {
    let first = *draft.dice.pick(&FIRST);
    let last = *draft.dice.pick(&LAST);
    json_string(&format!("{first} {last} {}", draft.dice.below(1_000)))
}

fn bio(draft: &mut Draft<'_>) -> String {
    let text: &str = draft.dice.pick::<&str>(&BIOS);
    json_string(text)
}

/// The next identity registers, and often links its account at once; or it and those after it are given money to do so.
pub fn register(draft: &mut Draft<'_>) {
    let identity = draft.world.registered;
    if identity == draft.cast.identity_ids.len() {
        return money::transfer(draft);
    }
    if !can_pay(draft, identity) {
        return fund_next(draft, identity);
    }
    draft.world.registered += 1;
    draft.world.identities.change(identity).visibility = register_as(draft, identity, identity);
    if draft.dice.one_in(2) && !claims::is_hoarder(identity) {
        link_own(draft, identity, (0, identity));
    }
}

/// Somebody registers an identity that exists already.
pub fn register_again(draft: &mut Draft<'_>) {
    let Some(identity) = somebody(draft) else { return money::transfer(draft) };
    let thief = money::rich(draft);
    draft.defect(Defect::SecondRegistration);
    register_as(draft, identity, thief);
}

fn register_as(draft: &mut Draft<'_>, identity: usize, account: usize) -> Visibility {
    let cast = draft.cast;
    let mut data = format!(
        r#"{{"v":1,"kind":"identity.register","identity_id":"{}","key":{{"alg":"ed25519","public_key":"{}"}}"#,
        cast.identity_ids[identity], cast.accounts[account].public_key
    );
    if !draft.dice.one_in(10) {
        data += &format!(r#","display_name":{}"#, display_name(draft));
    }
    if draft.dice.one_in(3) {
        let hash = derive_bytes(draft.config.seed, "avatar", &[numbered(identity)]);
        data += &format!(r#","avatar_hash":"{}""#, hex::encode(hash));
    }
    if draft.dice.one_in(2) {
        data += &format!(r#","bio":{}"#, bio(draft));
    }
    // Most share their stats; those who say nothing are private by default.
    let (visibility, says) = match draft.dice.below(20) {
        0..=11 => (Visibility::Public, true),
        12..=14 => (Visibility::FriendsOnly, true),
        15..=16 => (Visibility::Private, true),
        _ => (Visibility::default(), false),
    };
    if says {
        data += &format!(r#",{}"#, visibility_member(visibility));
    }
    data.push('}');
    draft.act(Kind::Register, From::Account(account), &data);
    visibility
}

fn visibility_member(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Public => r#""stats_visibility":"public""#,
        Visibility::FriendsOnly => r#""stats_visibility":"friends_only""#,
        Visibility::Private => r#""stats_visibility":"private""#,
    }
}

/// A profile changes.
pub fn update(draft: &mut Draft<'_>) {
    let Some(identity) = somebody(draft) else { return money::transfer(draft) };
    let fields = match draft.dice.below(6) {
        0 => format!(r#""display_name":{}"#, display_name(draft)),
        1 => format!(r#""bio":{}"#, bio(draft)),
        2 => r#""bio":null,"avatar_hash":null"#.to_owned(),
        _ => {
            let visibility = *draft.dice.pick(&[Visibility::Private, Visibility::FriendsOnly, Visibility::Public]);
            draft.world.identities.change(identity).visibility = visibility;
            visibility_member(visibility).to_owned()
        }
    };
    update_with(draft, identity, &fields);
}

/// A profile change with these JSON members.
pub fn update_with(draft: &mut Draft<'_>, identity: usize, fields: &str) {
    let id = &draft.cast.identity_ids[identity];
    let data = format!(r#"{{"v":1,"kind":"identity.update","identity_id":"{id}",{fields}}}"#);
    draft.act(Kind::Update, From::Account(identity), &data);
}

/// A key is replaced, with a bad proof at the configured rate.
pub fn rotate_key(draft: &mut Draft<'_>) {
    let Some(identity) = somebody(draft) else { return money::transfer(draft) };
    let cast = draft.cast;
    let id = &cast.identity_ids[identity];
    let rate = draft.config.bad_signature_per_mille;
    let genuine = !draft.dice.per_mille(rate) && !programme::misses(draft, Defect::BadRotationProof);
    let rotation = draft.world.identities.get(identity).rotations + 1;
    let key = cast.rotated(identity, rotation);
    if genuine {
        draft.world.identities.change(identity).rotations = rotation;
    } else {
        draft.defect(Defect::BadRotationProof);
    }
    let text = format!("chert:rotate-key:v1\n{}\n{id}\ned25519\n{}", draft.config.chain_id, key.public_key);
    let data = format!(
        r#"{{"v":1,"kind":"identity.rotate_key","identity_id":"{id}","key":{{"alg":"ed25519","public_key":"{}"}},"proof":"{}"}}"#,
        key.public_key,
        key.sign(text.as_bytes(), genuine)
    );
    draft.act(Kind::RotateKey, From::Account(identity), &data);
}

/// How a link's proof is made.
pub enum Proof {
    /// By the wallet's key.
    Genuine,
    /// By the wallet's key, with one bit flipped.
    BrokenSignature,
    /// By another key, to which the wallet's address does not belong.
    OtherKey,
}

/// Sends a link of a wallet to an identity.
pub fn link(draft: &mut Draft<'_>, sender: usize, identity: usize, wallet: usize, proof: &Proof) {
    let cast = draft.cast;
    let (id, address) = (&cast.identity_ids[identity], &cast.accounts[wallet].address);
    let link_type = *draft.dice.pick(&LINK_TYPES);
    let text = format!("chert:wallet-link:v1\n{}\n{id}\n{address}\n{link_type}", draft.config.chain_id);
    let signer = match proof {
        Proof::Genuine | Proof::BrokenSignature => wallet,
        Proof::OtherKey => (wallet + 1) % cast.plain_accounts(),
    };
    let signer = &cast.accounts[signer];
    let data = format!(
        r#"{{"v":1,"kind":"identity.link_wallet","identity_id":"{id}","wallet_address":"{address}","link_type":"{link_type}","proof":{{"alg":"ed25519","public_key":"{}","signature":"{}"}}}}"#,
        signer.public_key,
        signer.sign(text.as_bytes(), !matches!(proof, Proof::BrokenSignature))
    );
    draft.act(Kind::LinkWallet, From::Account(sender), &data);
}

/// A wallet of an identity's own that is linked, or not linked, now.
pub fn own_wallet(draft: &mut Draft<'_>, identity: usize, linked: bool) -> Option<(u32, usize)> {
    let Identity { links, gone, .. } = *draft.world.identities.get(identity);
    let fits = |bit: u32| gone & (1 << bit) == 0 && (links & (1 << bit) != 0) == linked;
    let wallets: Vec<_> = draft.cast.pool(identity).filter(|(bit, _)| fits(*bit)).collect();
    if wallets.is_empty() { None } else { Some(*draft.dice.pick(&wallets)) }
}

/// A wallet is linked, with a bad proof at the configured rate.
pub fn link_wallet(draft: &mut Draft<'_>) {
    let Some(identity) = somebody(draft) else { return money::transfer(draft) };
    let Some((bit, wallet)) = own_wallet(draft, identity, false) else { return money::transfer(draft) };
    if claims::is_hoarder(identity) || draft.delegated.contains(&identity) {
        return money::transfer(draft);
    }
    link_own(draft, identity, (bit, wallet));
}

fn link_own(draft: &mut Draft<'_>, identity: usize, (bit, wallet): (u32, usize)) {
    if draft.dice.per_mille(draft.config.bad_signature_per_mille) || programme::misses(draft, Defect::BadLinkProof) {
        draft.defect(Defect::BadLinkProof);
        return link(draft, identity, identity, wallet, &Proof::BrokenSignature);
    }
    draft.world.identities.change(identity).links |= 1 << bit;
    draft.restaked.insert(identity);
    draft.world.cover(draft.cast, identity);
    link(draft, identity, identity, wallet, &Proof::Genuine);
}

/// A proof that holds, but by a key to which the address does not belong.
pub fn link_by_other_key(draft: &mut Draft<'_>) {
    let Some(identity) = somebody(draft) else { return money::transfer(draft) };
    let Some((_, wallet)) = own_wallet(draft, identity, false) else { return money::transfer(draft) };
    draft.defect(Defect::LinkProofOfAnotherKey);
    link(draft, identity, identity, wallet, &Proof::OtherKey);
}

/// A genuine proof, sent by somebody who does not control the identity.
pub fn link_by_stranger(draft: &mut Draft<'_>) {
    let Some((identity, stranger)) = two_people(draft) else { return money::transfer(draft) };
    let Some((_, wallet)) = own_wallet(draft, identity, false) else { return money::transfer(draft) };
    draft.defect(Defect::LinkByStranger);
    link(draft, stranger, identity, wallet, &Proof::Genuine);
}

/// A second identity claims, with a genuine proof, a wallet that is linked already.
pub fn link_twice(draft: &mut Draft<'_>) {
    let Some((owner, second)) = two_people(draft) else { return money::transfer(draft) };
    let Some((_, wallet)) = own_wallet(draft, owner, true) else { return money::transfer(draft) };
    draft.defect(Defect::DoubleLink);
    draft.world.contested.change().insert((wallet, second));
    link(draft, second, second, wallet, &Proof::Genuine);
}

/// Sends the unlinking of a wallet by an identity.
pub fn unlink(draft: &mut Draft<'_>, identity: usize, wallet: usize) {
    let (id, address) = (&draft.cast.identity_ids[identity], &draft.cast.accounts[wallet].address);
    let data =
        format!(r#"{{"v":1,"kind":"identity.unlink_wallet","identity_id":"{id}","wallet_address":"{address}"}}"#);
    draft.act(Kind::UnlinkWallet, From::Account(identity), &data);
}

/// A wallet is unlinked; a delegation that stood on its stake then counts less.
pub fn unlink_wallet(draft: &mut Draft<'_>) {
    let Some(identity) = somebody(draft) else { return money::transfer(draft) };
    let Some((bit, wallet)) = own_wallet(draft, identity, true) else { return money::transfer(draft) };
    if draft.delegated.contains(&identity) {
        return money::transfer(draft);
    }
    draft.world.identities.change(identity).links &= !(1 << bit);
    draft.restaked.insert(identity);
    draft.world.cover(draft.cast, identity);
    unlink(draft, identity, wallet);
}

/// Something that is not linked is unlinked.
pub fn unlink_unlinked(draft: &mut Draft<'_>) {
    let Some(identity) = somebody(draft) else { return money::transfer(draft) };
    let Some((_, wallet)) = own_wallet(draft, identity, false) else { return money::transfer(draft) };
    draft.defect(Defect::UnlinkOfUnlinked);
    unlink(draft, identity, wallet);
}

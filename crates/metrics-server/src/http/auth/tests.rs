use std::{collections::BTreeMap, sync::Arc};

use axum::http::HeaderValue;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Authenticator, Outcomes, REMEMBERED_MAX, Secret, Users, credentials};

fn users(names: &[(&str, &str)]) -> Users {
    let hashes = names
        .iter()
        .map(|(name, password)| ((*name).to_owned(), bcrypt::hash(password, 4).unwrap()))
        .collect();
    Users::new(hashes).unwrap()
}

fn basic(pair: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).unwrap()
}

#[tokio::test]
async fn the_right_password_of_a_known_user_is_let_in() {
    let authenticator = Authenticator::new();
    let users = users(&[("alice", "pass:word"), ("bob", ""), ("", "nobody"), ("ü", "ß")]);
    let long = format!("bob:{}", "x".repeat(5_000));
    for (pair, admitted) in [
        ("alice:pass:word", true),
        ("alice:pass:word", true),
        ("alice:pass", false),
        ("alice:", false),
        ("Alice:pass:word", false),
        ("bob:", true),
        (":nobody", true),
        ("ü:ß", true),
        ("mallory:pass:word", false),
        ("mallory:nobody has this.", false),
        ("alice", false),
        ("", false),
        (&long, false),
    ] {
        assert_eq!(authenticator.admits(&users, Some(&basic(pair))).await, admitted, "{pair}");
    }
    assert!(!authenticator.admits(&users, None).await);
}

#[tokio::test]
async fn a_password_which_is_not_hashed_is_compared_whole() {
    let authenticator = Authenticator::new();
    let password = "p:ss".repeat(30);
    let users = Users::plain("alice".to_owned(), Secret(password.clone()));
    assert!(!users.is_empty());
    for (pair, admitted) in [
        (format!("alice:{password}"), true),
        (format!("alice:{password}x"), false),
        (format!("bob:{password}"), false),
        ("alice:".to_owned(), false),
        (String::new(), false),
    ] {
        assert_eq!(authenticator.admits(&users, Some(&basic(&pair))).await, admitted, "{pair}");
    }
    assert!(!format!("{users:?}").contains("p:ss"));
}

#[test]
fn the_header_is_read_as_go_reads_it() {
    for (header, expected) in [
        (&b"Basic YTpi"[..], Some(("a", "b"))),
        (b"bAsIc YTpi", Some(("a", "b"))),
        (b"Basic YTpiOmM=", Some(("a", "b:c"))),
        (b"Basic Og==", Some(("", ""))),
        (b"Basic YTpiOmM", None),
        (b"Basic  YTpi", None),
        (b"Basic YWI=", None),
        (b"Basic", None),
        (b"Bearer YTpi", None),
        (b"Basic \xff", None),
    ] {
        let found = credentials(&HeaderValue::from_bytes(header).unwrap());
        let found = found.map(|(user, password)| {
            (String::from_utf8(user).unwrap(), String::from_utf8(password).unwrap())
        });
        let found = found.as_ref().map(|(user, password)| (user.as_str(), password.as_str()));
        assert_eq!(found, expected, "{}", String::from_utf8_lossy(header));
    }
}

#[tokio::test]
async fn a_changed_hash_forgets_the_old_password() {
    let authenticator = Authenticator::new();
    let old = basic("alice:old");
    assert!(authenticator.admits(&users(&[("alice", "old")]), Some(&old)).await);
    assert!(!authenticator.admits(&users(&[("alice", "new")]), Some(&old)).await);
    assert!(!authenticator.admits(&users(&[]), Some(&old)).await);
}

/// What takes time is counted, not timed: the same hashes are computed for both.
#[tokio::test]
async fn an_unknown_user_costs_as_much_as_a_wrong_password() {
    let authenticator = Authenticator::new();
    let users = users(&[("alice", "right")]);
    for (pair, computed) in [
        ("alice:wrong", 1),
        ("mallory:wrong", 2),
        ("mallory:wrong", 2),
        ("alice:wrong", 2),
        ("trudy:wrong", 3),
        ("alice:right", 4),
    ] {
        authenticator.admits(&users, Some(&basic(pair))).await;
        assert_eq!(authenticator.outcomes().by_digest.len(), computed, "{pair}");
    }
    assert_eq!(users.cost_max, 4, "an unknown user's hash costs what the dearest user's does");
}

#[tokio::test]
async fn one_hash_is_computed_at_a_time_and_once_for_all_who_wait() {
    let authenticator = Arc::new(Authenticator::new());
    let users = Arc::new(users(&[("alice", "right")]));
    let hashing = Arc::clone(&authenticator.hashing);
    let held = Arc::clone(&hashing).acquire_owned().await.unwrap();
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let (authenticator, users) = (Arc::clone(&authenticator), Arc::clone(&users));
            tokio::spawn(
                async move { authenticator.admits(&users, Some(&basic("alice:right"))).await },
            )
        })
        .collect();
    tokio::task::yield_now().await;
    assert!(authenticator.outcomes().by_digest.is_empty(), "all wait for their turn");
    drop(held);
    for waiter in waiting {
        assert!(waiter.await.unwrap());
    }
    assert_eq!(authenticator.outcomes().by_digest.len(), 1);
    assert_eq!(hashing.available_permits(), 1);
}

#[test]
fn wrong_passwords_make_room_for_right_ones() {
    let digest = |number: usize| {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_le_bytes());
        digest
    };
    let mut outcomes = Outcomes::default();
    for number in 0..3 {
        outcomes.insert(digest(number), true);
    }
    for number in 3..1_000 {
        outcomes.insert(digest(number), false);
        assert!(outcomes.by_digest.len() <= REMEMBERED_MAX);
    }
    assert_eq!(outcomes.get(&digest(0)), Some(true), "guessing does not push it out");
    assert_eq!(outcomes.get(&digest(999)), Some(false));
    assert_eq!(outcomes.get(&digest(3)), None);

    for number in 1_000..1_200 {
        outcomes.insert(digest(number), true);
        assert!(outcomes.by_digest.len() <= REMEMBERED_MAX);
        let queued = outcomes.admitted.len() + outcomes.refused.len();
        assert_eq!(queued, outcomes.by_digest.len());
    }
    assert_eq!(outcomes.get(&digest(0)), None, "the oldest goes when all are right");
    outcomes.insert(digest(2_000), false);
    assert_eq!(outcomes.get(&digest(1_199)), Some(true));
}

#[test]
fn what_is_no_hash_is_refused_by_its_users_name() {
    for hash in ["", "doe", "$2y$10$short", "$1$abcdefgh$0123456789012345678901", "$2y$03$"] {
        let hashes = BTreeMap::from([("john".to_owned(), hash.to_owned())]);
        assert_eq!(Users::new(hashes).unwrap_err(), "john: not a bcrypt hash");
    }
}

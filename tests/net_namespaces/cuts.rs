//! A line that is cut: for less than the lease, for more, in the middle of coming back, and for ever.

use std::time::{Duration, Instant};

use crate::{
    is_long, spaces,
    talk::{SOON, Talk, Talkers, agree},
};

const TALK: Talk = Talk {
    lease: Duration::from_secs(6),
    messages: 60,
    bytes: 20_000,
};

/// Lets the line stay dark until the dialer has given the connection up and tries another: that is half the lease after
/// it heard something last.
fn until_given_up(talk: Talk) {
    std::thread::sleep(talk.lease / 2 + talk.lease / 20);
}

#[test]
fn a_cut_that_nobody_is_told_of_loses_nothing() {
    let Some(spaces) = spaces() else { return };
    let mut talkers = TALK.begin(&spaces);
    for progress in [5, 40] {
        talkers.await_progress(progress);
        spaces.line().darken();
        until_given_up(TALK);
        spaces.line().clear_up();
    }
    talkers.all_is_well();
}

#[test]
fn a_cut_at_any_packet_of_a_resumption_loses_nothing() {
    // Some at a time, each in a place of its own: most of it is waiting.
    let most = if is_long() { 60 } else { 16 };
    let step = if is_long() { 1 } else { 2 };
    let packets: Vec<u64> = (1..=most).step_by(step).collect();
    for crowd in packets.chunks(8) {
        std::thread::scope(|scope| {
            for packets in crowd {
                scope.spawn(|| cut_in_resumption(*packets));
            }
        });
    }
}

/// After a first cut so many packets pass, then there is another.
fn cut_in_resumption(packets: u64) {
    let Some(spaces) = spaces() else { return };
    let line = spaces.line();
    let mut talkers = TALK.begin(&spaces);
    talkers.await_progress(packets);
    line.darken();
    // Not before the old connection is given up: its packets would count.
    until_given_up(TALK);
    line.let_pass(packets);
    let deadline = Instant::now() + TALK.lease / 4;
    while !line.is_dark() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("dark again after {packets} packets: {}", line.is_dark());
    std::thread::sleep(Duration::from_millis(200));
    line.clear_up();
    talkers.all_is_well();
}

/// Both sides say that the link is over, and agree about what was taken.
fn is_over(talkers: &mut Talkers, why: [&str; 2]) {
    let ends = [0, 1].map(|end| {
        talkers.parts[end].order("closed");
        talkers.parts[end].answer_within(SOON)
    });
    for (end, why) in ends.iter().zip(why) {
        assert!(end.contains(why), "{end}");
    }
    let (listener, dialer) = (talkers.told(0), talkers.told(1));
    agree(&listener, &dialer);
    agree(&dialer, &listener);
    let open = |told: &crate::talk::Told| told.in_doubt.len() + told.returned.len();
    println!(
        "after the end: {} and {} without an outcome of the peer's",
        open(&listener),
        open(&dialer)
    );
}

#[test]
fn a_cut_for_longer_than_the_lease_ends_the_link_on_both_sides_and_they_agree() {
    let Some(spaces) = spaces() else { return };
    let talk = Talk {
        lease: Duration::from_secs(2),
        messages: 100_000,
        bytes: 100,
    };
    let mut talkers = talk.begin(&spaces);
    talkers.await_progress(100);
    spaces.line().darken();
    is_over(&mut talkers, ["silent", "silent"]);
    // And when it is over, a new link is made as ever.
    drop(talkers);
    spaces.line().clear_up();
    let talk = Talk {
        messages: 10,
        ..talk
    };
    talk.begin(&spaces).all_is_well();
}

#[test]
fn a_peer_that_dies_behind_a_cut_leaves_at_most_one_message_in_doubt() {
    let Some(spaces) = spaces() else { return };
    let talk = Talk {
        lease: Duration::from_secs(3),
        messages: 100_000,
        bytes: 100,
    };
    let mut talkers = talk.begin(&spaces);
    talkers.await_progress(100);
    spaces.line().darken();
    let [listener, mut dialer] = talkers.parts;
    drop(listener);
    spaces.line().clear_up();
    let end = dialer.ask("closed");
    assert!(end.contains("silent") || end.contains("session"), "{end}");
    let answer = dialer.ask("finish");
    let in_doubt = answer
        .split(']')
        .nth(2)
        .unwrap()
        .trim_start_matches([' ', '[']);
    println!("in doubt: {in_doubt:?}");
    assert!(
        !in_doubt.contains(','),
        "one is under way at a time: {in_doubt}"
    );
}

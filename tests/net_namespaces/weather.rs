//! Bad weather: a connection that lives, and barely.

use std::time::Duration;

use crate::{is_long, line::Weather, or_skipped, space::Spaces, spaces, talk::Talk};

const TALK: Talk = Talk {
    lease: Duration::from_secs(12),
    messages: 24,
    bytes: 40_000,
};

#[test]
fn a_line_that_delays_loses_reorders_and_doubles_loses_and_doubles_no_message() {
    let Some(spaces) = spaces() else { return };
    let talk = if is_long() {
        Talk {
            messages: 300,
            ..TALK
        }
    } else {
        TALK
    };
    let talkers = talk.begin(&spaces);
    spaces.line().set(Weather {
        delay: Duration::from_millis(10),
        jitter: Duration::from_millis(20),
        lost: 30,
        twice: 30,
        rate: Some(2_000_000),
    });
    talkers.all_is_well();
    let passed = spaces.line().passed();
    println!("{passed} packets");
    assert!(passed > 500, "it went over the line: {passed}");
}

#[test]
fn a_slow_line_of_the_kernel_s_own_that_goes_down_and_up_loses_nothing() {
    let Some(spaces) = or_skipped(Spaces::by_veth()) else {
        return;
    };
    let Some(()) = or_skipped(spaces.slow_down("4mbit")) else {
        return;
    };
    let mut talkers = TALK.begin(&spaces);
    for (end, progress) in [(0, 6), (1, 20)] {
        talkers.await_progress(progress);
        spaces.set(end, "down");
        std::thread::sleep(Duration::from_millis(300));
        spaces.set(end, "up");
    }
    talkers.all_is_well();
}

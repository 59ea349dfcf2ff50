//! Programs, and what each comes to: on one thread, inside tokio, on two threads, and with threads for processes.
//!
//! `Deadlock` has the cycle, then the others. `total` says that nobody can go on, `partial` that others still run.

use handover::process::{Network, OnDeadlock};

use crate::{
    play::{self, As},
    script::Script,
    ways::{WAYS, Way, others},
};

enum Expected {
    /// Every process ends.
    Ends,
    /// The first process that fails says this.
    Fails(&'static str),
    Deadlock {
        cycle: &'static str,
        others: &'static str,
        is_total: bool,
    },
}

const fn total(cycle: &'static str, others: &'static str) -> Expected {
    Expected::Deadlock {
        cycle,
        others,
        is_total: true,
    }
}

const fn partial(cycle: &'static str, others: &'static str) -> Expected {
    Expected::Deadlock {
        cycle,
        others,
        is_total: false,
    }
}

const fn fails(message: &'static str) -> Expected {
    Expected::Fails(message)
}

const ENDS: Expected = Expected::Ends;

/// More threads than that take long to start.
const THREADS_MAX: usize = 40;

fn check(name: &str, lines: &[&str], expected: &Expected, way: Way, how: As) {
    if how == As::Threads {
        let scripts: Vec<Script> = lines.iter().flat_map(|line| Script::all_of(line)).collect();
        if scripts.len() > THREADS_MAX || !scripts.iter().all(Script::can_block) {
            return;
        }
    }
    let mut net = Network::new(name);
    // What was taken out is kept until the program is over.
    let _kept = play::add(&mut net, lines, how);
    if let Expected::Deadlock { is_total: true, .. } = expected {
        // A part of it may be found before the rest has come to wait; it is waited for.
        net.on_deadlock(OnDeadlock::Report);
    }
    let outcome = match expected {
        Expected::Ends => {
            let outcome = way.run(net);
            assert!(outcome.is_ok(), "{way:?} {how:?}: {outcome:?}");
            return;
        }
        Expected::Fails(message) => {
            let error = way.run(net).unwrap_err();
            assert_eq!(error.to_string(), *message, "{way:?} {how:?}");
            return;
        }
        Expected::Deadlock { .. } => way.deadlock(net),
    };
    if let Expected::Deadlock {
        cycle,
        others: rest,
        is_total,
    } = expected
    {
        let names = |text: &'static str| text.split_whitespace().collect::<Vec<_>>();
        let context = format!("{way:?} {how:?}: {outcome}");
        assert_eq!(outcome.cycle_names(), names(cycle), "{context}");
        assert_eq!(others(&outcome), names(rest), "{context}");
        assert_eq!(outcome.is_total, *is_total, "{context}");
        assert_eq!(outcome.network, name, "{context}");
    }
}

macro_rules! corpus {
    ($($(#[doc = $doc:literal])* $name:ident: [$($line:literal),* $(,)?] => $expected:expr;)+) => {
        $(
            $(#[doc = $doc])*
            mod $name {
                use super::*;

                const LINES: &[&str] = &[$($line),*];

                #[test]
                fn on_one_thread() {
                    check(stringify!($name), LINES, &$expected, Way::OneThread, As::Processes);
                }

                #[test]
                fn inside_tokio() {
                    check(stringify!($name), LINES, &$expected, Way::InsideTokio, As::Processes);
                }

                #[test]
                fn on_two_threads() {
                    check(stringify!($name), LINES, &$expected, Way::TwoThreads, As::Processes);
                }

                #[test]
                fn with_threads_for_processes() {
                    for way in WAYS {
                        check(stringify!($name), LINES, &$expected, way, As::Threads);
                    }
                }
            }
        )+
    };
}

// ---- Cycles ----

corpus! {
    one_sends_to_itself: ["a: self! self?"] => total("a", "");
    one_receives_from_itself: ["a: self? self!"] => total("a", "");
    an_alternation_does_not_meet_itself: ["a: [self! | self?]"] => total("a", "");
    /// Two operations of one process that wait at once can meet each other.
    one_does_both_at_once: ["a: (self! & self?)"] => ENDS;

    both_send_first: ["a: up! down?", "b: down! up?"] => total("a b", "");
    both_receive_first: ["a: down? up!", "b: up? down!"] => total("a b", "");
    one_of_them_receives_first: ["a: up! down?", "b: up? down!"] => ENDS;
    both_offer_either_order: [
        "a: [up!{down?} | down?{up!}]",
        "b: [down!{up?} | up?{down!}]",
    ] => ENDS;
    both_do_both_at_once: ["a: (up! & down?)", "b: (down! & up?)"] => ENDS;
    two_channels_in_opposite_order: ["a: x! y!", "b: y? x?"] => total("a b", "");
    one_more_round_than_the_other_plays: ["a: 3{x! y?}", "b: 2{x? y!} y! x?"] => total("a b", "");

    three_in_a_cycle: ["a: ab! ca?", "b: bc! ab?", "c: ca! bc?"] => total("a b c", "");
    a_ring_without_a_token: ["p*10: r{i}? r{next}!"]
        => total("p-1 p-10 p-9 p-8 p-7 p-6 p-5 p-4 p-3 p-2", "");
    a_ring_with_a_token: ["head: 3{r1! r9?}", "p*8: *{r{i}? r{i+1}!}"] => ENDS;
    a_ring_in_which_all_send_first: ["p*4: r{next}! r{i}?"] => total("p-1 p-2 p-3 p-4", "");
    a_ring_whose_token_is_eaten: [
        "head: r1! r5? r1! r5?", "p*3: *{r{i}? r{i+1}!}", "glutton: r4? r5! 2{r4?}",
    ] => total("head glutton p-3 p-2 p-1", "");

    others_wait_because_of_a_cycle: ["a: up! down? x!", "b: down! up?", "c: x? y!", "d: y?"]
        => total("a b", "c d");
    two_cycles_at_once: ["a: ab! ba?", "b: ba! ab?", "c: cd! dc?", "d: dc! cd?"]
        => total("a b", "c d");
    the_shortest_cycle_is_told: [
        "a: ab! ca? ea?", "b: [bc! | bd!] ab?", "c: ca! bc?", "d: de! bd?", "e: ea! de?",
    ] => total("a b c", "d e");
}

// ---- Philosophers, locks, pipelines ----

corpus! {
    /// Everybody has taken the left fork when the host lets them go on.
    dining_philosophers: [
        "host: 5{seated?} 5{go!}",
        "p*5: l{i}! seated! go? r{next}! dl{i}! dr{next}!",
        "fork*5: *{[l{i}?{dl{i}?} | r{i}?{dr{i}?}]}",
    ] => total("p-1 fork-2 p-2 fork-3 p-3 fork-4 p-4 fork-5 p-5 fork-1", "");
    /// Four chairs for five.
    dining_philosophers_and_a_butler: [
        "host: 5{full?} 5{home!}",
        "p*5: 3{sit! l{i}! r{next}! dl{i}! dr{next}! rise!} full! home?",
        "fork*5: *{[l{i}?{dl{i}?} | r{i}?{dr{i}?}]}",
        "chair*4: *{sit? rise?}",
    ] => ENDS;
    one_philosopher_is_left_handed: [
        "host: 5{full?} 5{home!}",
        "p*4: 3{l{i}! r{i+1}! dl{i}! dr{i+1}!} full! home?",
        "left: 3{r1! l5! dl5! dr1!} full! home?",
        "fork*5: *{[l{i}?{dl{i}?} | r{i}?{dr{i}?}]}",
    ] => ENDS;
    two_locks_in_opposite_order: [
        "m1: [a1?{da1?} | b1?{db1?}]",
        "m2: [a2?{da2?} | b2?{db2?}]",
        "a: a1! meet! a2! da1! da2!",
        "b: b2! meet? b1! db2! db1!",
    ] => total("m1 a m2 b", "");
    two_locks_in_one_order: [
        "m1: 2{[a1?{da1?} | b1?{db1?}]}",
        "m2: 2{[a2?{da2?} | b2?{db2?}]}",
        "a: a1! a2! da2! da1! full! home?",
        "b: b1! b2! db2! db1! full! home?",
        "host: 2{full?} 2{home!}",
    ] => ENDS;
    a_pipeline: ["source: 20{s1!}", "stage*8: *{s{i}? s{i+1}!}", "sink: 20{s9?}"] => ENDS;
    a_pipeline_whose_end_feeds_its_start: ["source: x! x! x! ack?", "mid: *{x? y!}", "sink: y? ack! y?"]
        => total("source mid sink", "");
    a_fan_out_and_in: ["source: 30{job!}", "worker*4: *{job? done!}", "sink: *{done?}"] => ENDS;
    workers_that_answer_whom_still_asks: ["boss: 8{job!} 8{done?}", "worker*4: 2{job? done!}"]
        => total("boss worker-1", "worker-2 worker-3 worker-4");
    a_server_that_answers_in_the_wrong_order: ["a: ask-a! to-a?", "b: ask-b! to-b?", "s: ask-a? to-b! ask-b? to-a!"]
        => total("b s", "a");
    a_server_that_answers_in_any_order: [
        "a: ask-a! to-a? bye!", "b: ask-b! to-b? bye!", "s: 2{[ask-a?{to-a!} | ask-b?{to-b!}]} 2{bye?}",
    ] => ENDS;
}

// ---- Alternations ----

corpus! {
    alternations_that_nobody_faces: ["a: [x? | y?] z! w!", "b: [z? | w?] x! y!"] => total("a b", "");
    alternations_that_both_offer: ["a: [x! | y!] z? w?", "b: [z! | w!] x? y?"]
        => total("a b", "");
    a_knot_of_alternations: [
        "a: [ba? | ca?] ab! ac!",
        "b: [ab? | cb?] ba! bc!",
        "c: [ac? | bc?] ca! cb!",
    ] => total("a b", "c");
    a_branch_that_leads_out_of_the_knot: [
        "a: [ba? | ca?] ab!", "b: ab? ba!keep", "c: never!keep never?60ms ca!",
    ] => ENDS;
    a_branch_to_itself_beside_one_that_is_faced: ["a: self!keep [self? | x?]", "b: x!"] => ENDS;
    an_alternation_with_a_time: ["a: [x? | 60ms] y!", "b: y? x!keep"] => ENDS;
    one_in_a_knot_of_alternations_has_a_time: [
        "a: [ba? | ca?] ab! ac! end!", "b: [ab? | cb? | 80ms] bc!keep ba! ab? end?", "c: [ac? | bc?] ca!keep cb!keep",
    ] => ENDS;
}

// ---- Some of many ----

corpus! {
    two_among_a_thousand: ["a: up! down?", "b: down! up?", "source*500: *{t{i}!}", "sink*500: *{t{i}?}"]
        => partial("a b", "");
    three_inside_a_busy_network: [
        "source*20: *{t{i}!}", "a: ab! ca?", "b: bc! ab?", "c: ca! bc?", "sink*20: *{t{i}?}",
    ] => partial("a b c", "");
    one_that_waits_for_a_busy_one_is_no_member: [
        "a: up! down?", "b: down! up?", "c: late?", "d: *{t!} late!", "e: *{t?}",
    ] => partial("a b", "");
    several_can_send_and_one_still_runs: [
        "a: x? y!", "b: y? x!keep", "c: never!keep never?60ms x!",
    ] => ENDS;
    several_can_send_and_none_runs: ["a: x? y! w!", "b: y? x!", "c: z? x!", "d: w? z!"]
        => total("a b", "c d");
    several_can_receive_and_one_still_runs: [
        "a: x! y? x!", "b: y! x?", "c: never!keep never?60ms x?",
    ] => ENDS;
    several_can_receive_and_none_runs: ["a: x! y? z!", "b: y! x?", "c: z? x?"] => total("a b", "c");
    the_last_that_could_release_them_ends: [
        "a: x! y?", "b: y! x?", "c: x?keep never!keep never?60ms",
    ] => total("a b", "");
}

// ---- Ends that are gone, and poison ----

corpus! {
    the_sender_has_ended: ["a: x?", "b: x!keep"]
        => fails("process `a` failed: no message will come: every sender is gone");
    the_receiver_has_ended: ["a: x!", "b: x?keep"]
        => fails("process `a` failed: nobody can take the message: every receiver is gone");
    a_cycle_is_broken_by_an_end: ["a: x? y!", "b: y?60ms x!keep"]
        => fails("process `a` failed: no message will come: every sender is gone");
    poison_releases: ["a: x!", "b: x?keep never!keep never?60ms x#"]
        => fails("process `a` failed: nobody can take the message: the channel was poisoned: bitter");
    poison_spreads_through_a_pipeline: ["a: s1!", "stage*3: s{i}? s{i+1}!", "z: s4?keep never!keep never?60ms s4#"]
        => fails("process `stage-3` failed: nobody can take the message: the channel was poisoned: bitter");
    the_first_failure_is_told_and_not_those_that_follow: ["a: x?", "b: x!keep gone!", "c: gone?keep"]
        => fails("process `b` failed: nobody can take the message: every receiver is gone");
}

// ---- Extended rendezvous, calls ----

corpus! {
    an_acceptor_that_finishes: ["a: ask! done!", "b: ask?{friend?}", "c: friend! done?"] => ENDS;
    an_acceptor_that_waits_for_the_friend_of_its_sender: [
        "a: ask! done!", "b: ask?{friend?}", "c: done? friend!",
    ] => total("a b c", "");
    /// A busy process could have taken the message; now that it is accepted, it cannot release its sender.
    only_the_acceptor_releases_an_accepted_send: [
        "a: ask! done!", "b: ask?{seen! friend?}", "c: seen? done? friend!", "d: seen!keep ask?keep *{t!}", "e: *{t?}",
    ] => partial("a b c", "");
    a_call_that_calls_back: ["a: ab! ba?{}", "b: ab?{ba!}"] => total("a b", "");
    three_that_call_in_a_ring: ["a: ab! ca?{}", "b: ab?{bc!}", "c: bc?{ca!}"] => total("a b c", "");
    calls_that_nest: ["a: 5{ab!}", "b: *{ab?{bc!}}", "c: *{bc?{cd!}}", "d: *{cd?}"] => ENDS;
    two_that_accept_each_other: ["a: (ab! & ok?)", "b: ab?{ba? ok!}", "c: ba!"] => ENDS;
}

// ---- Time ----

corpus! {
    a_send_that_gives_up: ["a: up!60ms down?", "b: down! up?keep"] => ENDS;
    a_receive_that_gives_up: ["a: x?60ms y!", "b: y? x!keep"] => ENDS;
    both_give_up_at_some_time: ["a: x?60ms y!keep bye!", "b: y?90ms x!keep bye?"] => ENDS;
    a_deadlock_after_the_time_is_up: ["a: up!60ms up! down?", "b: down! up?"] => total("a b", "");
    a_time_elsewhere_keeps_nobody_else_alive: [
        "a: up! down?", "b: down! up?", "c: never!keep 40{never?100ms}",
    ] => partial("a b", "");
}

// ---- Other waits ----

corpus! {
    demand_that_comes: ["a: x!ready x!", "b: x?"] => ENDS;
    demand_that_never_comes: ["a: x!ready y!", "b: y? x?"] => total("a b", "");
    the_other_side_goes: ["a: x!closed", "b: x?keep never!keep never?60ms"] => ENDS;
    the_other_side_never_goes: ["a: x!closed y!", "b: x?keep y?"] => total("a b", "");
    each_waits_for_the_other_to_go: ["a: x?closed y!keep", "b: y?closed x!keep"] => total("a b", "");
    granted_credit_is_slack_enough: ["a: x! x! y?", "b: x?+2 y! x? x?"] => ENDS;
    granted_credit_is_used_up: ["a: x! x! y?", "b: x?+1 y! x? x?"] => total("a b", "");
    two_operations_and_both_are_released: ["a: (x? & y?)", "b: x! z?", "c: z! y!"] => ENDS;
    two_operations_that_are_waited_for_both: ["a: (x? & y?) z! w!", "b: z? x!", "c: w? y!"] => total("a b", "c");
    one_waits_for_nothing: ["a: @"] => total("", "a");
    others_wait_for_one_that_waits_for_nothing: ["a: @ x!keep", "b: x? y!", "c: y?"] => total("", "a b c");
    one_waits_for_nothing_while_others_run: ["a: @", "b: *{t!}", "c: *{t?}"] => partial("", "a");
    a_taken_out_end_may_release: ["a: x? y! x?", "b: y? x!", "c: x!out never!keep 3{never?60ms} x!"] => ENDS;
}

// ---- Who shares a side, and the right to poison ----

corpus! {
    /// The third worker could take a job, but nobody waits for that.
    two_of_three_workers_and_their_boss: [
        "boss: ack? job!", "worker*2: job? ack!", "busy: job?keep *{t!}", "clock: *{t?}",
    ] => partial("boss worker-1", "worker-2");
    one_that_shares_the_sending_side_releases_nobody: ["a: x! y?", "b: y! x?", "c: x!keep *{t!}", "d: *{t?}"]
        => partial("a b", "");
    one_that_shares_a_side_and_ends_releases_nobody: ["a: x? y!", "b: y? x!", "c: x?keep y!keep never!keep never?60ms"]
        => total("a b", "");
    one_that_shares_the_side_that_waits_for_the_other_to_go: ["a: x!closed y!", "b: x?keep y?", "c: x!keep *{t!}", "d: *{t?}"]
        => partial("a b", "");
    one_that_shares_the_side_that_waits_for_demand: ["a: x!ready y!", "b: y? x?", "c: x!keep *{t!}", "d: *{t?}"]
        => partial("a b", "");
    a_poisoner_that_still_runs_may_release: ["a: x? y!", "b: y? x!keep", "c: never!keep never?60ms x#"]
        => fails("process `a` failed: no message will come: the channel was poisoned: bitter");
    a_poisoner_that_shares_the_side_may_release: ["boss: ack? job!keep", "worker: job? ack!", "c: job?keep never!keep never?60ms job#"]
        => fails("process `worker` failed: no message will come: the channel was poisoned: bitter");
    a_poisoner_may_release_who_waits_for_the_other_side_to_go: ["a: x!closed y!", "b: x?keep y?", "c: never!keep never?60ms x#"]
        => ENDS;
    a_poisoner_may_release_who_waits_for_demand: ["a: x!ready y!", "b: y? x?keep", "c: never!keep never?60ms x#"]
        => fails("process `a` failed: the channel was poisoned: bitter");
    a_poisoner_that_has_ended_releases_nobody: ["a: x? y!", "b: y? x!", "c: x#keep y#keep never!keep never?60ms"]
        => total("a b", "");
    a_poisoner_that_is_blocked_itself_releases_nobody: ["a: x? y!", "b: y? x!", "c: x#keep z? w!", "d: w? z!"]
        => total("a b", "c d");
    a_cycle_through_a_poisoner: ["a: x? y!", "b: w? x!", "c: y? x# w!"] => total("a c", "b");
    the_poisoner_of_another_channel_releases_nobody: ["a: x? y!", "b: y? x!", "c: t#keep *{t!}", "d: *{t?}"]
        => partial("a b", "");
    /// Poison does not touch what was accepted: its acceptor alone can release it.
    a_poisoner_does_not_release_what_was_accepted: [
        "a: ask! done!", "b: ask?{seen! friend?}", "c: seen? done? friend!", "d: seen!keep ask#keep *{t!}", "e: *{t?}",
    ] => partial("a b c", "");
    an_accepted_send_on_a_channel_that_was_poisoned: [
        "a: ask! done!", "b: ask?{seen! friend?}", "c: seen? ask# done? friend!", "d: *{t!}", "e: *{t?}",
    ] => partial("a b c", "");
}

#[test]
fn a_script_says_what_it_means() {
    use crate::script::{End, Step};
    let scripts = Script::all_of("p*2: r{i}? r{next}! 3{x!ready}");
    assert_eq!(scripts.len(), 2);
    assert_eq!(scripts[1].name, "p-2");
    assert_eq!(scripts[1].ins, ["r2"]);
    assert_eq!(scripts[1].outs, ["r1", "x"]);
    assert_eq!(
        scripts[1].steps,
        [
            Step::Do(End::In(0)),
            Step::Do(End::Out(0)),
            Step::Times(3, vec![Step::Ready(1)])
        ]
    );
    assert!(!scripts[1].can_block());
}

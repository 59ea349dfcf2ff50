//! What the program sees in each channel of the field: our contract, what our pages say of the others, and the
//! table on the page.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path, sync::LazyLock};

use handover::bench::semantics::Table;

static TABLE: LazyLock<Table> = LazyLock::new(Table::of_the_field);

fn verdict(question: &str, rival: &str) -> &'static str {
    let answer = TABLE.answer(question, rival);
    &answer
        .unwrap_or_else(|| panic!("{rival} was not asked: {question}"))
        .verdict
}

#[test]
fn every_rival_has_an_answer_to_every_question() {
    assert_eq!(TABLE.columns.len(), 9);
    assert_eq!(TABLE.columns[0].id, "handover");
    assert!(TABLE.rows.len() >= 20);
    for row in &TABLE.rows {
        assert_eq!(row.answers.len(), TABLE.columns.len(), "{}", row.id);
        for (answer, column) in row.answers.iter().zip(&TABLE.columns) {
            let place = format!("{}: {}", column.id, row.id);
            assert!(!answer.verdict.is_empty(), "{place}");
            assert_ne!(answer.verdict, "panics", "{place}");
            let why = answer.because.as_deref().unwrap_or("");
            assert!(
                answer.verdict != "-" || !why.is_empty(),
                "{place}: why not?"
            );
        }
    }
}

#[test]
fn each_column_names_the_version_of_its_package() {
    for column in &TABLE.columns {
        let version = column.from.split(' ').nth(1);
        let is_version = version.is_some_and(|text| text.split('.').count() >= 3);
        assert!(column.id == "std" || is_version, "{}", column.from);
    }
    let ours = concat!("handover ", env!("CARGO_PKG_VERSION"));
    assert_eq!(TABLE.columns[0].from, ours);
}

#[test]
fn our_channel_keeps_its_contract() {
    for (question, expected) in [
        ("capacity zero", "accepted"),
        ("reported without receiver", "no"),
        ("reported before taken", "no"),
        ("receive dropped while waiting", "with its sender"),
        ("receive dropped when woken", "with its sender"),
        ("losing branch", "with its sender"),
        ("stuck behind a sleeper", "no"),
        ("wake-up passed on", "yes"),
        ("reported, then dropped", "no"),
        ("cancelled send delivered later", "no"),
        // The price of a rendezvous: who takes does not ask whether the sender still looks.
        ("cancelled send was taken", "yes"),
        ("cancelled send can be told", "yes"),
        ("cancelled send keeps its message", "yes"),
        ("timed-out send delivered later", "no"),
        ("try_send without receiver", "no"),
        ("try_send to future", "no"),
        ("try_send to thread", "yes"),
        ("full gives back", "yes"),
        ("disconnected gives back", "yes"),
        ("time-out gives back", "yes"),
        ("receivers leave during send", "an error with the message"),
        ("senders leave during receive", "the end"),
        ("senders in order", "yes"),
        ("receivers in order", "yes"),
        ("length and capacity", "-"),
    ] {
        assert_eq!(verdict(question, "handover"), expected, "{question}");
    }
}

#[test]
fn kanal_reports_a_message_as_sent_and_loses_it() {
    for question in ["receive dropped when woken", "losing branch"] {
        assert_eq!(verdict(question, "kanal async"), "LOST, reported as sent");
    }
    assert_eq!(
        verdict("wake-up passed on", "kanal async"),
        "no: the message is lost"
    );
}

#[test]
fn flume_at_zero_is_a_buffer_of_one() {
    assert_eq!(verdict("capacity zero", "flume"), "accepted");
    assert_eq!(verdict("reported before taken", "flume"), "yes");
    assert_eq!(
        verdict("receive dropped when woken", "flume"),
        "in the channel"
    );
    assert_eq!(verdict("reported, then dropped", "flume"), "yes");
}

#[test]
fn some_have_no_capacity_zero() {
    assert_eq!(verdict("capacity zero", "tokio"), "refused");
    assert_eq!(verdict("capacity zero", "async-channel"), "refused");
    assert_eq!(verdict("capacity zero", "crossfire"), "made a buffer of 1");
}

#[test]
fn the_rendezvous_of_threads_in_the_field_is_one() {
    for rival in ["crossbeam", "std"] {
        assert_eq!(verdict("reported without receiver", rival), "no");
        assert_eq!(verdict("try_send without receiver", rival), "no");
        assert_eq!(verdict("try_send to thread", rival), "yes");
        assert_eq!(verdict("reported, then dropped", rival), "no");
    }
}

#[test]
fn the_page_carries_the_table_as_it_is_printed() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/semantics.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once("<!-- table -->\n").unwrap();
    let (shown, _) = rest.split_once("<!-- end of the table -->").unwrap();
    let printed = TABLE.markdown();
    assert!(
        shown.trim() == printed.trim(),
        "docs/semantics.md is out of date: put the output of\n\
         `cargo run --example semantics --features bench` into it. It is now:\n\n{printed}"
    );
}

#[test]
fn the_page_explains_every_question() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/semantics.md");
    let page = fs::read_to_string(page).unwrap();
    let (before, rest) = page.split_once("<!-- table -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of the table -->").unwrap();
    for row in &TABLE.rows {
        let heading = format!("**{}**", row.question);
        assert!(
            before.contains(&heading) || after.contains(&heading),
            "{heading} is not explained"
        );
    }
}

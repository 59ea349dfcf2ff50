//! The page in a real browser: what a person sees of a network that runs, waits, deadlocks and goes.
//!
//! It needs `chromedriver` and Chromium (Debian: `chromium-driver`); without them each test says so and ends.

#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "not each test needs all of it")]
mod web;

use std::{sync::mpsc, thread};

use handover::process::{In, Network, Out, RunError};
use serde_json::json;
use web::{browser::Browser, chain};

/// Where each node is.
const PLACES: &str = "[...document.querySelectorAll('#graph g[data-key]')].map(node => [node.dataset.name, \
                      node.getAttribute('transform')])";
/// Whether two nodes lie on each other.
const OVERLAP: &str = "(() => { \
    const boxes = [...document.querySelectorAll('#graph g[data-key] > rect:first-of-type')].map(b => b.getBoundingClientRect()); \
    return boxes.some((a, at) => boxes.slice(at + 1).some(b => \
        a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)); })()";

#[test]
fn a_person_sees_who_waits_then_the_deadlock_then_that_the_program_has_gone() {
    let Some(browser) = Browser::start("story") else {
        return;
    };
    let (go, wait) = mpsc::channel();
    let net = chain(["left", "middle", "right"], wait);
    let observer = net.serve_observer("127.0.0.1:0").unwrap();
    let run = thread::spawn(move || net.run());

    browser.open(&observer.to_string());
    browser.wait_until("document.querySelectorAll('.process').length === 3");
    browser.wait_until("document.querySelectorAll('.process.blocked').length === 2");
    assert_eq!(browser.names(".channel"), ["down", "side", "up"]);
    assert_eq!(browser.names(".process.blocked"), ["left", "right"]);
    // Not by colour alone: each state has its own sign, and its word.
    for (name, state) in [("left", "blocked"), ("middle", "running")] {
        let node = format!("document.querySelector('.process[data-name={name}]')");
        let sign = format!("{node}.querySelector('use').getAttribute('href')");
        assert_eq!(browser.value(&sign), format!("#sign-{state}"));
        let label = browser.value(&format!("{node}.getAttribute('aria-label')"));
        let label = label.as_str().unwrap();
        assert!(
            label.starts_with(&format!("{name}: {state} for ")),
            "{label}"
        );
    }
    browser.wait_until("document.querySelectorAll('path.wait').length === 2");
    assert_eq!(browser.text("#banner"), "");
    assert_eq!(browser.text("#state"), "running");
    browser.wait_until(
        "document.querySelector('#bottleneck').textContent.startsWith('Bottleneck: middle,')",
    );

    browser.click(".process[data-name=left]");
    let details = browser.text("#details");
    assert!(
        details.contains("sending on “up”\nat tests/web/mod.rs:"),
        "{details}"
    );
    assert!(details.contains("for middle"), "{details}");

    // Nothing jumps about from one look to the next.
    let places = browser.value(PLACES);
    let age = json!(browser.text("#age"));
    browser.wait_until(&format!(
        "document.querySelector('#age').textContent !== {age}"
    ));
    assert_eq!(browser.value(PLACES), places);
    assert_eq!(browser.value(OVERLAP), json!(false));
    browser.screenshot("observe-running");

    drop(go);
    assert!(matches!(run.join().unwrap(), Err(RunError::Deadlock(_))));
    browser.wait_until("document.querySelector('#banner').textContent.includes('waits for')");
    let banner = browser.text("#banner");
    assert!(banner.contains("left → middle → left"), "{banner}");
    assert!(
        banner.contains("left (sending on \"up\" at mod.rs:"),
        "{banner}"
    );
    assert!(
        banner.contains("because of it right waits for ever too"),
        "{banner}"
    );
    let banner_role = browser.value("document.querySelector('#banner').getAttribute('aria-live')");
    assert_eq!(banner_role, "assertive");
    assert_eq!(browser.names(".process.cycle"), ["left", "middle"]);
    assert_eq!(
        browser.names(".process.condemned"),
        ["left", "middle", "right"]
    );
    assert_eq!(browser.names(".channel.cycle"), ["down", "up"]);
    let arrows = browser.value("document.querySelectorAll('path.wait.cycle').length");
    assert_eq!(arrows, json!(2));
    browser.wait_until("document.querySelector('#state').textContent === 'ended by a deadlock'");
    assert_eq!(browser.value(PLACES), places);
    browser.screenshot("observe-deadlock");
    assert_eq!(browser.complaints(), Vec::<String>::new());

    drop(observer);
    browser.wait_until("document.body.classList.contains('gone')");
    let gone = browser.text("#gone");
    assert!(gone.starts_with("No answer since "), "{gone}");
    assert_eq!(
        browser.names(".process.cycle"),
        ["left", "middle"],
        "what was seen last stays"
    );
    browser.screenshot("observe-gone");
}

#[test]
fn twins_are_two_nodes_and_only_the_one_in_the_cycle_is_drawn_in_it() {
    let Some(browser) = Browser::start("twins") else {
        return;
    };
    let (go, wait) = mpsc::channel();
    // The second is the thread, which will be in the cycle.
    let net = chain(["left", "twin", "twin"], wait);
    let observer = net.serve_observer("127.0.0.1:0").unwrap();
    let run = thread::spawn(move || net.run());
    browser.open(&observer.to_string());
    browser.wait_until("document.querySelectorAll('.process').length === 3");
    browser.wait_until("document.querySelectorAll('.process.blocked').length === 2");
    let (in_cycle, beside) = ("twin", "twin (2)");
    assert_eq!(browser.names(".process.running"), [in_cycle]);
    assert_eq!(browser.names(".process.blocked"), ["left", beside]);

    drop(go);
    assert!(matches!(run.join().unwrap(), Err(RunError::Deadlock(_))));
    browser.wait_until("document.querySelector('#banner').textContent.includes('waits for')");
    assert_eq!(browser.names(".process.cycle"), ["left", in_cycle]);
    let condemned = browser.value("document.querySelectorAll('.process.condemned').length");
    assert_eq!(condemned, json!(3));
    let arrows = browser.value("document.querySelectorAll('path.wait.cycle').length");
    assert_eq!(arrows, json!(2));
    let banner = browser.text("#banner");
    assert!(
        banner.contains(&format!("left → {in_cycle} → left")),
        "{banner}"
    );
    assert!(
        banner.contains(&format!("because of it {beside} waits for ever too")),
        "{banner}"
    );
    browser.click(".process[data-name=left]");
    let details = browser.text("#details");
    assert!(details.contains(&format!("for {in_cycle}")), "{details}");
    assert_eq!(browser.value(OVERLAP), json!(false));
    assert_eq!(browser.complaints(), Vec::<String>::new());
    browser.screenshot("observe-twins");
}

#[test]
fn what_stands_still_and_is_no_deadlock_is_told_with_the_reason() {
    let Some(browser) = Browser::start("undecided") else {
        return;
    };
    let mut net = Network::new("gate");
    let (out, into) = net.channel::<u32>("orders");
    let (give, taken) = mpsc::channel();
    net.process("desk", out, async move |orders: &Out<u32>| {
        let _ = give.send(orders.take_out());
        Ok(())
    });
    net.process("kitchen", into, async |orders: &In<u32>| {
        while orders.next().await?.is_some() {}
        Ok(())
    });
    let observer = net.serve_observer("127.0.0.1:0").unwrap();
    let run = thread::spawn(move || net.run());
    let outside = taken.recv().unwrap();
    browser.open(&observer.to_string());
    browser.wait_until("document.querySelector('#undecided').textContent.includes('kitchen')");
    assert_eq!(
        browser.text("#undecided"),
        "Not called a deadlock, though nothing in the network can move kitchen: channel “orders” is open \
         (1 end taken out, or under way in a parcel)."
    );
    assert_eq!(browser.text("#banner"), "");
    browser.screenshot("observe-undecided");
    // It ends well; by then nobody stands still.
    drop(outside);
    assert!(run.join().unwrap().is_ok());
    browser.wait_until("document.querySelector('#undecided').textContent === ''");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_name_is_text_and_never_markup_or_script() {
    let Some(browser) = Browser::start("hostile") else {
        return;
    };
    let mut names = [
        "</script><script>document.title = 'evil'</script>",
        "<img src=x onerror=\"document.title = 'evil'\">",
        "\"two\nlines\" & ${naïve} 名前",
    ];
    let (go, wait) = mpsc::channel();
    drop(go);
    let net = chain(names, wait);
    let observer = net.serve_observer("127.0.0.1:0").unwrap();
    assert!(matches!(net.run(), Err(RunError::Deadlock(_))));
    browser.open(&observer.to_string());
    browser.wait_until("document.querySelector('#banner').textContent.includes('waits for')");
    names.sort_unstable();
    let mut shown = browser.names(".process");
    shown.sort_unstable();
    assert_eq!(shown, names);
    assert_eq!(browser.value("document.scripts.length"), json!(1));
    assert_eq!(browser.value("document.images.length"), json!(0));
    assert_eq!(browser.value("document.title"), json!("deadlock: chain"));
    // And if one were markup, it would not run: the page's policy forbids it.
    let injected = "(() => { const script = document.createElement('script'); \
                    script.textContent = 'document.title = \"evil\"'; document.body.append(script); \
                    return document.title; })()";
    assert_eq!(browser.complaints(), Vec::<String>::new());
    assert_eq!(browser.value(injected), json!("deadlock: chain"));
    assert!(browser.complaints()[0].contains("Content Security Policy"));
    browser.screenshot("observe-hostile");
}

/// A ring in which each sends first.
fn ring(length: usize) -> Network {
    let mut net = Network::new("ring");
    let (outs, mut ins): (Vec<_>, Vec<_>) = (0..length)
        .map(|n| net.channel::<u32>(&format!("link {n}")))
        .unzip();
    ins.rotate_right(1);
    for (number, ends) in outs.into_iter().zip(ins).enumerate() {
        net.process(
            format!("node {number}"),
            ends,
            async |(out, into): &(Out<u32>, In<u32>)| {
                out.send(1).await?;
                into.recv().await?;
                Ok(())
            },
        );
    }
    net
}

#[test]
fn five_hundred_processes_are_drawn_side_by_side_and_more_are_a_table() {
    let Some(browser) = Browser::start("many") else {
        return;
    };
    // A page that is left must not find its server gone before the next one is there.
    let mut observers = Vec::new();
    for (length, drawn) in [(2, 2), (500, 500), (501, 0)] {
        let net = ring(length);
        let observer = net.serve_observer("127.0.0.1:0").unwrap();
        assert!(matches!(net.run(), Err(RunError::Deadlock(_))));
        browser.open(&observer.to_string());
        let rows = format!("document.querySelectorAll('#processes tr.cycle').length === {length}");
        browser.wait_until(&rows);
        let nodes = "document.querySelectorAll('#graph .process.cycle').length";
        assert_eq!(browser.value(nodes), json!(drawn));
        assert_eq!(browser.value(OVERLAP), json!(false));
        let note = browser.value("!document.querySelector('#no-graph').hidden");
        assert_eq!(note, json!(drawn == 0));
        assert_eq!(browser.complaints(), Vec::<String>::new());
        browser.screenshot(&format!("observe-ring-{length}"));
        observers.push(observer);
    }
}

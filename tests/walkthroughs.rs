//! The walkthroughs of the guide are true: each of their commands is run in the terminal in which the page has it, in
//! the page's order, and what the page shows is what comes. Numbers of processes and times may differ.
//!
//! That of two machines needs Linux, `ip` (iproute2), and to be allowed to make network namespaces; where it is not, the
//! test says so and passes.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "walkthroughs/page.rs"]
mod page;
#[path = "walkthroughs/seen.rs"]
mod seen;
#[cfg(target_os = "linux")]
#[path = "walkthroughs/space.rs"]
mod space;
#[path = "walkthroughs/terminal.rs"]
mod terminal;
#[path = "walkthroughs/walk.rs"]
mod walk;

use walk::{Place, walk};

/// The page's address, in place of which a port is used that is free.
const ADDRESS: &str = "127.0.0.1:7000";

#[test]
fn three_terminals() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let page = include_str!("../docs/guide/walkthrough.md");
    assert!(page.contains(ADDRESS));
    walk(&page.replace(ADDRESS, &address), &Place::here("terminals"));
}

#[cfg(target_os = "linux")]
#[test]
fn two_machines() {
    let space = match space::Space::new() {
        Ok(space) => space,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut place = Place::here("machines");
    place.wrap = space.inside();
    if let Err(why) = space.try_netem() {
        println!("commands with netem are skipped: {why}");
        place.skipped = Some(" netem ");
    }
    walk(include_str!("../docs/guide/two-machines.md"), &place);
}

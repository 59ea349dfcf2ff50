//! One system in each of the formats.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use handover::{net::System, process::Doing};

use crate::{
    support::{Restaurant, STANDSTILL, Scratch, run},
    web::{browser::Browser, wait_for},
};

const MEMBERS: [&str; 3] = ["waiter at counter", "cook at kitchen", "keeper at store"];

#[test]
fn a_standstill_through_three_programs_is_drawn_in_each_format() {
    let restaurant = Restaurant::start("greedy");
    let text = restaurant.text_with(&STANDSTILL);
    for (who, whom) in MEMBERS.iter().zip(MEMBERS.iter().cycle().skip(1)) {
        let line = text.lines().find(|line| line.starts_with(who)).unwrap();
        assert!(line.ends_with(&format!(", for {whom}")), "{text}");
    }

    // The nodes have found it themselves, and say so in the words of the guide.
    let text = restaurant.text_with(&["deadlock: waiter at counter"]);
    let mut lines = text.lines();
    let told = lines
        .find(|line| line.contains("deadlock: waiter"))
        .unwrap();
    let page = include_str!("../../docs/guide/graph.md");
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        page.contains(&format!("counter: {}", told.trim())),
        "{told}"
    );

    // Into a pipe: for Graphviz.
    let dot = run(&mut restaurant.graph());
    assert_eq!((dot.status, &*dot.stderr), (Some(0), ""));
    assert!(
        dot.stdout
            .starts_with("digraph \"counter, kitchen, store\" {")
    );
    assert_eq!(
        dot.stdout.matches("style=dashed").count(),
        3,
        "{}",
        dot.stdout
    );

    let json = run(restaurant.graph().arg("--json"));
    let system: System = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json.stdout.matches('\n').count(), 1);
    let nodes: Vec<_> = system.nodes.iter().map(|node| &*node.name).collect();
    assert_eq!(nodes, ["counter", "kitchen", "store"]);
    let names: Vec<_> = system
        .snapshot
        .processes
        .iter()
        .map(|it| &*it.name)
        .collect();
    assert_eq!(names, MEMBERS);
    let mut all = system.snapshot.processes.iter();
    assert!(all.all(|it| it.state == Doing::Blocked));

    let scratch = Scratch::new("graph-formats");
    for (name, contains) in [
        ("system.dot", "digraph"),
        ("system.txt", "cook at kitchen"),
        ("system.json", "{\"nodes\":["),
        ("system.html", "<!doctype html>"),
    ] {
        let file = scratch.path(name);
        let finished = run(restaurant.graph().arg("-o").arg(&file));
        assert_eq!(
            (finished.status, &*finished.stdout),
            (Some(0), ""),
            "{}",
            finished.stderr
        );
        assert!(
            fs::read_to_string(file).unwrap().contains(contains),
            "{name}"
        );
    }
    a_page_without_a_program(&scratch.path("system.html"));
    a_picture(&restaurant, &scratch);
}

/// What a person sees who opens the file, with no program and no network.
fn a_page_without_a_program(file: &Path) {
    let Some(browser) = Browser::start("graph") else {
        return;
    };
    browser.open(&format!("file://{}", file.display()));
    browser.wait_until("document.querySelectorAll('.process').length === 3");
    assert_eq!(
        browser.names(".process"),
        [MEMBERS[1], MEMBERS[2], MEMBERS[0]]
    );
    assert_eq!(browser.names(".channel"), ["bills", "needs", "orders"]);
    browser.wait_until("document.querySelectorAll('path.wait').length === 3");
    assert_eq!(browser.text("#name"), "counter, kitchen, store");
    assert!(
        browser.text("#age").contains("as it was at "),
        "{}",
        browser.text("#age")
    );
    browser.click(".process[data-name='cook at kitchen']");
    let details = browser.text("#details");
    assert!(details.contains("for keeper at store"), "{details}");
    browser.screenshot("graph-page");
    assert_eq!(browser.complaints(), [""; 0]);
}

/// By Graphviz where it is, and what takes its place where it is not.
fn a_picture(restaurant: &Restaurant, scratch: &Scratch) {
    let picture = scratch.path("picture.svg");
    let has_graphviz = Command::new("dot").arg("-V").output().is_ok();
    if has_graphviz {
        let finished = run(restaurant.graph().arg("-o").arg(&picture));
        assert_eq!(finished.status, Some(0), "{}", finished.stderr);
        let svg = fs::read_to_string(&picture).unwrap();
        let options = roxmltree::ParsingOptions {
            allow_dtd: true,
            ..Default::default()
        };
        let svg = roxmltree::Document::parse_with_options(&svg, options).unwrap();
        let texts: Vec<_> = svg.descendants().filter_map(|node| node.text()).collect();
        for name in MEMBERS {
            assert!(texts.contains(&name), "{name}: {texts:?}");
        }
        fs::remove_file(&picture).unwrap();
    } else {
        eprintln!("skipped: `dot` of Graphviz is not installed");
    }
    // As on a machine without it: a search path on which there is `timeout` alone.
    let bin = scratch.path("bin");
    fs::create_dir_all(&bin).unwrap();
    let all = env::split_paths(&env::var_os("PATH").unwrap()).collect::<Vec<_>>();
    let found = all
        .iter()
        .map(|it| it.join("timeout"))
        .find(|it| it.exists());
    std::os::unix::fs::symlink(found.unwrap(), bin.join("timeout")).unwrap();
    let without = |arguments: &[&str]| {
        let mut graph = restaurant.graph();
        graph.env("PATH", &bin).args(arguments);
        run(&mut graph)
    };
    let (svg, page) = (picture.to_str().unwrap(), scratch.path("picture.html"));
    for _ in 0..2 {
        let finished = without(&["-o", svg]);
        assert_eq!(finished.status, Some(0), "{}", finished.stderr);
        assert!(
            finished.stderr.contains("Graphviz (dot) is not installed"),
            "{}",
            finished.stderr
        );
        assert!(
            finished.stderr.contains("picture.html"),
            "{}",
            finished.stderr
        );
        assert!(!picture.exists());
        assert!(
            fs::read_to_string(&page)
                .unwrap()
                .contains("cook at kitchen")
        );
    }
    // Over somebody's own page it is not written.
    fs::write(&page, "<!doctype html>\nmine").unwrap();
    let finished = without(&["-o", svg]);
    assert_eq!(finished.status, Some(1), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("give another name"),
        "{}",
        finished.stderr
    );
    assert_eq!(fs::read_to_string(&page).unwrap(), "<!doctype html>\nmine");
    // And whoever has asked for that very thing is told how to have it.
    for arguments in [&["--format", "svg"][..], &["--format", "svg", "-o", svg]] {
        let finished = without(arguments);
        assert_eq!((finished.status, &*finished.stdout), (Some(1), ""));
        assert!(
            finished.stderr.contains("apt install graphviz"),
            "{}",
            finished.stderr
        );
    }
}

/// The commands of the guide's page in the `console` blocks for one run of the example, each with its output.
fn shown(run: &str) -> Vec<(String, String)> {
    let page = include_str!("../../docs/guide/graph.md");
    let begin = format!("```console {run}\n");
    let blocks = page.split(&begin).skip(1);
    blocks
        .flat_map(|rest| rest.split("```").next().unwrap().split("$ ").skip(1))
        .map(|shown| {
            let (command, output) = shown.split_once('\n').unwrap();
            (command.to_owned(), output.to_owned())
        })
        .collect()
}

#[test]
fn every_command_of_the_guide_prints_what_the_page_shows() {
    let scratch = Scratch::new("graph-guide");
    let program = Path::new(env!("CARGO_BIN_EXE_handover"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        env::var("PATH").unwrap()
    );
    for (how, least) in [("slow", 1), ("greedy", 3)] {
        let restaurant = Restaurant::start(how);
        let commands = shown(how);
        assert!(commands.len() >= least, "{how}: {commands:?}");
        for (command, expected) in commands {
            let mut here = command.clone();
            for (shown, address) in ["7101", "7102", "7103"].iter().zip(&restaurant.addresses) {
                here = here.replace(&format!("127.0.0.1:{shown}"), address);
            }
            assert_ne!(here, command, "it asks the example");
            // It is true once the example has gone on for a moment.
            wait_for(&command, || {
                let mut shell = Command::new("timeout");
                shell.args(["20", "bash", "-c", &here]).env("PATH", &path);
                let output = shell.current_dir(scratch.path("")).stdin(Stdio::null());
                let output = output.output().unwrap();
                (String::from_utf8(output.stdout).unwrap() == expected).then_some(())
            });
        }
    }
}

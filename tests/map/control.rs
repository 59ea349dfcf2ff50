//! `handover control`: a worker hears while its command runs, and says how far that is.

use std::net::TcpStream;

use super::support::*;
use rustix::process::Signal;

/// A run that can be controlled, with local workers.
#[track_caller]
fn controlled(options: &[&str], command: &[&str]) -> (Running, String) {
    let mut arguments = vec!["map", "--control"];
    arguments.extend(options);
    arguments.push("--");
    arguments.extend(command);
    let running = start(arguments);
    let line = running.wait_for("control it with");
    let address = line
        .split(' ')
        .find(|word| word.starts_with("127."))
        .unwrap();
    let address = address.to_owned();
    (running, address)
}

/// Asks for something.
#[track_caller]
fn control(address: &str, words: &[&str]) -> Finished {
    run(["control", "--connect", address].iter().chain(words), b"")
}

/// The status, as JSON.
#[track_caller]
fn status(address: &str) -> serde_json::Value {
    let answer = control(address, &["status", "--json"]).succeeded();
    serde_json::from_slice(&answer.stdout).unwrap()
}

/// Waits until something in the status is so.
#[track_caller]
fn wait_for_status<T>(
    address: &str,
    what: &str,
    holds: impl Fn(&serde_json::Value) -> Option<T>,
) -> T {
    eventually(what, || holds(&status(address)))
}

/// Waits until a worker is in this state; gives it.
#[track_caller]
fn wait_for_worker(address: &str, state: &str) -> serde_json::Value {
    wait_for_status(address, &format!("a worker that is {state}"), |status| {
        let workers = status["workers"].as_array().unwrap();
        workers
            .iter()
            .find(|worker| worker["state"] == state)
            .cloned()
    })
}

/// Waits until the process is in this state, by the letter that the system has for it.
#[track_caller]
fn wait_for_process_state(pid: i32, letter: &str) {
    eventually(&format!("process {pid} to be {letter}"), || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        fields.starts_with(letter).then_some(())
    });
}

#[test]
fn an_aborted_unit_has_failed_and_its_worker_goes_on_with_the_next() {
    let mark = mark();
    let script = format!("[ {{}} = 2 ] && {{ sleep {mark} & sleep {mark}; }}; echo {{}}");
    let (mut running, address) = controlled(&["-j1", "--retries", "5"], &["sh", "-c", &script]);
    running.feed(numbers(4));
    wait_for_sleeps(&mark, 2);
    let worker = running.children();
    let answer = control(&address, &["abort", "2"]).succeeded();
    assert!(
        answer.stdout().starts_with("unit 2 on worker 1 ("),
        "{answer:?}"
    );
    let finished = running
        .finish()
        .says("unit 2 on worker 1 (")
        .says("1 of 4 units failed: unit 2 (aborted)");
    assert_eq!((finished.status, finished.stdout()), (Some(1), "1\n3\n4\n"));
    assert_eq!(worker.len(), 1);
    assert!(
        !finished.stderr.contains("goes to another"),
        "{}",
        finished.stderr
    );
    nothing_remains(&mark);
}

#[test]
fn a_command_that_ignores_the_request_to_end_is_killed_when_its_unit_is_aborted() {
    let mark = mark();
    let script = format!("trap '' TERM; while :; do sleep {mark}; done");
    let (mut running, address) = controlled(&["-j1"], &["sh", "-c", &script]);
    running.feed(numbers(1));
    wait_for_sleeps(&mark, 1);
    control(&address, &["abort", "1"]).succeeded();
    let finished = running.finish().says("unit 1 (aborted)");
    assert_eq!(finished.status, Some(1));
    nothing_remains(&mark);
}

#[test]
fn a_stream_command_is_ended_by_an_abort_and_started_again() {
    let mark = mark();
    let script = format!("while read n; do [ $n = 2 ] && sleep {mark}; echo $n; done");
    let (mut running, address) = controlled(&["-j1", "--stream"], &["sh", "-c", &script]);
    running.feed(numbers(3));
    wait_for_sleeps(&mark, 1);
    control(&address, &["abort", "2"]).succeeded();
    let finished = running.finish().says("unit 2 (aborted)");
    assert_eq!((finished.status, finished.stdout()), (Some(1), "1\n3\n"));
    nothing_remains(&mark);
}

#[test]
fn what_cannot_be_aborted_is_refused_with_the_reason() {
    let mark = mark();
    let script = format!("[ {{}} = 2 ] && exec sleep {mark}; echo {{}}");
    let (mut running, address) = controlled(&["-j1"], &["sh", "-c", &script]);
    running.feed(numbers(2));
    wait_for_sleeps(&mark, 1);
    for (unit, why) in [
        ("0", "there is no unit 0"),
        ("1", "unit 1 is finished already"),
        ("3", "no unit 3: the input had 2"),
    ] {
        wait_for_status(&address, "the end of the input", |status| {
            (status["input_ended"] == true).then_some(())
        });
        let refused = control(&address, &["abort", unit]).says(why);
        assert_eq!((refused.status, refused.stdout()), (Some(1), ""));
    }
    assert_eq!(control(&address, &["abort", "x"]).status, Some(2));
    assert_eq!(control(&address, &["pause"]).status, Some(2));
    let refused = control(&address, &["pause", "nobody"]).says("no worker is called \"nobody\"");
    assert_eq!(refused.status, Some(1));
    control(&address, &["abort", "2"]).succeeded();
    assert_eq!(running.finish().status, Some(1));
}

#[test]
fn a_paused_worker_stops_its_command_and_its_clock_and_takes_no_unit() {
    let mark = mark();
    let scratch = Scratch::new("paused");
    let go = scratch.path("go");
    let script = format!(
        "[ {{}} = 1 ] && while [ ! -e {go} ]; do sleep 0.01; done; [ {{}} = 2 ] && sleep {mark}; echo {{}}"
    );
    // The limit is long enough for a machine under load, and shorter than the pause.
    let options = ["-j1", "--timeout", "3s"];
    let (mut running, address) = controlled(&options, &["sh", "-c", &script]);
    running.feed(numbers(2));
    let worker = wait_for_worker(&address, "working");
    assert_eq!(worker["unit"], 1);
    let answer = control(&address, &["pause", "1"]).succeeded();
    assert!(
        answer.stdout().contains("is paused, with unit 1 in hand"),
        "{answer:?}"
    );
    assert_eq!(wait_for_worker(&address, "paused")["unit"], 1);
    let shell = eventually("the command", || {
        let found = super::support::running(&go);
        found.first().map(|process| process.pid)
    });
    wait_for_process_state(shell, "T");
    std::fs::write(&go, "").unwrap();
    // Longer than the time limit: the fact that is waited for is that of the clock.
    wait_for_status(&address, "a pause longer than the time limit", |status| {
        let worker = &status["workers"][0];
        assert_eq!(
            (&worker["state"], &worker["unit"]),
            (&"paused".into(), &1.into())
        );
        (worker["since_s"].as_f64().unwrap() > 4.0).then_some(())
    });
    control(&address, &["resume", "1"]).succeeded();
    // The first unit is done in its time, and the second begins.
    wait_for_sleeps(&mark, 1);
    control(&address, &["abort", "2"]).succeeded();
    let finished = running
        .finish()
        .says("1 of 2 units failed: unit 2 (aborted)");
    assert_eq!(finished.stdout(), "1\n");
}

#[test]
fn an_idle_worker_that_is_paused_gets_no_unit_and_another_does() {
    use std::io::Write;
    let (mut running, address) = listening(&[], &["sh", "-c", "echo {} $PPID"]);
    let (first, second) = (joined(&address), joined(&address));
    wait_for_status(&address, "two workers", |status| {
        (status["workers"].as_array().unwrap().len() == 2).then_some(())
    });
    let pid = first.pid().to_string();
    let paused = status(&address)["workers"].as_array().unwrap().clone();
    let paused = paused
        .iter()
        .find(|worker| worker["name"].as_str().unwrap().ends_with(&pid))
        .unwrap();
    control(&address, &["pause", paused["name"].as_str().unwrap()]).succeeded();
    let mut stdin = running.stdin.take().unwrap();
    stdin.write_all(&numbers(10)).unwrap();
    wait_for_status(&address, "ten units done", |status| {
        (status["done"] == 10).then_some(())
    });
    control(&address, &["pause", "--all"]).succeeded();
    stdin.write_all(b"11\n").unwrap();
    let third = joined(&address);
    wait_for_status(&address, "a third worker, paused too", |status| {
        let workers = status["workers"].as_array().unwrap();
        assert!(workers.iter().all(|worker| worker["state"] == "paused"));
        assert_eq!(status["in_hand"], 0);
        (workers.len() == 3).then_some(())
    });
    drop(stdin);
    control(&address, &["resume", "--all"]).succeeded();
    let finished = running.finish().succeeded();
    let lines = finished.sorted();
    assert_eq!(lines.len(), 11);
    let by_second = format!(" {}", second.pid());
    let early = lines
        .iter()
        .filter(|line| line.ends_with(&by_second))
        .count();
    assert!(early >= 10, "{lines:?}");
    for worker in [first, second, third] {
        worker.finish().succeeded();
    }
}

#[test]
fn a_worker_finishes_its_unit_and_leaves_or_gives_it_back_at_once() {
    for (now, pauses) in [(false, false), (false, true), (true, false), (true, true)] {
        let scratch = Scratch::new(&format!("shutdown-{now}-{pauses}"));
        let (go, once) = (scratch.path("go"), scratch.path("once"));
        std::fs::write(&once, "").unwrap();
        let script = format!(
            "rm {once} 2>/dev/null && while [ ! -e {go} ]; do sleep 0.01; done; echo {{}} $PPID"
        );
        let (mut running, address) = listening(&[], &["sh", "-c", &script]);
        running.feed(numbers(2));
        let leaving = joined(&address);
        assert_eq!(wait_for_worker(&address, "working")["unit"], 1);
        if pauses {
            control(&address, &["pause", "--all"]).succeeded();
            control(&address, &["resume", "1"]).succeeded();
            control(&address, &["pause", "1"]).succeeded();
            control(&address, &["resume", "--all"]).succeeded();
            control(&address, &["pause", "1"]).succeeded();
        }
        let mut words = vec!["shutdown", "1"];
        words.extend(now.then_some("--now"));
        let answer = control(&address, &words).succeeded();
        let staying = if now {
            assert!(answer.stdout().contains("leaves at once"), "{answer:?}");
            leaving.finish().succeeded().says("asked to leave at once");
            running.wait_for("unit 1 goes to another");
            let staying = joined(&address);
            let finished = running.finish().succeeded();
            let expected = format!("1 {pid}\n2 {pid}\n", pid = staying.pid());
            assert_eq!(finished.sorted().join("\n") + "\n", expected);
            staying
        } else {
            assert!(
                answer.stdout().contains("leaves when unit 1 is done"),
                "{answer:?}"
            );
            assert_eq!(wait_for_worker(&address, "leaving")["unit"], 1);
            let staying = joined(&address);
            std::fs::write(&go, "").unwrap();
            let expected = format!("1 {}\n2 {}\n", leaving.pid(), staying.pid());
            leaving
                .finish()
                .succeeded()
                .says("asked to leave; 1 unit finished here");
            let finished = running.finish().succeeded();
            assert_eq!(finished.sorted().join("\n") + "\n", expected);
            staying
        };
        staying.finish().succeeded();
    }
}

#[test]
fn a_run_whose_local_workers_all_leave_is_over() {
    let mark = mark();
    let (mut running, address) = controlled(&["-j2"], &["sleep", &mark]);
    running.feed(numbers(3));
    wait_for_sleeps(&mark, 2);
    control(&address, &["shutdown", "--all", "--now"]).succeeded();
    let finished = running.finish().says("all workers were asked to leave");
    assert_eq!(finished.status, Some(1));
    nothing_remains(&mark);
}

#[test]
fn one_of_two_local_workers_may_leave_and_the_other_does_the_rest() {
    let scratch = Scratch::new("one-of-two");
    let go = scratch.path("go");
    let script = format!("[ {{}} -le 2 ] && while [ ! -e {go} ]; do sleep 0.01; done; echo {{}}");
    let (mut running, address) = controlled(&["-j2", "-k"], &["sh", "-c", &script]);
    running.feed(numbers(20));
    wait_for_status(&address, "both at work", |status| {
        (status["in_hand"] == 2).then_some(())
    });
    control(&address, &["shutdown", "2"]).succeeded();
    std::fs::write(&go, "").unwrap();
    let finished = running.finish().succeeded();
    assert_eq!(finished.stdout, numbers(20));
}

#[test]
fn progress_is_the_newest_that_a_command_said() {
    let mark = mark();
    let script = format!(
        "for n in 1 2 3; do echo \"progress $n/4 step $n\" >&$HANDOVER_REPORTS; done; \
         echo nonsense >&$HANDOVER_REPORTS; exec sleep {mark}"
    );
    for stream in [false, true] {
        let mut options = vec!["-j1", "--progress-every", "20ms"];
        options.extend(stream.then_some("--stream"));
        let (mut running, address) = controlled(&options, &["sh", "-c", &script]);
        running.feed(numbers(1));
        let worker = wait_for_status(&address, "the last step", |status| {
            let worker = status["workers"].get(0)?.clone();
            (worker["part"] == 0.75).then_some(worker)
        });
        assert_eq!(
            (&worker["text"], &worker["unit"]),
            (&"step 3".into(), &1.into())
        );
        running.wait_for("unit 1: 75% step 3");
        running.wait_for("unit 1 reported what is no report: \"nonsense\" is no report");
        let text = control(&address, &["status"]).succeeded();
        assert!(text.stdout().contains("75% step 3"), "{}", text.stdout());
        assert!(
            text.stdout().contains("1 units with reports"),
            "{}",
            text.stdout()
        );
        control(&address, &["abort", "1"]).succeeded();
        assert_eq!(running.finish().status, Some(1));
        nothing_remains(&mark);
    }
}

#[test]
fn every_line_that_a_command_logs_is_said_in_its_order() {
    let script = "for n in 1 2 3; do echo \"log {}-$n\" >&$HANDOVER_REPORTS; done; \
                  printf 'log {}-last' >&$HANDOVER_REPORTS; cat >/dev/null; echo {}";
    let finished = run(["map", "-k", "-j2", "--", "sh", "-c", script], &numbers(50)).succeeded();
    assert_eq!(finished.stdout, numbers(50));
    for unit in 1..=50 {
        let said: Vec<&str> = finished
            .stderr
            .lines()
            .filter_map(|line| line.strip_prefix(&format!("handover: unit {unit} says: ")))
            .collect();
        let expected = ["1", "2", "3", "last"].map(|n| format!("{unit}-{n}"));
        assert_eq!(said, expected, "unit {unit}");
    }
}

#[test]
fn a_command_that_reports_without_end_is_held_up_and_its_unit_can_be_aborted() {
    // The marks are for finding the process; `yes` writes lines as fast as it can.
    let mark = mark();
    let script = format!("exec yes \"log {mark}\" >&$HANDOVER_REPORTS");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_handover"));
    command.args(["map", "-j1", "--control", "--", "sh", "-c", &script]);
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
    let address = line
        .split(' ')
        .find(|word| word.starts_with("127."))
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"a\n").unwrap();
    // Nobody reads standard error from here on: at some time nothing moves any more.
    let pid = eventually("the command", || {
        let found = running(&format!("log {mark}"));
        let found = found
            .iter()
            .find(|process| process.command.starts_with("yes"));
        found.map(|process| process.pid)
    });
    let written = || std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let mut last = (written(), std::time::Instant::now());
    eventually("the command to wait", || {
        let now = written();
        if now != last.0 {
            last = (now, std::time::Instant::now());
        }
        (last.1.elapsed() > std::time::Duration::from_secs(1)).then_some(())
    });
    let memory = memory(child.id().try_into().unwrap(), "VmRSS").unwrap();
    assert!(memory < 32 << 10, "{memory} KiB");
    // Its worker is heard all the same, and hears.
    let worker = wait_for_worker(address, "working");
    assert_eq!(worker["unit"], 1);
    let worker = i32::try_from(child.id()).unwrap();
    std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
    control(address, &["abort", "1"]).succeeded();
    let status = eventually("the end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(1), "{worker}");
    nothing_remains(&mark);
}

#[test]
fn who_has_not_the_token_and_who_is_a_worker_are_turned_away() {
    let mark = mark();
    let options = ["-j1", "--token", "secret"];
    let (mut running, address) = controlled(&options, &["sleep", &mark]);
    running.feed(numbers(1));
    assert_eq!(
        control(&address, &["status"]).says("cannot join").status,
        Some(1)
    );
    let admitted = control(&address, &["--token", "secret", "status"]).succeeded();
    assert!(admitted.stdout().contains("0 done"), "{admitted:?}");
    let worker = run(["work", "--connect", &address, "--token", "secret"], b"");
    let worker = worker.says("no worker joins here");
    assert_eq!(worker.status, Some(1));
    // One that says nothing, and one that speaks nonsense, are no trouble.
    let _silent = TcpStream::connect(&address).unwrap();
    let mut loud = TcpStream::connect(&address).unwrap();
    std::io::Write::write_all(&mut loud, &[0xff; 100]).unwrap();
    running.wait_for("turned 127.0.0.1");
    control(
        &address,
        &["--token", "secret", "shutdown", "--all", "--now"],
    )
    .succeeded();
    assert_eq!(running.finish().status, Some(1));
    let gone = control(&address, &["status"]).says("cannot join");
    assert_eq!(gone.status, Some(1));
}

/// Joins as one that controls, without its honesty.
fn dishonest_controller(address: &str, request: &'static [u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let link = handover::net::dial(address, handover::net::Config::default())
            .await
            .unwrap();
        let requests = link.sender("requests").unwrap();
        let end = tokio::time::timeout(SOON, async {
            let _ = requests
                .send_async(bytes::Bytes::from_static(request))
                .await;
            link.closed().await
        });
        end.await.unwrap();
    });
}

#[test]
fn a_controller_that_lies_loses_its_link_and_nothing_else() {
    let (mut running, address) = listening(&[], &["cat"]);
    for lie in [&b""[..], b"\x02\0\x09", &[0xff; 100]] {
        dishonest_controller(&address, lie);
    }
    running.feed(numbers(3));
    let worker = joined(&address);
    assert_eq!(running.finish().succeeded().sorted(), ["1", "2", "3"]);
    worker.finish().succeeded();
}

/// Joins as a worker would, takes a unit, and sends these bytes over this channel.
fn dishonest_worker(address: &str, channel: &str, message: &'static [u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let link = handover::net::dial(address, handover::net::Config::default())
            .await
            .unwrap();
        let end = tokio::time::timeout(SOON, async {
            link.receiver("job").unwrap().recv_async().await.unwrap();
            let units = link.receiver("units").unwrap();
            units.recv_async().await.unwrap();
            let sender = link.sender(channel).unwrap();
            let _ = sender.send_async(bytes::Bytes::from_static(message)).await;
            link.closed().await;
        });
        end.await.unwrap();
    });
}

#[test]
fn a_worker_whose_reports_are_none_loses_its_link_and_nothing_else() {
    let lies: [(&str, &[u8]); 3] = [
        ("reports", b""),
        ("reports", &[0xff; 100]),
        // A result of its own that says poisoned, which is not a worker's to say.
        ("results", b"\x01\x05\x03\0\0\0\x01\0\x08\0"),
    ];
    for (channel, lie) in lies {
        let (mut running, address) = listening(&["-k"], &["cat"]);
        running.feed(numbers(3));
        dishonest_worker(&address, channel, lie);
        running.wait_for("left: it sent a message that is no");
        let worker = joined(&address);
        assert_eq!(running.finish().succeeded().stdout, numbers(3));
        worker.finish().succeeded();
    }
}

/// The lines of the `sh` blocks of the page about control.
fn page() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide/control.md");
    let page = std::fs::read_to_string(path).unwrap();
    let blocks = page.split("```sh\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_orders_of_the_guide_do_what_it_says() {
    let mark = mark();
    let (mut running, address) = listening(&["-j2"], &["sleep", &mark]);
    running.feed(numbers(5));
    wait_for_sleeps(&mark, 2);
    let page = page();
    let orders = page.iter().flat_map(|block| block.lines());
    let orders = orders.filter_map(|line| line.strip_prefix("handover control "));
    let mut given = 0;
    for order in orders {
        let order = order.replace("127.0.0.1:7000", &address);
        let words = ["control"].into_iter().chain(order.split(' '));
        let answer = run(words, b"").succeeded();
        assert!(!answer.stdout.is_empty(), "{order}");
        given += 1;
        // Of the two that run again the page goes on to speak.
        if !order.contains("shutdown") {
            wait_for_sleeps(&mark, 2);
        }
    }
    assert_eq!(given, 10);
    let leaving = wait_for_worker(&address, "leaving");
    let unit = leaving["unit"].to_string();
    control(&address, &["abort", &unit]).succeeded();
    running.wait_for("leaves when unit");
    signal(running.pid(), Signal::INT);
    assert_eq!(running.finish().status, Some(130));
    nothing_remains(&mark);
}

#[test]
fn the_script_of_the_guide_reports_how_far_it_is() {
    let scratch = Scratch::new("guide-script");
    let script = page().into_iter().find(|block| block.starts_with("#!"));
    let path = scratch.path("convert");
    std::fs::write(&path, script.unwrap()).unwrap();
    let options = [
        "map",
        "-j1",
        "--json",
        "--progress-every",
        "20ms",
        "--",
        "sh",
        &path,
        "{}",
    ];
    let finished = run(options, b"film\n")
        .succeeded()
        .says("\"text\":\"film is converted\"");
    for part in ["0.25", "0.5", "0.75"] {
        assert!(
            finished
                .stderr
                .contains(&format!("\"part\":{part},\"text\":\"part ")),
            "{part}: {}",
            finished.stderr
        );
    }
    let mut alone = std::process::Command::new("sh");
    alone.arg(&path).arg("film");
    let alone = start_command(alone).finish();
    assert!(
        alone.stderr.ends_with("log film is converted\n"),
        "{alone:?}"
    );
}

#[test]
fn what_is_paused_ends_with_the_run() {
    let mark = mark();
    let script = format!("sleep {mark} & sleep {mark}");
    let (mut running, address) = controlled(&["-j2"], &["sh", "-c", &script]);
    running.feed(numbers(3));
    wait_for_sleeps(&mark, 4);
    control(&address, &["pause", "--all"]).succeeded();
    signal(running.pid(), Signal::INT);
    assert_eq!(running.finish().status, Some(130));
    nothing_remains(&mark);
}

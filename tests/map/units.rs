//! What goes in comes out: each unit once, whole, whatever its bytes.

use super::support::*;

#[test]
fn each_unit_has_one_result() {
    let run = run(["map", "-j3", "--", "cat"], &numbers(200)).succeeded();
    assert_eq!(
        run.sorted().join("\n") + "\n",
        String::from_utf8(numbers(200)).unwrap()
    );
    assert_eq!(run.stderr, "", "success is silent");
}

#[test]
fn no_units_are_no_work() {
    for options in [
        &["map", "--", "cat"][..],
        &["map", "-k", "--", "cat"],
        &["map", "--stream", "--", "cat"],
    ] {
        let run = run(options, b"").succeeded();
        assert!(run.stdout.is_empty());
    }
}

#[test]
fn no_units_need_no_worker() {
    let (mut running, _) = listening(&[], &["cat"]);
    drop(running.stdin.take());
    running.finish().succeeded();
}

#[test]
fn a_line_reaches_standard_input_with_its_newline_and_an_argument_without() {
    let lines = run(["map", "-k", "-j2", "--", "od", "-An", "-c"], b"a\n\nb").succeeded();
    assert_eq!(lines.stdout(), "   a  \\n\n  \\n\n   b\n");
    let arguments = run(
        ["map", "-k", "-j2", "--", "printf", "[%s]", "x{}y"],
        b"a\n\nb c",
    )
    .succeeded();
    assert_eq!(arguments.stdout(), "[xay][xy][xb cy]");
}

#[test]
fn an_argument_may_hold_the_unit_and_its_number_many_times() {
    let run = run(["map", "-k", "--", "echo", "{#}:{}", "{}{}"], b"a\nb\n").succeeded();
    assert_eq!(run.stdout(), "1:a aa\n2:b bb\n");
}

#[test]
fn bytes_that_are_no_text_pass_unchanged() {
    let units: Vec<Vec<u8>> = (0..=255u8)
        .filter(|byte| *byte != b'\n')
        .map(|byte| vec![byte, 0xff, 0xfe])
        .collect();
    let input = [units.join(&b'\n'), b"\n".to_vec()].concat();
    let by_input = run(["map", "-k", "-j2", "--", "cat"], &input).succeeded();
    assert_eq!(by_input.stdout, input);
    let without_nul = &input[4..];
    let by_argument = run(
        ["map", "-k", "-j2", "--", "printf", "%s\\n", "{}"],
        without_nul,
    )
    .succeeded();
    assert_eq!(by_argument.stdout, without_nul);
}

#[test]
fn a_nul_in_an_argument_fails_its_unit_with_the_reason() {
    let run =
        run(["map", "-k", "--", "echo", "{}"], b"a\nb\0c\nd\n").says("unit 2 (it has a NUL byte");
    assert_eq!((run.status, run.stdout()), (Some(1), "a\nd\n"));
}

#[test]
fn nul_ends_units_with_0() {
    let run = run(
        ["map", "-k", "-0", "--", "printf", "[%s]", "{}"],
        b"a\nb\0\0c",
    )
    .succeeded();
    assert_eq!(run.stdout(), "[a\nb][][c]");
}

#[test]
fn blocks_are_cut_at_line_ends() {
    let run = run(
        [
            "map",
            "-k",
            "-j2",
            "--block",
            "1k",
            "--",
            "sh",
            "-c",
            "tail -n1; echo .",
        ],
        &numbers(2000),
    );
    let run = run.succeeded();
    let lines: Vec<&str> = run.stdout().lines().collect();
    assert!(lines.len() > 10, "{lines:?}");
    let ends = lines.chunks(2).map(|pair| {
        assert_eq!(pair[1], ".");
        pair[0].parse::<u64>().unwrap()
    });
    let ends: Vec<u64> = ends.collect();
    assert!(ends.is_sorted());
    assert_eq!(ends.last(), Some(&2000));
}

#[test]
fn an_oversized_unit_fails_by_number_and_the_others_go_on() {
    let mut input = b"a\n".to_vec();
    input.extend(vec![b'x'; 100_000]);
    input.extend(b"\nb\n");
    for how in [
        &["map", "-k"][..],
        &["map"],
        &["map", "-k", "--block", "1k"],
        &["map", "-k", "--stream"],
    ] {
        let options = how.iter().copied().chain(["--limit", "50k", "--", "cat"]);
        let run = run(options, &input)
            .says("1 of 3 units failed: unit 2 (the unit has 100000 bytes, the limit is 50 KiB");
        assert_eq!(
            (run.status, run.sorted()),
            (Some(1), vec!["a".to_owned(), "b".into()]),
            "{how:?}"
        );
    }
}

#[test]
fn a_command_that_prints_a_lot_is_heard_whole() {
    let script = "head -c 3000000 /dev/zero | tr '\\0' {}; echo";
    let run = run(["map", "-k", "-j2", "--", "sh", "-c", script], b"a\nb\nc\n").succeeded();
    let lengths: Vec<_> = run
        .stdout()
        .lines()
        .map(|line| (line.len(), &line[..1]))
        .collect();
    assert_eq!(
        lengths,
        [(3_000_000, "a"), (3_000_000, "b"), (3_000_000, "c")]
    );
}

#[test]
fn output_over_the_limit_fails_its_unit_and_the_others_go_on() {
    let script = "[ {} = 2 ] && exec yes; echo {}";
    let run = run(
        [
            "map", "-k", "-j2", "--limit", "100k", "--", "sh", "-c", script,
        ],
        &numbers(4),
    )
    .says("1 of 4 units failed: unit 2 (its output is larger than the limit of 100 KiB");
    assert_eq!((run.status, run.stdout()), (Some(1), "1\n3\n4\n"));
}

#[test]
fn output_of_any_size_goes_to_files() {
    let scratch = Scratch::new("results");
    let script = "[ {} = 2 ] && exit 3; head -c $(({} * 1000000)) /dev/zero; echo err {} >&2";
    let results = scratch.path("out");
    let run = run(
        [
            "map",
            "--results",
            &results,
            "--limit",
            "64k",
            "--",
            "sh",
            "-c",
            script,
        ],
        &numbers(3),
    );
    let run = run.says("1 of 3 units failed: unit 2 (exit status 3)");
    assert_eq!((run.status, run.stdout.len()), (Some(1), 0));
    let read = |name: &str| std::fs::read(scratch.0.join("out").join(name)).unwrap();
    assert_eq!(read("1/stdout").len(), 1_000_000);
    assert_eq!(read("3/stdout").len(), 3_000_000);
    assert_eq!(read("3/stderr"), b"err 3\n");
    assert!(read("2/status").starts_with(b"exit status 3\n"));
    let mut names: Vec<_> = std::fs::read_dir(&results)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["1", "2", "3"]);
}

#[test]
fn a_command_that_closes_its_input_early_is_no_failure() {
    let input = [vec![b'x'; 1_000_000], b"\n".to_vec()].concat().repeat(3);
    let run = run(["map", "-j2", "--", "head", "-c2"], &input).succeeded();
    assert_eq!(run.stdout(), "xxxxxx");
}

#[test]
fn the_lines_of_standard_error_come_with_their_units_number() {
    let run = run(
        [
            "map",
            "-j2",
            "--",
            "sh",
            "-c",
            "echo a{} >&2; printf 'b\\nc' >&2",
        ],
        &numbers(2),
    )
    .succeeded();
    let mut lines: Vec<&str> = run.stderr.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "unit 1: a1",
            "unit 1: b",
            "unit 1: c",
            "unit 2: a2",
            "unit 2: b",
            "unit 2: c"
        ]
    );
}

#[test]
fn a_command_knows_its_unit_and_not_the_secret() {
    let script = "echo $HANDOVER_UNIT ${HANDOVER_TOKEN-none}";
    let run = run(["map", "-k", "--", "sh", "-c", script], b"a\nb\n").succeeded();
    assert_eq!(run.stdout(), "1 none\n2 none\n");
}

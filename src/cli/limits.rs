//! Every limit of the program, with its reason.

use std::time::Duration;

/// Bytes that a unit or a result may have unless `--limit` says otherwise: the message limit of the wire.
pub const UNIT_BYTES: &str = "16M";

/// The largest `--limit`: a worker holds a unit and its result in memory, several times over with `--ahead`.
pub const UNIT_BYTES_MAX: usize = 1 << 30;

/// Bytes of a message beside the unit's or result's own: number, status, times, reason.
pub const META_BYTES: usize = 4 << 10;

/// Bytes of a job's description: the command line and the options. Linux itself allows 2 MiB of arguments.
pub const JOB_BYTES: usize = 2 << 20;

/// Bytes of one piece of standard error, or of a result that goes to files: one chunk of the wire.
pub const PIECE_BYTES: usize = 64 << 10;

/// Bytes read at once from standard input: what the splitter may hold beyond the unit it is making.
pub const READ_BYTES: usize = 64 << 10;

/// Bytes of a failure's reason: a sentence.
pub const REASON_BYTES: usize = 512;

/// Bytes in one block unless `--block` says otherwise, as GNU parallel has it.
pub const BLOCK_BYTES: &str = "1M";

/// Workers joined at one time: each costs a connection and a few tasks.
pub const WORKERS: usize = 4096;

/// Connections that have not finished their handshake: each costs a socket and a few KiB.
pub const HANDSHAKES: usize = 64;

/// Time for a peer to say who it is, and for a worker to ask for its job.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(5);

/// Times that a unit may lose its worker before it is set aside, unless `--poison-after` says otherwise: it may
/// be the unit that kills them.
pub const POISON_AFTER: u32 = 3;

/// Poisoned units that a run can name: a few bytes each. All are counted.
pub const NAMED_POISONED: usize = 1000;

/// The silence after which the other side is given up, unless `--lease` says otherwise: a machine that swaps or
/// a network that is being repaired often comes back within half of it.
pub const LEASE: &str = "30s";

/// The shortest lease: the word that one lives goes four times in it, and a machine under load is late.
pub const LEASE_MIN: Duration = Duration::from_millis(200);

/// The longest lease.
pub const LEASE_MAX: Duration = Duration::from_hours(24);

/// Bytes of one line that a command reports: more than a terminal shows of it.
pub const REPORT_LINE_BYTES: usize = 1024;

/// Bytes of the text beside a progress: it shares a line with others.
pub const PROGRESS_TEXT_BYTES: usize = 200;

/// Lines that a command may report in a second; at the next one its pipe is not read until the second is over.
pub const REPORTS_A_SECOND: u32 = 1000;

/// Time between two progresses of a worker: ten a second are more than anybody reads.
pub const PROGRESS_TIME: Duration = Duration::from_millis(100);

/// Joined at one time to control a run: each costs a connection and a task.
pub const CONTROLLERS: usize = 64;

/// Time for a worker to obey, or to say that it cannot, before the one who gave the order is told that it does
/// not answer.
pub const ORDER_TIME: Duration = Duration::from_secs(5);

/// Time for a coordinator to answer: it may have to wait for its workers, all at once.
pub const ANSWER_TIME: Duration = Duration::from_secs(15);

/// Units whose progress is shown on a terminal: some lines below what the terminal is there for.
pub const SHOWN_UNITS: usize = 8;

/// Local workers in a row that end before any joined, with no unit finished meanwhile, after which the program
/// gives up.
pub const FAILED_STARTS: u32 = 3;

/// How long to wait before another try when a local worker ended before it joined: a program that cannot start
/// is not to be tried thousands of times a second.
pub const RESTART_PAUSE: Duration = Duration::from_millis(20);

/// Times in a row that a local worker may end with no unit finished meanwhile, after which the program gives up.
pub const VAIN_DEATHS: u32 = 20;

/// Results kept ahead of their turn by one worker: `--ahead` at most.
pub const AHEAD: u32 = 1024;

/// Failed units that the summary names.
pub const NAMED_FAILURES: usize = 10;

/// Time between the request to end (TERM) and the order (KILL) for a command.
pub const GRACE: Duration = Duration::from_secs(1);

/// Time for workers to leave at the end of the job before they are killed.
pub const LEAVE_TIME: Duration = Duration::from_secs(3);

/// Time for the peer of a link to say its last word.
pub const CLOSE_TIME: Duration = Duration::from_secs(1);

/// Time between two drawings of the progress line.
pub const DRAW_TIME: Duration = Duration::from_millis(200);

/// Time between two `progress` events of `--json`.
pub const PROGRESS_EVENT_TIME: Duration = Duration::from_secs(1);

/// Bytes of a snapshot that `top` reads: that of some hundred thousand processes.
pub const SNAPSHOT_BYTES: u64 = 64 << 20;

/// Time for a program to answer with a snapshot: a hundred times what it takes, for a machine under load.
pub const SNAPSHOT_TIME: Duration = Duration::from_secs(10);

/// Bytes of the head of an answer: a page.
pub const ANSWER_HEAD_BYTES: usize = 16 << 10;

/// The shortest time between two snapshots: the network looks at itself every 40 ms, so more shows nothing more.
pub const INTERVAL_MIN: Duration = Duration::from_millis(50);

/// Lines of the graph of waits: more than anybody scrolls through, and each has a few hundred bytes at most.
pub const GRAPH_LINES: usize = 20_000;

/// Letters of a deadlock's sentence that are laid out on the screen: more than fits on one.
pub const SENTENCE_LETTERS: usize = 4000;

/// Time for the nodes of a system to answer, unless `--timeout` says otherwise: all are asked at once.
pub const NODE_TIME: &str = "5s";

/// Time for Graphviz to make a picture: of some thousand processes it takes seconds, of very many it does not end.
pub const PICTURE_TIME: Duration = Duration::from_mins(1);

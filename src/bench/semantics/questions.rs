//! What each rival is asked.

use super::rival::{Missing, Rival};
use super::table::Answer;
use super::{tasks, threads};

/// One row of the table.
pub struct Question {
    /// The short name, for tests and `--json`.
    pub id: &'static str,
    /// The question.
    pub text: &'static str,
    /// The script that finds the answer out.
    pub ask: fn(&Rival) -> Result<Answer, Missing>,
}

const fn question(
    id: &'static str,
    text: &'static str,
    ask: fn(&Rival) -> Result<Answer, Missing>,
) -> Question {
    Question { id, text, ask }
}

/// Every row, in order.
pub const ALL: [Question; 25] = [
    question(
        "capacity zero",
        "What becomes of a capacity of zero?",
        threads::capacity_zero,
    ),
    question(
        "reported without receiver",
        "Is a send reported done although nobody receives?",
        threads::reported_without_receiver,
    ),
    question(
        "reported before taken",
        "Is a send reported done although the waiting receive future has not been polled again?",
        tasks::reported_before_taken,
    ),
    question(
        "receive dropped while waiting",
        "A receive future waits and is dropped; then somebody sends. Where is the message?",
        tasks::receive_dropped_while_waiting,
    ),
    question(
        "receive dropped when woken",
        "A receive future was woken for a message and is dropped. Where is the message?",
        tasks::receive_dropped_when_woken,
    ),
    question(
        "losing branch",
        "Two receive futures raced, both were sent to. Where is the loser's message?",
        tasks::losing_branch,
    ),
    question(
        "stuck behind a sleeper",
        "Is a message stuck behind a receive future that was woken but is not polled?",
        tasks::stuck_behind_a_sleeper,
    ),
    question(
        "wake-up passed on",
        "Two receive futures wait, one is woken and dropped. Does the other get the message?",
        tasks::wake_up_passed_on,
    ),
    question(
        "reported, then dropped",
        "Can a message that was reported as sent vanish because the last receiver leaves?",
        tasks::reported_then_dropped,
    ),
    question(
        "cancelled send delivered later",
        "A send future waits and is dropped. Is its message delivered afterwards?",
        tasks::cancelled_send_delivered_later,
    ),
    question(
        "cancelled send was taken",
        "May a send future that is dropped while it waits have been delivered already?",
        tasks::cancelled_send_was_taken,
    ),
    question(
        "cancelled send can be told",
        "Can one tell, after the drop, which of the two it was?",
        tasks::cancelled_send_can_be_told,
    ),
    question(
        "cancelled send keeps its message",
        "Is the message of a dropped send, if it was not taken, still there?",
        tasks::cancelled_send_keeps_its_message,
    ),
    question(
        "timed-out send delivered later",
        "A blocking send has timed out. Is its message delivered afterwards?",
        threads::timed_out_send_delivered_later,
    ),
    question(
        "try_send without receiver",
        "Does `try_send` succeed with nobody waiting?",
        threads::try_send_without_receiver,
    ),
    question(
        "try_send to future",
        "Does `try_send` succeed against a waiting receive future?",
        tasks::try_send_to_future,
    ),
    question(
        "try_send to thread",
        "Does `try_send` succeed against a blocked thread?",
        threads::try_send_to_thread,
    ),
    question(
        "full gives back",
        "Does a `try_send` that fails give its message back?",
        threads::full_gives_back,
    ),
    question(
        "disconnected gives back",
        "Does a send with no receiver left give its message back?",
        threads::disconnected_gives_back,
    ),
    question(
        "time-out gives back",
        "Does a send that times out give its message back?",
        threads::time_out_gives_back,
    ),
    question(
        "receivers leave during send",
        "A send waits, and the last receiver goes. What does it get?",
        threads::receivers_leave_during_send,
    ),
    question(
        "senders leave during receive",
        "A receive waits, and the last sender goes. What does it get?",
        threads::senders_leave_during_receive,
    ),
    question(
        "senders in order",
        "Are waiting send futures served in the order in which they came?",
        tasks::senders_in_order,
    ),
    question(
        "receivers in order",
        "Is the receive future that came first woken first?",
        tasks::receivers_in_order,
    ),
    question(
        "length and capacity",
        "What length and capacity does it report while one send waits, or is done, untaken?",
        tasks::length_and_capacity,
    ),
];

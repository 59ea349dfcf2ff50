//! Messages in custody: who hears what became of them.

use super::{Number, Progress, Reference};
use crate::{program::Answer, script::Place};

/// Whom the answer for a message in custody goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The send in this slot.
    Sender(usize),
    /// Nobody: the sender has gone.
    Nobody,
    /// The channel: it was sent ahead of the take.
    Channel,
}

impl Reference {
    pub(super) fn hold(&mut self, channel: usize, slot: usize, message: Number) {
        let owner = if self.takes_from_a_slot(channel, message) {
            self.channels[channel].ahead.pop_front();
            self.channels[channel].in_custody += 1;
            self.places.remove(&message);
            Owner::Channel
        } else {
            Owner::Sender(self.take(channel, slot, message, Progress::InCustody))
        };
        self.custody.insert(message, (channel, owner));
    }

    /// The acceptor of `message` answers; returns whether there was somebody to hear it.
    pub(crate) fn answer(&mut self, message: Number, answer: Answer) -> bool {
        let (channel, owner) = self.custody.remove(&message).expect("it is in custody");
        let heard = match owner {
            Owner::Channel => self.answer_to_channel(channel, message, answer),
            Owner::Sender(slot) => {
                self.answer_to_sender(slot, message, answer);
                true
            }
            Owner::Nobody => {
                let place = match answer {
                    Answer::Release => Place::Taken,
                    Answer::HandBack | Answer::Doubt => Place::Kept,
                    Answer::Drop => Place::Lost,
                };
                self.places.insert(message, place);
                false
            }
        };
        self.may_vanish(channel);
        heard
    }

    fn answer_to_channel(&mut self, channel: usize, message: Number, answer: Answer) -> bool {
        let place = match answer {
            Answer::Release => Place::Taken,
            Answer::Doubt => Place::Kept,
            Answer::HandBack | Answer::Drop => {
                self.channels[channel].put_back(message);
                self.places.insert(message, Place::Slot);
                return true;
            }
        };
        self.channels[channel].in_custody -= 1;
        self.places.insert(message, place);
        false
    }

    fn answer_to_sender(&mut self, slot: usize, message: Number, answer: Answer) {
        let sending = self.operations[slot].as_mut().expect("it waits");
        let Progress::InCustody(guard) = sending.progress else {
            panic!("its sender waits for this answer");
        };
        sending.progress = match answer {
            Answer::Release => {
                self.places.insert(message, Place::Taken);
                Progress::Taken(guard)
            }
            Answer::HandBack | Answer::Drop => Progress::Returned(guard),
            Answer::Doubt => Progress::InDoubt(guard),
        };
    }
}

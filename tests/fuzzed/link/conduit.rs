//! The bytes of one direction that are on their way.

use std::collections::VecDeque;

use bytes::BufMut;
use handover::wire::{
    Denial, End, Frame, Goodbye, Hello, Link, MAGIC, OUTPUT_BYTES_MAX, Reason, VERSION, VERSION_MIN,
};

use super::input::Input;

/// More than this is not on its way: what is written then waits.
const ROOM: usize = 1 << 20;

#[derive(Debug, Default)]
pub struct Conduit(VecDeque<u8>);

impl Conduit {
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes what a side has to say: from one place, or from several.
    pub fn fill(&mut self, link: &mut Link, mut most: usize) {
        loop {
            if most % 2 == 1 {
                let room = most.min(ROOM - self.0.len());
                let said = link.write_with(|slices| {
                    let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
                    let before = self.0.len();
                    self.0.extend(bytes.take(room));
                    let count = self.0.len() - before;
                    (count, count)
                });
                most -= said.unwrap_or(0);
                if said.is_none_or(|count| count == 0) {
                    return;
                }
                continue;
            }
            let output = link.output();
            assert!(output.len() < 2 * OUTPUT_BYTES_MAX, "no output piles up");
            let count = output.len().min(most).min(ROOM - self.0.len());
            self.0.extend(&output[..count]);
            link.wrote(count);
            most -= count;
            if count == 0 {
                return;
            }
        }
    }

    /// Gives a side what came, up to one read: to one place, or to where it says.
    pub fn drain(&mut self, link: &mut Link, most: usize) {
        if most % 2 == 1 {
            link.read_with(|buffer| {
                let count = buffer.remaining_mut().min(most).min(self.0.len());
                self.0.drain(..count).for_each(|byte| buffer.put_u8(byte));
            });
            return;
        }
        let space = link.input();
        let count = space.len().min(most).min(self.0.len());
        for (place, byte) in space.iter_mut().zip(self.0.drain(..count)) {
            *place = byte;
        }
        link.received(count);
    }

    // ---- What nobody has said ----

    pub fn inject(&mut self, input: &mut Input<'_>) {
        let count = usize::from(input.byte());
        self.put(input.bytes(count));
    }

    /// A frame in the place of what was to come, or before it.
    pub fn inject_frame(&mut self, input: &mut Input<'_>) {
        let how = input.byte();
        let mut bytes = Vec::new();
        if how & 2 == 2 {
            bytes.extend_from_slice(MAGIC);
            bytes.extend([VERSION, VERSION_MIN]);
        }
        let chunk = vec![how; usize::from(input.byte()) << (how >> 2 & 8)];
        frame(input, &chunk).encode(&mut bytes);
        if how & 1 == 1 {
            self.0.clear();
        }
        self.put(&bytes);
    }

    /// Changes a byte on its way.
    pub fn spoil(&mut self, input: &mut Input<'_>) {
        let at = input.number();
        let change = input.byte();
        if let Ok(at) = usize::try_from(at)
            && let Some(byte) = self.0.get_mut(at)
        {
            *byte ^= change;
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        let room = ROOM - self.0.len();
        self.0.extend(&bytes[..bytes.len().min(room)]);
    }
}

/// Any frame at all.
fn frame<'a>(input: &mut Input<'_>, chunk: &'a [u8]) -> Frame<'a> {
    let kind = input.byte() % 19;
    let channel = u16::from(input.byte() % 5);
    let number = input.number();
    let end = if number & 1 == 0 {
        End::Sender
    } else {
        End::Receiver
    };
    match kind {
        0 => Frame::Hello(Hello {
            session: 7,
            incarnation: 1 + (number & 1),
            epoch: number.max(1),
            lease_ms: 100 + u32::from(input.byte()) * 16,
            message_bytes: 1 << (input.byte() % 20),
            channels: u16::from(input.byte()),
            name: "peer",
            token: b"",
        }),
        1 => Frame::Open {
            channel,
            opening: number,
            name: ["a", "b", "c", "d"][input.below(4)],
            type_name: "t",
            type_version: u32::from(input.byte()),
        },
        2 => Frame::Grant {
            channel,
            messages: number,
            bytes: input.number(),
        },
        3 | 4 => Frame::Data {
            channel,
            sequence: number,
            total: u32::try_from(input.number()).unwrap_or(u32::MAX),
            chunk,
        },
        5 => Frame::Taken {
            channel,
            sequence: number,
        },
        6 => Frame::Close { channel, end },
        7 => Frame::Goodbye(Goodbye::done()),
        8 => Frame::Returned {
            channel,
            sequence: number,
            in_doubt: input.byte() & 1 == 1,
        },
        9 => Frame::Revoke { channel },
        10 => Frame::Revoked {
            channel,
            sequence: number,
            bytes: input.number(),
        },
        11 => Frame::Withdraw {
            channel,
            sequence: number,
        },
        12 => Frame::Poison {
            channel,
            end,
            reason: Reason::new("it went wrong"),
        },
        13 => Frame::Settled {
            channel,
            sequence: number,
            open: &chunk.as_chunks().0[..chunk.as_chunks::<8>().0.len().min(64)],
        },
        14 => Frame::Resume {
            channel,
            arrived: number,
            arrived_bytes: input.number(),
            messages: input.number(),
            bytes: input.number(),
        },
        15 => Frame::Resumed,
        16 => Frame::Ping(number),
        17 => Frame::Pong(number),
        _ if number & 1 == 0 => Frame::Declined {
            channel,
            sequence: input.number(),
        },
        _ => Frame::Deny {
            channel,
            denial: Denial::NotAllowed,
            reason: Reason::new("no"),
        },
    }
}

//! One look at the network for all who ask at about the same time, and what was made of it.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{
    super::snapshot::{Observer, Snapshot},
    routes::{FORMATS, Format},
};

/// A look is not repeated before it is that old.
pub(super) const FRESH_MIN: Duration = Duration::from_millis(50);
/// Nor before so many times as long as it took.
const RESPITE: u32 = 10;

pub(super) struct Source {
    observer: Observer,
    look: Option<Look>,
}

struct Look {
    snapshot: Snapshot,
    rests_until: Instant,
    /// By format.
    made: [Option<Bytes>; FORMATS],
}

impl Source {
    pub(super) fn new(observer: Observer) -> Self {
        Self {
            observer,
            look: None,
        }
    }

    /// The network in a format, as it is now or was a moment ago.
    pub(super) fn get(&mut self, format: Format) -> Bytes {
        let began = Instant::now();
        self.look.take_if(|look| look.rests_until <= began);
        let look = self.look.get_or_insert_with(|| {
            let snapshot = self.observer.snapshot();
            let ended = Instant::now();
            Look {
                snapshot,
                rests_until: ended + FRESH_MIN.max((ended - began) * RESPITE),
                made: [const { None }; FORMATS],
            }
        });
        let made = &mut look.made[format as usize];
        let bytes = made.get_or_insert_with(|| Bytes::from(format.make(&look.snapshot)));
        bytes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::network::Network, Format, Source};

    #[test]
    fn those_who_ask_at_one_time_get_one_look() {
        let network = Network::new("quiet");
        let mut source = Source::new(network.observe());
        let mut same = 0;
        let mut last = source.get(Format::Json);
        for _ in 0..100 {
            let next = source.get(Format::Json);
            // The same bytes, not only equal ones.
            same += usize::from(next.as_ptr() == last.as_ptr());
            last = next;
        }
        assert!(
            same > 50,
            "only {same} of 100 got the look of the one before"
        );
    }
}

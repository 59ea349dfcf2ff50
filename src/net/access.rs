//! Who may use which channels.

use super::{
    ends::{ENDS, shared_name},
    node::SNAPSHOT,
    waits::WAITS,
};

/// In which direction messages go on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The peer sends, this side receives.
    FromPeer,
    /// This side sends, the peer receives.
    ToPeer,
}

impl Direction {
    /// What the peer does.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::FromPeer => "send",
            Self::ToPeer => "receive",
        }
    }
}

/// Which peers may send and receive on which channels of a link: whatever no rule allows is refused.
///
/// Names of peers and of channels are written out, or begin something: `worker-*` is every name that begins with
/// `worker-`, and `*` is every name. A peer is known by its certificate's name; on plain TCP by the name that it
/// gives itself, so that there the rules keep out mistakes and nobody who means harm.
///
/// ```
/// use handover::net::{Access, Config, Direction::{FromPeer, ToPeer}};
///
/// let access = Access::new()
///     .allow("worker-*", ToPeer, "units")
///     .allow("worker-*", FromPeer, "results")
///     .allow("operator", FromPeer, "*");
/// let config = Config::default().access(access);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    peer: String,
    direction: Direction,
    channel: String,
}

impl Access {
    /// Nothing is allowed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, and those peers may also use those channels in that direction.
    #[must_use]
    pub fn allow(
        mut self,
        peer: impl Into<String>,
        direction: Direction,
        channel: impl Into<String>,
    ) -> Self {
        self.rules.push(Rule {
            peer: peer.into(),
            direction,
            channel: channel.into(),
        });
        self
    }

    /// Whether a rule allows it.
    #[must_use]
    pub fn allows(&self, peer: &str, direction: Direction, channel: &str) -> bool {
        self.rules.iter().any(|rule| {
            rule.direction == direction
                && matches(&rule.peer, peer)
                && matches(&rule.channel, channel)
        })
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

/// The rules as they apply to one peer. Where there are none, no memory is spent on them.
#[derive(Debug)]
pub(super) struct Gate(Option<Box<Rules>>);

#[derive(Debug)]
struct Rules {
    peer: String,
    access: Access,
}

impl Gate {
    pub(super) fn new(peer: &str, access: Option<&Access>) -> Self {
        Self(access.map(|access| {
            Box::new(Rules {
                peer: peer.to_owned(),
                access: access.clone(),
            })
        }))
    }

    pub(super) fn allows(&self, direction: Direction, channel: &str) -> bool {
        // Whoever asks for an end is told whether he may have it; a snapshot is given by a node alone, which has joined.
        let is_asking = [ENDS, SNAPSHOT, WAITS].contains(&channel);
        self.0.as_ref().is_none_or(|rules| {
            is_asking
                || rules
                    .access
                    .allows(&rules.peer, direction, shared_name(channel))
        })
    }

    /// Why the peer may not send on `channel`, if the rules say so.
    pub(super) fn refusal(&self, channel: &str) -> Option<String> {
        let rules = self.0.as_ref()?;
        let peer = &rules.peer;
        (!self.allows(Direction::FromPeer, channel))
            .then(|| format!("{peer:?} may not send on channel {channel:?} here"))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Direction::{FromPeer, ToPeer},
        *,
    };

    #[test]
    fn a_rule_allows_what_it_names_and_nothing_else() {
        let access = Access::new()
            .allow("press-*", ToPeer, "units")
            .allow("boss", FromPeer, "orders/*")
            .allow("*", FromPeer, "hello");
        for (peer, direction, channel, allowed) in [
            ("press-4", ToPeer, "units", true),
            ("press-", ToPeer, "units", true),
            ("press", ToPeer, "units", false),
            ("press-4", FromPeer, "units", false),
            ("press-4", ToPeer, "units2", false),
            ("boss", FromPeer, "orders/4", true),
            ("boss", FromPeer, "orders", false),
            ("Boss", FromPeer, "orders/4", false),
            ("bos", FromPeer, "orders/4", false),
            ("", FromPeer, "hello", true),
        ] {
            assert_eq!(
                access.allows(peer, direction, channel),
                allowed,
                "{peer} {direction:?} {channel}"
            );
        }
        assert!(!Access::new().allows("boss", FromPeer, "hello"));
    }

    #[test]
    fn a_star_that_is_not_at_the_end_is_a_letter() {
        let access = Access::new().allow("a*b", ToPeer, "x");
        assert!(access.allows("a*b", ToPeer, "x"));
        assert!(!access.allows("acb", ToPeer, "x"));
    }
}

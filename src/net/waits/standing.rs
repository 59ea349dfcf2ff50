//! How the channels of a link stand.

use std::collections::HashMap;

use super::super::{port::Port, shared::Shared};
use crate::wire::Standing;

/// How the channels of a link stand: by whether this side sends on it, and by its name.
pub(super) type Ends = HashMap<(bool, String), Standing>;

impl Shared {
    /// How each channel stands of which an end is here; quiet only if its pump waits.
    pub(super) fn standings(&self) -> Ends {
        self.with(|core| {
            if core.parting.is_some() || !core.may_take {
                return Ends::new();
            }
            let standing = |(key, port): (u16, &Option<Port>)| {
                let (name, mut standing) = match port.as_ref()? {
                    Port::Out(port) => (
                        (true, core.wire.send_name(port.id)?.to_owned()),
                        core.wire.send_standing(port.id)?,
                    ),
                    Port::In(port) => (
                        (false, port.name.clone()),
                        core.wire.receive_standing(port.id?)?,
                    ),
                };
                standing.is_quiet &= self.wakes.is_at_rest(key);
                Some((name, standing))
            };
            (0u16..).zip(&core.ports).filter_map(standing).collect()
        })
    }
}

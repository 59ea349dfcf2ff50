//! The bytes of an input as choices. When they are used up every choice is 0.

#[derive(Debug)]
pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else {
            return 0;
        };
        self.rest = rest;
        *first
    }

    /// At most so many bytes.
    pub fn bytes(&mut self, most: usize) -> &'a [u8] {
        let (bytes, rest) = self.rest.split_at(most.min(self.rest.len()));
        self.rest = rest;
        bytes
    }

    /// One of the first `bound` numbers; 0 if there are none.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound.max(1)
    }

    /// How many bytes: few, many, or all.
    pub fn amount(&mut self) -> usize {
        match self.byte() {
            few @ 0..128 => usize::from(few),
            more @ 128..240 => usize::from(more - 127) * 600,
            _ => usize::MAX,
        }
    }

    /// A small number, or one at an edge.
    pub fn number(&mut self) -> u64 {
        match self.byte() {
            255 => u64::MAX,
            254 => u64::MAX - u64::from(self.byte()),
            253 => u64::from(u32::MAX) + u64::from(self.byte()),
            252 => u64::from(self.byte()) << 16,
            251 => u64::from(self.byte()) * 256 + u64::from(self.byte()),
            small => u64::from(small),
        }
    }
}

//! Standard input and output without a buffer of the library's, also where somebody made them non-blocking.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// A standard stream.
#[derive(Debug)]
pub struct Standard(OwnedFd);

impl Standard {
    /// Standard input.
    ///
    /// # Errors
    /// If it is closed.
    pub fn input() -> io::Result<Self> {
        io::stdin().as_fd().try_clone_to_owned().map(Self)
    }

    /// Standard output.
    ///
    /// # Errors
    /// If it is closed.
    pub fn output() -> io::Result<Self> {
        io::stdout().as_fd().try_clone_to_owned().map(Self)
    }

    /// Repeats `call` until it is neither interrupted nor too early.
    fn wait(
        &self,
        flags: PollFlags,
        mut call: impl FnMut(&OwnedFd) -> Result<usize, Errno>,
    ) -> io::Result<usize> {
        loop {
            match call(&self.0) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let _ = poll(&mut [PollFd::new(&self.0, flags)], None);
                }
                other => return other.map_err(io::Error::from),
            }
        }
    }
}

impl Read for Standard {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.wait(PollFlags::IN, |fd| rustix::io::read(fd, &mut *into))
    }
}

impl Write for Standard {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.wait(PollFlags::OUT, |fd| rustix::io::write(fd, from))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

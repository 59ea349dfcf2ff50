//! Two network namespaces with a line between them, which go whatever happens.

use std::{
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::line::Line;

/// The addresses of the two.
pub const ADDRESSES: [&str; 2] = ["192.168.77.1", "192.168.77.2"];

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// What joins two namespaces.
enum Joined {
    /// This process.
    By(Line),
    /// The kernel.
    Kernel,
}

pub struct Spaces {
    names: Names,
    devices: [String; 2],
    joined: Joined,
}

/// Runs a command; what it says if it fails.
fn run(command: &str) -> Result<(), String> {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().unwrap())
        .args(words)
        .output()
        .map_err(|error| format!("{command}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command}: {}", said.trim()))
}

/// Removes what a test made, also if not all of it was.
struct Names([String; 2]);

impl Drop for Names {
    fn drop(&mut self) {
        for name in &self.0 {
            let _ = run(&format!("ip netns del {name}"));
        }
    }
}

impl Spaces {
    /// Two namespaces joined by this process, or why there are none: that is no failure.
    pub fn new() -> Result<Self, String> {
        Self::make(|devices| {
            let names = [devices[0].as_str(), devices[1].as_str()];
            let line = Line::new(names, 7).map_err(|error| format!("/dev/net/tun: {error}"))?;
            Ok(Joined::By(line))
        })
    }

    /// Two namespaces joined by the kernel's own line.
    pub fn by_veth() -> Result<Self, String> {
        Self::make(|[a, b]| {
            run(&format!("ip link add {a} type veth peer name {b}"))?;
            Ok(Joined::Kernel)
        })
    }

    fn make(join: impl FnOnce(&[String; 2]) -> Result<Joined, String>) -> Result<Self, String> {
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let of = |what: &str| {
            ["a", "b"].map(|end| format!("{what}{}-{number}{end}", std::process::id()))
        };
        // The name of a device has at most 15 bytes.
        let (names, devices) = (Names(of("handover-")), of("ho"));
        for name in &names.0 {
            run(&format!("ip netns add {name}"))?;
        }
        let joined = join(&devices)?;
        for (end, (name, device)) in names.0.iter().zip(&devices).enumerate() {
            run(&format!("ip link set {device} netns {name}"))?;
            run(&format!(
                "ip -n {name} addr add {}/24 dev {device}",
                ADDRESSES[end]
            ))?;
            run(&format!("ip -n {name} link set lo up"))?;
            run(&format!("ip -n {name} link set {device} up"))?;
        }
        Ok(Self {
            names,
            devices,
            joined,
        })
    }

    /// The line, if it is this process.
    pub fn line(&self) -> &Line {
        match &self.joined {
            Joined::By(line) => line,
            Joined::Kernel => panic!("it is the kernel's"),
        }
    }

    /// The command in which a program runs there.
    pub fn inside(&self, end: usize) -> [&str; 4] {
        ["ip", "netns", "exec", &self.names.0[end]]
    }

    /// Sets the device of one end up or down.
    pub fn set(&self, end: usize, way: &str) {
        let (name, device) = (&self.names.0[end], &self.devices[end]);
        run(&format!("ip -n {name} link set {device} {way}")).unwrap();
    }

    /// Lets the kernel's line carry so much, in words of `tc`.
    pub fn slow_down(&self, rate: &str) -> Result<(), String> {
        for (name, device) in self.names.0.iter().zip(&self.devices) {
            run(&format!(
                "tc -n {name} qdisc replace dev {device} root tbf rate {rate} burst 16kb latency 50ms"
            ))?;
        }
        Ok(())
    }
}

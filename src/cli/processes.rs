//! Process groups and sessions: how nothing that was started is left behind.
//!
//! Each command runs in a process group of its own, so that it can be ended with its children. Each local
//! worker is the leader of a session of its own, so that the coordinator can end whatever is left in it, even
//! when the worker itself was killed. What makes itself a new session (`setsid`) leaves on purpose.

use rustix::process::{Pid, Signal};

/// Sends a signal to a process group. One that is gone is no error.
pub fn signal_group(group: Pid, signal: Signal) {
    let _ = rustix::process::kill_process_group(group, signal);
}

/// Sends a signal to all processes of a session and says how many there were.
///
/// Reads `/proc`; where there is none, only the leader's own process group is reached.
pub fn signal_session(session: Pid, signal: Signal) -> usize {
    let members = session_members(session);
    for member in &members {
        let _ = rustix::process::kill_process(*member, signal);
    }
    if members.is_empty() && !cfg!(target_os = "linux") {
        signal_group(session, signal);
    }
    members.len()
}

/// Kills everything else in the session that this process leads, if it leads one: nobody else put it there.
pub fn kill_session_mates() {
    signal_session_mates(Signal::KILL);
}

/// Sends a signal to everything else in the session that this process leads, if it leads one.
pub fn signal_session_mates(signal: Signal) {
    let this = rustix::process::getpid();
    if own_session() == Some(this) {
        for member in session_members(this)
            .into_iter()
            .filter(|member| *member != this)
        {
            let _ = rustix::process::kill_process(member, signal);
        }
    }
}

/// The session that this process is in, unless its leader is out of sight: where a container or another
/// process namespace began inside a session, the number of that session is 0 there, which is no process.
///
/// Reads `/proc`, as all of this does: `rustix::process::getsid` takes the number 0 for a fault of the kernel.
fn own_session() -> Option<Pid> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    Pid::from_raw(session_of(&stat)?)
}

/// The processes of a session that have not ended.
pub fn session_members(session: Pid) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let mut members = Vec::new();
    for entry in entries.flatten() {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
            .and_then(Pid::from_raw);
        let Some(pid) = pid else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        if session_of(&stat) == Some(session.as_raw_nonzero().get()) {
            members.push(pid);
        }
    }
    members
}

/// The session in a line of `/proc/PID/stat`, unless the process is a zombie.
fn session_of(stat: &str) -> Option<i32> {
    // The second field is the command's name in parentheses, in which anything may stand.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(2)?.parse().ok()
}

/// Makes this process the leader of a new session, out of the reach of its terminal's Ctrl-C.
pub fn lead_a_session() {
    // It fails only for the leader of a process group, which a started worker is not.
    let _ = rustix::process::setsid();
}

/// Has the kernel kill the command when the thread that starts it ends, however it ends (Linux).
#[cfg(target_os = "linux")]
pub fn die_with_starter(command: &mut tokio::process::Command) {
    let starter = rustix::process::getpid();
    let prepare = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // The starter may have ended before the line above.
        if rustix::process::getppid() == Some(starter) {
            Ok(())
        } else {
            Err(rustix::io::Errno::CHILD.into())
        }
    };
    // SAFETY: between fork and exec `prepare` makes two plain system calls on values that it owns; it does
    // not allocate, lock, or touch any memory that another thread could have held at the fork.
    unsafe { command.pre_exec(prepare) };
}

/// Nothing: only Linux has such an order.
#[cfg(not(target_os = "linux"))]
pub fn die_with_starter(_command: &mut tokio::process::Command) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_read_whatever_the_name_holds() {
        assert_eq!(session_of("12 (a) b (c)) S 1 12 34 0 -1"), Some(34));
        assert_eq!(session_of("12 (x) Z 1 12 34 0 -1"), None);
        assert_eq!(session_of("nonsense"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_is_a_member_of_the_session_that_it_leads() {
        let mut sleeper = std::process::Command::new("setsid")
            .args(["sleep", "60"])
            .spawn()
            .unwrap();
        let pid = Pid::from_child(&sleeper);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !session_members(pid).contains(&pid) && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        let members = session_members(pid);
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
        assert_eq!(members, [pid]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_session_whose_leader_is_out_of_sight_is_none() {
        // Both happen: the test runner's session may have begun outside of this process namespace.
        let in_sight = session_of(&std::fs::read_to_string("/proc/self/stat").unwrap()) != Some(0);
        assert_eq!(own_session().is_some(), in_sight);
        assert_eq!(
            session_of("12 (a) S 0 0 0 0 -1").and_then(Pid::from_raw),
            None
        );
    }
}

//! The macros that write an alternation down.

/// Waits on several channels at once, blocking the thread, and meets on exactly one of them.
///
/// ```
/// use handover::{channel, select};
///
/// let (orders, kitchen) = channel::<&str>();
/// let (stop, stopped) = channel::<()>();
/// let guest = std::thread::spawn(move || orders.send("soup"));
/// let served = select! {
///     recv(kitchen) -> order => order.ok(),
///     recv(stopped) -> _ => None,
/// };
/// assert_eq!(served, Some("soup"));
/// # drop(stop);
/// # assert!(guest.join().is_ok());
/// ```
///
/// The guards, in any mix, at least 64 of them:
///
/// - `recv(receiver) -> result`: meets when a message was taken, `Ok(message)`, or when every sender is gone,
///   `Err(RecvError)`.
/// - `send(sender, &mut home) -> result`: offers the message that is in `home`, an `Option<T>`. It meets when a
///   receiver has taken it, `Ok(())`, or when the send failed, `Err(SendError<()>)`. Whenever the message was
///   not taken, because the send failed or because another guard met, it is in `home` again; write
///   `&mut Some(message)` where it may be dropped then. With nothing in `home` the guard is switched off.
/// - `recv(receiver) -> result, if condition` (and the same for `send`): switched off unless the condition holds.
/// - `default => ...`: if no guard can meet at this moment; the alternation does not wait.
/// - `after(duration) => ...`: if no guard has met within that time.
///
/// An alternation whose guards are all switched off, without `default` or `after`, blocks for ever.
///
/// Among several guards that can meet, each has the same chance. With `biased;` in front, the first in the order
/// in which they are written is taken.
///
/// For more guards, or a number that is known only at run time, there is
/// [`Select`](crate::channel::Select).
///
/// Exactly one guard meets; the others have no effect. The same channel may stand in several guards, and a send
/// and a receive on the same channel do not meet each other.
#[macro_export]
macro_rules! select {
    (biased; $($arms:tt)*) => {
        $crate::__select!(@arm [blocking Biased {} {} {}] $($arms)*)
    };
    ($($arms:tt)*) => {
        $crate::__select!(@arm [blocking Fair {} {} {}] $($arms)*)
    };
}

/// Waits on several channels at once in an async function or block, and meets on exactly one of them.
///
/// As [`select!`](crate::select), but without blocking the thread, on any executor, and without `after`.
///
/// # Cancel safety
///
/// If the task is dropped while it waits here, no message was taken, and every message that was offered is in its
/// `home` again, unless a receiver had taken or accepted it.
#[macro_export]
macro_rules! select_async {
    (biased; $($arms:tt)*) => {
        $crate::__select!(@arm [task Biased {} {} {}] $($arms)*)
    };
    ($($arms:tt)*) => {
        $crate::__select!(@arm [task Fair {} {} {}] $($arms)*)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    // One arm after the other, each in one step, so that 64 stay within the default recursion limit.
    (@arm [$kind:ident $choice:ident {$($guards:tt)*} {$($arms:tt)*} $otherwise:tt]
        recv($receiver:expr) -> $result:pat, if $condition:expr => $body:block, $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice
            {$($guards)* {$crate::channel::select::RecvGuard::new(&$receiver, $condition)}}
            {$($arms)* {{$result} {$body}}} $otherwise] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident {$($guards:tt)*} {$($arms:tt)*} $otherwise:tt]
        recv($receiver:expr) -> $result:pat, if $condition:expr => $body:block $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice
            {$($guards)* {$crate::channel::select::RecvGuard::new(&$receiver, $condition)}}
            {$($arms)* {{$result} {$body}}} $otherwise] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident {$($guards:tt)*} {$($arms:tt)*} $otherwise:tt]
        recv($receiver:expr) -> $result:pat, if $condition:expr => $body:expr, $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice
            {$($guards)* {$crate::channel::select::RecvGuard::new(&$receiver, $condition)}}
            {$($arms)* {{$result} {$body}}} $otherwise] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident {$($guards:tt)*} {$($arms:tt)*} $otherwise:tt]
        recv($receiver:expr) -> $result:pat, if $condition:expr => $body:expr) => {
        $crate::__select!(@arm [$kind $choice
            {$($guards)* {$crate::channel::select::RecvGuard::new(&$receiver, $condition)}}
            {$($arms)* {{$result} {$body}}} $otherwise] )
    };
    (@arm [$kind:ident $choice:ident {$($guards:tt)*} {$($arms:tt)*} $otherwise:tt]
        send($sender:expr, $home:expr) -> $result:pat, if $condition:expr => $body:block, $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice
            {$($guards)* {$crate::channel::select::SendGuard::new(&$sender, $home, $condition)}}
            {$($arms)* {{$result} {$body}}} $otherwise] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident {$($guards:tt)*} {$($arms:tt)*} $otherwise:tt]
        send($sender:expr, $home:expr) -> $result:pat, if $condition:expr => $body:block $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice
            {$($guards)* {$crate::channel::select::SendGuard::new(&$sender, $home, $condition)}}
            {$($arms)* {{$result} {$body}}} $otherwise] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident {$($guards:tt)*} {$($arms:tt)*} $otherwise:tt]
        send($sender:expr, $home:expr) -> $result:pat, if $condition:expr => $body:expr, $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice
            {$($guards)* {$crate::channel::select::SendGuard::new(&$sender, $home, $condition)}}
            {$($arms)* {{$result} {$body}}} $otherwise] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident {$($guards:tt)*} {$($arms:tt)*} $otherwise:tt]
        send($sender:expr, $home:expr) -> $result:pat, if $condition:expr => $body:expr) => {
        $crate::__select!(@arm [$kind $choice
            {$($guards)* {$crate::channel::select::SendGuard::new(&$sender, $home, $condition)}}
            {$($arms)* {{$result} {$body}}} $otherwise] )
    };
    (@arm [$kind:ident $choice:ident {$($guards:tt)*} {$($arms:tt)*} $otherwise:tt]
        recv($receiver:expr) -> $result:pat => $body:block, $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice
            {$($guards)* {$crate::channel::select::RecvGuard::new(&$receiver, true)}}
            {$($arms)* {{$result} {$body}}} $otherwise] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident {$($guards:tt)*} {$($arms:tt)*} $otherwise:tt]
        recv($receiver:expr) -> $result:pat => $body:block $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice
            {$($guards)* {$crate::channel::select::RecvGuard::new(&$receiver, true)}}
            {$($arms)* {{$result} {$body}}} $otherwise] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident {$($guards:tt)*} {$($arms:tt)*} $otherwise:tt]
        recv($receiver:expr) -> $result:pat => $body:expr, $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice
            {$($guards)* {$crate::channel::select::RecvGuard::new(&$receiver, true)}}
            {$($arms)* {{$result} {$body}}} $otherwise] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident {$($guards:tt)*} {$($arms:tt)*} $otherwise:tt]
        recv($receiver:expr) -> $result:pat => $body:expr) => {
        $crate::__select!(@arm [$kind $choice
            {$($guards)* {$crate::channel::select::RecvGuard::new(&$receiver, true)}}
            {$($arms)* {{$result} {$body}}} $otherwise] )
    };
    (@arm [$kind:ident $choice:ident {$($guards:tt)*} {$($arms:tt)*} $otherwise:tt]
        send($sender:expr, $home:expr) -> $result:pat => $body:block, $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice
            {$($guards)* {$crate::channel::select::SendGuard::new(&$sender, $home, true)}}
            {$($arms)* {{$result} {$body}}} $otherwise] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident {$($guards:tt)*} {$($arms:tt)*} $otherwise:tt]
        send($sender:expr, $home:expr) -> $result:pat => $body:block $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice
            {$($guards)* {$crate::channel::select::SendGuard::new(&$sender, $home, true)}}
            {$($arms)* {{$result} {$body}}} $otherwise] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident {$($guards:tt)*} {$($arms:tt)*} $otherwise:tt]
        send($sender:expr, $home:expr) -> $result:pat => $body:expr, $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice
            {$($guards)* {$crate::channel::select::SendGuard::new(&$sender, $home, true)}}
            {$($arms)* {{$result} {$body}}} $otherwise] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident {$($guards:tt)*} {$($arms:tt)*} $otherwise:tt]
        send($sender:expr, $home:expr) -> $result:pat => $body:expr) => {
        $crate::__select!(@arm [$kind $choice
            {$($guards)* {$crate::channel::select::SendGuard::new(&$sender, $home, true)}}
            {$($arms)* {{$result} {$body}}} $otherwise] )
    };
    (@arm [$kind:ident $choice:ident $guards:tt $arms:tt {}] default => $body:block, $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice $guards $arms {{now} {$body}}] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident $guards:tt $arms:tt {}] default => $body:block $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice $guards $arms {{now} {$body}}] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident $guards:tt $arms:tt {}] default => $body:expr, $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice $guards $arms {{now} {$body}}] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident $guards:tt $arms:tt {}] default => $body:expr) => {
        $crate::__select!(@arm [$kind $choice $guards $arms {{now} {$body}}] )
    };
    (@arm [$kind:ident $choice:ident $guards:tt $arms:tt {}] after($duration:expr) => $body:block, $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice $guards $arms {{after $duration} {$body}}] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident $guards:tt $arms:tt {}] after($duration:expr) => $body:block $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice $guards $arms {{after $duration} {$body}}] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident $guards:tt $arms:tt {}] after($duration:expr) => $body:expr, $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice $guards $arms {{after $duration} {$body}}] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident $guards:tt $arms:tt {}] after($duration:expr) => $body:expr) => {
        $crate::__select!(@arm [$kind $choice $guards $arms {{after $duration} {$body}}] )
    };
    (@arm [$kind:ident $choice:ident $guards:tt $arms:tt $otherwise:tt]) => {
        $crate::__select!(@run $kind $choice $guards $arms $otherwise)
    };

    // Then the alternation. The `match` keeps temporaries in the guards' expressions alive.
    (@run blocking $choice:ident $guards:tt $arms:tt {}) => {{
        let outcome = match $crate::__select!(@new $choice $guards) {
            alternation => ::core::pin::pin!(alternation).block(::core::option::Option::None),
        };
        match outcome {
            ::core::option::Option::Some(outcome) => $crate::__select!(@match outcome $arms),
            ::core::option::Option::None => ::core::unreachable!("there is no deadline"),
        }
    }};
    (@run task $choice:ident $guards:tt $arms:tt {}) => {{
        let outcome = match $crate::__select!(@new $choice $guards) {
            alternation => alternation.await,
        };
        $crate::__select!(@match outcome $arms)
    }};
    (@run $kind:ident $choice:ident $guards:tt $arms:tt {{now} {$body:expr}}) => {{
        let outcome = match $crate::__select!(@new $choice $guards) {
            alternation => ::core::pin::pin!(alternation).now(),
        };
        match outcome {
            ::core::option::Option::Some(outcome) => $crate::__select!(@match outcome $arms),
            ::core::option::Option::None => $body,
        }
    }};
    (@run blocking $choice:ident $guards:tt $arms:tt {{after $duration:expr} {$body:expr}}) => {{
        let deadline = ::std::time::Instant::now().checked_add($duration);
        let outcome = match $crate::__select!(@new $choice $guards) {
            alternation => ::core::pin::pin!(alternation).block(deadline),
        };
        match outcome {
            ::core::option::Option::Some(outcome) => $crate::__select!(@match outcome $arms),
            ::core::option::Option::None => $body,
        }
    }};
    (@new $choice:ident {$($guards:tt)*}) => {
        $crate::channel::select::Alternation::new(
            $crate::__select!(@list $($guards)*),
            $crate::channel::select::Choice::$choice,
        )
    };
    // Four at a time, to spare steps.
    (@list {$a:expr} {$b:expr} {$c:expr} {$d:expr} $($rest:tt)*) => {
        ($a, ($b, ($c, ($d, $crate::__select!(@list $($rest)*)))))
    };
    (@list) => { () };
    (@list {$guard:expr} $($rest:tt)*) => { ($guard, $crate::__select!(@list $($rest)*)) };

    // And the choice among the bodies.
    (@match $outcome:ident {{{$a:pat} {$on_a:expr}} {{$b:pat} {$on_b:expr}} {{$c:pat} {$on_c:expr}}
        {{$d:pat} {$on_d:expr}} $($rest:tt)*}) => {
        match $outcome {
            $crate::channel::select::Outcome::First($a) => $on_a,
            $crate::channel::select::Outcome::Later(outcome) => match outcome {
                $crate::channel::select::Outcome::First($b) => $on_b,
                $crate::channel::select::Outcome::Later(outcome) => match outcome {
                    $crate::channel::select::Outcome::First($c) => $on_c,
                    $crate::channel::select::Outcome::Later(outcome) => match outcome {
                        $crate::channel::select::Outcome::First($d) => $on_d,
                        $crate::channel::select::Outcome::Later(outcome) => {
                            $crate::__select!(@match outcome {$($rest)*})
                        }
                    }
                }
            }
        }
    };
    (@match $outcome:ident {}) => { match $outcome {} };
    (@match $outcome:ident {{{$result:pat} {$body:expr}} $($rest:tt)*}) => {
        match $outcome {
            $crate::channel::select::Outcome::First($result) => $body,
            $crate::channel::select::Outcome::Later(outcome) => {
                $crate::__select!(@match outcome {$($rest)*})
            }
        }
    };
}

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
/// - `after(duration) -> due`: meets once `duration` has passed; `at(instant) -> due`: once the clock has come to
///   `instant`; `tick(ticker) -> due`: when the next tick of a [`Ticker`](crate::channel::Ticker) is due. Each
///   tells when it was due, an `Instant`; without `-> due` nobody is told. A duration counts from the moment at
///   which the alternation begins. With a timer that is due at that moment the alternation does not wait: it meets
///   the timer, or a peer that waits already.
/// - `recv(receiver) -> result, if condition` (and the same for every other): switched off unless the condition
///   holds.
/// - `default => ...`: if no guard can meet at this moment; the alternation does not wait.
///
/// An alternation whose guards are all switched off, without `default`, blocks for ever.
///
/// Among several guards that can meet, each has the same chance, and a timer that is due is one that can. With
/// `biased;` in front, the first in the order in which they are written is taken.
///
/// ```
/// use std::time::{Duration, Instant};
/// use handover::{channel, select};
///
/// let (orders, kitchen) = channel::<&str>();
/// let closing_time = Instant::now() + Duration::from_millis(20);
/// let mut dishes = 0;
/// loop {
///     select! {
///         recv(kitchen) -> order => dishes += usize::from(order.is_ok()),
///         after(Duration::from_millis(5)) => println!("nobody has ordered for a while"),
///         at(closing_time) => break, // a deadline for all turns together
///     }
/// }
/// # assert_eq!(dishes, 0);
/// # drop(orders);
/// ```
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
/// As [`select!`](crate::select), but without blocking the thread, on any executor.
///
/// Its timers need nothing of the executor: one thread, which the whole process shares, wakes tasks in time. It
/// runs only while a task waits for an instant.
///
/// # Panics
///
/// With a timer: if the process may not start that one thread.
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
    // One arm after the other, each in one step, so that 64 stay within the default recursion limit. The comma
    // after an arm that ends in a block is taken with the next arm.
    (@arm [$kind:ident $choice:ident {$($guards:tt)*} {$($arms:tt)*} $otherwise:tt] $(,)?
        $guard:ident($($operands:tt)*) $(-> $result:pat)? $(, if $condition:expr)? => $body:block $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice {$($guards)* {$guard ($($operands)*) [$($condition)?]}}
            {$($arms)* {{$guard [$($result)?]} {$body}}} $otherwise] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident {$($guards:tt)*} {$($arms:tt)*} $otherwise:tt] $(,)?
        $guard:ident($($operands:tt)*) $(-> $result:pat)? $(, if $condition:expr)? => $body:expr
        $(, $($rest:tt)*)?) => {
        $crate::__select!(@arm [$kind $choice {$($guards)* {$guard ($($operands)*) [$($condition)?]}}
            {$($arms)* {{$guard [$($result)?]} {$body}}} $otherwise] $($($rest)*)?)
    };
    (@arm [$kind:ident $choice:ident $guards:tt $arms:tt {}] $(,)? default => $body:block $($rest:tt)*) => {
        $crate::__select!(@arm [$kind $choice $guards $arms {$body}] $($rest)*)
    };
    (@arm [$kind:ident $choice:ident $guards:tt $arms:tt {}] $(,)? default => $body:expr $(, $($rest:tt)*)?) => {
        $crate::__select!(@arm [$kind $choice $guards $arms {$body}] $($($rest)*)?)
    };
    (@arm [$kind:ident $choice:ident $guards:tt $arms:tt {$($otherwise:tt)+}] $(,)? default $($rest:tt)*) => {
        ::core::compile_error!("an alternation has one `default`")
    };
    (@arm [$kind:ident $choice:ident $guards:tt $arms:tt $otherwise:tt] $(,)?) => {
        $crate::__select!(@run $kind $choice $guards $arms $otherwise)
    };
    (@arm $state:tt $($rest:tt)+) => {
        ::core::compile_error!(::core::concat!(
            "expected `guard(..) -> pattern, if condition => body`, or `default => body`, where `-> pattern` and \
             `, if condition` may be left out, and a body that is no block ends in a comma; found `",
            ::core::stringify!($($rest)+),
            "`"
        ))
    };

    // Then the alternation. The `match` keeps temporaries in the guards' expressions alive.
    (@run blocking $choice:ident $guards:tt $arms:tt {}) => {{
        let outcome = match $crate::__select!(@new blocking $choice $guards) {
            alternation => ::core::pin::pin!(alternation).block(::core::option::Option::None),
        };
        match outcome {
            ::core::option::Option::Some(outcome) => $crate::__select!(@match outcome $arms),
            ::core::option::Option::None => ::core::unreachable!("there is no deadline"),
        }
    }};
    (@run task $choice:ident $guards:tt $arms:tt {}) => {{
        let outcome = match $crate::__select!(@new task $choice $guards) {
            alternation => alternation.await,
        };
        $crate::__select!(@match outcome $arms)
    }};
    (@run $kind:ident $choice:ident $guards:tt $arms:tt {$body:expr}) => {{
        let outcome = match $crate::__select!(@new $kind $choice $guards) {
            alternation => ::core::pin::pin!(alternation).now(),
        };
        match outcome {
            ::core::option::Option::Some(outcome) => $crate::__select!(@match outcome $arms),
            ::core::option::Option::None => $body,
        }
    }};
    (@new $kind:ident $choice:ident {$($guards:tt)*}) => {
        $crate::channel::select::Alternation::new(
            $crate::__select!(@list $kind $($guards)*),
            $crate::channel::select::Choice::$choice,
        )
    };

    // The guards, four at a time, to spare steps.
    (@list $kind:ident $a:tt $b:tt $c:tt $d:tt $($rest:tt)*) => {
        (
            $crate::__select!(@guard $kind $a),
            ($crate::__select!(@guard $kind $b),
            ($crate::__select!(@guard $kind $c),
            ($crate::__select!(@guard $kind $d), $crate::__select!(@list $kind $($rest)*)))),
        )
    };
    (@list $kind:ident) => { () };
    (@list $kind:ident $guard:tt $($rest:tt)*) => {
        ($crate::__select!(@guard $kind $guard), $crate::__select!(@list $kind $($rest)*))
    };
    (@guard $kind:ident {$guard:ident $operands:tt []}) => {
        $crate::__select!(@guard $kind {$guard $operands [true]})
    };
    (@guard task {recv ($receiver:expr $(,)?) [$condition:expr]}) => {
        $crate::channel::select::RecvGuard::new(&$receiver, $condition)
    };
    (@guard blocking {recv ($receiver:expr $(,)?) [$condition:expr]}) => {
        $crate::channel::select::RecvGuard::blocking(&$receiver, $condition)
    };
    (@guard task {send ($sender:expr, $home:expr $(,)?) [$condition:expr]}) => {
        $crate::channel::select::SendGuard::new(&$sender, $home, $condition)
    };
    (@guard blocking {send ($sender:expr, $home:expr $(,)?) [$condition:expr]}) => {
        $crate::channel::select::SendGuard::blocking(&$sender, $home, $condition)
    };
    (@guard $kind:ident {after ($duration:expr $(,)?) [$condition:expr]}) => {
        $crate::channel::select::TimerGuard::after($duration, $condition)
    };
    (@guard $kind:ident {at ($instant:expr $(,)?) [$condition:expr]}) => {
        $crate::channel::select::TimerGuard::at($instant, $condition)
    };
    (@guard $kind:ident {tick ($ticker:expr $(,)?) [$condition:expr]}) => {
        $crate::channel::select::TickGuard::new(&$ticker, $condition)
    };
    (@guard $kind:ident {$guard:ident ($($operands:tt)*) $condition:tt}) => {
        ::core::compile_error!(::core::concat!(
            "`", ::core::stringify!($guard($($operands)*)), "` is no guard; there are `recv(receiver)`, \
             `send(sender, &mut home)`, `after(duration)`, `at(instant)`, and `tick(ticker)`"
        ))
    };

    // And the choice among the bodies.
    (@match $outcome:ident {{$a:tt {$on_a:expr}} {$b:tt {$on_b:expr}} {$c:tt {$on_c:expr}} {$d:tt {$on_d:expr}}
        $($rest:tt)*}) => {
        match $outcome {
            $crate::channel::select::Outcome::First($crate::__select!(@result $a)) => $on_a,
            $crate::channel::select::Outcome::Later(outcome) => match outcome {
                $crate::channel::select::Outcome::First($crate::__select!(@result $b)) => $on_b,
                $crate::channel::select::Outcome::Later(outcome) => match outcome {
                    $crate::channel::select::Outcome::First($crate::__select!(@result $c)) => $on_c,
                    $crate::channel::select::Outcome::Later(outcome) => match outcome {
                        $crate::channel::select::Outcome::First($crate::__select!(@result $d)) => $on_d,
                        $crate::channel::select::Outcome::Later(outcome) => {
                            $crate::__select!(@match outcome {$($rest)*})
                        }
                    }
                }
            }
        }
    };
    (@match $outcome:ident {}) => { match $outcome {} };
    (@match $outcome:ident {{$a:tt {$on_a:expr}} $($rest:tt)*}) => {
        match $outcome {
            $crate::channel::select::Outcome::First($crate::__select!(@result $a)) => $on_a,
            $crate::channel::select::Outcome::Later(outcome) => {
                $crate::__select!(@match outcome {$($rest)*})
            }
        }
    };
    (@result {$guard:ident [$result:pat]}) => { $result };
    (@result {recv []}) => {
        ::core::compile_error!("a `recv` guard names its result: `recv(receiver) -> result => ..`, or `-> _`")
    };
    (@result {send []}) => {
        ::core::compile_error!("a `send` guard names its result: `send(sender, home) -> result => ..`, or `-> _`")
    };
    (@result {$guard:ident []}) => { _ };
}
